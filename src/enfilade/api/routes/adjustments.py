"""Discounts that providers grant us, and markups that tenants pay."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.configuration.values import ModelName, Name, Start
from enfilade.core.clock import to_datetime
from enfilade.costs.prices.agreements import AdjustmentSpec, Agreement, millionths_of, percent_of
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE
from enfilade.storage.unit_of_work import UnitOfWork

Kind = Literal["discount", "markup"]


class AdjustmentView(View):
    """One version of a discount or a markup; without a percentage it ended the one before."""

    id: int
    kind: Kind
    tenant: Annotated[str | None, Field(description="Null: for every tenant.")]
    provider: str
    model: str
    percent: str | None
    effective_from: datetime
    effective_to: datetime | None
    reason: str | None
    set_by: str
    set_at: datetime


class AdjustmentSubject(BaseModel):
    """What an adjustment is about."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    tenant: Annotated[str | None, Field(max_length=100, description="A tenant's name. A markup needs one.")] = None
    provider: Annotated[Name, Field(description="Our name of a provider, or a pattern.")] = "*"
    model: Annotated[ModelName, Field(description="Our name of a model, or a pattern.")] = "*"


class AdjustmentToSet(AdjustmentSubject):
    """An adjustment to declare."""

    percent: Annotated[Decimal | str, Field(description="5, `12.25%` or `250bp`; up to four decimals of a per cent.")]
    effective_from: Annotated[Start | None, Field(description="Now, if it is left out; never in the past.")] = None
    effective_to: Annotated[Start | None, Field(description="The first moment at which it no longer holds.")] = None
    reason: Annotated[str | None, Field(max_length=500)] = None


class AdjustmentToEnd(AdjustmentSubject):
    """An adjustment to end."""

    effective_from: Annotated[Start | None, Field(description="When it ends: now, if it is left out.")] = None
    reason: Annotated[str | None, Field(max_length=500)] = None


ROUTER = APIRouter(prefix="/price-adjustments", tags=["prices"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, *, history: bool = False) -> list[AdjustmentView]:
    """What holds now or is declared for later; with `history` everything that was ever declared."""
    agreements = context.rooms.prices.agreements
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await (agreements.versions(unit) if history else agreements.in_force(unit))
    return [_view(agreement) for agreement in found]


@ROUTER.put("")
async def change(context: Context, body: AdjustmentToSet, actor: Writer) -> list[AdjustmentView]:
    """Declare a discount or a markup; one of the same subject gives way to it."""
    millionths = millionths_of(body.kind, body.percent)
    return await _put(context, actor, body, millionths, body.effective_to)


@ROUTER.post("/end")
async def end(context: Context, body: AdjustmentToEnd, actor: Writer) -> list[AdjustmentView]:
    """End a discount or a markup."""
    return await _put(context, actor, body, None, None)


async def _put(
    context: AdminContext,
    actor: Actor,
    body: AdjustmentToSet | AdjustmentToEnd,
    millionths: int | None,
    until: datetime | None,
) -> list[AdjustmentView]:
    agreements = context.rooms.prices.agreements
    async with context.storage.unit_of_work(actor.scope) as unit:
        spec = AdjustmentSpec(
            kind=body.kind,
            tenant=await _tenant_id(context, unit, body),
            provider=body.provider,
            model=body.model,
            millionths=millionths,
            effective=body.effective_from,
            until=until,
            reason=body.reason,
        )
        await agreements.put(unit, spec)
        return [_view(agreement) for agreement in await agreements.in_force(unit)]


async def _tenant_id(context: AdminContext, unit: UnitOfWork, body: AdjustmentSubject) -> str | None:
    if body.tenant is None:
        return None
    tenant = await context.rooms.identity.tenants.get(unit, body.tenant)
    return tenant.id


def _view(agreement: Agreement) -> AdjustmentView:
    adjustment = agreement.adjustment
    return AdjustmentView(
        id=adjustment.id,
        kind=adjustment.kind,
        tenant=agreement.tenant_name,
        provider=adjustment.provider,
        model=adjustment.model,
        percent=None if adjustment.millionths is None else percent_of(adjustment),
        effective_from=to_datetime(adjustment.from_ns),
        effective_to=None if adjustment.to_ns is None else to_datetime(adjustment.to_ns),
        reason=adjustment.reason,
        set_by=agreement.created_by,
        set_at=agreement.created_at,
    )
