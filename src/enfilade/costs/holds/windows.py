"""Calendar windows of budgets, in the tenant's time zone."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from enfilade.core.clock import to_datetime, to_ns

FOREVER_NS = 1 << 62


class Window(NamedTuple):
    """From `start_ns` up to, and without, `end_ns`: epoch nanoseconds."""

    start_ns: int
    end_ns: int


@lru_cache(maxsize=512)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


def window_at(period: str, now_ns: int, time_zone: str) -> Window:
    """The window of `period` that holds the moment.

    Days and longer begin at local midnight, weeks on Monday; an hour that daylight saving repeats is two windows,
    a day that it shortens or lengthens is one.
    """
    if period == "total":
        return Window(0, FOREVER_NS)
    local = to_datetime(now_ns).astimezone(_zone(time_zone))
    if period in {"minute", "hour"}:
        # Back from the moment itself: where clocks change by half an hour, its local hour may not begin where it says.
        minutes = local.minute if period == "hour" else 0
        passed = timedelta(minutes=minutes, seconds=local.second, microseconds=local.microsecond)
        start_ns = to_ns(local.astimezone(UTC) - passed)
        length = timedelta(minutes=1) if period == "minute" else timedelta(hours=1)
        return Window(start_ns, start_ns + int(length.total_seconds()) * 1_000_000_000)
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    first, following = _days(period, midnight)
    return Window(_instant(first), _instant(following))


def _days(period: str, midnight: datetime) -> tuple[datetime, datetime]:
    if period == "day":
        return midnight, midnight + timedelta(days=1)
    if period == "week":
        monday = midnight - timedelta(days=midnight.weekday())
        return monday, monday + timedelta(days=7)
    months = {"month": 1, "quarter": 3, "year": 12}[period]
    index = midnight.year * 12 + midnight.month - 1
    index -= index % months
    return _month(midnight, index), _month(midnight, index + months)


def _month(midnight: datetime, index: int) -> datetime:
    return midnight.replace(year=index // 12, month=index % 12 + 1, day=1)


def _instant(local: datetime) -> int:
    return to_ns(local.astimezone(UTC))
