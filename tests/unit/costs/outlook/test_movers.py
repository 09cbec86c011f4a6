"""What has changed, and why: sums that add up to the last nano-dollar."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.clock import to_ns
from enfilade.costs.errors import InvalidRule
from enfilade.costs.outlook.movers import effects, moved, spans
from enfilade.costs.spend.measures import MEASURES, Sums, sums_of
from enfilade.costs.spend.report import SpendGroup

KINDS = ("input", "output", "requests")


def sums(nano: int, **kinds: tuple[int, int]) -> Sums:
    row: dict[str, Any] = dict.fromkeys(MEASURES)
    row["amount_nano"] = nano
    for kind, (quantity, amount) in kinds.items():
        row |= {f"q_{kind}": quantity, f"a_{kind}": amount}
    return sums_of(row)


def group(subject: str | None, model: str, **kinds: tuple[int, int]) -> SpendGroup:
    return SpendGroup((subject, model), "t", sums(sum(amount for _, amount in kinds.values()), **kinds))


def test_a_dearer_price_is_a_price_effect() -> None:
    (mover,) = moved([group("app", "m", input=(100, 1000))], [group("app", "m", input=(100, 1500))])
    assert (mover.price, mover.volume, mover.other, mover.difference) == (500, 0, 0, 500)


def test_more_of_the_same_is_a_volume_effect() -> None:
    (mover,) = moved([group("app", "m", input=(100, 1000))], [group("app", "m", input=(150, 1500))])
    assert (mover.price, mover.volume) == (0, 500)


def test_both_at_once_add_up() -> None:
    (mover,) = moved([group("app", "m", input=(100, 1000))], [group("app", "m", input=(200, 4000))])
    assert (mover.price, mover.volume, mover.difference) == (2000, 1000, 3000)


def test_a_change_of_models_is_no_change_of_prices() -> None:
    before = [group("app", "dear", input=(100, 5000))]
    after = [group("app", "cheap", input=(100, 500))]
    (mover,) = moved(before, after)
    assert (mover.price, mover.volume, mover.status) == (0, -4500, "down")


def test_what_is_new_and_what_is_gone_are_told() -> None:
    found = moved([group("old", "m", input=(1, 70))], [group("new", "m", input=(1, 90))])
    assert [(mover.subject, mover.status, mover.volume) for mover in found] == [
        ("new", "new", 90),
        ("old", "gone", -70),
    ]


def test_the_largest_changes_come_first_whatever_their_sign() -> None:
    before = [group("a", "m", input=(1, 100)), group("b", "m", input=(1, 100)), group("c", "m", input=(1, 100))]
    after = [group("a", "m", input=(1, 110)), group("b", "m", input=(1, 10)), group("c", "m", input=(1, 100))]
    assert [(mover.subject, mover.status) for mover in moved(before, after)] == [
        ("b", "down"), ("a", "up"), ("c", "same"),
    ]  # fmt: skip


def test_a_correction_of_a_whole_is_neither_price_nor_volume() -> None:
    after = [SpendGroup(("app", "m"), "t", sums(900, input=(100, 1000)))]
    (mover,) = moved([group("app", "m", input=(100, 1000))], after)
    assert (mover.price, mover.volume, mover.other, mover.difference) == (0, 0, -100, -100)


counted = st.dictionaries(
    st.sampled_from(KINDS), st.tuples(st.integers(0, 10**9), st.integers(-(10**6), 10**12)), max_size=3
)
cells = st.dictionaries(
    st.tuples(st.sampled_from("ab"), st.sampled_from("xyz")), st.tuples(counted, st.integers(-100, 100)), max_size=6
)


@given(cells, cells)
def test_price_volume_and_the_rest_add_up_to_the_change(before: Any, after: Any) -> None:
    sides = [
        [
            SpendGroup((subject, model), "t", sums(extra + sum(amount for _, amount in kinds.values()), **kinds))
            for (subject, model), (kinds, extra) in side.items()
        ]
        for side in (before, after)
    ]
    found = moved(*sides)
    for mover in found:
        assert mover.price + mover.volume + mover.other == mover.after - mover.before
    for place, figure in enumerate(("before", "after")):
        assert sum(getattr(mover, figure) for mover in found) == sum(entry.sums.nano for entry in sides[place])
    assert len({mover.subject for mover in found}) == len(found)


@given(st.integers(1, 10**9), st.integers(1, 10**9), st.integers(0, 10**6))
def test_at_an_unchanged_rate_there_is_no_price_effect_but_rounding(old: int, new: int, rate: int) -> None:
    price, volume = effects(({"input": old}, {"input": old * rate}), ({"input": new}, {"input": new * rate}))
    assert (price, volume) == (0, (new - old) * rate)


# Periods.


def at(text: str, zone: str = "UTC") -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


@pytest.mark.parametrize(
    ("period", "now", "before", "after"),
    [
        ("month", "2026-11-10 15:30", ("2026-10-01", "2026-10-10 15:00"), ("2026-11-01", "2026-11-10 15:00")),
        ("week", "2026-11-04 06:59", ("2026-10-26", "2026-10-28 06:00"), ("2026-11-02", "2026-11-04 06:00")),
        ("day", "2026-11-04 06:00", ("2026-11-03", "2026-11-03 06:00"), ("2026-11-04", "2026-11-04 06:00")),
        ("month", "2026-03-31 12:00", ("2026-02-01", "2026-03-01"), ("2026-03-01", "2026-03-31 12:00")),
        ("month", "2026-03-01 00:10", ("2026-02-01", "2026-02-01 01:00"), ("2026-03-01", "2026-03-01 01:00")),
        ("quarter", "2026-11-10 15:30", ("2026-07-01", "2026-08-10 15:00"), ("2026-10-01", "2026-11-10 15:00")),
    ],
)
def test_the_same_part_of_the_period_before(
    period: str, now: str, before: tuple[str, str], after: tuple[str, str]
) -> None:
    for zone in ("UTC", "America/New_York"):
        found = spans(period, to_ns(at(now, zone)), zone)
        assert found == tuple(tuple(at(text, zone) for text in span) for span in (before, after))


def test_a_week_with_a_change_of_clocks_ends_at_the_same_time_of_day() -> None:
    before, after = spans("week", to_ns(at("2026-03-29 12:00", "Europe/Vienna")), "Europe/Vienna")
    assert before[1] == at("2026-03-22 12:00", "Europe/Vienna")
    assert after == (at("2026-03-23", "Europe/Vienna"), at("2026-03-29 12:00", "Europe/Vienna"))


def test_a_period_that_there_is_not_is_refused() -> None:
    with pytest.raises(InvalidRule):
        spans("fortnight", 0, "UTC")
