"""What usage costs, against exact fractions; and the worst case, which must never be less than the charge."""

import math
from fractions import Fraction

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.money import price_bound
from enfilade.core.usage import MAX_TOKENS, QUANTITY_FIELDS, Usage
from enfilade.costs.prices.kinds import CACHE_WRITE_KINDS, KINDS, NUMBER
from enfilade.costs.prices.sheet import MAX_PRICE_NANO, UNPRICED, PriceSheet, Rates, rates_of
from tests.support.properties import examples

# Odd figures around half a nano-dollar a token are where rounding goes wrong; the rest are as in price lists.
rate = st.one_of(
    st.integers(0, 3).map(lambda halves: halves * 500_000),
    st.integers(0, 5_000_000),
    st.integers(0, 100_000).map(lambda cents: cents * 10_000_000),
    st.integers(0, MAX_PRICE_NANO),
)
amount = st.one_of(st.integers(0, 9), st.integers(0, 200_000), st.integers(0, MAX_TOKENS // 10))
INPUT_PARTS = (
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "audio_input_tokens",
    "cached_audio_input_tokens",
    "image_input_tokens",
    "cached_image_input_tokens",
)
OUTPUT_PARTS = ("reasoning_tokens", "audio_output_tokens", "image_output_tokens")
SINGLE = ("web_searches", "characters", "pages", "seconds")


@st.composite
def usages(draw: st.DrawFn, *, without: frozenset[str] = frozenset()) -> Usage:
    """Plausible usage: parts within their wholes."""
    figures = {
        name: draw(amount)
        for name in (*INPUT_PARTS, *OUTPUT_PARTS, *SINGLE)
        if name not in without and draw(st.booleans())
    }
    plain, words = draw(amount), draw(amount)
    return Usage(
        input_tokens=plain + sum(figures.get(name, 0) for name in INPUT_PARTS),
        output_tokens=words + sum(figures.get(name, 0) for name in OUTPUT_PARTS),
        **figures,
    )


@st.composite
def some_rates(draw: st.DrawFn) -> Rates:
    """Rates, some of which follow from others as in price lists."""
    return rates_of({kind: draw(rate) for kind in sorted(draw(st.sets(st.sampled_from(KINDS))))})


@st.composite
def sheets(draw: st.DrawFn) -> PriceSheet:
    """A price, perhaps with tiers for long contexts."""
    thresholds = sorted(draw(st.sets(st.integers(1, 300_000), max_size=3)))
    return PriceSheet("test", draw(some_rates()), tuple((threshold, draw(some_rates())) for threshold in thresholds))


def half_up(exact: Fraction) -> int:
    """The nearest whole number; the upper one of two."""
    return math.floor(exact + Fraction(1, 2))


def naive_amounts(sheet: PriceSheet, usage: Usage) -> dict[str, int]:
    """What each kind costs by exact fractions, rounded half-up once."""
    rates = sheet.base
    for threshold, tier in sheet.long_context:
        if usage.input_tokens > threshold:
            rates = tier
    used = dict(zip(KINDS, (getattr(usage, name, 1) for name in QUANTITY_FIELDS), strict=True))
    used["input"] -= sum(getattr(usage, name) for name in INPUT_PARTS)
    used["output"] -= sum(getattr(usage, name) for name in OUTPUT_PARTS)
    return {
        kind: half_up(Fraction(quantity) * max(rates.by_kind[NUMBER[kind]], 0) / 10**6)
        for kind, quantity in used.items()
    }


@given(sheets(), usages())
@examples(250)
def test_each_kind_costs_the_exact_amount_rounded_half_up_once_and_the_call_their_sum(
    sheet: PriceSheet, usage: Usage
) -> None:
    expected = naive_amounts(sheet, usage)

    charge = sheet.charge(usage)

    found = dict(zip(charge.kinds, charge.amounts, strict=True))
    assert len(found) == len(charge.kinds), "each kind has one line"
    assert {kind: found.get(kind, 0) for kind in KINDS} == expected
    assert min(charge.amounts, default=0) >= 0
    assert charge.nano == sheet.cost(usage) == sum(expected.values())


@given(sheets(), usages())
@examples(150)
def test_what_the_price_does_not_know_is_charged_nothing_and_named(sheet: PriceSheet, usage: Usage) -> None:
    rates = sheet.rates(usage.input_tokens)
    used = {KINDS[number] for number, _ in usage.quantities()}

    charge = sheet.charge(usage)

    assert charge.unpriced is any(rates.of(kind) is None for kind in used)
    for kind, amount_nano in zip(charge.kinds, charge.amounts, strict=True):
        assert rates.of(kind) is not None or amount_nano == 0


@given(
    sheets(),
    usages(without=frozenset({"characters", "pages", "seconds"})),
    amount,
    amount,
    st.integers(0, 3),
    st.data(),
)
@examples(300)
def test_the_worst_case_is_never_less_than_the_charge(
    sheet: PriceSheet, usage: Usage, more_input: int, more_output: int, more_searches: int, data: st.DataObject
) -> None:
    caching = data.draw(st.booleans())
    if not caching:
        written = {QUANTITY_FIELDS[number]: 0 for number in CACHE_WRITE_KINDS}
        usage = msgspec.structs.replace(usage, **written)
    input_bound, output_bound = usage.input_tokens + more_input, usage.output_tokens + more_output

    worst = sheet.worst_input(input_bound, caching=caching, searches=usage.web_searches + more_searches) + price_bound(
        output_bound, sheet.worst_output_rate(input_bound)
    )

    assert sheet.cost(usage) <= worst


@given(sheets(), usages(), usages())
@examples(200)
def test_using_more_of_everything_never_costs_less_within_a_tier(sheet: PriceSheet, one: Usage, other: Usage) -> None:
    flat = PriceSheet(sheet.label, sheet.base)
    both = Usage(*(a + b for a, b in zip(msgspec.structs.astuple(one), msgspec.structs.astuple(other), strict=True)))

    assert flat.cost(both) >= max(flat.cost(one), flat.cost(other))


@given(sheets(), usages(), st.integers(0, 3_000_000))
@examples(200)
def test_a_scaled_price_is_the_fraction_of_each_rate_rounded_half_up(
    sheet: PriceSheet, usage: Usage, millionths: int
) -> None:
    scaled = sheet.scaled("scaled", millionths, 10**6)

    for before, after in zip(
        (sheet.base, *(r for _, r in sheet.long_context)),
        (scaled.base, *(r for _, r in scaled.long_context)),
        strict=True,
    ):
        for old, new in zip(before.by_kind, after.by_kind, strict=True):
            assert new == (old if old == UNPRICED else half_up(Fraction(old * millionths, 10**6)))
    assert [above for above, _ in scaled.long_context] == [above for above, _ in sheet.long_context]
    if millionths <= 10**6:
        assert scaled.cost(usage) <= sheet.cost(usage)
    else:
        assert scaled.cost(usage) >= sheet.cost(usage)
