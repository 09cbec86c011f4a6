"""Which price holds: the administrators' word, a price list's, the book's; for whom; and when another model answers."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from enfilade.core.clock import ManualClock, to_ns
from enfilade.costs.errors import InvalidRule
from enfilade.costs.prices.adjustments import Adjustment, Adjustments, adjusted
from enfilade.costs.prices.agreements import millionths_of, percent_of
from enfilade.costs.prices.book import Match, PriceBook, PublishedModel, PublishedPrice, PublishedProvider
from enfilade.costs.prices.catalogue import PriceCatalogue
from enfilade.costs.prices.lists import ListEntry, ListVersion, PriceLists
from enfilade.costs.prices.source import MAX_ANSWERED_NAMES, Override, PriceSource
from enfilade.costs.prices.tariffs import Tariff, tariff_from
from enfilade.costs.prices.timeline import conflict, in_force
from enfilade.storage.unit_of_work import Storage

DOLLAR = 10**9
NOW = to_ns(datetime(2026, 11, 2, 12, tzinfo=UTC))
DAY = 86_400 * 10**9


def published(name: str, dollars: int, *aliases: str) -> PublishedModel:
    """A published model with one price for its input."""
    match = Match(any_of=tuple(Match(equals=alias) for alias in (name, *aliases)))
    return PublishedModel(name, match, (PublishedPrice({"input": dollars * DOLLAR}),))


BOOK = PriceBook(
    "v1",
    (
        PublishedProvider("acme", "https://acme", (published("big", 9, "big-2026-08-06"), published("small", 1))),
        PublishedProvider("else", "https://else", (published("huge", 99),)),
    ),
)


def tariff(dollars: int) -> Tariff:
    """So much for a million tokens of input."""
    return tariff_from({"input": dollars})


def listed(name: str, version: int, imported_ns: int, *entries: ListEntry) -> ListVersion:
    """A version of a list."""
    return ListVersion(name, version, imported_ns, entries)


def source(overrides: Sequence[Override] = (), lists: PriceLists | None = None) -> PriceSource:
    """The price of `acme/big` under our name `m`."""
    known = lists or PriceLists()
    return PriceSource(
        "m",
        lambda _: overrides,
        BOOK.find("acme", "big"),
        lambda now_ns: known.find(("m", "ours/big"), now_ns),
        (BOOK, "acme", "big"),
    )


def label(found: PriceSource, now_ns: int) -> str | None:
    """Who says what it costs."""
    sheet = found.at(now_ns)
    return None if sheet is None else sheet.label


# Time.


def test_a_version_holds_from_its_beginning_until_before_its_end_or_the_next_ones_beginning() -> None:
    versions = [Override(10, tariff(1)), Override(20, tariff(2), 30), Override(40, None), Override(50, tariff(5))]

    found = {moment: in_force(versions, moment) for moment in (9, 10, 19, 20, 29, 30, 39, 40, 50)}

    assert {moment: None if state.version is None else state.version.from_ns for moment, state in found.items()} == {
        9: None, 10: 10, 19: 10, 20: 20, 29: 20, 30: None, 39: None, 40: 40, 50: 50,
    }  # fmt: skip
    assert [found[moment].until_ns for moment in (9, 10, 20, 30, 40)] == [10, 20, 30, 40, 50]


@pytest.mark.parametrize(
    ("there", "new", "cut"),
    [
        (Override(10, tariff(1)), Override(20, tariff(2)), False),
        (Override(10, tariff(1), 20), Override(20, tariff(2)), False),
        (Override(10, tariff(1), 21), Override(20, tariff(2)), True),
        (Override(30, tariff(1)), Override(20, tariff(2), 31), True),
        (Override(30, tariff(1)), Override(20, tariff(2), 30), False),
        (Override(30, tariff(1)), Override(20, tariff(2)), False),
        (Override(10, tariff(1), 90), Override(20, None), False),
    ],
)
def test_prices_with_an_end_are_not_cut(there: Override, new: Override, cut: bool) -> None:
    assert conflict([there], new) is (there if cut else None)


# Where a price comes from.


def test_the_administrators_word_comes_before_a_lists_and_a_lists_before_the_books() -> None:
    lists = PriceLists([listed("eu", 1, NOW, ListEntry("m", tariff(3)))])
    found = source([Override(NOW + 10, tariff(2), NOW + 20)], lists)

    labels = [label(found, NOW + offset) for offset in (-1, 0, 9, 10, 19, 20)]

    assert labels == [
        "v1:acme/big",
        "file:eu@1:m",
        "file:eu@1:m",
        "override:m@2026-11-02T12:00:00+00:00",
        "override:m@2026-11-02T12:00:00+00:00",
        "file:eu@1:m",
    ]


def test_a_list_is_in_force_from_its_import_until_the_next_version_and_the_past_keeps_its_price() -> None:
    lists = PriceLists(
        [
            listed("eu", 2, NOW + DAY, ListEntry("m", tariff(4))),
            listed("eu", 1, NOW, ListEntry("m", tariff(3)), ListEntry("m", tariff(7), NOW + 5, NOW + 9)),
            listed("eu", 3, NOW + 2 * DAY, ListEntry("other", tariff(4))),
        ]
    )

    labels = [label(source(lists=lists), NOW + offset) for offset in (0, DAY - 1, DAY, 2 * DAY - 1, 2 * DAY, 0)]
    prices = [lists.find(("m",), NOW + offset).tariff for offset in (4, 5, 8, 9)]

    assert labels == ["file:eu@1:m", "v1:acme/big", "file:eu@2:m", "file:eu@2:m", "v1:acme/big", "file:eu@1:m"]
    assert prices == [tariff(3), tariff(7), tariff(7), None]


@pytest.mark.parametrize(
    ("models", "chosen"),
    [
        (["*", "m*", "m"], "m"),
        (["*", "ours/*", "ours/b*"], "ours/b*"),
        (["ours/big", "ours/*"], "ours/big"),
        (["theirs/*", "big"], None),
    ],
)
def test_of_several_entries_the_most_specific_one_counts(models: list[str], chosen: str | None) -> None:
    lists = PriceLists([listed("eu", 1, 0, *(ListEntry(model, tariff(3)) for model in models))])

    assert lists.find(("m", "ours/big"), NOW).label == ("" if chosen is None else f"file:eu@1:{chosen}")


def test_of_lists_that_are_equally_specific_the_one_changed_last_counts() -> None:
    lists = PriceLists([listed("a", 1, 20, ListEntry("m", tariff(3))), listed("b", 1, 10, ListEntry("m", tariff(4)))])

    assert lists.find(("m",), NOW).label == "file:a@1:m"


# Discounts and markups.


def adjustment(kind: Any, millionths: int | None, number: int = 1, **more: Any) -> Adjustment:
    """An adjustment of every model, from long ago on."""
    fields = {"tenant": None, "provider": "*", "model": "*", "from_ns": 0} | more
    return Adjustment(number, kind, millionths=millionths, **fields)


def test_a_tenant_pays_the_list_price_less_the_discount_plus_the_markup_and_the_label_names_all_three() -> None:
    base = tariff_from({"input": 10, "service_tiers": {"batch": {"input": 4}}}).sheet("list", datetime.now(UTC))

    sheet = adjusted(base, [adjustment("discount", -50_000, 7), adjustment("markup", 200_000, 8)])

    assert sheet.label == "list;discount:7=-5%;markup:8=+20%"
    assert sheet.contracted is not None
    assert sheet.listed is base
    assert [s.base.of("input") for s in (sheet, sheet.contracted, base)] == [11_400_000_000, 9_500_000_000, 10 * DOLLAR]
    batch = sheet.for_service_tier("batch")
    assert batch.contracted is not None
    assert batch.listed is not None
    assert [s.base.of("input") for s in (batch, batch.contracted, batch.listed)] == [
        4_560_000_000,
        3_800_000_000,
        4 * DOLLAR,
    ]


def test_beside_the_sheet_stands_only_what_differs_from_it() -> None:
    base = tariff(10).sheet("list", datetime.now(UTC))
    discounted = adjusted(base, [adjustment("discount", -50_000)])
    marked_up = adjusted(base, [adjustment("markup", 50_000)])

    assert adjusted(base, []) is base
    assert adjusted(base, [adjustment("markup", 0)]) is base
    assert (discounted.contracted, discounted.listed) == (None, base)
    assert (marked_up.contracted, marked_up.listed) == (base, base)


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([("*", "*", None, -1), ("sim", "*", None, -2)], [-2]),
        ([("s*", "m", None, -1), ("sim", "*", None, -2)], [-2]),
        ([("sim", "m*", None, -1), ("sim", "m", None, -2)], [-2]),
        ([("sim", "m", None, -1), ("*", "*", "acme", -2)], [-2]),
        ([("sim", "m", None, -1), ("*", "*", "globex", -2)], [-1]),
        ([("other", "m", None, -1)], []),
    ],
)
def test_of_several_discounts_the_most_specific_one_counts(
    entries: list[tuple[str, str, str | None, int]], expected: list[int]
) -> None:
    versions = [
        adjustment("discount", millionths, number, provider=provider, model=model, tenant=tenant)
        for number, (provider, model, tenant, millionths) in enumerate(entries)
    ]

    found, _ = Adjustments(versions).find("acme", "sim", "m", NOW)

    assert [entry.millionths for entry in found] == expected


def test_a_sheet_follows_its_adjustments_over_time_and_each_tenant_has_its_own() -> None:
    prices = PriceCatalogue(cast("Storage", None), ManualClock())
    found = source()
    at_first = prices.sheet_for(found, "acme", "sim", "m", NOW)
    prices._adjustments = Adjustments(
        [
            adjustment("markup", 100_000, 1, tenant="acme", from_ns=NOW),
            adjustment("markup", 200_000, 2, tenant="acme", from_ns=NOW + 10, to_ns=NOW + 20),
        ]
    )

    def rate(tenant: str, offset: int) -> int | None:
        sheet = prices.sheet_for(found, tenant, "sim", "m", NOW + offset)
        assert sheet is not None
        assert prices.sheet_for(found, tenant, "sim", "m", NOW + offset) is sheet, "it is kept"
        return sheet.base.of("input")

    assert at_first is found.at(NOW)
    assert [rate("acme", offset) for offset in (-1, 0, 9, 10, 19, 20, 0)] == [
        int(share * 9 * DOLLAR / 10) for share in (10, 11, 11, 12, 12, 10, 11)
    ]
    assert [rate("globex", offset) for offset in (0, 15)] == [9 * DOLLAR, 9 * DOLLAR]


@pytest.mark.parametrize(
    ("kind", "share", "millionths", "shown"),
    [
        ("discount", 5, -50_000, "5"),
        ("discount", "250bp", -25_000, "2.5"),
        ("discount", "100%", -1_000_000, "100"),
        ("markup", "12.3456", 123_456, "12.3456"),
        ("markup", "-5 %", -50_000, "-5"),
        ("markup", 0, 0, "0"),
    ],
)
def test_shares_are_exact(kind: Any, share: str, millionths: int, shown: str) -> None:
    assert millionths_of(kind, share) == millionths
    assert percent_of(adjustment(kind, millionths)) == shown


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("discount", -1),
        ("discount", 101),
        ("discount", "much"),
        ("markup", -101),
        ("markup", 801),
        ("markup", "0.00001"),
        ("markup", "NaN"),
        ("discount", "1e400"),
    ],
)
def test_shares_that_mean_nothing_are_refused(kind: Any, share: str) -> None:
    with pytest.raises(InvalidRule):
        millionths_of(kind, share)


# Another model answers.


@pytest.mark.parametrize(
    ("answered", "kind", "dollars"),
    [
        ("big", "same", None),
        ("big-2026-08-06", "same", None),
        ("BIG-20260806", "same", None),
        ("small", "priced", 1),
        ("huge", "unpriced", None),
        ("x" * 1000, "unpriced", None),
        ("", "unpriced", None),
    ],
)
def test_the_name_in_a_reply_is_the_same_entry_another_ones_or_unknown(
    answered: str, kind: str, dollars: int | None
) -> None:
    found = source().substituted(answered, NOW)

    assert found.kind == kind
    assert (None if found.sheet is None else found.sheet.base.of("input")) == (
        None if dollars is None else dollars * DOLLAR
    )


def test_where_the_model_has_a_declared_price_nothing_is_a_substitution() -> None:
    lists = PriceLists([listed("eu", 1, 0, ListEntry("ours/*", tariff(3)))])

    assert source([Override(0, tariff(1))]).substituted("small", NOW).kind == "same"
    assert source(lists=lists).substituted("small", NOW).kind == "same"
    assert PriceSource("m", lambda _: (), None).substituted("small", NOW).kind == "same"


def test_a_substituted_models_price_is_adjusted_as_the_tenants_other_prices_are() -> None:
    prices = PriceCatalogue(cast("Storage", None), ManualClock())
    prices._adjustments = Adjustments([adjustment("markup", 1_000_000, tenant="acme")])

    found = prices.substituted_for(source(), "small", "acme", "sim", "m", NOW)

    assert found.sheet is not None
    assert found.sheet.base.of("input") == 2 * DOLLAR


def test_names_that_upstream_makes_up_are_not_kept_without_end() -> None:
    found = source()
    for number in range(3 * MAX_ANSWERED_NAMES):
        found.substituted(f"made-up-{number}", NOW)

    assert len(found._answered) <= MAX_ANSWERED_NAMES
    assert found.substituted("small", NOW).kind == "priced"
