"""Prices over time and for tenants: whatever versions there are, a moment has the price that a naive reading finds."""

from datetime import UTC, datetime, timedelta
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.clock import to_ns
from enfilade.core.money import price_bound
from enfilade.core.usage import Usage
from enfilade.costs.prices.adjustments import Adjustment, adjusted
from enfilade.costs.prices.book import PublishedPrice, Tier, merged
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.prices.sheet import PriceSheet, rates_of
from enfilade.costs.prices.source import Override, PriceSource
from enfilade.costs.prices.tariffs import Hours, Tariff, Variant
from enfilade.costs.prices.timeline import conflict, in_force, ordered
from tests.support.properties import examples

START = datetime(2026, 11, 2, tzinfo=UTC)
moments = st.integers(0, 30)
rates = st.dictionaries(st.sampled_from(KINDS), st.integers(0, 10**12), min_size=1, max_size=6)
tiers = st.lists(st.tuples(st.integers(1, 2000), rates), max_size=3, unique_by=lambda tier: tier[0]).map(
    lambda found: tuple(Tier(above, figures) for above, figures in sorted(found, key=lambda tier: tier[0]))
)
tokens = st.integers(0, 3000)


@st.composite
def versions(draw: st.DrawFn) -> list[Override]:
    """Versions in the order in which they were made; none was let in that cuts another."""
    made: list[Override] = []
    for number in range(draw(st.integers(0, 8))):
        start = draw(moments)
        length = draw(st.one_of(st.none(), st.integers(1, 10)))
        price = draw(st.booleans())
        new = Override(start, Tariff({"input": number}) if price else None, None if length is None else start + length)
        if conflict(ordered(made), new) is None:
            made.append(new)
    return made


@given(versions(), moments)
@examples(150)
def test_the_price_of_a_moment_is_the_last_begun_unless_it_has_ended(made: list[Override], moment: int) -> None:
    begun = [version for version in made if version.from_ns <= moment]
    latest = max((version.from_ns for version in begun), default=None)
    last = next((version for version in reversed(begun) if version.from_ns == latest), None)
    expected = None if last is None or (last.to_ns is not None and last.to_ns <= moment) else last

    found = in_force(ordered(made), moment)

    assert found.version is expected
    assert found.until_ns > moment
    between = [in_force(ordered(made), later).version for later in range(moment, min(found.until_ns, 45))]
    assert all(version is expected for version in between), "nothing changes before it says so"


@given(versions(), st.lists(moments, min_size=1, max_size=12))
@examples(80)
def test_what_is_kept_in_memory_never_differs_from_what_is_looked_up(made: list[Override], asked: list[int]) -> None:
    held = ordered(made)
    kept = PriceSource("m", lambda _: held, None)

    for moment in asked:
        assert kept.at(moment) == PriceSource("m", lambda _: held, None).at(moment)


@given(rates, tiers, rates, tiers, tokens)
@examples(150)
def test_a_variant_replaces_what_it_names_at_every_length_and_nothing_else(
    standard: dict[str, int], long: tuple[Tier, ...], variant: dict[str, int], variant_long: tuple[Tier, ...], used: int
) -> None:
    def figure(kind: str, price: dict[str, int], thresholds: tuple[Tier, ...]) -> int | None:
        found = price.get(kind)
        for tier in thresholds:
            if used > tier.above and kind in tier.prices:
                found = tier.prices[kind]
        return found

    own = [Tier(tier.above, {kind: n for kind, n in tier.prices.items() if kind in variant}) for tier in variant_long]
    base, reached = merged(PublishedPrice(standard, long), PublishedPrice(variant, tuple(own))).rates()
    expected = {
        kind: figure(kind, variant, variant_long) if kind in variant else figure(kind, standard, long) for kind in KINDS
    }

    assert PriceSheet("l", base, reached).rates(used) == rates_of(
        {kind: found for kind, found in expected.items() if found is not None}
    )


@st.composite
def tariffs(draw: st.DrawFn) -> Tariff:
    """A declared price with a threshold or more, a service tier and other prices at night."""
    night = (Hours("22:00:00", "06:00:00", draw(rates)),)
    return Tariff(draw(rates), draw(tiers), {"batch": Variant(draw(rates))}, night)


@given(tariffs(), st.integers(-1_000_000, 0), st.integers(-1_000_000, 8_000_000), tokens, tokens)
@examples(100)
def test_whatever_a_declared_price_says_its_worst_case_covers_it_and_shares_scale_it(
    tariff: Tariff, discount: int, markup: int, inputs: int, outputs: int
) -> None:
    usage = Usage(input_tokens=inputs, output_tokens=outputs)
    agreed = [
        Adjustment(1, "discount", None, "*", "*", discount, 0),
        Adjustment(2, "markup", "t", "*", "*", markup, 0),
    ]
    for hour in (12, 23):
        listed = tariff.sheet("l", START + timedelta(hours=hour))
        for name in (None, "batch"):
            sheet = adjusted(listed, agreed).for_service_tier(name)
            worst = sheet.worst_input(inputs, caching=False) + price_bound(outputs, sheet.worst_output_rate(inputs))
            assert 0 <= sheet.cost(usage) <= worst
            share = Fraction(1_000_000 + discount, 10**6) * Fraction(1_000_000 + markup, 10**6)
            before = listed.for_service_tier(name).base
            for kind in KINDS:
                rate, scaled = before.of(kind), sheet.base.of(kind)
                if rate is None:
                    assert scaled is None, "what the price does not know has no share either"
                    continue
                assert scaled is not None
                # Each of the two steps rounds a rate by at most a half; the second scales the first one's.
                assert abs(scaled - rate * share) <= Fraction(1, 2) * (1 + Fraction(1_000_000 + markup, 10**6))


@given(st.integers(0, 86_399), st.integers(0, 86_399), st.integers(0, 86_399))
@examples(150)
def test_hours_hold_from_their_first_moment_until_before_their_last(start: int, until: int, asked: int) -> None:
    def text(second: int) -> str:
        return (START + timedelta(seconds=second)).time().isoformat()

    price = PublishedPrice({}, from_time=text(start), until_time=text(until))
    moment = START + timedelta(seconds=asked)
    inside = start <= asked < until if start <= until else not until <= asked < start

    assert price.is_active(moment) is inside
    assert to_ns(moment) - to_ns(START) == asked * 10**9
