"""Tenants."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.document import TenantBase
from enfilade.configuration.specs import tenant_fields, tenant_spec
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import TENANT_READ, TENANTS_MANAGE
from enfilade.identity.types import Tenant


class TenantView(TenantBase):
    """A tenant."""

    id: str
    version: int
    created_at: datetime


def show(tenant: Tenant) -> TenantView:
    """A tenant as it is shown."""
    return TenantView(**tenant_fields(tenant), id=tenant.id, version=tenant.version, created_at=tenant.created_at)


ROUTER = APIRouter(prefix="/tenants", tags=["tenants"])
Reader = Annotated[Actor, Depends(Needs(TENANT_READ))]
Manager = Annotated[Actor, Depends(Needs(TENANTS_MANAGE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[TenantView]:
    """List tenants."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.rooms.identity.tenants.page(unit, after, count), cursor, limit, show
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: TenantBase, actor: Manager, response: Response) -> TenantView:
    """Create a tenant."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.identity.tenants.find(unit, body.name) is not None:
            message = f"There is a tenant {body.name!r} already."
            raise AlreadyExists(message)
        tenant, _ = await context.rooms.identity.tenants.put(unit, tenant_spec(body))
    tag(response, tenant.version)
    return show(tenant)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: Reader, response: Response) -> TenantView:
    """Show a tenant."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        tenant = await context.rooms.identity.tenants.get(unit, name)
    tag(response, tenant.version)
    return show(tenant)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: TenantBase, actor: Manager, response: Response, if_match: IfMatch = None
) -> TenantView:
    """Change a tenant."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.identity.tenants.get(unit, name)
        if body.name != present.name:
            message = "A tenant cannot be renamed."
            raise InvalidRequest(message, param="name")
        tenant, _ = await context.rooms.identity.tenants.put(unit, tenant_spec(body), expected_version(if_match))
    tag(response, tenant.version)
    return show(tenant)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Manager, if_match: IfMatch = None) -> None:
    """Remove a tenant and end its keys."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.tenants.remove(unit, name, expected_version(if_match))
