"""Sessions: who is signed in, from where, and ending it."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs, session_csrf
from enfilade.api.admin.views import Cursor, Limit, Page, View, page_of
from enfilade.identity.errors import PermissionMissing
from enfilade.identity.permissions import SESSIONS_READ, SESSIONS_WRITE
from enfilade.identity.sign_in.errors import UnknownSession
from enfilade.identity.sign_in.types import Session


class SessionView(View):
    """A session. Its token is not here."""

    id: str
    tenant: str
    user: str
    issuer: Annotated[str | None, Field(description="Who vouched for the person; null for a local account.")]
    methods: Annotated[list[str], Field(description="How they proved who they are.")]
    groups: Annotated[list[str], Field(description="The groups that the issuer named at sign-in.")]
    address: str | None
    user_agent: str | None
    created_at: datetime
    used_at: Annotated[datetime, Field(description="The last use, to about a minute.")]
    expires_at: datetime


class CurrentSession(SessionView):
    """The session of whoever asks."""

    csrf: Annotated[str, Field(description="What a browser sends as `x-csrf-token` with every change.")]


class Ended(View):
    """How many sessions were ended."""

    ended: int


ROUTER = APIRouter(prefix="/sessions", tags=["people"])
Anybody = Annotated[Actor, Depends(Needs(None))]
Reader = Annotated[Actor, Depends(Needs(SESSIONS_READ))]
Writer = Annotated[Actor, Depends(Needs(SESSIONS_WRITE))]
Person = Annotated[str, Query(max_length=255, description="A user's address or id.")]


def show(context: AdminContext, session: Session) -> SessionView:
    """As it is shown."""
    tenant = context.principals.tenant(session.tenant)
    return SessionView(
        id=session.id,
        tenant=tenant.name if tenant else session.tenant,
        user=session.email,
        issuer=session.issuer,
        methods=list(session.methods),
        groups=list(session.groups),
        address=session.client.address,
        user_agent=session.client.user_agent,
        created_at=session.created_at,
        used_at=session.used_at,
        expires_at=session.expires_at,
    )


@ROUTER.get("")
async def page(
    context: Context,
    actor: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    user: Annotated[str | None, Query(max_length=255, description="Of this user only; an address or id.")] = None,
) -> Page[SessionView]:
    """List live sessions."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        person = None if user is None else (await context.rooms.identity.users.get(unit, user)).id
        return await page_of(
            lambda after, count: context.sessions.page(unit, after, count, actor.tenant, person),
            cursor,
            limit,
            lambda session: show(context, session),
        )


@ROUTER.get("/current")
async def current(context: Context, request: Request, actor: Anybody) -> CurrentSession:
    """Show the session by which this request came in."""
    if actor.session is None:
        message = "This request came in by a key or a token, not by a session."
        raise UnknownSession(message)
    return CurrentSession(**show(context, actor.session).model_dump(), csrf=session_csrf(request.scope))


@ROUTER.get("/mine")
async def mine(context: Context, actor: Anybody, limit: Limit = 50, cursor: Cursor = None) -> Page[SessionView]:
    """List one's own live sessions."""
    own = actor.principal.scope
    async with context.storage.unit_of_work(own, readonly=True) as unit:
        return await page_of(
            lambda after, count: (
                context.sessions.page(unit, after, count, own.tenant, own.user) if own.user else _none()
            ),
            cursor,
            limit,
            lambda session: show(context, session),
        )


@ROUTER.delete("")
async def end_all(context: Context, actor: Writer, user: Person) -> Ended:
    """End all sessions of a user: every process refuses them from now on."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        person = await context.rooms.identity.users.get(unit, user)
        return Ended(ended=await context.sessions.revoke_all(unit, person.id, "asked"))


@ROUTER.delete("/mine")
async def end_mine(context: Context, actor: Anybody) -> Ended:
    """End all of one's own sessions but the one that asks."""
    own = actor.principal.scope
    if own.user is None:
        return Ended(ended=0)
    async with context.storage.unit_of_work(own) as unit:
        but = actor.session.id if actor.session else None
        return Ended(ended=await context.sessions.revoke_all(unit, own.user, "asked", but=but))


@ROUTER.delete("/{id}", status_code=204)
async def end(context: Context, id: str, actor: Anybody) -> None:  # noqa: A002 - the name in the path
    """End a session: one's own, or with `sessions:write` anybody's."""
    may_all = actor.scope.may(SESSIONS_WRITE)
    own = actor.principal.scope.user
    if not may_all and own is None:
        message = "The key's roles do not include `sessions:write`."
        raise PermissionMissing(message, details={"permission": SESSIONS_WRITE})
    async with context.storage.unit_of_work(actor.scope) as unit:
        session = await context.sessions.get(unit, id, user_id=None if may_all else own)
        await context.sessions.revoke(unit, session)


async def _none() -> list[Session]:
    return []
