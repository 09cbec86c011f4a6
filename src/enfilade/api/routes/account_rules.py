"""What is demanded of whoever signs in with a local account."""

from typing import Annotated

from fastapi import APIRouter, Depends

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.configuration.people import account_rules_fields, account_rules_of
from enfilade.configuration.people_parts import Accounts
from enfilade.identity.accounts.rules import DEFAULTS
from enfilade.identity.permissions import SECURITY_READ, SECURITY_WRITE

ROUTER = APIRouter(prefix="/account-rules", tags=["people"])
Reader = Annotated[Actor, Depends(Needs(SECURITY_READ, "one", platform_too=True))]
Writer = Annotated[Actor, Depends(Needs(SECURITY_WRITE, "one", platform_too=True))]


@ROUTER.get("")
async def read(context: Context, actor: Reader) -> Accounts:
    """Show a tenant's rules; the defaults, where it has none of its own."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await context.rooms.account_rules.find(unit, unit.tenant)
    return Accounts.model_validate(account_rules_fields(found or DEFAULTS))


@ROUTER.put("")
async def put(context: Context, body: Accounts, actor: Writer) -> Accounts:
    """Set a tenant's rules, or the platform's, which are the least that all tenants demand."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.account_rules.put(unit, account_rules_of(body))
    return body


@ROUTER.delete("", status_code=204)
async def remove(context: Context, actor: Writer) -> None:
    """Go by the defaults again."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.account_rules.remove(unit)
