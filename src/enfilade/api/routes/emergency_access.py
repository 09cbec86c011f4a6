"""Access that somebody takes at once, and its review."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from enfilade.access.approvals.grants import GrantQuery, unknown
from enfilade.api.admin.approval_views import GrantView, Id, Text, Wanted, grant_view, own_only, wish_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, page_of
from enfilade.identity.permissions import APPROVALS_READ, APPROVALS_REVIEW


class EmergencyReview(BaseModel):
    """What somebody else says of it."""

    model_config = ConfigDict(extra="forbid")

    justified: Annotated[bool, Field(description="What was not is revoked, if it still runs.")]
    note: Text


ROUTER = APIRouter(prefix="/emergency-access", tags=["approvals"])
Anybody = Annotated[Actor, Depends(Needs(None))]
AnybodyOfOne = Annotated[Actor, Depends(Needs(None, "one"))]
Reviewer = Annotated[Actor, Depends(Needs(APPROVALS_REVIEW, "one"))]


@ROUTER.get("")
async def page(
    context: Context,
    actor: Anybody,
    limit: Limit = 50,
    cursor: Cursor = None,
    unreviewed: Annotated[bool | None, Query(description="Only those whose review is open.")] = None,
) -> Page[GrantView]:
    """List emergency access: with `approvals:read` all, else your own."""
    query = GrantQuery(actor.tenant, own_only(actor, APPROVALS_READ), None, emergency=True, unreviewed=unreviewed)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.approvals.grants.page(unit, query, after, count),
            cursor,
            limit,
            lambda grant: grant_view(context, grant),
        )


@ROUTER.post("", status_code=201)
async def take(context: Context, body: Wanted, actor: AnybodyOfOne) -> GrantView:
    """Take access at once, where an approval rule allows you to. Everybody is told, and somebody else reviews it."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        wish = await wish_of(context, unit, body)
        grant = await context.approvals.emergency.take(unit, actor.scope.user, wish)
    return grant_view(context, grant)


@ROUTER.get("/{id}")
async def read(context: Context, id: Id, actor: AnybodyOfOne) -> GrantView:  # noqa: A002 - the name in the path
    """Show emergency access."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        grant = await context.approvals.grants.get(unit, id)
    if not grant.emergency or own_only(actor, APPROVALS_READ) not in {None, grant.user}:
        raise unknown(id)
    return grant_view(context, grant)


@ROUTER.post("/{id}/review")
async def review(context: Context, id: Id, body: EmergencyReview, actor: Reviewer) -> GrantView:  # noqa: A002
    """Say afterwards whether it was right. Nobody reviews what they took themselves."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        grant = await context.approvals.emergency.review(
            unit, actor.scope.user, id, justified=body.justified, note=body.note
        )
    return grant_view(context, grant)
