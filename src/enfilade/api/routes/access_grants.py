"""Access for a time: what was granted, and ending it."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict

from enfilade.access.approvals.grants import GrantQuery, unknown
from enfilade.access.approvals.types import Grant
from enfilade.api.admin.approval_views import GrantView, Id, Text, grant_view, own_only
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, page_of
from enfilade.identity.errors import PermissionMissing
from enfilade.identity.permissions import APPROVALS_READ, APPROVALS_WRITE
from enfilade.storage.unit_of_work import UnitOfWork

State = Literal["scheduled", "active", "ended", "revoked"]


class Revocation(BaseModel):
    """Why it ends."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


ROUTER = APIRouter(prefix="/access-grants", tags=["approvals"])
Anybody = Annotated[Actor, Depends(Needs(None))]
AnybodyOfOne = Annotated[Actor, Depends(Needs(None, "one"))]


async def visible(context: AdminContext, unit: UnitOfWork, actor: Actor, identifier: str) -> tuple[Grant, bool]:
    """A grant that the caller may see, and whether it is theirs, or approved by them. Raises UnknownGrant."""
    grant = await context.approvals.grants.get(unit, identifier)
    person = actor.scope.user
    concerns = person is not None and (
        person == grant.user or person in await context.approvals.grants.approvers(unit, grant)
    )
    if not concerns and not actor.scope.may(APPROVALS_READ):
        raise unknown(identifier)
    return grant, concerns


@ROUTER.get("")
async def page(
    context: Context,
    actor: Anybody,
    limit: Limit = 50,
    cursor: Cursor = None,
    state: Annotated[State | None, Query(description="Only those in this state.")] = None,
    mine: Annotated[bool, Query(description="Only your own.")] = False,  # noqa: FBT002 - a query parameter
) -> Page[GrantView]:
    """List access for a time: with `approvals:read` all, else your own."""
    person = actor.scope.user if mine else own_only(actor, APPROVALS_READ)
    query = GrantQuery(actor.tenant, person, state)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.approvals.grants.page(unit, query, after, count),
            cursor,
            limit,
            lambda grant: grant_view(context, grant),
        )


@ROUTER.get("/{id}")
async def read(context: Context, id: Id, actor: AnybodyOfOne) -> GrantView:  # noqa: A002 - the name in the path
    """Show access for a time."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        grant, _ = await visible(context, unit, actor, id)
    return grant_view(context, grant)


@ROUTER.post("/{id}/revoke")
async def revoke(context: Context, id: Id, body: Revocation, actor: AnybodyOfOne) -> GrantView:  # noqa: A002
    """End access before its time, everywhere within a second: your own, what you approved, or with `approvals:write`."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        _, concerns = await visible(context, unit, actor, id)
        if not concerns and not actor.scope.may(APPROVALS_WRITE):
            message = f"Your roles do not include `{APPROVALS_WRITE}`."
            raise PermissionMissing(message, details={"permission": APPROVALS_WRITE})
        grant = await context.approvals.grants.revoke(unit, id, body.reason)
    return grant_view(context, grant)
