"""The export beside the ledger: groups, their causes, and sums that are exact."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.reconciliation.allotment import allot
from enfilade.costs.reconciliation.booking import Owner, billed
from enfilade.costs.reconciliation.causes import Figures, Ours, Tolerance, judge
from enfilade.costs.reconciliation.matching import Group, LedgerKind, LedgerNames, LedgerTotal, match
from enfilade.costs.reconciliation.types import Entry

DAY = date(2026, 11, 1)
NANO = Tolerance(1)
CHAT = LedgerNames("openai", "openai/gpt-4o", "chat", "gpt-4o-2024-08-06")


def entry(
    kind: str | None, quantity: int | None, nano: int | None, model: str = "gpt-4o-2024-08-06", **more: int
) -> Entry:
    return Entry(DAY, model, "openai", kind, quantity, nano, more.get("rows", 1))


def ledger(
    kinds: dict[str | None, tuple[int, int]], names: LedgerNames = CHAT, entries: int = 1, estimated: int = 0
) -> tuple[list[LedgerTotal], list[LedgerKind]]:
    nano = sum(amount for _, amount in kinds.values())
    totals = [LedgerTotal(DAY, names, entries, nano, estimated, int(estimated > 0))]
    return totals, [LedgerKind(DAY, names, kind, count, Decimal(amount)) for kind, (count, amount) in kinds.items()]


def only(there: list[Entry], kinds: dict[str | None, tuple[int, int]], **more: Any) -> Group:
    (group,) = match(there, *ledger(kinds, **more), NANO)
    return group


def test_what_is_equal_matches() -> None:
    group = only(
        [entry("input", 1000, 2_500_000), entry("output", 10, 100_000)],
        {"input": (1000, 2_500_000), "output": (10, 100_000)},
    )
    assert group.verdict.matches
    assert group.verdict.causes == {}
    assert (group.model, group.entries) == ("gpt-4o-2024-08-06", 1)


@pytest.mark.parametrize(
    ("there", "here", "estimated", "causes"),
    [
        ([("input", 1000, 3_000_000)], {"input": (1000, 2_500_000)}, 0, {"price": 500_000}),
        ([("input", 1000, 2_000_000)], {"input": (1000, 2_500_000)}, 0, {"price": -500_000}),
        ([("input", 1200, 3_000_000)], {"input": (1000, 2_500_000)}, 0, {"quantity": 500_000}),
        ([("input", 1200, 3_600_000)], {"input": (1000, 2_500_000)}, 0, {"price": 500_000, "quantity": 600_000}),
        ([("input", 900, 2_250_000)], {"input": (1000, 2_500_000)}, 300_000, {"estimate": -250_000}),
        (
            [("input", 800, 2_000_000)],
            {"input": (1000, 2_500_000)},
            300_000,
            {"quantity": -200_000, "estimate": -300_000},
        ),
        ([("input", 1000, 2_500_001)], {"input": (1000, 2_500_000)}, 0, {"rounding": 1}),
        ([("input", None, 2_600_000)], {"input": (1000, 2_500_000)}, 0, {"unexplained": 100_000}),
        ([(None, None, 2_600_000)], {"input": (1000, 2_500_000)}, 0, {"unexplained": 100_000}),
        (
            [("input", 1000, 2_500_000), ("web_searches", 3, 30_000)],
            {"input": (1000, 2_500_000)},
            0,
            {"quantity": 30_000},
        ),
        ([("input", 1000, 2_500_000)], {"input": (1000, 2_500_000), "pages": (2, 70)}, 0, {"quantity": -70}),
    ],
)
def test_each_difference_has_its_cause(
    there: list[tuple[str | None, int | None, int]],
    here: dict[str | None, tuple[int, int]],
    estimated: int,
    causes: dict[str, int],
) -> None:
    group = only([entry(*row) for row in there], here, estimated=estimated)
    assert group.verdict.causes == causes


def test_our_finer_kinds_are_folded_into_the_exports() -> None:
    group = only(
        [entry("input", 1000, 2_500_000), entry("output", 30, 300_000)],
        {"input": (900, 2_250_000), "audio_input": (100, 250_000), "output": (10, 100_000), "reasoning": (20, 200_000)},
    )
    assert group.verdict.matches
    assert [(part.kind, part.here.quantity) for part in group.verdict.kinds] == [("input", 1000), ("output", 30)]


def test_what_one_side_lacks_is_missing() -> None:
    groups = match([entry("input", 1, 70, model="gpt-5")], *ledger({"input": (1000, 2_500_000)}), NANO)
    assert {group.model: group.verdict.causes for group in groups} == {
        "gpt-5": {"missing_here": 70},
        "gpt-4o-2024-08-06": {"missing_there": -2_500_000},
    }


def test_quantities_without_amounts_are_valued_at_our_prices() -> None:
    group = only(
        [entry("input", 1200, None), entry("output", 10, None)], {"input": (1000, 2_500_000), "output": (10, 100_000)}
    )
    assert group.verdict.is_valued
    assert group.verdict.causes == {"quantity": 500_000}


def test_a_name_without_a_date_is_compared_with_all_versions_together() -> None:
    names = LedgerNames("openai", "openai/gpt-4o", "chat", None)
    entries = [entry("input", 600, 1_500_000, model="gpt-4o-2024-05-13"), entry("input", 400, 1_000_000)]
    (group,) = match(entries, *ledger({"input": (1000, 2_500_000)}, names), NANO)
    assert group.verdict.matches


def test_a_replys_own_name_decides_between_versions() -> None:
    may = LedgerNames("openai", "openai/gpt-4o", "chat", "gpt-4o-2024-05-13")
    totals, kinds = ledger({"input": (400, 1_000_000)})
    more_totals, more_kinds = ledger({"input": (600, 1_500_000)}, may)
    entries = [entry("input", 600, 1_500_000, model="gpt-4o-2024-05-13"), entry("input", 400, 1_000_000)]
    groups = match(entries, [*totals, *more_totals], [*kinds, *more_kinds], NANO)
    assert [group.verdict.matches for group in groups] == [True, True]


def test_parts_of_a_nano_dollar_are_put_where_most_is() -> None:
    thirds = [LedgerKind(DAY, CHAT, kind, 1, Decimal(100) / 3) for kind in ("input", "cached_input", "output")]
    (group,) = match(
        [entry(kind, 1, 33) for kind in ("input", "cached_input", "output")],
        [LedgerTotal(DAY, CHAT, 1, 100, 0, 0)],
        thirds,
        NANO,
    )
    assert sum(part.here.nano or 0 for part in group.verdict.kinds) == 100
    assert group.verdict.causes == {"rounding": -1}


def test_corrections_without_kinds_count_where_the_costs_are() -> None:
    group = only([entry("input", 1000, 3_000_000)], {"input": (1000, 2_500_000), None: (0, 500_000)}, entries=2)
    assert group.verdict.matches


NANOS = st.integers(-(10**15), 10**15)
AMOUNTS = st.integers(0, 10**13)
QUANTITIES = st.one_of(st.none(), st.integers(0, 10**10))
SOME_KINDS = st.one_of(st.none(), st.sampled_from(KINDS))
FIGURES = st.builds(Figures, QUANTITIES, st.one_of(st.none(), AMOUNTS), st.integers(1, 50))
HERE = st.dictionaries(SOME_KINDS, st.builds(Figures, st.integers(0, 10**10), NANOS), max_size=6)


@given(
    st.dictionaries(SOME_KINDS, FIGURES, max_size=6),
    HERE,
    AMOUNTS,
    st.integers(1, 1000),
    st.sampled_from([1, 1000, 10_000_000]),
)
def test_causes_add_up_to_the_difference(
    there: dict[str | None, Figures], here: dict[str | None, Figures], estimated: int, entries: int, unit: int
) -> None:
    nano = sum(figures.nano or 0 for figures in here.values())
    verdict = judge(there, Ours(here, nano, entries if here else 0, estimated), Tolerance(unit))
    assert sum(verdict.causes.values()) == verdict.there_nano - nano
    assert sum(part.here.nano or 0 for part in verdict.kinds) == nano
    if not verdict.is_valued:
        assert verdict.there_nano == sum(figures.nano or 0 for figures in there.values())


@given(NANOS, st.lists(st.integers(0, 10**13), min_size=1, max_size=30))
def test_what_is_allotted_adds_up_and_is_in_proportion(amount: int, weights: list[int]) -> None:
    parts = allot(amount, weights)
    assert sum(parts) == amount
    total = sum(weights)
    if total:
        assert all(abs(part * total - amount * weight) < total for part, weight in zip(parts, weights, strict=True))
    else:
        assert max(parts) - min(parts) <= 1


def test_nobody_can_be_allotted_nothing() -> None:
    with pytest.raises(ValueError, match="nobody"):
        allot(1, [])


@pytest.mark.parametrize(
    ("part", "cost", "charge", "expected"),
    [
        (100, 1000, 1000, 100),
        (100, 1000, 1200, 120),
        (-100, 1000, 1200, -120),
        (1, 3, 2, 1),
        (1, 0, 0, 1),
        (5, 10, 0, 0),
    ],
)
def test_tenants_are_charged_on_the_terms_of_their_calls(part: int, cost: int, charge: int, expected: int) -> None:
    owner = Owner("t", "c", None, 0, cost, 1, charge)  # type: ignore[arg-type]
    assert billed(part, owner) == expected
