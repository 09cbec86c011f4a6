"""Tenants."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, View, expected_version, page_of, tag
from enfilade.configuration.document import TenantBase
from enfilade.configuration.specs import tenant_fields, tenant_spec
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import TENANT_READ, TENANTS_MANAGE
from enfilade.identity.types import Tenant
from enfilade.storage.moving.measuring import measure


class TenantView(TenantBase):
    """A tenant."""

    id: str
    state: str
    """active, or suspended: refused everything."""
    state_reason: str | None
    version: int
    created_at: datetime


class SizeView(View):
    """How much a tenant has."""

    rows: int
    bytes: int
    """In a cell of its own what that takes; among others what its rows take, without indexes."""
    last_activity_at: datetime | None
    """When the last event of its log happened."""
    tables: dict[str, int]
    """Rows of each table that has any."""


class Suspension(BaseModel):
    """Why a tenant is suspended."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=500, description="Shown to whoever has a key of the tenant.")]


def show(tenant: Tenant) -> TenantView:
    """A tenant as it is shown."""
    return TenantView(
        **tenant_fields(tenant) | {"cell": tenant.cell},
        id=tenant.id,
        state=tenant.state,
        state_reason=tenant.state_reason,
        version=tenant.version,
        created_at=tenant.created_at,
    )


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
    async with context.rooms.identity.tenants.turn, context.storage.unit_of_work(actor.scope) as unit:
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


@ROUTER.get("/{name}/size")
async def size(context: Context, name: str, actor: Manager) -> SizeView:
    """Count a tenant's rows. All of them are read."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        tenant = await context.rooms.identity.tenants.get(unit, name)
    found = await measure(context.storage.cells.of(tenant.id), tenant.id)
    return SizeView(
        rows=found.rows,
        bytes=found.bytes,
        last_activity_at=found.last_event_at,
        tables=dict(sorted(found.tables.items())),
    )


@ROUTER.post("/{name}/suspend")
async def suspend(
    context: Context, name: str, body: Suspension, actor: Manager, response: Response, if_match: IfMatch = None
) -> TenantView:
    """Suspend a tenant: every key, session and token of it is refused within a second; its rows stay."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        tenant = await context.rooms.identity.tenants.suspend(unit, name, body.reason, expected_version(if_match))
    tag(response, tenant.version)
    return show(tenant)


@ROUTER.post("/{name}/resume")
async def resume(
    context: Context, name: str, actor: Manager, response: Response, if_match: IfMatch = None
) -> TenantView:
    """Let a suspended tenant in again."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        tenant = await context.rooms.identity.tenants.resume(unit, name, expected_version(if_match))
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
