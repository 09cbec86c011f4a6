"""Credits: amounts that later invoices are lessened by."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.billing import tenant_of
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Money, Page, View, page_of
from enfilade.configuration.values import Amount, Moment
from enfilade.core.money import format_usd
from enfilade.costs.billing.types import Credit
from enfilade.identity.permissions import BILLING_READ, BILLING_WRITE


class CreditView(View):
    """A credit, with what is left of it."""

    id: str
    tenant: str
    amount_usd: Money
    left_usd: Money
    reason: str
    granted_at: datetime
    expires_at: Annotated[
        datetime | None, Field(description="Invoices of periods that begin before it may take it; null: all.")
    ]


class CreditGrant(BaseModel):
    """A credit to grant."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str, Field(min_length=1, max_length=100)]
    amount_usd: Amount
    reason: Annotated[str, Field(min_length=1, max_length=200)]
    expires: Annotated[Moment | None, Field(description="A day, on which it can still be used, or a moment.")] = None


ROUTER = APIRouter(prefix="/credits", tags=["billing"])
Reader = Annotated[Actor, Depends(Needs(BILLING_READ))]
Granter = Annotated[Actor, Depends(Needs(BILLING_WRITE, "platform"))]


def show(context: AdminContext, credit: Credit) -> CreditView:
    """As it is shown."""
    tenant = context.principals.tenant(credit.tenant)
    return CreditView(
        id=credit.id,
        tenant=tenant.name if tenant else credit.tenant,
        amount_usd=format_usd(credit.amount_nano),
        left_usd=format_usd(credit.left_nano),
        reason=credit.reason,
        granted_at=credit.granted_at,
        expires_at=credit.expires_at,
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[CreditView]:
    """List credits in the order of their granting, with what is left of each."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.billing.credits.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda credit: show(context, credit),
        )


@ROUTER.post("", status_code=201)
async def grant(context: Context, body: CreditGrant, actor: Granter) -> CreditView:
    """Grant a tenant a credit. The next invoices take it, oldest credits first; it is never taken back."""
    tenant = tenant_of(context, body.tenant)
    async with context.storage.unit_of_work(actor.scope, alone=False) as unit:
        await unit.act_in(tenant.id)
        credit = await context.billing.credits.grant(unit, body.amount_usd, body.reason, body.expires)
    return show(context, credit)
