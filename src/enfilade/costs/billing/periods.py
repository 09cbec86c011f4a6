"""Periods that are billed: whole days of a tenant's calendar."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from enfilade.costs.errors import InvalidPeriod

NAMED = re.compile(r"(\d{4})(?:-(?:(\d{2})|Q([1-4])))?")
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(9000, 1, 1)


@dataclass(frozen=True, slots=True)
class BillingPeriod:
    """From the beginning of one day to the end of another."""

    first: date
    last: date
    time_zone: str
    begins: datetime | None = None
    """Where a neighbouring period was billed in another time zone: when that one ended."""
    ends: datetime | None = None

    @property
    def start(self) -> datetime:
        """The first moment, in UTC."""
        return self.begins or _midnight(self.first, self.time_zone)

    @property
    def end(self) -> datetime:
        """The first moment after it, in UTC."""
        return self.ends or _midnight(self.last + timedelta(days=1), self.time_zone)

    def beside(self, first: date, last: date, start: datetime, end: datetime) -> "BillingPeriod":
        """This period beside one that is billed: days that follow one another leave no moment out, and none twice."""
        if last + timedelta(days=1) == self.first:
            return replace(self, begins=end)
        return replace(self, ends=start) if self.last + timedelta(days=1) == first else self

    def __str__(self) -> str:
        """For people."""
        return f"{self.first} to {self.last}"


def read_period(name: str | None, first: str | None, last: str | None, time_zone: str, now: datetime) -> BillingPeriod:
    """A period from `2026-11`, `2026-Q4`, `2026`, or two days; without any, the month before this one.

    Raises InvalidPeriod.
    """
    if name is not None and (first is not None or last is not None):
        message = "Give a period, or its first and last day."
        raise InvalidPeriod(message, param="period")
    if name is not None:
        days = _named(name)
    elif first is not None or last is not None:
        days = _day(first, "from"), _day(last, "to")
    else:
        this_month = now.astimezone(ZoneInfo(time_zone)).date().replace(day=1)
        ended = this_month - timedelta(days=1)
        days = ended.replace(day=1), ended
    if not FIRST_DAY <= days[0] <= days[1] < LAST_DAY:
        message = "A period begins in 2000 or later, and ends no earlier than it begins."
        raise InvalidPeriod(message, param="from" if name is None else "period")
    return BillingPeriod(*days, time_zone)


def _named(name: str) -> tuple[date, date]:
    match = NAMED.fullmatch(name)
    fault = f"{name!r} is no period; it looks like 2026-11, 2026-Q4 or 2026"
    if match is None:
        raise InvalidPeriod(fault, param="period")
    try:
        year, month, quarter = int(match[1]), match[2], match[3]
        begin = int(month) if month else int(quarter) * 3 - 2 if quarter else 1
        months = 1 if month else 3 if quarter else 12
        first = date(year, begin, 1)
        following = date(year + (begin + months > 12), (begin + months - 1) % 12 + 1, 1)
    except ValueError:
        raise InvalidPeriod(fault, param="period") from None
    return first, following - timedelta(days=1)


def _day(text: str | None, param: str) -> date:
    message = "Both days of a period are needed." if text is None else f"{text!r} is no day; it looks like 2026-11-30"
    if text is None or not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        raise InvalidPeriod(message, param=param)
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidPeriod(message, param=param) from None


def _midnight(day: date, time_zone: str) -> datetime:
    return datetime.combine(day, time(), ZoneInfo(time_zone)).astimezone(UTC)
