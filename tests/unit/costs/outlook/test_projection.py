"""Forecasts on histories that are known."""

import random
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.clock import to_ns
from enfilade.costs.outlook.hours import DAY_HOURS, Slot, days_in, slots_left
from enfilade.costs.outlook.projection import BACKTESTED, SHORT, History, Projection, project, quantile, used_up_at

USD = 10**9
SUNDAY = date(2026, 11, 1)
"""Yesterday, in these tests: today is Monday."""
NOW = datetime(2026, 11, 2, tzinfo=UTC)
WEEK = [100, 110, 120, 110, 100, 20, 10]
"""From Monday to Sunday, in dollars."""


def slots(days: float, start: datetime = NOW, zone: str = "UTC") -> list[Slot]:
    return slots_left(to_ns(start), to_ns(start + timedelta(days=days)), zone)


def weeks(count: int, level: float = 1.0) -> list[int]:
    return [round(level * cost * USD) for _ in range(count) for cost in WEEK]


def told(history: History, days: float = 28) -> Projection:
    found = project(history, slots(days))
    assert found is not None
    assert 0 <= found.low <= found.expected <= found.high
    return found


def test_nothing_is_known_of_what_has_no_history() -> None:
    assert project(History([], SUNDAY), slots(10)) is None


@pytest.mark.parametrize("days", [1, 7, 28, 12.5])
def test_a_flat_history_goes_on(days: float) -> None:
    found = told(History([5 * USD] * 84, SUNDAY), days)
    assert found.expected == pytest.approx(5 * USD * days)
    assert found.basis == BACKTESTED
    assert found.high - found.low <= 0.2 * found.expected


def test_the_days_of_the_week_are_told_apart() -> None:
    history = History(weeks(12), SUNDAY)
    assert told(history, 5).expected == pytest.approx(540 * USD, rel=0.01)
    assert told(history, 7).expected == pytest.approx(570 * USD, rel=0.01)
    weekend = project(history, slots(2, NOW + timedelta(days=5)))
    assert weekend is not None
    assert weekend.expected == pytest.approx(30 * USD, rel=0.05)


def test_the_level_is_that_of_the_last_weeks() -> None:
    grown = told(History(weeks(8) + weeks(4, 3.0), SUNDAY), 28)
    assert grown.expected == pytest.approx(4 * 570 * 3 * USD, rel=0.05)


def test_a_new_level_counts_after_three_days_and_a_spike_does_not() -> None:
    calm = [10 * USD] * 60
    spike, level = calm[:-2] + [300 * USD] * 2, calm[:-5] + [300 * USD] * 5
    assert told(History(spike, SUNDAY), 7).expected < 3 * 70 * USD
    assert told(History(level, SUNDAY), 7).expected > 10 * 70 * USD


def test_one_spike_changes_little_and_many_widen_the_range() -> None:
    calm, once, often = ([10 * USD] * 84 for _ in range(3))
    once[40] = 2000 * USD
    often[10::9] = [100 * USD] * len(often[10::9])
    smooth, rare, rough = (told(History(days, SUNDAY), 7) for days in (calm, once, often))
    assert rare.expected == pytest.approx(smooth.expected, rel=0.02)
    assert rough.high > smooth.high + 50 * USD


@pytest.mark.parametrize("days", range(1, 30))
def test_the_shorter_the_history_the_wider_the_range(days: int) -> None:
    found = told(History([10 * USD] * days, SUNDAY), 14)
    assert found.expected == pytest.approx(140 * USD, rel=0.02)
    assert found.basis == (SHORT if days < 21 else BACKTESTED)
    if days < 21:
        assert found.high / found.expected == pytest.approx(1 + 3 / days**0.5, rel=0.01)


def test_a_scope_that_has_stopped_may_begin_again() -> None:
    found = told(History([7 * USD] * 40 + [0] * 44, SUNDAY), 10)
    assert (found.expected, found.low) == (0, 0)
    assert found.high == pytest.approx(10 * 7 * USD * 40 / 84)


def test_a_history_of_nothing_foretells_nothing() -> None:
    found = told(History([0] * 30, SUNDAY), 10)
    assert (found.low, found.expected, found.high) == (0, 0, 0)


def test_eight_of_ten_ranges_hold_what_it_comes_to() -> None:
    chance = random.Random(7)
    held = 0
    for _ in range(120):
        noise = [round(cost * USD * chance.lognormvariate(0, 0.3)) for cost in WEEK * 16]
        found = told(History(noise[:84], SUNDAY), 28)
        held += found.low <= sum(noise[84:]) <= found.high
    assert 0.75 <= held / 120 <= 1.0


