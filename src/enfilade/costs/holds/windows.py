"""Calendar windows of budgets, in the tenant's time zone.

Windows of one calendar follow one another without a gap and without an overlap, in every zone: what is counted in one
is counted in no other. Clocks that are set forward or back, also by half an hour or by a day, only make some shorter
or longer.
"""

from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from enfilade.core.clock import NANOSECONDS, to_datetime, to_ns

FOREVER_NS = 1 << 62
LAST_MONTH_START = 28
"""The last day on which a month may begin: every month has it."""
_SHORT = {"minute": 60, "hour": 3600}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}


class Window(NamedTuple):
    """From `start_ns` up to, and without, `end_ns`: epoch nanoseconds."""

    start_ns: int
    end_ns: int


class Calendar(NamedTuple):
    """Where the days, months and years of a tenant's books begin."""

    time_zone: str = "UTC"
    month_starts_on: int = 1
    """The day of the month: 1 to 28. Quarters and years begin on it, too."""
    year_starts_in: int = 1
    """The month, from which quarters are counted, too."""


def window_at(
    period: str, now_ns: int, time_zone: str = "UTC", month_starts_on: int = 1, year_starts_in: int = 1
) -> Window:
    """The window of `period` that holds the moment. What a `Calendar` has goes as `*calendar`.

    Days and longer begin at local midnight, or with the first moment of a day that has none; weeks on Monday. An hour
    that daylight saving repeats is two windows, a day that it shortens or lengthens is one.
    """
    if period == "total":
        return Window(0, FOREVER_NS)
    calendar = Calendar(time_zone, month_starts_on, year_starts_in)
    zone = _zone(time_zone)
    if period in _SHORT:
        return _short(_SHORT[period] * NANOSECONDS, now_ns, zone)
    today = to_datetime(now_ns).astimezone(zone).date()
    first, following = _days(period, today, calendar)
    # By its date, a moment can lie on the other side of a midnight: where clocks go back over it, it comes twice, and
    # the day begins with the first.
    while now_ns < _midnight(first, zone):
        first, following = _days(period, first - timedelta(days=1), calendar)
    while now_ns >= _midnight(following, zone):
        first, following = _days(period, following, calendar)
    return Window(_midnight(first, zone), _midnight(following, zone))


def window_before(period: str, window: Window, calendar: Calendar) -> Window | None:
    """The window that ends where this one begins; None for `total`, which has none."""
    return None if period == "total" else window_at(period, window.start_ns - 1, *calendar)


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def _short(length_ns: int, now_ns: int, zone: ZoneInfo) -> Window:
    """The part of a local hour or minute over which the zone keeps one offset from UTC."""
    offset_ns = _offset_ns(now_ns, zone)
    start_ns = now_ns - (now_ns + offset_ns) % length_ns
    end_ns = start_ns + length_ns
    if _offset_ns(start_ns, zone) != offset_ns:
        start_ns = _change(start_ns, now_ns, zone)
    if _offset_ns(end_ns - 1, zone) != offset_ns:
        end_ns = _change(now_ns, end_ns - 1, zone)
    return Window(start_ns, end_ns)


def _days(period: str, day: date, calendar: Calendar) -> tuple[date, date]:
    """The first days of the window of a day, and of the one after."""
    if period == "day":
        return day, day + timedelta(days=1)
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return monday, monday + timedelta(days=7)
    months = _MONTHS[period]
    index = day.year * 12 + day.month - 1
    if day.day < calendar.month_starts_on:
        index -= 1
    index -= (index - (calendar.year_starts_in - 1)) % months
    return _month(index, calendar), _month(index + months, calendar)


def _month(index: int, calendar: Calendar) -> date:
    return date(index // 12, index % 12 + 1, calendar.month_starts_on)


@lru_cache(maxsize=4096)
def _midnight(day: date, zone: ZoneInfo) -> int:
    """The moment at which a local day begins: the first of two midnights, and where clocks skip it, what follows."""
    local = datetime.combine(day, time(), zone)
    # Within a gap, `fold=0` goes by the offset before it, and `fold=1` by the one after: that is the earlier moment.
    late_ns, early_ns = (to_ns(local.replace(fold=fold).astimezone(UTC)) for fold in (0, 1))
    return _change(early_ns, late_ns, zone) if early_ns < late_ns else late_ns


def _offset_ns(at_ns: int, zone: ZoneInfo) -> int:
    offset = to_datetime(at_ns).astimezone(zone).utcoffset() or timedelta()
    return (offset.days * 86_400 + offset.seconds) * NANOSECONDS


def _change(before_ns: int, after_ns: int, zone: ZoneInfo) -> int:
    """The first second from which on the zone has the offset that it has at `after_ns`. There is one change between."""
    offset_ns = _offset_ns(after_ns, zone)
    low, high = before_ns // NANOSECONDS, -(-after_ns // NANOSECONDS)
    while high - low > 1:
        middle = (low + high) // 2
        if _offset_ns(middle * NANOSECONDS, zone) == offset_ns:
            high = middle
        else:
            low = middle
    return high * NANOSECONDS
