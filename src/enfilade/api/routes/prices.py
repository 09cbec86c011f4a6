"""What models cost, and why."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.configuration.price_parts import LongContext, Price
from enfilade.configuration.prices import price_tariff
from enfilade.configuration.values import Start
from enfilade.core.clock import to_datetime
from enfilade.costs.prices.overrides import Change, SetPrice
from enfilade.costs.prices.shown import sheet_fields
from enfilade.costs.prices.tariffs import price_fields
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.types import Target
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE

Name = Annotated[str, Path(max_length=200)]


class DeploymentPrice(View):
    """What a deployment costs now; without a price it is refused."""

    model: str
    deployment: str
    source: Annotated[str | None, Field(description="The version of book, list or override that says so.")]
    price: Price | None
    long_context: list[LongContext]
    next_change: Annotated[datetime | None, Field(description="When another price may hold at the earliest.")]
    unsupported: Annotated[
        list[str], Field(description="Published units and conditions that no call reports: they are not charged.")
    ]


class OverrideView(View):
    """A price that was set for a model, from a moment on; null gave the word back to lists and the book."""

    effective_from: datetime
    effective_to: datetime | None
    price: Price | None
    reason: str | None
    set_by: str
    set_at: datetime


class ModelPrices(View):
    """A model's prices: those in force, and all that were ever set."""

    deployments: list[DeploymentPrice]
    overrides: list[OverrideView]


class PriceToSet(BaseModel):
    """A price to set."""

    model_config = ConfigDict(extra="forbid")

    price: Price
    effective_from: Annotated[Start | None, Field(description="Now, if it is left out; never in the past.")] = None
    effective_to: Annotated[Start | None, Field(description="The first moment at which it no longer holds.")] = None
    reason: Annotated[str | None, Field(max_length=500)] = None


ROUTER = APIRouter(prefix="/prices", tags=["prices"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


async def show(context: AdminContext, name: str, actor: Actor) -> ModelPrices:
    """A model's prices."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        await context.rooms.catalogue.get_model(unit, name)
        history = await context.rooms.prices.overrides.history(unit, name)
    return ModelPrices(
        deployments=_deployments(context.rooms.catalogue, name, context.clock.now_ns()),
        overrides=[_override(entry) for entry in history],
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader) -> list[DeploymentPrice]:
    """What every deployment costs now."""
    del actor
    now_ns = context.clock.now_ns()
    return [
        price
        for name in context.rooms.catalogue.model_names()
        for price in _deployments(context.rooms.catalogue, name, now_ns)
    ]


@ROUTER.get("/{model:path}")
async def read(context: Context, model: Name, actor: Reader) -> ModelPrices:
    """What a model costs, and cost before."""
    return await show(context, model, actor)


@ROUTER.put("/{model:path}")
async def change(context: Context, model: Name, body: PriceToSet, actor: Writer) -> ModelPrices:
    """Set a model's price, for all of its deployments."""
    new = Change(price_tariff(body.price), body.effective_from, body.effective_to, body.reason)
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.catalogue.get_model(unit, model)
        await context.rooms.prices.overrides.put(unit, model, new)
    return await show(context, model, actor)


@ROUTER.delete("/{model:path}", status_code=204)
async def remove(context: Context, model: Name, actor: Writer) -> None:
    """End a model's own price: price lists and the book decide again."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.catalogue.get_model(unit, model)
        await context.rooms.prices.overrides.put(unit, model, Change(None))


def _override(entry: SetPrice) -> OverrideView:
    version = entry.override
    return OverrideView(
        effective_from=to_datetime(version.from_ns),
        effective_to=None if version.to_ns is None else to_datetime(version.to_ns),
        price=None if version.tariff is None else Price.model_validate(price_fields(version.tariff)),
        reason=entry.reason,
        set_by=entry.created_by,
        set_at=entry.created_at,
    )


def _deployments(catalogue: Catalogue, name: str, now_ns: int) -> list[DeploymentPrice]:
    entry = catalogue.entry(name)
    if entry is None:
        return []
    return [_deployment(name, target, now_ns) for target in entry.targets]


def _deployment(model: str, target: Target, now_ns: int) -> DeploymentPrice:
    source = target.price
    sheet, change_ns, published = source.at(now_ns), source.changes_at(now_ns), source.published
    from_book = published is not None and (sheet is None or sheet.label == published[0])
    price = None if sheet is None else Price.model_validate(sheet_fields(sheet))
    return DeploymentPrice(
        model=model,
        deployment=target.label,
        source=None if sheet is None else sheet.label,
        price=price,
        long_context=list(price.long_context) if price is not None else [],
        next_change=None if change_ns is None else to_datetime(change_ns),
        unsupported=[*published[1].unsupported, *published[1].unsupported_variants]
        if published is not None and from_book
        else [],
    )
