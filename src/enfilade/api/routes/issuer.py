"""Who issues invoices."""

from typing import Annotated

from fastapi import APIRouter, Depends

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.configuration.billing import issuer_fields, issuer_of
from enfilade.configuration.billing_parts import Issuer
from enfilade.identity.permissions import BILLING_READ, BILLING_WRITE

ROUTER = APIRouter(prefix="/issuer", tags=["billing"])
Reader = Annotated[Actor, Depends(Needs(BILLING_READ))]
Writer = Annotated[Actor, Depends(Needs(BILLING_WRITE, "platform"))]


@ROUTER.get("")
async def read(context: Context, actor: Reader) -> Issuer:
    """Who issues invoices, as it stands on them."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return Issuer.model_validate(issuer_fields(await context.billing.profiles.issuer(unit)))


@ROUTER.put("")
async def change(context: Context, body: Issuer, actor: Writer) -> Issuer:
    """Say who issues invoices. What was issued stays as it is."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.billing.profiles.put_issuer(unit, issuer_of(body))
    return body
