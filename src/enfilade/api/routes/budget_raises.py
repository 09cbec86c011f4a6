"""Temporary raises of budgets."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import seen_budget
from enfilade.api.admin.views import Cursor, Limit, Money, Page, View, page_of
from enfilade.configuration.values import Amount
from enfilade.core.clock import to_datetime
from enfilade.core.money import format_usd
from enfilade.costs.holds.raises import RaiseSpec
from enfilade.costs.holds.types import Raise
from enfilade.identity.permissions import BUDGETS_READ, BUDGETS_WRITE

UUID = r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"
Id = Annotated[str, Path(pattern=UUID)]
RaiseId = Annotated[str, Path(alias="raise", pattern=UUID)]


class RaiseBody(BaseModel):
    """A temporary raise."""

    model_config = ConfigDict(extra="forbid")

    by_usd: Annotated[Amount | None, Field(description="So much more.")] = None
    to_usd: Annotated[
        Amount | None, Field(description="Up to this limit: what is missing to it from the limit of now is added.")
    ] = None
    until: Annotated[
        str,
        Field(
            max_length=40,
            description="A day of the tenant's calendar, which counts whole, or a moment.",
            examples=["2026-12-31", "2026-12-31T18:00:00Z"],
        ),
    ]
    reason: Annotated[str, Field(min_length=1, max_length=500)]


class RaiseView(View):
    """A temporary raise."""

    id: str
    budget: str
    amount_usd: Money
    reason: str
    actor: Annotated[str, Field(description="Who made it.")]
    starts_at: datetime
    until: datetime
    ended_at: Annotated[datetime | None, Field(description="When somebody ended it before its time.")]
    state: Literal["running", "passed", "ended"]


ROUTER = APIRouter(prefix="/budgets", tags=["limits and budgets"])
Reader = Annotated[Actor, Depends(Needs(BUDGETS_READ, confined_by="object"))]
AnyWriter = Annotated[Actor, Depends(Needs(BUDGETS_WRITE, confined_by="object"))]


def raise_view(context: AdminContext, entry: Raise) -> RaiseView:
    """A raise as it is shown."""
    passed = "passed" if entry.until_ns <= context.clock.now_ns() else "running"
    return RaiseView(
        id=entry.id,
        budget=entry.budget,
        amount_usd=format_usd(entry.amount_nano),
        reason=entry.reason,
        actor=entry.actor,
        starts_at=to_datetime(entry.starts_ns),
        until=to_datetime(entry.until_ns),
        ended_at=None if entry.ended_ns is None else to_datetime(entry.ended_ns),
        state="ended" if entry.ended_ns is not None else passed,
    )


@ROUTER.get("/{id}/raises")
async def page_raises(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    actor: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
) -> Page[RaiseView]:
    """List the raises of a budget, also those that have passed."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        budget = await seen_budget(context, unit, actor, id)
        return await page_of(
            lambda after, count: context.rooms.budgets.raises.page(unit, budget.id, after, count),
            cursor,
            limit,
            lambda entry: raise_view(context, entry),
        )


@ROUTER.post("/{id}/raises", status_code=201)
async def add_raise(context: Context, id: Id, body: RaiseBody, actor: AnyWriter) -> RaiseView:  # noqa: A002 - the name in the path
    """Raise a budget for a time; it holds from the next call on and passes by itself."""
    spec = RaiseSpec(body.until, body.reason, body.by_usd, body.to_usd)
    async with context.storage.unit_of_work(actor.scope) as unit:
        budget = await seen_budget(context, unit, actor, id)
        await unit.act_in(budget.tenant)
        entry = await context.rooms.budgets.raises.add(unit, budget, spec)
    return raise_view(context, entry)


@ROUTER.delete("/{id}/raises/{raise}", status_code=204)
async def end_raise(context: Context, id: Id, which: RaiseId, actor: AnyWriter) -> None:  # noqa: A002 - the name in the path
    """End a raise before its time."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        budget = await seen_budget(context, unit, actor, id)
        await unit.act_in(budget.tenant)
        await context.rooms.budgets.raises.end(unit, budget, which)
