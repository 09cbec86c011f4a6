"""How tenants are billed."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path

from enfilade.api.admin.billing import tenant_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.configuration.billing import profile_fields, profile_of
from enfilade.configuration.billing_parts import Billing
from enfilade.costs.billing.types import Profile
from enfilade.costs.errors import UnknownBillingProfile
from enfilade.identity.permissions import BILLING_READ, BILLING_WRITE

Name = Annotated[str, Path(max_length=100, description="The tenant's name or id.")]
ROUTER = APIRouter(prefix="/billing-profiles", tags=["billing"])
Reader = Annotated[Actor, Depends(Needs(BILLING_READ))]
Writer = Annotated[Actor, Depends(Needs(BILLING_WRITE, "platform"))]


def _show(profile: Profile) -> Billing:
    return Billing.model_validate(profile_fields(profile))


def _unknown(name: str) -> UnknownBillingProfile:
    message = f"There is no billing profile of {name!r} here."
    return UnknownBillingProfile(message)


@ROUTER.get("/{tenant_name}")
async def read(context: Context, tenant_name: Name, actor: Reader) -> Billing:
    """How a tenant is billed."""
    tenant = context.principals.tenant_named(tenant_name)
    if tenant is None or actor.tenant not in {None, tenant.id}:
        raise _unknown(tenant_name)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        profile = await context.billing.profiles.find_profile(unit, tenant.id)
    if profile is None:
        raise _unknown(tenant_name)
    return _show(profile)


@ROUTER.put("/{tenant_name}")
async def change(context: Context, tenant_name: Name, body: Billing, actor: Writer) -> Billing:
    """Say how a tenant is billed. What was issued stays as it is."""
    tenant = tenant_of(context, tenant_name)
    async with context.storage.unit_of_work(actor.scope) as unit:
        await unit.act_in(tenant.id)
        await context.billing.profiles.put_profile(unit, profile_of(body))
    return body


@ROUTER.delete("/{tenant_name}", status_code=204)
async def remove(context: Context, tenant_name: Name, actor: Writer) -> None:
    """Take back how a tenant is billed; until it is said again, no invoice can be issued."""
    tenant = tenant_of(context, tenant_name)
    async with context.storage.unit_of_work(actor.scope) as unit:
        await unit.act_in(tenant.id)
        if not await context.billing.profiles.remove_profile(unit):
            raise _unknown(tenant_name)
