"""Standing in for reviewers: whom you let decide in your place."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from enfilade.access.approvals.delegations import Delegation
from enfilade.api.admin.approval_views import Names
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Page, View
from enfilade.configuration.values import Moment


class DelegationBody(BaseModel):
    """For how long."""

    model_config = ConfigDict(extra="forbid")

    starts_at: Annotated[Moment | None, Field(description="From when; without it, from now.")] = None
    ends_at: Annotated[Moment, Field(description="Until when: a day, which counts whole, or a moment.")]


class DelegationView(View):
    """Who stands in for whom, and when."""

    user: str
    delegate: str
    starts_at: datetime
    ends_at: datetime


ROUTER = APIRouter(prefix="/approval-delegations", tags=["approvals"])
AnybodyOfOne = Annotated[Actor, Depends(Needs(None, "one"))]


def show(context: AdminContext, tenant: str, entry: Delegation) -> DelegationView:
    """As it is shown."""
    names = Names(context, tenant)
    return DelegationView(
        user=names.person(entry.user),
        delegate=names.person(entry.delegate),
        starts_at=entry.starts_at,
        ends_at=entry.ends_at,
    )


@ROUTER.get("")
async def page(context: Context, actor: AnybodyOfOne) -> Page[DelegationView]:
    """List who stands in for you; nobody, where the key stands for no person."""
    if actor.scope.user is None:
        return Page(items=[])
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        entries = await context.approvals.delegations.of(unit, actor.scope.user)
        return Page(items=[show(context, unit.tenant, entry) for entry in entries])


@ROUTER.put("/{email}")
async def put(context: Context, email: str, body: DelegationBody, actor: AnybodyOfOne) -> DelegationView:
    """Let somebody decide in your place for a time; never about what you asked for yourself."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        entry = await context.approvals.delegations.put(unit, actor.scope.user, email, body.starts_at, body.ends_at)
        return show(context, unit.tenant, entry)


@ROUTER.delete("/{email}", status_code=204)
async def end(context: Context, email: str, actor: AnybodyOfOne) -> None:
    """Decide for yourself again."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.approvals.delegations.end(unit, actor.scope.user, email)
