"""Who spent what: sums over the ledger."""

from dataclasses import dataclass
from datetime import datetime

from enfilade.costs.errors import InvalidRule
from enfilade.costs.spend import store
from enfilade.storage.unit_of_work import UnitOfWork

MAX_GROUPS = 10_000


@dataclass(frozen=True, slots=True)
class SpendGroup:
    """What one subject, model or day of one tenant cost; `name` is an id where the grouping is by a noun."""

    name: str | None
    tenant: str
    calls: int
    tokens: int
    nano: int
    estimated: int


@dataclass(frozen=True, slots=True)
class SpendReport:
    """A period's sums."""

    start: datetime
    end: datetime
    calls: int
    tokens: int
    nano: int
    groups: list[SpendGroup]


async def report_spend(
    unit: UnitOfWork,
    grouping: str | None,
    period: tuple[datetime, datetime],
    tenant: str | None = None,
    time_zone: str = "UTC",
) -> SpendReport:
    """The spend of calls that started in the period, for one tenant or, for the platform, all that the scope sees.

    Raises InvalidRule for an unknown grouping or an empty period.
    """
    start, end = period
    if start >= end:
        message = "`from` must be before `to`"
        raise InvalidRule(message, param="from")
    if grouping is not None and grouping not in store.SPEND:
        message = f"{grouping!r} is no grouping; use one of {', '.join(store.SPEND)}"
        raise InvalidRule(message, param="group_by")
    total = await unit.fetch_row(store.SPEND_TOTAL, start, end, tenant)
    assert total is not None
    groups = []
    if grouping is not None:
        rows = await unit.fetch(store.SPEND[grouping], start, end, tenant, time_zone, MAX_GROUPS)
        groups = [
            SpendGroup(row["name"], str(row["tenant_id"]), row["calls"], row["tokens"], row["nano"], row["estimated"])
            for row in rows
        ]
    return SpendReport(start, end, total["calls"], total["tokens"], total["nano"], groups)
