"""Groups."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.people import group_spec
from enfilade.configuration.people_parts import Group as GroupBody
from enfilade.identity.permissions import PEOPLE_READ, PEOPLE_WRITE
from enfilade.identity.types import Group


class GroupView(GroupBody):
    """A group."""

    id: str
    tenant: str
    version: int
    source: str
    """Who looks after it: `local`, or `scim`."""
    external_id: str | None
    """What that calls it."""


ROUTER = APIRouter(prefix="/groups", tags=["people"])
Reader = Annotated[Actor, Depends(Needs(PEOPLE_READ))]
OneReader = Annotated[Actor, Depends(Needs(PEOPLE_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(PEOPLE_WRITE, "one"))]


def show(context: AdminContext, group: Group) -> GroupView:
    """As it is shown."""
    tenant = context.principals.tenant(group.tenant)
    return GroupView(
        name=group.spec.name,
        members=list(group.spec.members),
        id=group.id,
        tenant=tenant.name if tenant else group.tenant,
        version=group.version,
        source=group.origin.source,
        external_id=group.origin.external_id,
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[GroupView]:
    """List groups."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.rooms.identity.groups.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda group: show(context, group),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: GroupBody, actor: Writer, response: Response) -> GroupView:
    """Create a group."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.groups.require_new(unit, body.name)
        group, _ = await context.rooms.identity.groups.put(unit, group_spec(body))
    tag(response, group.version)
    return show(context, group)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: OneReader, response: Response) -> GroupView:
    """Show a group."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        group = await context.rooms.identity.groups.get(unit, name)
    tag(response, group.version)
    return show(context, group)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: GroupBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> GroupView:
    """Change a group: its members, and its name where the body has another."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        groups = context.rooms.identity.groups
        present = await groups.get(unit, name)
        group, _ = await groups.change(unit, present, group_spec(body), expected=expected_version(if_match))
    tag(response, group.version)
    return show(context, group)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a group; its members stay."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.groups.remove(unit, name, expected_version(if_match))
