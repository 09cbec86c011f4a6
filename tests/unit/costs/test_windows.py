"""Where the windows of budgets begin and end."""

from datetime import UTC, datetime

import pytest

from enfilade.core.clock import NANOSECONDS, to_datetime, to_ns
from enfilade.costs.holds.windows import FOREVER_NS, Calendar, window_at, window_before


@pytest.mark.parametrize(
    ("period", "moment", "zone", "start", "end"),
    [
        ("minute", "2026-11-02T12:34:56.789", "UTC", "2026-11-02T12:34", "2026-11-02T12:35"),
        ("hour", "2026-11-02T12:34:56", "UTC", "2026-11-02T12:00", "2026-11-02T13:00"),
        ("hour", "2026-11-02T12:34:56", "Asia/Kolkata", "2026-11-02T12:30", "2026-11-02T13:30"),
        ("day", "2026-11-02T12:34:56", "UTC", "2026-11-02T00:00", "2026-11-03T00:00"),
        ("day", "2026-11-02T12:34:56", "Europe/Vienna", "2026-11-01T23:00", "2026-11-02T23:00"),
        ("day", "2026-11-02T23:30:00", "Europe/Vienna", "2026-11-02T23:00", "2026-11-03T23:00"),
        ("day", "2026-11-02T03:00:00", "America/New_York", "2026-11-01T04:00", "2026-11-02T05:00"),  # 25 hours
        ("day", "2026-03-29T12:00:00", "Europe/Vienna", "2026-03-28T23:00", "2026-03-29T22:00"),  # 23 hours
        ("week", "2026-11-02T00:00:00", "UTC", "2026-11-02T00:00", "2026-11-09T00:00"),
        ("week", "2026-11-01T23:59:59", "UTC", "2026-10-26T00:00", "2026-11-02T00:00"),
        ("week", "2027-01-01T10:00:00", "UTC", "2026-12-28T00:00", "2027-01-04T00:00"),
        ("month", "2026-11-30T23:59:59", "UTC", "2026-11-01T00:00", "2026-12-01T00:00"),
        ("month", "2026-12-31T23:59:59", "UTC", "2026-12-01T00:00", "2027-01-01T00:00"),
        ("month", "2028-02-29T12:00:00", "UTC", "2028-02-01T00:00", "2028-03-01T00:00"),
        ("month", "2026-11-01T00:30:00", "America/New_York", "2026-10-01T04:00", "2026-11-01T04:00"),
        ("month", "2026-11-01T04:00:00", "America/New_York", "2026-11-01T04:00", "2026-12-01T05:00"),
        ("month", "2026-10-31T15:00:00", "Asia/Tokyo", "2026-10-31T15:00", "2026-11-30T15:00"),
        ("quarter", "2026-11-02T12:00:00", "UTC", "2026-10-01T00:00", "2027-01-01T00:00"),
        ("quarter", "2026-03-31T23:59:59", "UTC", "2026-01-01T00:00", "2026-04-01T00:00"),
        ("year", "2026-12-31T23:59:59", "UTC", "2026-01-01T00:00", "2027-01-01T00:00"),
        ("year", "2026-12-31T23:30:00", "Pacific/Auckland", "2026-12-31T11:00", "2027-12-31T11:00"),
    ],
)
def test_a_window_begins_and_ends_where_the_tenants_calendar_says(
    period: str, moment: str, zone: str, start: str, end: str
) -> None:
    window = window_at(period, _ns(moment), zone)

    assert (to_datetime(window.start_ns), to_datetime(window.end_ns)) == (_utc(start), _utc(end))


def test_the_last_nanosecond_of_a_month_belongs_to_it() -> None:
    end_ns = _ns("2026-12-01T00:00")

    assert window_at("month", end_ns - 1, "UTC").end_ns == end_ns
    assert window_at("month", end_ns, "UTC").start_ns == end_ns


def test_an_hour_that_daylight_saving_repeats_is_two_windows() -> None:
    first, second = _ns("2026-10-25T00:30"), _ns("2026-10-25T01:30")  # 02:30 in Vienna, both times

    assert window_at("hour", first, "Europe/Vienna").end_ns == window_at("hour", second, "Europe/Vienna").start_ns


