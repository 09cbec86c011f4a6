"""What an hour usually costs, on histories that are known."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.costs.outlook.hours import Alike, hours_alike
from enfilade.costs.outlook.usual import HOUR_OF_DAY, HOUR_OF_WEEK, Usual, usual_of

MONDAY_NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
LONG_AGO = date(2026, 1, 1)
USD = 10**9


def usual(costs: dict[datetime, int], first_day: date = LONG_AGO, hour: datetime = MONDAY_NOON) -> Usual | None:
    return usual_of(hours_alike(hour, "UTC"), costs, first_day, hour.date())


def mondays(*costs: int) -> dict[datetime, int]:
    """What the same hour cost on the Mondays before, the last one first."""
    return {MONDAY_NOON - timedelta(weeks=week): cost for week, cost in enumerate(costs, 1)}


def test_the_usual_is_the_median_of_the_same_hour_of_the_week() -> None:
    found = usual(mondays(10, 12, 11, 13, 9, 10, 14, 11))
    assert found is not None
    assert (found.nano, found.hours, found.basis) == (11, 8, HOUR_OF_WEEK)


@pytest.mark.parametrize("outliers", [1, 2, 3])
def test_fewer_anomalies_than_half_shift_nothing_much(outliers: int) -> None:
    calm = [10 * USD] * 8
    odd = [1000 * USD] * outliers + calm[outliers:]
    found, expected = usual(mondays(*odd)), usual(mondays(*calm))
    assert found is not None
    assert expected is not None
    assert found.threshold(2, 4, USD) == expected.threshold(2, 4, USD) == 20 * USD


def test_an_hour_without_cost_after_the_beginning_is_one_that_cost_nothing() -> None:
    found = usual(mondays(10, 10, 10))
    assert found is not None
    assert (found.nano, found.hours) == (0, 8)


def test_hours_before_the_scope_began_are_not_compared_with() -> None:
    found = usual(mondays(10, 10, 10, 10, 10), first_day=date(2026, 9, 25))
    assert found is not None
    assert (found.nano, found.hours, found.basis) == (10, 5, HOUR_OF_WEEK)


def test_with_few_weeks_the_same_hour_of_working_days_stands_in() -> None:
    costs = {MONDAY_NOON - timedelta(days=days): 20 + days for days in range(1, 30)}
    found = usual(costs, first_day=date(2026, 10, 18))
    assert found is not None
    assert (found.basis, found.hours) == (HOUR_OF_DAY, 10)
    weekend = MONDAY_NOON - timedelta(days=1)
    found = usual({weekend - timedelta(days=1): 5, weekend - timedelta(days=7): 7}, date(2026, 10, 11), weekend)
    assert found is not None
    assert (found.basis, found.hours) == (HOUR_OF_DAY, 5)


@pytest.mark.parametrize("first_day", [date(2026, 11, 2), date(2026, 10, 26), date(2026, 10, 20)])
def test_a_new_scope_has_no_usual(first_day: date) -> None:
    assert usual({MONDAY_NOON - timedelta(days=days): 10 for days in range(1, 60)}, first_day) is None


def test_two_weeks_are_just_enough() -> None:
    assert usual({}, date(2026, 10, 19)) is not None


def test_what_varies_much_must_stray_far() -> None:
    found = usual(mondays(2, 30, 5, 28, 9, 25, 12, 20))
    assert found is not None
    assert found.threshold(2, 4, 1) > 2 * found.nano
    assert found.threshold(2, 0, 1) == 2 * found.nano


def test_a_scope_that_is_mostly_idle_is_measured_by_what_it_costs_when_it_is_not() -> None:
    found = usual(mondays(0, 0, 50, 0, 0, 0, 0, 0))
    assert found is not None
    assert found.threshold(2, 4, 1) == 100
    idle = usual({})
    assert idle is not None
    assert idle.threshold(2, 4, 7) == 7


def test_the_same_clock_time_is_compared_over_a_change_of_clocks() -> None:
    vienna = ZoneInfo("Europe/Vienna")
    noon = datetime(2026, 10, 26, 12, tzinfo=vienna).astimezone(UTC)
    alike = hours_alike(noon, "Europe/Vienna")
    assert {hour.start.astimezone(vienna).hour for hour in alike} == {12}
    assert alike[0].start == datetime(2026, 10, 23, 10, tzinfo=UTC)  # Friday, in summer time


def test_an_hour_that_clocks_skipped_is_not_compared_with() -> None:
    vienna = ZoneInfo("Europe/Vienna")
    hour = datetime(2026, 4, 5, 2, tzinfo=vienna).astimezone(UTC)
    days = [hour.day for hour in hours_alike(hour, "Europe/Vienna")]
    assert date(2026, 3, 29) not in days
    assert date(2026, 3, 28) in days


def test_an_hour_that_comes_twice_is_compared_with_hours_that_came_once() -> None:
    vienna = ZoneInfo("Europe/Vienna")
    for fold in (0, 1):
        hour = datetime(2026, 10, 25, 2, tzinfo=vienna, fold=fold).astimezone(UTC)
        alike = hours_alike(hour, "Europe/Vienna")
        assert alike[0].start == datetime(2026, 10, 24, 0, tzinfo=UTC)
        assert len(alike) == 16


def test_weekends_and_working_days_are_never_mixed() -> None:
    for days in range(7):
        hour = MONDAY_NOON + timedelta(days=days)
        alike = hours_alike(hour, "UTC")
        assert len(alike) == (16 if days >= 5 else 40)
        assert sum(entry.same_weekday for entry in alike) == 8
        assert all((entry.day.weekday() >= 5) == (days >= 5) for entry in alike)


@given(st.lists(st.integers(0, 10**12), min_size=8, max_size=8), st.integers(0, 3), st.integers(0, 10**15))
def test_no_three_values_move_the_usual_out_of_the_range_of_the_others(
    costs: list[int], odd: int, extreme: int
) -> None:
    found = usual(mondays(*([extreme] * odd + costs[odd:])))
    assert found is not None
    assert min(costs[odd:]) <= found.nano <= max(costs[odd:])


@given(st.integers(1, 10**12), st.integers(1, 100))
def test_a_threshold_is_never_below_the_least_amount_or_twice_the_usual(cost: int, least: int) -> None:
    found = usual(mondays(*[cost] * 8))
    assert found is not None
    assert found.threshold(2, 4, least) == max(2 * cost, least)


def test_alike_hours_know_their_day() -> None:
    assert hours_alike(MONDAY_NOON, "UTC", weeks=1)[-1] == Alike(
        MONDAY_NOON - timedelta(weeks=1), date(2026, 10, 26), same_weekday=True
    )
