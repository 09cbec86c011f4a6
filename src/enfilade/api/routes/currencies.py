"""Exchange rates for display; the ledger stays in dollars."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.configuration.price_parts import Percent
from enfilade.costs.prices.currencies import Rate
from enfilade.identity.permissions import CATALOGUE_READ, CATALOGUE_WRITE

Code = Annotated[str, Path(pattern="^[A-Z]{3}$", description="An ISO 4217 code.")]


class RateView(View):
    """What a dollar is worth in a currency, from a day on."""

    currency: str
    rate: Annotated[str, Field(description="Units of the currency for one dollar.")]
    effective_from: date
    source: str | None
    set_by: str
    set_at: datetime | None


class RateToSet(BaseModel):
    """A rate to declare."""

    model_config = ConfigDict(extra="forbid")

    rate: Annotated[Percent, Field(description="Units of the currency for one dollar, e.g. 0.92.")]
    effective_from: Annotated[date | None, Field(description="Today, if it is left out.")] = None
    source: Annotated[str | None, Field(max_length=200, description="Where it comes from, e.g. ECB.")] = None


ROUTER = APIRouter(prefix="/currencies", tags=["prices"])
Reader = Annotated[Actor, Depends(Needs(CATALOGUE_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CATALOGUE_WRITE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader) -> list[RateView]:
    """Every rate that was ever declared, by currency and day."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return [_view(rate) for rate in await context.rooms.prices.currencies.history(unit)]


@ROUTER.put("/{currency}")
async def change(context: Context, currency: Code, body: RateToSet, actor: Writer) -> list[RateView]:
    """Declare what a dollar is worth from a day on."""
    currencies = context.rooms.prices.currencies
    async with context.storage.unit_of_work(actor.scope) as unit:
        await currencies.put(unit, currency, str(body.rate), body.effective_from, body.source)
        return [_view(rate) for rate in await currencies.history(unit) if rate.currency == currency]


def _view(rate: Rate) -> RateView:
    return RateView(
        currency=rate.currency,
        rate=format(rate.rate, "f"),
        effective_from=rate.on,
        source=rate.source,
        set_by=rate.created_by,
        set_at=rate.created_at,
    )