@pytest.mark.parametrize(
    ("period", "moment", "calendar", "start", "end"),
    [
        ("month", "2026-11-14T23:59", Calendar("UTC", 15, 1), "2026-10-15T00:00", "2026-11-15T00:00"),
        ("month", "2026-11-15T00:00", Calendar("UTC", 15, 1), "2026-11-15T00:00", "2026-12-15T00:00"),
        ("month", "2026-03-01T12:00", Calendar("UTC", 28, 1), "2026-02-28T00:00", "2026-03-28T00:00"),
        ("month", "2028-02-29T12:00", Calendar("UTC", 28, 1), "2028-02-28T00:00", "2028-03-28T00:00"),  # A leap day.
        ("month", "2027-01-05T12:00", Calendar("UTC", 7, 1), "2026-12-07T00:00", "2027-01-07T00:00"),
        ("quarter", "2026-11-02T12:00", Calendar("UTC", 1, 2), "2026-11-01T00:00", "2027-02-01T00:00"),
        ("quarter", "2026-01-15T12:00", Calendar("UTC", 1, 2), "2025-11-01T00:00", "2026-02-01T00:00"),
        ("year", "2026-04-05T22:59", Calendar("Europe/London", 6, 4), "2025-04-05T23:00", "2026-04-05T23:00"),
        ("year", "2026-04-05T23:00", Calendar("Europe/London", 6, 4), "2026-04-05T23:00", "2027-04-05T23:00"),
        ("year", "2026-09-30T12:00", Calendar("America/New_York", 1, 10), "2025-10-01T04:00", "2026-10-01T04:00"),
        # A fiscal month changes nothing where there are no months.
        ("week", "2026-11-02T12:00", Calendar("UTC", 15, 4), "2026-11-02T00:00", "2026-11-09T00:00"),
    ],
)
def test_fiscal_months_and_years_begin_where_they_are_said_to(
    period: str, moment: str, calendar: Calendar, start: str, end: str
) -> None:
    window = window_at(period, _ns(moment), *calendar)

    assert (to_datetime(window.start_ns), to_datetime(window.end_ns)) == (_utc(start), _utc(end))


@pytest.mark.parametrize(
    ("moment", "zone", "start", "end"),
    [
        # Midnight does not come: the clocks go from 24:00 to 01:00.
        ("2026-09-06T12:00", "America/Santiago", "2026-09-06T04:00", "2026-09-07T03:00"),
        ("2026-03-29T12:00", "Asia/Beirut", "2026-03-28T22:00", "2026-03-29T21:00"),
        ("2026-04-24T12:00", "Africa/Cairo", "2026-04-23T22:00", "2026-04-24T21:00"),
        # The hour before midnight comes twice.
        ("2026-10-29T20:59:59", "Africa/Cairo", "2026-10-28T21:00", "2026-10-29T22:00"),
        ("2026-10-29T21:59:59", "Africa/Cairo", "2026-10-28T21:00", "2026-10-29T22:00"),
        # Midnight comes twice: the day begins with the first.
        ("2026-11-01T04:30", "America/Havana", "2026-11-01T04:00", "2026-11-02T05:00"),
        # Clocks go back from one minute past midnight to the day before.
        ("2010-11-07T02:45", "America/St_Johns", "2010-11-07T02:30", "2010-11-08T03:30"),
        # Half an hour, back and forth.
        ("2026-04-04T14:00", "Australia/Lord_Howe", "2026-04-04T13:00", "2026-04-05T13:30"),
        ("2026-10-03T14:00", "Australia/Lord_Howe", "2026-10-03T13:30", "2026-10-04T13:00"),
        # A day that did not come at all: the 30th of December 2011.
        ("2011-12-30T10:00", "Pacific/Apia", "2011-12-30T10:00", "2011-12-31T10:00"),
        ("2011-12-30T09:59:59", "Pacific/Apia", "2011-12-29T10:00", "2011-12-30T10:00"),
    ],
)
def test_a_day_at_whose_edge_clocks_change_is_one_window(moment: str, zone: str, start: str, end: str) -> None:
    window = window_at("day", _ns(moment), zone)

    assert (to_datetime(window.start_ns), to_datetime(window.end_ns)) == (_utc(start), _utc(end))


@pytest.mark.parametrize(
    ("moment", "zone", "start", "end"),
    [
        # 02:00 becomes 02:30: of that hour there is half.
        ("2026-10-03T15:10", "Australia/Lord_Howe", "2026-10-03T14:30", "2026-10-03T15:30"),
        ("2026-10-03T15:40", "Australia/Lord_Howe", "2026-10-03T15:30", "2026-10-03T16:00"),
        # 02:00 becomes 01:30: the second half of that hour comes twice.
        ("2026-04-04T14:59", "Australia/Lord_Howe", "2026-04-04T14:00", "2026-04-04T15:00"),
        ("2026-04-04T15:01", "Australia/Lord_Howe", "2026-04-04T15:00", "2026-04-04T15:30"),
        ("2026-04-04T15:31", "Australia/Lord_Howe", "2026-04-04T15:30", "2026-04-04T16:30"),
    ],
)
def test_hours_in_which_clocks_change_by_half_an_hour_do_not_overlap(
    moment: str, zone: str, start: str, end: str
) -> None:
    window = window_at("hour", _ns(moment), zone)

    assert (to_datetime(window.start_ns), to_datetime(window.end_ns)) == (_utc(start), _utc(end))


@pytest.mark.parametrize("period", ["minute", "hour", "day", "week", "month", "quarter", "year"])
def test_the_window_before_ends_where_a_window_begins(period: str) -> None:
    calendar = Calendar("Europe/Vienna", 6, 4)
    window = window_at(period, _ns("2026-03-29T01:30"), *calendar)
    before = window_before(period, window, calendar)

    assert before is not None
    assert before.end_ns == window.start_ns


def test_a_total_budget_has_one_window_for_ever() -> None:
    assert window_at("total", 0, "UTC") == (0, FOREVER_NS)
    assert window_at("total", 4_000_000_000 * NANOSECONDS, "Asia/Tokyo") == (0, FOREVER_NS)
    assert window_before("total", window_at("total", 0, "UTC"), Calendar()) is None


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _ns(text: str) -> int:
    return to_ns(_utc(text))
