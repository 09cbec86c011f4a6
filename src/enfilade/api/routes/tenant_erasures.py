"""Tenants that were erased, and erasing them."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, View, page_of
from enfilade.core.errors import InvalidRequest
from enfilade.identity.permissions import TENANTS_MANAGE
from enfilade.identity.tenant_erasures import Erasure
from enfilade.storage.moving.erasing import digest


class ErasureOrder(BaseModel):
    """Which tenant is to be erased."""

    model_config = ConfigDict(extra="forbid")

    tenant: Annotated[str, Field(max_length=100, description="Its name.")]
    confirm: Annotated[str, Field(max_length=100, description="Its name once more: nothing can undo this.")]
    force: Annotated[bool, Field(description="Also if it is not suspended.")] = False


class TenantErasureView(View):
    """What is left of a tenant."""

    id: str
    tenant_id: str
    name: str
    by: str
    step: str
    """closing, counting, destroying, clearing, freeing or done."""
    rows: dict[str, int]
    """How many of each table there were."""
    last_event: dict[str, Any] | None
    """Place and leaf of the last event of its log."""
    record: str | None
    """Canonical JSON; null while it is not done."""
    record_sha256: str | None
    """The same hash stands in the platform's log."""
    signature: str | None
    started_at: datetime
    ended_at: datetime | None


def show(erasure: Erasure) -> TenantErasureView:
    """An erasure as it is shown."""
    return TenantErasureView(
        id=erasure.id,
        tenant_id=erasure.erased,
        name=erasure.name,
        by=erasure.actor,
        step=erasure.step,
        rows=erasure.counts,
        last_event=erasure.head,
        record=erasure.record,
        record_sha256=None if erasure.record is None else digest(erasure.record),
        signature=erasure.signature,
        started_at=erasure.started_at,
        ended_at=erasure.ended_at,
    )


ROUTER = APIRouter(prefix="/tenant-erasures", tags=["tenants"])
Manager = Annotated[Actor, Depends(Needs(TENANTS_MANAGE, "platform"))]


@ROUTER.post("", status_code=202)
async def start(context: Context, body: ErasureOrder, actor: Manager) -> TenantErasureView:
    """Erase a tenant: its key, its rows, its cell, its name. Nothing can undo it."""
    identity = context.rooms.identity
    async with context.storage.unit_of_work(actor.scope) as unit:
        tenant = await identity.tenants.get(unit, body.tenant)
        if body.confirm != tenant.name:
            message = "To confirm, say the tenant's name once more."
            raise InvalidRequest(message, param="confirm")
        erasure = await identity.erasures.start(unit, tenant, force=body.force)
    identity.erasures.news.set()
    return show(erasure)


@ROUTER.get("")
async def page(context: Context, actor: Manager, limit: Limit = 50, cursor: Cursor = None) -> Page[TenantErasureView]:
    """List tenants that were erased, the newest first."""
    erasures = context.rooms.identity.erasures
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(lambda before, count: erasures.page(unit, before, count), cursor, limit, show)


@ROUTER.get("/{erasure}")
async def read(context: Context, erasure: str, actor: Manager) -> TenantErasureView:
    """Show an erasure, by its id or the tenant's name."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return show(await context.rooms.identity.erasures.get(unit, erasure))