def test_the_same_history_gives_the_same_forecast() -> None:
    history = History(weeks(9, 1.37), SUNDAY)
    assert project(history, slots(20)) == project(history, slots(20))


def test_what_is_left_of_today_goes_by_its_hours() -> None:
    working = [0] * DAY_HOURS
    working[9:17] = [USD] * 8
    history = History(weeks(12), SUNDAY, working + [0] * DAY_HOURS)
    morning = project(history, slots(0.5, NOW))
    evening = project(history, slots(0.25, NOW + timedelta(hours=17)))
    assert morning is not None
    assert evening is not None
    assert morning.expected == pytest.approx(100 * USD * 3 / 8, rel=0.02)
    assert evening.expected == 0


@pytest.mark.parametrize(
    ("day", "hours"), [(datetime(2026, 3, 28, 23, tzinfo=UTC), 23), (datetime(2026, 10, 24, 22, tzinfo=UTC), 25)]
)
def test_days_of_changing_clocks_have_the_hours_that_they_have(day: datetime, hours: int) -> None:
    found = slots_left(to_ns(day), to_ns(day + timedelta(hours=hours)), "Europe/Vienna")
    assert len(found) == hours
    assert sum(slot.hours for slot in found) == hours
    assert found[0].place % DAY_HOURS == 0
    assert found[-1].place % DAY_HOURS == DAY_HOURS - 1


def test_zones_of_half_hours_have_hours_of_their_own() -> None:
    found = slots_left(to_ns(NOW), to_ns(NOW + timedelta(hours=3)), "Asia/Kolkata")
    assert [slot.hours for slot in found] == [0.5, 1, 1, 0.5]


def test_the_first_and_the_last_hour_count_in_part() -> None:
    start = NOW + timedelta(minutes=45)
    found = slots(1, start)
    assert days_in(found) == pytest.approx(1)
    assert (found[0].hours, found[-1].hours) == (0.25, 0.75)
    assert slots(0) == []


# When a budget is used up.


def test_a_budget_is_used_up_when_its_rest_is_spent() -> None:
    history, ahead = History([24 * USD] * 84, SUNDAY), slots(10)
    found = project(history, ahead)
    assert found is not None
    assert used_up_at(found, found.expected, 36 * USD, ahead) == NOW + timedelta(days=1.5)
    assert used_up_at(found, found.high, 36 * USD, ahead) < NOW + timedelta(days=1.5)  # type: ignore[operator]
    assert used_up_at(found, found.low, 36 * USD, ahead) > NOW + timedelta(days=1.5)  # type: ignore[operator]


def test_a_budget_that_resets_first_is_not_used_up() -> None:
    ahead = slots(10)
    found = project(History([24 * USD] * 84, SUNDAY), ahead)
    assert found is not None
    assert used_up_at(found, found.expected, 241 * USD, ahead) is None
    assert used_up_at(found, 0, 1, ahead) is None
    assert used_up_at(found, found.expected, 1, []) is None


def test_a_budget_that_is_used_up_is_used_up_now() -> None:
    ahead = slots(10)
    found = project(History([24 * USD] * 84, SUNDAY), ahead)
    assert found is not None
    assert used_up_at(found, found.expected, 0, ahead) == NOW
    assert used_up_at(found, 0, -5, ahead) == NOW


@given(
    st.lists(st.integers(0, 10**13), min_size=1, max_size=100),
    st.floats(0.01, 60),
    st.integers(0, 6),
    st.lists(st.integers(0, 10**12), min_size=48, max_size=48),
)
def test_every_history_gives_a_range_in_order(days: list[int], ahead: float, shift: int, hours: list[int]) -> None:
    history = History(days, SUNDAY + timedelta(days=shift), hours)
    found = project(history, slots(ahead, NOW + timedelta(days=shift)))
    assert found is not None
    assert 0 <= found.low <= found.expected <= found.high
    assert all(isinstance(value, int) for value in (found.low, found.expected, found.high))
    left = found.expected // 2
    moment = used_up_at(found, found.expected, left, slots(ahead, NOW + timedelta(days=shift)))
    if found.expected > 0:
        assert moment is not None
        assert moment <= NOW + timedelta(days=shift + ahead, seconds=1)


@given(st.lists(st.floats(-10, 10), min_size=1, max_size=30), st.floats(0, 1))
def test_a_quantile_lies_among_the_values(values: list[float], share: float) -> None:
    assert min(values) <= quantile(values, share) <= max(values)
