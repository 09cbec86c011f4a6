"""Who spent what."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Money, Period, View
from enfilade.core.clock import to_datetime
from enfilade.core.money import format_usd
from enfilade.costs.spend.report import SpendGroup, report_spend
from enfilade.identity.permissions import SPEND_READ

Grouping = Literal["tenant", "department", "application", "user", "key", "model", "day"]
NOUNS = {"tenant", "department", "application", "user", "key"}


class SpendGroupView(View):
    """One subject, model or day of one tenant."""

    name: Annotated[str | None, Field(description="Null where a call had no such subject.")]
    id: Annotated[str | None, Field(description="The subject's id, where the grouping is by a noun.")]
    tenant: str
    calls: int
    tokens: int
    cost_usd: Money
    estimated_calls: int


class SpendView(View):
    """The ledger's sums over calls that started in the period."""

    start: Annotated[datetime, Field(alias="from", serialization_alias="from")]
    to: datetime
    group_by: str | None
    total_usd: Money
    calls: int
    tokens: int
    groups: list[SpendGroupView]


ROUTER = APIRouter(prefix="/spend", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]


class SpendQuery(Period):
    """Which spend to sum up."""

    group_by: Grouping | None = None


@ROUTER.get("")
async def spend(context: Context, actor: Reader, query: Annotated[SpendQuery, Query()]) -> SpendView:
    """Spend of a period, by tenant, department, application, user, key, model or day.

    Without a period: this month up to now, in UTC. Days are those of the tenant's time zone.
    """
    grouping = query.group_by
    now = to_datetime(context.clock.now_ns())
    period = query.moments(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0), now)
    tenant = context.principals.tenant(actor.tenant) if actor.tenant else None
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        report = await report_spend(unit, grouping, period, actor.tenant, tenant.spec.time_zone if tenant else "UTC")
        ids = {group.name for group in report.groups if group.name} if grouping in NOUNS else set()
        names = await context.rooms.identity.names(unit, grouping, ids) if grouping and ids else {}
        tenants = await context.rooms.identity.names(unit, "tenant", {group.tenant for group in report.groups})
    fields = {
        "from": report.start,
        "to": report.end,
        "group_by": grouping,
        "total_usd": format_usd(report.nano),
        "calls": report.calls,
        "tokens": report.tokens,
        "groups": [_group(group, grouping, names, tenants) for group in report.groups],
    }
    return SpendView.model_validate(fields)


def _group(group: SpendGroup, grouping: str | None, names: dict[str, str], tenants: dict[str, str]) -> SpendGroupView:
    return SpendGroupView(
        name=names.get(group.name, group.name) if group.name else None,
        id=group.name if grouping in NOUNS else None,
        tenant=tenants.get(group.tenant, group.tenant),
        calls=group.calls,
        tokens=group.tokens,
        cost_usd=format_usd(group.nano),
        estimated_calls=group.estimated,
    )
