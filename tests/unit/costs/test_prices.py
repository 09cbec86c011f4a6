"""The price book, administrators' overrides, and the price that is in force at a moment."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import msgspec
import pytest

from enfilade.core.clock import to_ns
from enfilade.core.usage import Usage
from enfilade.costs.errors import InvalidRule, PriceBookFault, UnpricedServiceTier
from enfilade.costs.prices.book import (
    Match,
    PriceBook,
    PublishedModel,
    PublishedPrice,
    PublishedProvider,
    PublishedTier,
    Tier,
    decode_book,
)
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.prices.sheet import FREE, PriceSheet, rates_of
from enfilade.costs.prices.source import Override, PriceSource
from enfilade.costs.prices.tariffs import Tariff, tariff_from

MOMENT = datetime(2026, 11, 2, 12, tzinfo=UTC)
DOLLAR = 10**9


def model(identifier: str, match: Match | None = None, **more: object) -> PublishedModel:
    """A published model of one dollar in and two out, unless said otherwise."""
    fields = {"history": (PublishedPrice({"input": DOLLAR, "output": 2 * DOLLAR}),)} | more
    return PublishedModel(identifier, match or Match(equals=identifier), **fields)  # type: ignore[arg-type]


def book(*models: PublishedModel, **more: object) -> PriceBook:
    """A book with one provider, and perhaps others."""
    provider = PublishedProvider("acme-ai", r"https://api\.acme\.example", models, **more)  # type: ignore[arg-type]
    return PriceBook("v1", (provider, PublishedProvider("else", r"https://else\.example", (model("theirs"),))))


@pytest.mark.parametrize(
    ("match", "name", "expected"),
    [
        (Match(equals="m-1"), "m-1", True),
        (Match(equals="m-1"), "m-10", False),
        (Match(starts_with="m-"), "m-10", True),
        (Match(ends_with="-mini"), "m-mini", True),
        (Match(ends_with="-mini"), "mini-m", False),
        (Match(contains="pro"), "m-pro-2", True),
        (Match(regex=r"^m-\d+$"), "m-12", True),
        (Match(regex=r"^m-\d+$"), "m-x", False),
        (Match(any_of=(Match(equals="a"), Match(equals="b"))), "b", True),
        (Match(any_of=(Match(equals="a"), Match(equals="b"))), "c", False),
        (Match(all_of=(Match(starts_with="a"), Match(ends_with="z"))), "a-z", True),
        (Match(all_of=(Match(starts_with="a"), Match(ends_with="z"))), "a-y", False),
        (Match(), "anything", False),
    ],
)
def test_conditions_over_names(match: Match, name: str, expected: bool) -> None:
    assert match.matches(name) is expected


def test_a_model_is_found_whatever_the_case_of_its_name_and_its_label_says_where() -> None:
    found = book(model("m-1"), model("m-2")).find("acme-ai", "M-2")

    assert found is not None
    assert (found[0], found[1].id) == ("v1:acme-ai/m-2", "m-2")


def test_a_model_that_the_book_does_not_know_has_no_price() -> None:
    assert book(model("m-1")).find("acme-ai", "m-9") is None
    assert book(model("m-1")).find("nobody", "m-1") is None


def test_a_provider_may_fall_back_to_the_prices_of_another() -> None:
    found = book(model("m-1"), falls_back_to=("missing", "else")).find("acme-ai", "theirs")

    assert found is not None
    assert found[0] == "v1:else/theirs"


def test_a_provider_is_known_by_its_address() -> None:
    assert book().provider_at("https://api.acme.example/v1") == "acme-ai"
    assert book().provider_at("https://evil.example/?https://api.acme.example") is None


def test_the_price_of_a_date_holds_from_that_date_on() -> None:
    old, new = PublishedPrice({"input": 5}), PublishedPrice({"input": 3}, from_date="2026-12-01")
    published = model("m", history=(old, new))

    assert sheet_of(published, datetime(2026, 11, 30, 23, 59, tzinfo=UTC)).base.of("input") == 5
    assert sheet_of(published, datetime(2026, 12, 1, tzinfo=UTC)).base.of("input") == 3


@pytest.mark.parametrize(
    ("clock", "expected"), [("16:29", 5), ("16:30", 2), ("23:59", 2), ("00:00", 2), ("00:29", 2), ("00:30", 5)]
)
def test_the_price_of_the_night_holds_over_midnight(clock: str, expected: int) -> None:
    night = PublishedPrice({"input": 2}, from_time="16:30:00", until_time="00:30:00")
    published = model("m", history=(PublishedPrice({"input": 5}), night))
    hour, minute = map(int, clock.split(":"))

    assert sheet_of(published, MOMENT.replace(hour=hour, minute=minute)).base.of("input") == expected


def test_tiers_for_long_contexts_replace_only_the_prices_that_they_name() -> None:
    price = PublishedPrice({"input": 10, "output": 20, "requests": 7}, (Tier(1000, {"input": 15}),))
    sheet = sheet_of(model("m", history=(price,)), MOMENT, "l")

    assert sheet.rates(1000) == sheet.base
    long = sheet.rates(1001)
    kinds = ("input", "cached_input", "output", "reasoning", "requests")
    assert [long.of(kind) for kind in kinds] == [15, 15, 20, 20, 7]


def test_service_tiers_have_prices_of_their_own_and_a_label_that_says_so() -> None:
    priority = PublishedTier("priority", PublishedPrice({"input": 4 * DOLLAR}))
    late = PublishedTier("late", PublishedPrice({"input": 1}, from_date="2030-01-01"))
    sheet = sheet_of(model("m", service_tiers=(priority, late)), MOMENT, "book:m")

    chosen = sheet.for_service_tier("priority")

    assert (chosen.label, chosen.base.of("input"), chosen.base.of("output")) == (
        "book:m#priority",
        4 * DOLLAR,
        2 * DOLLAR,
    )
    for standard in (None, "auto", "default", "standard", "standard_only", "flex"):
        assert sheet.for_service_tier(standard) is sheet
    for unknown in ("late", "scale"):
        with pytest.raises(UnpricedServiceTier):
            sheet.for_service_tier(unknown)
    assert FREE.for_service_tier("scale") is FREE


def test_cached_and_written_tokens_cost_what_input_costs_unless_the_book_says_otherwise() -> None:
    usage = Usage(
        input_tokens=1_000_000,
        cached_input_tokens=400_000,
        cache_write_tokens=200_000,
        cache_write_1h_tokens=100_000,
        output_tokens=1_000_000,
        reasoning_tokens=300_000,
    )

    plain = PriceSheet("l", rates_of({"input": DOLLAR, "output": 2 * DOLLAR}))
    priced = PriceSheet(
        "l",
        rates_of(
            {"input": 10, "cached_input": 1, "cache_write": 12, "cache_write_1h": 20, "output": 50, "reasoning": 60}
        ),
    )

    assert plain.cost(usage) == 3 * DOLLAR
    # By the million: 0.3 plain, 0.4 read (0.4 nano), 0.2 (2.4 nano) and 0.1 written, 0.7 words and 0.3 thoughts.
    assert priced.charge(usage).amounts == [3, 0, 2, 2, 35, 18]
    assert priced.cost(usage) == 60


# The price in force.


def test_an_override_replaces_the_book_from_its_moment_and_until_it_is_ended() -> None:
    source = _source(
        Override(_ns("2026-11-02T12:00"), Tariff({"input": 7})),
        Override(_ns("2026-11-03T00:00"), Tariff({"input": 9})),
        Override(_ns("2026-11-04T00:00"), None),
    )

    prices = []
    for text in ("2026-11-02T11:59", "2026-11-02T12:00", "2026-11-02T23:59", "2026-11-03T00:00", "2026-11-04T00:00"):
        sheet = source.at(_ns(text))
        assert sheet is not None
        prices.append((sheet.label, sheet.base.of("input")))

    assert prices == [
        ("v1:acme-ai/m", DOLLAR),
        ("override:m@2026-11-02T12:00:00+00:00", 7),
        ("override:m@2026-11-02T12:00:00+00:00", 7),
        ("override:m@2026-11-03T00:00:00+00:00", 9),
        ("v1:acme-ai/m", DOLLAR),
    ]


def test_a_model_that_neither_the_book_nor_an_administrator_prices_is_unpriced() -> None:
    source = PriceSource("m", _overrides(), None)

    assert source.at(to_ns(MOMENT)) is None
    assert source.context_window is None


def test_an_unpriced_model_becomes_priced_when_its_override_begins_and_unpriced_when_it_ends() -> None:
    starts, ends = Override(_ns("2026-11-02T12:00"), Tariff({"input": 7})), Override(_ns("2026-11-02T13:00"), None)
    source = PriceSource("m", _overrides(starts, ends), None)

    moments = ("2026-11-02T11:59", "2026-11-02T12:00", "2026-11-02T12:59", "2026-11-02T13:00")

    assert [source.at(_ns(moment)) is not None for moment in moments] == [False, True, True, False]


def test_the_price_of_an_earlier_moment_can_be_asked_for_at_any_time() -> None:
    starts, dearer = Override(to_ns(MOMENT), Tariff({"input": 1})), Override(to_ns(MOMENT) + 10, Tariff({"input": 2}))
    source = PriceSource("m", _overrides(starts, dearer), None)
    moments = (5, 20, 5, 9, 10, 5, -1, 0)
    sheets = [source.at(to_ns(MOMENT) + moment) for moment in moments]
    found = [None if sheet is None else sheet.base.of("input") for sheet in sheets]
    assert found == [1, 2, 1, 1, 2, 1, None, 1]


def test_a_free_model_costs_nothing_and_says_so() -> None:
    sheet = PriceSource("m", _overrides(Override(0, Tariff(free=True))), None).at(to_ns(MOMENT))

    assert sheet is not None
    assert sheet.is_free
    assert sheet.label == "override:m@1970-01-01T00:00:00+00:00"
    assert sheet.cost(Usage(10**6, output_tokens=10**6)) == 0


def test_a_price_that_depends_on_the_time_is_looked_up_every_minute() -> None:
    night = PublishedPrice({"input": 2}, from_time="16:30:00", until_time="18:00:00")
    published = model("m", history=(PublishedPrice({"input": 5}), night))
    source = PriceSource("m", _overrides(), ("l", published))

    prices = [source.at(_ns(f"2026-11-02T{clock}")) for clock in ("16:29:59", "16:30:00", "17:59:59", "18:00:00")]

    assert [sheet.base.of("input") for sheet in prices if sheet] == [5, 2, 2, 5]


def test_the_context_window_comes_from_the_book() -> None:
    assert PriceSource("m", _overrides(), ("l", model("m", context_window=200_000))).context_window == 200_000


# What administrators write.


def test_prices_are_declared_in_dollars_per_million() -> None:
    rates = tariff_from({"input": "0.15", "cached_input": 0.0375, "output": 2, "reasoning": None, "free": False}).rates

    assert rates == {"input": 150_000_000, "cached_input": 37_500_000, "output": 2 * DOLLAR}


@pytest.mark.parametrize(
    ("prices", "param"),
    [
        ({}, "price"),
        ({"output": 1}, "price.input"),
        ({"input": 1, "parchments": 1}, "price"),
        ({"input": -1}, "price.input"),
        ({"input": "cheap"}, "price.input"),
        ({"input": 1, "output": "0.0000000001"}, "price.output"),
        ({"input": 1_000_001}, "price.input"),
        ({"free": True, "input": 1}, "price"),
    ],
)
def test_prices_that_mean_nothing_are_refused_with_the_field_at_fault(prices: dict[str, object], param: str) -> None:
    with pytest.raises(InvalidRule) as refusal:
        tariff_from(prices)

    assert (refusal.value.param, refusal.value.status) == (param, 422)


def test_every_kind_of_price_can_be_declared() -> None:
    assert sorted(tariff_from(dict.fromkeys(KINDS, 1)).rates) == sorted(KINDS)


# The stored form.


def test_a_book_survives_being_stored() -> None:
    original = book(
        model("m-1", Match(any_of=(Match(regex="^a"), Match(all_of=(Match(contains="b"),))))),
        model("m-2", service_tiers=(PublishedTier("flex", PublishedPrice({"input": 1})),), context_window=5),
    )

    assert decode_book(msgspec.json.encode(original)) == original


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"{}",
        b'{"version": 1, "providers": []}',
        msgspec.json.encode(book(model("m", history=(PublishedPrice({"input": -1}),)))),
        msgspec.json.encode(book(model("m", history=(PublishedPrice({"requests": -1}),)))),
        msgspec.json.encode(book(model("m", history=(PublishedPrice({}, (Tier(5, {}), Tier(5, {}))),)))),
        msgspec.json.encode(book(model("m", history=(PublishedPrice({}, (Tier(9, {}), Tier(5, {}))),)))),
        msgspec.json.encode(book(model("m", history=(PublishedPrice({}, from_date="tomorrow"),)))),
        msgspec.json.encode(book(model("m", service_tiers=(PublishedTier("x", PublishedPrice({"input": -1})),)))),
        msgspec.json.encode(PriceBook("v", (PublishedProvider("p", "(", ()),))),
        msgspec.json.encode(book(model("m", history=(PublishedPrice({}, from_time="noon", until_time="late"),)))),
        msgspec.json.encode(book(model("m", Match(regex="(")))),
        msgspec.json.encode(book(model("m", Match(any_of=(Match(all_of=(Match(regex="("),)),))))),
    ],
)
def test_a_book_that_is_not_sane_is_refused_as_a_whole(broken: bytes) -> None:
    with pytest.raises(PriceBookFault):
        decode_book(broken)


def _overrides(*overrides: Override) -> Callable[[str], Sequence[Override]]:
    return lambda name: overrides if name == "m" else ()


def _source(*overrides: Override) -> PriceSource:
    return PriceSource("m", _overrides(*overrides), book(model("m")).find("acme-ai", "m"))


def _ns(text: str) -> int:
    return to_ns(datetime.fromisoformat(text).replace(tzinfo=UTC))


def sheet_of(published: PublishedModel, moment: datetime, label: str = "l") -> PriceSheet:
    """The published price at a moment; it must be one."""
    sheet = published.sheet(label, moment)
    assert sheet is not None
    return sheet
