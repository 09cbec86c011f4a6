"""What models cost, and why."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.configuration.document import Price
from enfilade.configuration.specs import price_fields, price_rates
from enfilade.configuration.values import Moment
from enfilade.core.clock import to_datetime
from enfilade.core.errors import InvalidRequest
from enfilade.core.money import NANO_PER_USD
from enfilade.costs.prices.sheet import PriceSheet, Rates
from enfilade.gateway.catalogue import Catalogue
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE

Name = Annotated[str, Path(max_length=200)]


class LongContext(View):
    """What all tokens of a call cost once its input exceeds `above` tokens."""

    above: int
    price: Price


class DeploymentPrice(View):
    """What a deployment costs now; without a price it is refused."""

    model: str
    deployment: str
    source: Annotated[str | None, Field(description="The book's version, or the override, that says so.")]
    price: Price | None
    long_context: list[LongContext]


class OverrideView(View):
    """A price that was set for a model, from a moment on; null gave the word back to the book."""

    effective_from: datetime
    price: Price | None


class ModelPrices(View):
    """A model's prices: those in force, and all that were ever set."""

    deployments: list[DeploymentPrice]
    overrides: list[OverrideView]


class PriceChange(BaseModel):
    """A price to set."""

    model_config = ConfigDict(extra="forbid")

    price: Price
    effective_from: Annotated[Moment | None, Field(description="Now, if it is left out; never in the past.")] = None


ROUTER = APIRouter(prefix="/prices", tags=["prices"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


async def show(context: AdminContext, name: str, actor: Actor) -> ModelPrices:
    """A model\'s prices."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        await context.rooms.catalogue.get_model(unit, name)
        overrides = await context.rooms.prices.history(unit, name)
    return ModelPrices(
        deployments=_deployments(context.rooms.catalogue, name, context.clock.now_ns()),
        overrides=[
            OverrideView(effective_from=to_datetime(o.from_ns), price=_price_view(price_fields(o.rates)))
            for o in overrides
        ],
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
async def change(context: Context, model: Name, body: PriceChange, actor: Writer) -> ModelPrices:
    """Set a model's price, for all of its deployments."""
    now = to_datetime(context.clock.now_ns())
    if body.effective_from is not None and body.effective_from < now:
        message = "A price cannot be set for the past: what was charged stays charged."
        raise InvalidRequest(message, param="effective_from")
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.catalogue.get_model(unit, model)
        await context.rooms.prices.put(unit, model, price_rates(body.price), body.effective_from)
    return await show(context, model, actor)


@ROUTER.delete("/{model:path}", status_code=204)
async def remove(context: Context, model: Name, actor: Writer) -> None:
    """End a model's own price: the book decides again."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.catalogue.get_model(unit, model)
        await context.rooms.prices.put(unit, model, None)


def _deployments(catalogue: Catalogue, name: str, now_ns: int) -> list[DeploymentPrice]:
    entry = catalogue.entry(name)
    if entry is None:
        return []
    return [_deployment(name, target.label, target.price.at(now_ns)) for target in entry.targets]


def _deployment(model: str, label: str, sheet: PriceSheet | None) -> DeploymentPrice:
    if sheet is None:
        return DeploymentPrice(model=model, deployment=label, source=None, price=None, long_context=[])
    return DeploymentPrice(
        model=model,
        deployment=label,
        source=sheet.label,
        price=Price(free=True) if sheet.is_free else _rates_view(sheet.base),
        long_context=[LongContext(above=above, price=_rates_view(rates)) for above, rates in sheet.long_context],
    )


def _rates_view(rates: Rates) -> Price:
    kinds = ("input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning")
    return Price(**{kind: Decimal(rates.of(kind) or 0) / NANO_PER_USD for kind in kinds})


def _price_view(fields: dict[str, object] | None) -> Price | None:
    return None if fields is None else Price.model_validate(fields)
