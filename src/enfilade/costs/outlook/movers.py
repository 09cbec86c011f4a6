"""What has changed from one period to the next, and why: because more was used, or because prices are others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from enfilade.core.clock import to_datetime
from enfilade.costs.errors import InvalidRule
from enfilade.costs.holds.windows import Calendar, Window, window_at, window_before
from enfilade.costs.outlook.hours import HOUR, same_time, zone_of
from enfilade.costs.spend.measures import Sums
from enfilade.costs.spend.report import Question, SpendGroup, report_all
from enfilade.storage.unit_of_work import UnitOfWork

PERIODS = ("day", "week", "month", "quarter")
DIMENSIONS = ("tenant", "department", "application", "user", "key", "model")
MOST_CELLS = 20_000
"""Of subjects and models; what comes after the dearest of them is told as one sum."""

Key = tuple[str, str | None]
"""A tenant's id, and the id or name of what is compared."""


@dataclass(slots=True)
class Mover:
    """How one subject's spending has changed, in nano-dollars: `price + volume + other` is `after - before`."""

    tenant: str
    subject: str | None
    before: int = 0
    after: int = 0
    price: int = 0
    """What the quantities of now would cost less at the rates of before."""
    volume: int = 0
    """What other quantities, and other models, come to at the rates of before."""
    other: int = 0
    """Of entries that count nothing by kind, such as corrections of a whole."""

    @property
    def difference(self) -> int:
        """How much more."""
        return self.after - self.before

    @property
    def status(self) -> str:
        """`new`, `gone`, `up`, `down` or `same`."""
        if not self.before and self.after:
            return "new"
        if self.before and not self.after:
            return "gone"
        return "up" if self.difference > 0 else "down" if self.difference else "same"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two periods of the same length, as far as the calendar allows."""

    before: tuple[datetime, datetime]
    after: tuple[datetime, datetime]
    before_nano: int
    after_nano: int
    movers: list[Mover] = field(default_factory=list)
    """All of them, the largest changes first."""
    left_out_nano: int = 0
    """By how much what is not among them has changed."""


async def compare(
    unit: UnitOfWork, dimension: str, period: str, now_ns: int, tenant: str | None, zones: Mapping[str, str]
) -> Comparison:
    """This period so far against the same part of the one before. Raises InvalidRule.

    It needs a unit that only reads.
    """
    if dimension not in DIMENSIONS:
        message = f"{dimension!r} cannot be compared; use one of {', '.join(DIMENSIONS)}"
        raise InvalidRule(message, param="by")
    before, after = spans(period, now_ns, zones.get(tenant, "UTC") if tenant else "UTC")
    grouping = (dimension,) if dimension == "model" else (dimension, "model")
    questions = [
        Question(*span, tenant=tenant, group_by=grouping, limit=MOST_CELLS, zones=zones) for span in (before, after)
    ]
    reports = await report_all(unit, questions)
    movers = moved(reports[0].groups, reports[1].groups)
    totals = [report.total.nano for report in reports]
    told = sum(mover.difference for mover in movers)
    return Comparison(before, after, totals[0], totals[1], movers, totals[1] - totals[0] - told)


def spans(period: str, now_ns: int, time_zone: str) -> tuple[tuple[datetime, datetime], tuple[datetime, datetime]]:
    """The part of the last period, and that of the present one, up to the last whole hour. Raises InvalidRule.

    Both end at the same time of day after the same number of days; a shorter month before ends with its end.
    """
    if period not in PERIODS:
        message = f"{period!r} is no period; use one of {', '.join(PERIODS)}"
        raise InvalidRule(message, param="period")
    window = window_at(period, now_ns, time_zone)
    previous = window_before(period, window, Calendar(time_zone))
    assert previous is not None
    start = to_datetime(window.start_ns)
    hour = to_datetime(window_at("hour", now_ns, time_zone).start_ns)
    end = max(hour, start + HOUR)
    return _same_part(previous, start, end, time_zone), (start, end)


def _same_part(previous: Window, start: datetime, end: datetime, time_zone: str) -> tuple[datetime, datetime]:
    zone = zone_of(time_zone)
    local = end.astimezone(zone)
    passed = (local.date() - start.astimezone(zone).date()).days
    first = to_datetime(previous.start_ns)
    day = first.astimezone(zone).date() + timedelta(days=passed)
    until = same_time(day, local.time().replace(tzinfo=None), time_zone)
    return first, max(min(until, start), first + HOUR)


def moved(before: Iterable[SpendGroup], after: Iterable[SpendGroup]) -> list[Mover]:
    """What has changed, by subject. Prices are compared model by model and kind by kind, and added up."""
    cells: dict[tuple[Key, str | None], list[Sums | None]] = {}
    for place, groups in enumerate((before, after)):
        for group in groups:
            key = (group.tenant, group.keys[0])
            cells.setdefault((key, group.keys[-1]), [None, None])[place] = group.sums
    movers: dict[Key, Mover] = {}
    for (key, _), (old, new) in cells.items():
        _add(movers.setdefault(key, Mover(*key)), old, new)
    return sorted(movers.values(), key=lambda mover: (-abs(mover.difference), mover.tenant, mover.subject or ""))


def _add(mover: Mover, old: Sums | None, new: Sums | None) -> None:
    before, after = old.nano if old else 0, new.nano if new else 0
    price, volume = effects(
        (old.quantities, old.amounts) if old else ({}, {}), (new.quantities, new.amounts) if new else ({}, {})
    )
    mover.before += before
    mover.after += after
    mover.price += price
    mover.volume += volume
    mover.other += after - before - price - volume


def effects(
    old: tuple[Mapping[str, int], Mapping[str, int]], new: tuple[Mapping[str, int], Mapping[str, int]]
) -> tuple[int, int]:
    """How much of a change of quantities and amounts, by kind, is due to prices, and how much to quantities.

    What was not used before, or is not any more, has no two prices: all of it is quantity.
    """
    price = volume = 0
    for kind in old[1].keys() | new[1].keys() | old[0].keys() | new[0].keys():
        quantity, used = old[0].get(kind, 0), new[0].get(kind, 0)
        amount, charged = old[1].get(kind, 0), new[1].get(kind, 0)
        # What is used now, at the price of before; rounded half-up, so that both parts add up to the change.
        at_old_price = (2 * amount * used + quantity) // (2 * quantity) if quantity > 0 and used > 0 else charged
        price += charged - at_old_price
        volume += at_old_price - amount
    return price, volume
