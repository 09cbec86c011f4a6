"""Periods: whole days of a tenant's calendar."""

from datetime import UTC, datetime

import pytest

from enfilade.costs.billing.periods import read_period
from enfilade.costs.errors import InvalidPeriod

NOW = datetime(2026, 11, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("given", "days"),
    [
        (("2026-11", None, None), "2026-11-01 to 2026-11-30"),
        (("2026-12", None, None), "2026-12-01 to 2026-12-31"),
        (("2028-02", None, None), "2028-02-01 to 2028-02-29"),
        (("2026-Q1", None, None), "2026-01-01 to 2026-03-31"),
        (("2026-Q4", None, None), "2026-10-01 to 2026-12-31"),
        (("2026", None, None), "2026-01-01 to 2026-12-31"),
        ((None, "2026-11-03", "2026-11-03"), "2026-11-03 to 2026-11-03"),
        ((None, None, None), "2026-10-01 to 2026-10-31"),
    ],
)
def test_a_period_is_a_month_a_quarter_a_year_or_some_days(
    given: tuple[str | None, str | None, str | None], days: str
) -> None:
    assert str(read_period(*given, "UTC", NOW)) == days


@pytest.mark.parametrize(
    "given",
    [
        ("2026-13", None, None),
        ("2026-00", None, None),
        ("2026-Q5", None, None),
        ("November", None, None),
        ("0000", None, None),
        ("1999", None, None),
        ("9000", None, None),
        (None, "2026-11-01", None),
        (None, None, "2026-11-01"),
        (None, "2026-11-02", "2026-11-01"),
        (None, "2026-11-31", "2026-12-01"),
        (None, "2026-11-01T00:00", "2026-12-01"),
        ("2026-11", "2026-11-01", "2026-11-30"),
    ],
)
def test_what_is_no_period_is_told(given: tuple[str | None, str | None, str | None]) -> None:
    with pytest.raises(InvalidPeriod):
        read_period(*given, "UTC", NOW)


def test_days_begin_at_local_midnight_on_both_sides_of_daylight_saving() -> None:
    october = read_period("2026-10", None, None, "Europe/Vienna", NOW)
    assert october.start == datetime(2026, 9, 30, 22, tzinfo=UTC)
    assert october.end == datetime(2026, 10, 31, 23, tzinfo=UTC)
    november = read_period("2026-11", None, None, "Europe/Vienna", NOW)
    assert october.end == november.start


def test_last_month_is_the_tenants_last_month() -> None:
    at_the_edge = datetime(2026, 11, 30, 23, 30, tzinfo=UTC)
    assert str(read_period(None, None, None, "UTC", at_the_edge)) == "2026-10-01 to 2026-10-31"
    assert str(read_period(None, None, None, "Asia/Tokyo", at_the_edge)) == "2026-11-01 to 2026-11-30"
