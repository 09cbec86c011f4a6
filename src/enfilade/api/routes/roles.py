"""Roles: the built-in ones, and a tenant's own."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.role_parts import Role as RoleBody
from enfilade.configuration.roles import role_fields, role_spec
from enfilade.core.errors import InvalidRequest
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import ROLES_READ, ROLES_WRITE
from enfilade.identity.roles.types import Role


class RoleView(RoleBody):
    """A role."""

    id: str | None
    tenant: str
    built_in: bool
    version: int
    created_at: datetime | None


ROUTER = APIRouter(prefix="/roles", tags=["roles"])
Reader = Annotated[Actor, Depends(Needs(ROLES_READ))]
OneReader = Annotated[Actor, Depends(Needs(ROLES_READ, "one"))]
Writer = Annotated[Actor, Depends(Needs(ROLES_WRITE, "one"))]


def show(context: AdminContext, role: Role) -> RoleView:
    """As it is shown."""
    tenant = context.principals.tenant(role.tenant)
    return RoleView(
        **role_fields(role.spec),
        id=role.id,
        tenant=tenant.name if tenant else role.tenant,
        built_in=role.is_built_in,
        version=role.version,
        created_at=role.created_at,
    )


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[RoleView]:
    """List roles: the built-in ones first, on the first page."""
    roles = context.rooms.identity.roles
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        found = await page_of(
            lambda after, count: roles.page(unit, after, count, actor.tenant),
            cursor,
            limit,
            lambda role: show(context, role),
        )
    if cursor is None:
        found.items[:0] = [show(context, role) for role in roles.built_in(actor.tenant or PLATFORM_ID)]
    return found


@ROUTER.post("", status_code=201)
async def create(context: Context, body: RoleBody, actor: Writer, response: Response) -> RoleView:
    """Create a role. Nobody makes one that includes more than their own rights."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.identity.roles.find(unit, body.name) is not None:
            message = f"There is a role {body.name!r} already."
            raise AlreadyExists(message)
        role, _ = await context.rooms.identity.roles.put(unit, role_spec(body))
    tag(response, role.version)
    return show(context, role)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: OneReader, response: Response) -> RoleView:
    """Show a role and what it includes."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        role = await context.rooms.identity.roles.get(unit, name)
    tag(response, role.version)
    return show(context, role)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: RoleBody, actor: Writer, response: Response, if_match: IfMatch = None
) -> RoleView:
    """Change what a role includes: everybody who has it has that within a second."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.identity.roles.get(unit, name)
        if body.name != present.spec.name:
            message = "A role cannot be renamed."
            raise InvalidRequest(message, param="name")
        role, _ = await context.rooms.identity.roles.put(unit, role_spec(body), expected_version(if_match))
    tag(response, role.version)
    return show(context, role)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a role that nobody has."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.roles.remove(unit, name, expected_version(if_match))
