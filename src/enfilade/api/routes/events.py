"""The audit log: listed, filtered, exported."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse
from pydantic import Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Listing, Page, Period, View
from enfilade.audit.service import EARLIEST, LATEST, EventFilter, EventPlaces, LoggedEvent
from enfilade.identity.permissions import AUDIT_READ

NDJSON = "application/x-ndjson"
CHUNK_BYTES = 64_000


class EventView(View):
    """A fact. `event` is hashed as canonical JSON (RFC 8785); `leaf` is SHA-256(0x00 || event)."""

    tenant: Annotated[str, Field(description="The tenant's id.")]
    seq: Annotated[int, Field(description="The leaf's index in the tenant's log, without gaps.")]
    at: datetime
    type: str
    event: dict[str, Any]
    leaf: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


def show(event: LoggedEvent) -> EventView:
    """An event as it is shown."""
    return EventView(
        tenant=event.tenant, seq=event.seq, at=event.at, type=event.type, event=event.content, leaf=event.leaf.hex()
    )


def export_line(event: LoggedEvent) -> bytes:
    """An event as a line of an export. The event itself stands in it byte for byte as it was hashed."""
    return b'{"event":%b,"leaf":"%b","seq":%d,"tenant":"%b"}\n' % (
        event.body.encode(),
        event.leaf.hex().encode(),
        event.seq,
        event.tenant.encode(),
    )


ROUTER = APIRouter(prefix="/events", tags=["audit"])
Lister = Annotated[Actor, Depends(Needs(AUDIT_READ, confined_by="list"))]
Reader = Annotated[Actor, Depends(Needs(AUDIT_READ))]


class EventPeriod(Period):
    """Which events to export."""

    type: Annotated[
        str | None, Field(pattern="^[A-Z][A-Za-z]{0,99}$", description="e.g. CallSettled or KeyRevoked.")
    ] = None


class EventQuery(Listing, EventPeriod):
    """Which events to list."""


def selected(actor: Actor, query: EventPeriod) -> EventFilter:
    """What the parameters select."""
    return EventFilter(actor.tenant, *query.moments(EARLIEST, LATEST), query.type)


def _places(context: AdminContext, actor: Actor) -> EventPlaces | None:
    """Where in the tenant the right to read events holds."""
    if actor.within.everywhere or actor.tenant is None:
        return None
    applications, users = context.principals.belongings(actor.tenant, actor.within.departments)
    alone = actor.within.applications
    return EventPlaces(actor.within.departments, applications | alone, alone, users)


@ROUTER.get("")
async def page(context: Context, actor: Lister, query: Annotated[EventQuery, Query()]) -> Page[EventView]:
    """List events, oldest first."""
    which = replace(selected(actor, query), places=_places(context, actor))
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        events, following = await context.audit.page_events(unit, which, query.cursor, query.limit)
    return Page(items=[show(event) for event in events], next=following)


@ROUTER.get(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {NDJSON: {"schema": {"type": "string"}}}, "description": "The events."}},
)
async def export(context: Context, actor: Reader, query: Annotated[EventPeriod, Query()]) -> StreamingResponse:
    """All events of a period, one JSON object per line, in the order of their leaves."""
    which = selected(actor, query)

    async def lines() -> AsyncIterator[bytes]:
        buffer = bytearray()
        async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
            async for event in context.audit.export_events(unit, which):
                buffer += export_line(event)
                if len(buffer) > CHUNK_BYTES:
                    yield bytes(buffer)
                    buffer.clear()
        yield bytes(buffer)

    headers = {"content-disposition": 'attachment; filename="events.ndjson"'}
    return StreamingResponse(lines(), media_type=NDJSON, headers=headers)
