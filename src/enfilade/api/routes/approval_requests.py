"""Requests for access, and decisions about them."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel, ConfigDict, Field

from enfilade.access.approvals.requests import RequestQuery, unknown
from enfilade.access.approvals.types import Request
from enfilade.api.admin.approval_views import NOBODY, Id, RequestView, Text, Wanted, own_only, request_view, wish_of
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Page, page_of
from enfilade.identity.permissions import APPROVALS_READ
from enfilade.storage.unit_of_work import UnitOfWork

State = Literal["pending", "approved", "refused", "withdrawn", "expired"]


class Approval(BaseModel):
    """What a reviewer says who approves."""

    model_config = ConfigDict(extra="forbid")

    comment: Annotated[str, Field(max_length=2_000)] = ""


class Refusal(BaseModel):
    """What a reviewer says who refuses."""

    model_config = ConfigDict(extra="forbid")

    reason: Text


class Remark(BaseModel):
    """A comment."""

    model_config = ConfigDict(extra="forbid")

    text: Text


class RequestListing(BaseModel):
    """Which requests to list."""

    model_config = ConfigDict(extra="ignore")

    limit: Annotated[int, Field(ge=1, le=500, description="How many at most.")] = 50
    cursor: Annotated[str | None, Field(max_length=500, description="`next` of the previous page.")] = None
    state: Annotated[State | None, Field(description="Only those in this state.")] = None
    mine: Annotated[bool, Field(description="Only those that you made.")] = False
    awaiting_me: Annotated[bool, Field(description="Only those that await your decision.")] = False


ROUTER = APIRouter(prefix="/approval-requests", tags=["approvals"])
# Whoever is known may ask; who may see and decide follows from the request.
Anybody = Annotated[Actor, Depends(Needs(None))]
AnybodyOfOne = Annotated[Actor, Depends(Needs(None, "one"))]


async def visible(context: AdminContext, unit: UnitOfWork, actor: Actor, identifier: str) -> Request:
    """A request that the caller may see. Raises UnknownApprovalRequest."""
    requests = context.approvals.requests
    request = await requests.get(unit, identifier)
    person = own_only(actor, APPROVALS_READ)
    if person is not None and not await requests.is_party(unit, person, request):
        raise unknown(identifier)
    return request


async def show(context: AdminContext, unit: UnitOfWork, request: Request) -> RequestView:
    """As it is shown. Who may decide is looked up where the request is."""
    await unit.act_in(request.tenant)
    return request_view(context, request, await context.approvals.requests.standing(unit, request))


@ROUTER.get("")
async def page(context: Context, actor: Anybody, listing: Annotated[RequestListing, Query()]) -> Page[RequestView]:
    """List requests: with `approvals:read` all, else those that you made or may decide."""
    requests, person = context.approvals.requests, own_only(actor, APPROVALS_READ)
    me = actor.scope.user or NOBODY
    state = "pending" if listing.awaiting_me else listing.state
    query = RequestQuery(actor.tenant, me if listing.mine else None, state)

    async def fetch(unit: UnitOfWork, after: str | None, count: int) -> list[Request]:
        if listing.awaiting_me:
            return await requests.page_awaiting(unit, me, query, after, count)
        if person is None:
            return await requests.page(unit, query, after, count)
        return await requests.page_of_party(unit, person, query, after, count)

    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await page_of(
            lambda after, count: fetch(unit, after, count), listing.cursor, listing.limit, lambda request: request
        )
        views = [await show(context, unit, request) for request in found.items]
    return Page(items=views, next=found.next)


@ROUTER.post("", status_code=201)
async def ask(context: Context, body: Wanted, actor: AnybodyOfOne) -> RequestView:
    """Ask for access, for yourself or for an application."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        wish = await wish_of(context, unit, body)
        request = await context.approvals.requests.ask(unit, actor.scope.user, wish)
        return await show(context, unit, request)


@ROUTER.get("/{id}")
async def read(context: Context, id: Id, actor: AnybodyOfOne) -> RequestView:  # noqa: A002 - the name in the path
    """Show a request."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await show(context, unit, await visible(context, unit, actor, id))


@ROUTER.post("/{id}/approve")
async def approve(context: Context, id: Id, body: Approval, actor: AnybodyOfOne) -> RequestView:  # noqa: A002
    """Approve a request that awaits your decision. The last approval that it needs makes the grant."""
    return await _decide(context, actor, id, approves=True, comment=body.comment)


@ROUTER.post("/{id}/refuse")
async def refuse(context: Context, id: Id, body: Refusal, actor: AnybodyOfOne) -> RequestView:  # noqa: A002
    """Refuse a request that awaits your decision, which ends it."""
    return await _decide(context, actor, id, approves=False, comment=body.reason)


@ROUTER.post("/{id}/withdraw")
async def withdraw(context: Context, id: Id, actor: AnybodyOfOne) -> RequestView:  # noqa: A002
    """Withdraw a request that you made."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await visible(context, unit, actor, id)
        request = await context.approvals.requests.withdraw(unit, actor.scope.user, id)
        return await show(context, unit, request)


@ROUTER.post("/{id}/comments", status_code=201)
async def comment(context: Context, id: Id, body: Remark, actor: AnybodyOfOne) -> RequestView:  # noqa: A002
    """Comment on a request that you may see."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await visible(context, unit, actor, id)
        request = await context.approvals.requests.comment(unit, actor.scope.user, id, body.text)
        return await show(context, unit, request)


async def _decide(context: AdminContext, actor: Actor, identifier: str, *, approves: bool, comment: str) -> RequestView:
    async with context.storage.unit_of_work(actor.scope) as unit:
        await visible(context, unit, actor, identifier)
        requests = context.approvals.requests
        request = await requests.decide(unit, actor.scope.user, identifier, approves=approves, comment=comment)
        return await show(context, unit, request)
