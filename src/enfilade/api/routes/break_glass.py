"""Breaking the glass: one of the platform's people lets themselves into a tenant, which sees it."""

from contextlib import suppress
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, View, page_of
from enfilade.configuration.values import Duration
from enfilade.core.scope import Scope
from enfilade.identity.errors import UnknownBreakGlass, UnknownTenant
from enfilade.identity.permissions import (
    BREAK_GLASS_MANAGE,
    BREAK_GLASS_READ,
    BREAK_GLASS_RIGHTS,
    BREAK_GLASS_WRITE,
)
from enfilade.identity.roles.types import BrokenGlass
from enfilade.identity.scopes import glass_scope, narrowed_to
from enfilade.storage.rounds import ask_cells

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]


class Opening(BaseModel):
    """Why somebody has to come in, and for how long."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str, Field(max_length=100, description="The tenant's name or id.")]
    reason: Annotated[
        str, Field(max_length=2_000, description="What its owners will read, e.g. with a ticket's number.")
    ]
    duration: Annotated[Duration, Field(description="Four hours at most.")] = 3_600.0


class Review(BaseModel):
    """What came of it."""

    model_config = ConfigDict(extra="forbid")

    note: Annotated[str, Field(max_length=2_000, description="What was found when it was looked into.")]


class BreakGlassView(View):
    """One of the platform's people in a tenant, for a time and a reason."""

    id: str
    tenant: str
    actor: Annotated[str, Field(description="Who came in: `key:ID` or `user:ID` of the platform.")]
    reason: str
    state: Annotated[str, Field(description="`open`; `unreviewed`: a review is due; `reviewed`.")]
    opened_at: datetime
    expires_at: datetime
    ended_at: datetime | None
    ended_by: str | None
    reviewed_at: datetime | None
    reviewed_by: str | None
    review_note: str | None
    permissions: Annotated[list[str], Field(description="What it opens.")]


ROUTER = APIRouter(prefix="/break-glass", tags=["roles"])
Opener = Annotated[Actor, Depends(Needs(BREAK_GLASS_MANAGE, "platform"))]
Reader = Annotated[Actor, Depends(Needs(BREAK_GLASS_READ))]
Ender = Annotated[Actor, Depends(Needs(BREAK_GLASS_READ))]
Reviewer = Annotated[Actor, Depends(Needs(BREAK_GLASS_WRITE))]


def show(context: AdminContext, glass: BrokenGlass) -> BreakGlassView:
    """As it is shown."""
    tenant = context.principals.tenant(glass.tenant)
    return BreakGlassView(
        id=glass.id,
        tenant=tenant.name if tenant else glass.tenant,
        actor=glass.actor,
        reason=glass.reason,
        state=glass.state(context.rooms.identity.glass.now()),
        opened_at=glass.opened_at,
        expires_at=glass.expires_at,
        ended_at=glass.ended_at,
        ended_by=glass.ended_by,
        reviewed_at=glass.reviewed_at,
        reviewed_by=glass.reviewed_by,
        review_note=glass.review_note,
        permissions=sorted(BREAK_GLASS_RIGHTS),
    )


@ROUTER.get("")
async def page(
    context: Context,
    actor: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    *,
    unreviewed: Annotated[bool, Query(description="Only those that wait for a review.")] = False,
) -> Page[BreakGlassView]:
    """List when the glass was broken: a tenant's own, or for the platform everybody's."""
    glass = context.rooms.identity.glass
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: glass.page(unit, after, count, actor.tenant, unreviewed=unreviewed),
            cursor,
            limit,
            lambda found: show(context, found),
        )


@ROUTER.post("", status_code=201)
async def open_(context: Context, body: Opening, actor: Opener) -> BreakGlassView:
    """Let yourself into a tenant. Its owners see it, and every request that you make there."""
    tenant = context.principals.tenant_named(body.tenant)
    if tenant is None or tenant.id == actor.scope.tenant:
        message = f"There is no tenant {body.tenant!r}."
        raise UnknownTenant(message, param="tenant")
    book = context.rooms.identity.glass
    identifier, who = book.new_id(), actor.principal.scope.actor
    told = {"id": identifier, "reason": body.reason.strip(), "duration_s": int(body.duration)}
    async with context.storage.unit_of_work(glass_scope(tenant.id, identifier, frozenset())) as unit:
        found = await book.open(unit, identifier, who, body.reason, timedelta(seconds=body.duration))
    async with context.storage.unit_of_work(actor.scope, alone=False) as unit:
        unit.record("BreakGlassOpened", **told, in_tenant=tenant.id)
    return show(context, found)


@ROUTER.post("/{id}/end")
async def end(context: Context, id: Id, actor: Ender) -> BreakGlassView:  # noqa: A002 - the name in the path
    """End it before its time: whoever opened it may, the tenant's owners, and the platform's."""
    book = context.rooms.identity.glass
    found = await _find(context, actor, id)
    who = actor.principal.scope
    if found.actor != who.actor and not who.may(BREAK_GLASS_WRITE):
        Needs(BREAK_GLASS_WRITE).require(who)
    async with context.storage.unit_of_work(_in_tenant(who, found)) as unit:
        return show(context, await book.end(unit, id, who.actor))


@ROUTER.post("/{id}/review")
async def review(context: Context, id: Id, body: Review, actor: Reviewer) -> BreakGlassView:  # noqa: A002 - the name in the path
    """Say what came of it: somebody else than who opened it, once it is over."""
    found = await _find(context, actor, id)
    who = actor.principal.scope
    if who.is_platform:
        async with context.storage.unit_of_work(who, readonly=True) as unit:
            await context.rooms.identity.glass.require_other(unit, found)
    async with context.storage.unit_of_work(_in_tenant(who, found)) as unit:
        return show(context, await context.rooms.identity.glass.review(unit, id, who.actor, body.note))


async def _find(context: AdminContext, actor: Actor, identifier: str) -> BrokenGlass:
    book = context.rooms.identity.glass
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found: list[BrokenGlass] = []

        async def look() -> None:
            with suppress(UnknownBreakGlass):
                found.append(await book.get(unit, identifier))

        # For the platform, wherever the tenant lives into which somebody came.
        await ask_cells(unit, actor.tenant, look)
        return found[0] if found else await book.get(unit, identifier)


def _in_tenant(scope: Scope, glass: BrokenGlass) -> Scope:
    return narrowed_to(scope, glass.tenant)
