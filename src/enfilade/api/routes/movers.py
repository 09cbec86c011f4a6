"""Movers: whose spending has changed most, and why."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.outlook import NOUNS, Names, names_of, zones_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Incomplete, Money, View
from enfilade.core.money import format_usd
from enfilade.costs.outlook.movers import Comparison, Mover, compare
from enfilade.identity.permissions import SPEND_READ
from enfilade.storage import rounds

By = Literal["tenant", "department", "application", "user", "key", "model"]
Span = Literal["day", "week", "month", "quarter"]


class MoverView(View):
    """How one subject's spending has changed: `price_usd + volume_usd + other_usd` is `difference_usd`."""

    name: Annotated[str | None, Field(description="Null where calls had no such subject.")]
    id: Annotated[str | None, Field(description="The subject's id, where it has one.")]
    tenant: str
    status: Literal["new", "gone", "up", "down", "same"]
    before_usd: Money
    after_usd: Money
    difference_usd: Money
    percent: Annotated[
        float | None, Field(description="The difference in percent of before; null when that was nothing.")
    ]
    price_usd: Annotated[Money, Field(description="Because rates are others: what is used now, at both rates.")]
    volume_usd: Annotated[Money, Field(description="Because more or less is used, or other models: at the old rates.")]
    other_usd: Annotated[Money, Field(description="Corrections of whole amounts, which count nothing by kind.")]


class PeriodView(View):
    """A period and its sum."""

    start: Annotated[datetime, Field(alias="from", serialization_alias="from")]
    to: datetime
    total_usd: Money


class MoversView(View):
    """A comparison of two periods."""

    by: str
    period: str
    before: PeriodView
    after: PeriodView
    difference_usd: Money
    items: Annotated[list[MoverView], Field(description="The largest changes first.")]
    left_out: Annotated[int, Field(description="How many more there are.")]
    left_out_usd: Annotated[Money, Field(description="By how much these have changed.")]
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


class MoversQuery(BaseModel):
    """What to compare."""

    model_config = ConfigDict(extra="ignore")

    by: By = "application"
    period: Annotated[Span, Field(description="The running one so far, with the same part of the one before.")] = (
        "month"
    )
    limit: Annotated[int, Field(ge=1, le=500, description="How many at most.")] = 20


ROUTER = APIRouter(prefix="/movers", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]


@ROUTER.get("")
async def movers(context: Context, actor: Reader, query: Annotated[MoversQuery, Query()]) -> MoversView:
    """Compare this period so far with the same part of the one before.

    Both end with the last whole hour, of the tenant's time zone; of UTC for the platform's own keys. Where the month
    before is shorter, it ends with its end.
    """
    now_ns, zones = context.clock.now_ns(), zones_of(context, actor.tenant)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await compare(unit, query.by, query.period, now_ns, actor.tenant, zones)
        shown = found.movers[: query.limit]
        wanted = [*((query.by, mover.subject) for mover in shown), *(("tenant", mover.tenant) for mover in shown)]
        names = await names_of(context, unit, wanted)
    zone = ZoneInfo(zones[actor.tenant]) if actor.tenant else ZoneInfo("UTC")
    return _view(found, shown, query, names, zone)


def _view(found: Comparison, shown: list[Mover], query: MoversQuery, names: Names, zone: ZoneInfo) -> MoversView:
    rest = found.movers[len(shown) :]
    fields = {
        "by": query.by,
        "period": query.period,
        "before": _period(found.before, found.before_nano, zone),
        "after": _period(found.after, found.after_nano, zone),
        "difference_usd": format_usd(found.after_nano - found.before_nano),
        "items": [_mover(mover, query.by, names) for mover in shown],
        "left_out": len(rest),
        "left_out_usd": format_usd(sum(mover.difference for mover in rest) + found.left_out_nano),
    }
    return MoversView.model_validate(fields)


def _period(span: tuple[datetime, datetime], nano: int, zone: ZoneInfo) -> dict[str, object]:
    return {"from": span[0].astimezone(zone), "to": span[1].astimezone(zone), "total_usd": format_usd(nano)}


def _mover(mover: Mover, by: str, names: Names) -> dict[str, object]:
    subject = mover.subject
    percent = Decimal(mover.difference * 100) / mover.before if mover.before else None
    return {
        "name": names.get((by, subject), subject) if subject else None,
        "id": subject if by in NOUNS else None,
        "tenant": names.get(("tenant", mover.tenant), mover.tenant),
        "status": mover.status,
        "before_usd": format_usd(mover.before),
        "after_usd": format_usd(mover.after),
        "difference_usd": format_usd(mover.difference),
        "percent": None if percent is None else float(round(percent, 1)),
        "price_usd": format_usd(mover.price),
        "volume_usd": format_usd(mover.volume),
        "other_usd": format_usd(mover.other),
    }
