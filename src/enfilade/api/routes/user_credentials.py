"""What users sign in with, for administrators: links to set a password, passwords, lost second factors."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import Field, SecretStr

from enfilade.api.admin.factor_views import FactorView, factor_view
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.sent import Sent
from enfilade.api.admin.views import View
from enfilade.identity.permissions import PEOPLE_READ, PEOPLE_WRITE

ROUTER = APIRouter(prefix="/users", tags=["people"])
Reader = Annotated[Actor, Depends(Needs(PEOPLE_READ, "one", platform_too=True))]
Writer = Annotated[Actor, Depends(Needs(PEOPLE_WRITE, "one", platform_too=True))]


class LinkView(View):
    """The right to set a password once. Nothing is sent: hand it over yourself, to nobody else."""

    secret: Annotated[str | None, Field(description="For `POST /auth/local/password`; shown this once.")]
    expires_at: datetime


class PasswordBody(Sent):
    """A password."""

    password: Annotated[SecretStr, Field(min_length=1, max_length=300)]


class Reset(View):
    """How many second factors were removed."""

    removed: int


@ROUTER.post("/{email}/password-link", status_code=201)
async def issue_link(context: Context, email: str, actor: Writer) -> LinkView:
    """Issue a link with which a user sets their password: an invitation, or a reset.

    It works once, for three days, and voids the one before. No message is sent: hand it over yourself. Whoever issues
    it needs all the rights that the user has.
    """
    async with context.storage.unit_of_work(actor.scope) as unit:
        user = await context.rooms.identity.users.get(unit, email)
        issued = await context.accounts.credentials.issue_link(unit, user)
    return LinkView(secret=issued.secret, expires_at=issued.expires_at)


@ROUTER.put("/{email}/password", status_code=204)
async def set_password(context: Context, email: str, actor: Writer, body: PasswordBody) -> None:
    """Set a user's password, and end their sessions. Whoever does so needs all the rights that the user has."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        user = await context.rooms.identity.users.get(unit, email)
    await context.accounts.credentials.set_password(actor.scope, user, body.password.get_secret_value())


@ROUTER.delete("/{email}/password", status_code=204)
async def remove_password(context: Context, email: str, actor: Writer) -> None:
    """Remove a user's password: they come in by an issuer only."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        user = await context.rooms.identity.users.get(unit, email)
        await context.accounts.credentials.remove_password(unit, user)


@ROUTER.get("/{email}/second-factors")
async def factors(context: Context, email: str, actor: Reader) -> list[FactorView]:
    """List a user's second factors."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        user = await context.rooms.identity.users.get(unit, email)
        return [factor_view(factor) for factor in await context.accounts.factors.of(unit, user.id)]


@ROUTER.delete("/{email}/second-factors")
async def reset_factors(context: Context, email: str, actor: Writer) -> Reset:
    """Remove all second factors of a user who lost them, and end their sessions."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        user = await context.rooms.identity.users.get(unit, email)
        return Reset(removed=await context.accounts.credentials.reset_factors(unit, user))
