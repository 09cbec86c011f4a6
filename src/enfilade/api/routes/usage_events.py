"""Usage as CloudEvents."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs, TenantRequired
from enfilade.api.admin.views import Incomplete, View
from enfilade.audit.errors import InvalidCursor
from enfilade.core.ids import PLATFORM_ID
from enfilade.costs.spend.usage_events import Position, Subject, UsagePage, cloud_event, read_usage
from enfilade.costs.spend.usage_of_all import MOST_TENANTS, Positions, UsageOfAll, has_one_order, read_usage_of_all
from enfilade.identity.permissions import SPEND_READ
from enfilade.storage import rounds
from enfilade.storage.cells import Placement
from enfilade.storage.unit_of_work import UnitOfWork

BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"
CURSOR = "x-enfilade-next"
INCOMPLETE = "x-enfilade-incomplete"
MAX_CURSOR = 12_000
MOST_MOVES = 1000

ROUTER = APIRouter(prefix="/usage-events", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]


class UsageEventsView(View):
    """A page of events."""

    items: Annotated[list[dict[str, Any]], Field(description="Events of CloudEvents 1.0 in their JSON form.")]
    next: Annotated[str, Field(description="What to pass as `after` next time; it is never null.")]
    more: Annotated[bool, Field(description="Whether there is more to read now.")]
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


class UsageQuery(BaseModel):
    """Which events to read, and in what form."""

    model_config = ConfigDict(extra="ignore")

    after: Annotated[
        str | None, Field(max_length=MAX_CURSOR, description="`next` of the last page; from the beginning.")
    ] = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many at most.")] = 100
    subject: Annotated[
        Subject, Field(description="Whose usage it is to the receiver. A call without an application is its tenant's.")
    ] = "tenant"
    format: Annotated[
        Literal["page", "batch", "ndjson"],
        Field(description=f"`batch` is CloudEvents' own; it and `ndjson` have `next` in the header `{CURSOR}`."),
    ] = "page"


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "model": UsageEventsView,
        "description": "The events.",
        "content": {
            BATCH: {"schema": {"type": "array", "items": {"type": "object"}}},
            NDJSON: {"schema": {"type": "string"}},
        },
        "headers": {
            CURSOR: {"description": "What to pass as `after` next time.", "schema": {"type": "string"}},
            INCOMPLETE: {
                "description": "Cells that could not be asked, with commas: their tenants' events come later.",
                "schema": {"type": "string"},
            },
        },
    }
}


@ROUTER.get("", response_class=Response, responses=RESPONSES)
async def page(context: Context, actor: Reader, query: Annotated[UsageQuery, Query()]) -> Response:
    """Read usage as CloudEvents, in the order in which it was committed.

    Each entry of the ledger is one event: a call, an attempt that was lost, a correction. Whoever passes `next` as
    `after` gets every entry once: none is missed that was committed late, and none comes twice. Where tenants live in
    several cells, the order is that of each tenant.
    """
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        try:
            found = await _read(context, unit, actor, query)
        except ValueError as error:
            raise InvalidCursor(str(error), param="after") from None
    events = [cloud_event(entry, query.subject, is_platform=actor.scope.is_platform) for entry in found.entries]
    return _reply(found, events, query.format)


async def _read(context: AdminContext, unit: UnitOfWork, actor: Actor, query: UsageQuery) -> UsagePage | UsageOfAll:
    of_all = None if query.after is None else Positions.of_cursor(query.after)
    if of_all is not None and actor.tenant is not None:
        message = "This is a cursor of all tenants' usage events."
        raise ValueError(message)
    after = Position() if query.after is None or of_all is not None else Position.of_cursor(query.after)
    if actor.tenant is not None or (of_all is None and await has_one_order(unit)):
        return await read_usage(unit, after, query.limit, actor.tenant)
    tenants = [tenant.id for tenant in context.principals.tenants() if tenant.id != PLATFORM_ID]
    if len(tenants) > MOST_TENANTS:
        message = (
            f"Tenants live in several cells, so that a reader needs a place in each tenant's ledger; a cursor holds "
            f"{MOST_TENANTS} of them. Read tenant by tenant."
        )
        raise TenantRequired(message, param="tenant")
    if of_all is None:
        # From when all lived together: who has moved out since is read on, who was made elsewhere from its beginning.
        of_all = Positions({tenant: after for tenant in tenants if await _began_at_home(context, unit, tenant)})
    return await read_usage_of_all(unit, of_all, query.limit, tenants)


async def _began_at_home(context: AdminContext, unit: UnitOfWork, tenant: str) -> bool:
    moves = await context.rooms.identity.moves.page(unit, tenant, None, MOST_MOVES)
    done = [move.origin for move in moves if move.step == "done"]
    first = done[-1] if done else context.storage.cells.placement(tenant)
    return first == Placement()


def _reply(found: UsagePage | UsageOfAll, events: list[dict[str, Any]], form: str) -> Response:
    cursor, incomplete = found.next.cursor(), rounds.left_out()
    headers = {CURSOR: cursor} | ({INCOMPLETE: ",".join(incomplete)} if incomplete else {})
    if form == "page":
        page = {"items": events, "next": cursor, "more": found.more}
        body = msgspec.json.encode(page | ({"incomplete": incomplete} if incomplete else {}))
        media_type = "application/json"
    elif form == "batch":
        body, media_type = msgspec.json.encode(events), BATCH
    else:
        body, media_type = b"".join(msgspec.json.encode(event) + b"\n" for event in events), NDJSON
    return Response(body, media_type=media_type, headers=headers)
