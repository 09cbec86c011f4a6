"""Hours on a tenant's clock: which ones are alike, and which ones are left of a window."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from enfilade.core.clock import to_datetime

DAY_HOURS = 24
WEEK_DAYS = 7
PLACES = WEEK_DAYS * DAY_HOURS
"""Hours of a week: Monday's first is 0."""
SATURDAY = 5
WEEKS = 8
HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Alike:
    """An earlier hour that one can be compared with: the same hour on a day of the same kind."""

    start: datetime
    day: date
    same_weekday: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """A local hour that is left of a window, or a part of one."""

    start: datetime
    place: int
    """Which hour of the week it is."""
    hours: float
    """How much of it is left."""


@lru_cache(maxsize=512)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name."""
    return ZoneInfo(name)


def is_weekend(day: date) -> bool:
    """Whether a day is a Saturday or a Sunday. Where other days are free, the weekday itself tells after four weeks."""
    return day.weekday() >= SATURDAY


def place_of(moment: datetime) -> int:
    """The hour of the week of a local moment."""
    return moment.weekday() * DAY_HOURS + moment.hour


def hours_alike(hour: datetime, time_zone: str, weeks: int = WEEKS) -> list[Alike]:
    """The hours that `hour` can be compared with, newest first; those that daylight saving skipped are left out."""
    zone = zone_of(time_zone)
    local = hour.astimezone(zone)
    today, clock = local.date(), local.time().replace(tzinfo=None, fold=0)
    found = []
    for back in range(1, weeks * WEEK_DAYS + 1):
        day = today - timedelta(days=back)
        if is_weekend(day) != is_weekend(today):
            continue
        start = _instant(day, clock, zone)
        if start is not None:
            found.append(Alike(start, day, back % WEEK_DAYS == 0))
    return found


def slots_left(now_ns: int, end_ns: int, time_zone: str) -> list[Slot]:
    """The local hours from now to the end of a window; the first one in part."""
    zone = zone_of(time_zone)
    moment, end = to_datetime(now_ns), to_datetime(end_ns)
    found = []
    while moment < end:
        local = moment.astimezone(zone)
        passed = timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        following = min(moment + HOUR - passed, end)
        found.append(Slot(moment, place_of(local), (following - moment) / HOUR))
        moment = following
    return found


def days_in(slots: Sequence[Slot]) -> float:
    """How many days these are."""
    return sum(slot.hours for slot in slots) / DAY_HOURS


def same_time(day: date, clock: time, time_zone: str) -> datetime:
    """That local time on that day. One that daylight saving skips is taken an hour later, as clocks show it."""
    return datetime.combine(day, clock.replace(fold=0), zone_of(time_zone)).astimezone(UTC)


def _instant(day: date, clock: time, zone: ZoneInfo) -> datetime | None:
    local = datetime.combine(day, clock, zone)
    moment = local.astimezone(UTC)
    back = moment.astimezone(zone)
    return moment if (back.date(), back.hour, back.minute) == (day, clock.hour, clock.minute) else None
