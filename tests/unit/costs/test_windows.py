"""Where the windows of budgets begin and end."""

from datetime import UTC, datetime

import pytest

from enfilade.core.clock import NANOSECONDS, to_datetime, to_ns
from enfilade.costs.holds.windows import FOREVER_NS, window_at


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


def test_a_total_budget_has_one_window_for_ever() -> None:
    assert window_at("total", 0, "UTC") == (0, FOREVER_NS)
    assert window_at("total", 4_000_000_000 * NANOSECONDS, "Asia/Tokyo") == (0, FOREVER_NS)


def _utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _ns(text: str) -> int:
    return to_ns(_utc(text))
