"""What forecasts go by: the days and hours of scopes, read from the roll-ups of one cell."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from enfilade.costs.outlook.hours import DAY_HOURS
from enfilade.costs.spend.store import WATERMARK
from enfilade.storage.rounds import by_cell
from enfilade.storage.unit_of_work import UnitOfWork

MOST_ROWS = 100_000
"""That are read for the budgets of one page."""

Key = tuple[str, str, str, str | None]
"""A scope's tenant, kind and subject, and the model where it is told apart."""


@dataclass(slots=True)
class Past:
    """What was read of a scope."""

    days: dict[date, int] = field(default_factory=dict)
    hours: list[int] = field(default_factory=lambda: [0] * (2 * DAY_HOURS))


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is read of the roll-ups; without subjects, the dearest."""

    tenant: str | None
    first: date
    kinds: Sequence[str]
    subjects: Sequence[str] | None = None
    by_model: bool = False
    limit: int = MOST_ROWS


class Reading:
    """Reads where the unit is."""

    def __init__(self, unit: UnitOfWork, tenant: str | None, zones: Mapping[str, str]) -> None:
        """Read of one tenant, or with None of those that live where the unit is; `zones` are their time zones."""
        self._unit = unit
        self._zones = zones if tenant is not None else None
        self._zones_in = by_cell(unit, zones) if tenant is None else {}

    async def read(self, wanted: Wanted, statement: str) -> list[Any]:
        """The rows of days, or of hours."""
        state = await self._unit.fetch_row(WATERMARK)
        assert state is not None
        since = datetime.combine(wanted.first, time(), UTC) - timedelta(days=1)
        zones = self._zones if self._zones is not None else self._zones_in.get(self._unit.current, {})
        return await self._unit.fetch(
            statement,
            *(state["watermark"], wanted.tenant, wanted.first, since, wanted.kinds, wanted.subjects, wanted.by_model),
            *(wanted.limit, list(zones), list(zones.values())),
        )


def pasts_of(daily: Sequence[Any], hourly: Sequence[Any]) -> dict[Key, Past]:
    """What the rows say of each scope; hours count only where days do."""
    found: dict[Key, Past] = {}
    for row in daily:
        past = found[_key(row)] = Past()
        past.days = dict(zip(row["days"], row["costs"], strict=True))
    for row in hourly:
        known = found.get(_key(row))
        if known is not None:
            for place, cost in zip(row["places"], row["costs"], strict=True):
                known.hours[place] += cost
    return found


def _key(row: Any) -> Key:
    return str(row["tenant_id"]), row["kind"], row["subject"], row["model"]


def sum_of(pasts: Sequence[Past]) -> Past:
    """Several scopes as one."""
    total = Past()
    for past in pasts:
        for day, cost in past.days.items():
            total.days[day] = total.days.get(day, 0) + cost
        total.hours = [one + other for one, other in zip(total.hours, past.hours, strict=True)]
    return total
