"""Usage as CloudEvents."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.outlook import require_one_database
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import View
from enfilade.audit.errors import InvalidCursor
from enfilade.costs.spend.usage_events import Position, Subject, UsagePage, cloud_event, read_usage
from enfilade.identity.permissions import SPEND_READ

BATCH = "application/cloudevents-batch+json"
NDJSON = "application/x-ndjson"
CURSOR = "x-enfilade-next"

ROUTER = APIRouter(prefix="/usage-events", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]


class UsageEventsView(View):
    """A page of events."""

    items: Annotated[list[dict[str, Any]], Field(description="Events of CloudEvents 1.0 in their JSON form.")]
    next: Annotated[str, Field(description="What to pass as `after` next time; it is never null.")]
    more: Annotated[bool, Field(description="Whether there is more to read now.")]


class UsageQuery(BaseModel):
    """Which events to read, and in what form."""

    model_config = ConfigDict(extra="ignore")

    after: Annotated[str | None, Field(max_length=200, description="`next` of the last page; from the beginning.")] = (
        None
    )
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
        "headers": {CURSOR: {"description": "What to pass as `after` next time.", "schema": {"type": "string"}}},
    }
}


@ROUTER.get("", response_class=Response, responses=RESPONSES)
async def page(context: Context, actor: Reader, query: Annotated[UsageQuery, Query()]) -> Response:
    """Read usage as CloudEvents, in the order in which it was committed.

    Each entry of the ledger is one event: a call, an attempt that was lost, a correction. Whoever passes `next` as
    `after` gets every entry once: none is missed that was committed late, and none comes twice.
    """
    require_one_database(context, actor.tenant)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        try:
            after = Position() if query.after is None else Position.of_cursor(query.after)
            found = await read_usage(unit, after, query.limit, actor.tenant)
        except ValueError as error:
            raise InvalidCursor(str(error), param="after") from None
    events = [cloud_event(entry, query.subject, is_platform=actor.scope.is_platform) for entry in found.entries]
    return _reply(found, events, query.format)


def _reply(found: UsagePage, events: list[dict[str, Any]], form: str) -> Response:
    cursor = found.next.cursor()
    if form == "page":
        body, media_type = (
            msgspec.json.encode({"items": events, "next": cursor, "more": found.more}),
            "application/json",
        )
    elif form == "batch":
        body, media_type = msgspec.json.encode(events), BATCH
    else:
        body, media_type = b"".join(msgspec.json.encode(event) + b"\n" for event in events), NDJSON
    return Response(body, media_type=media_type, headers={CURSOR: cursor})
