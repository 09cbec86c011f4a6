"""Spend as files."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import Response
from pydantic import Field

from enfilade.api.admin.download import Download, ends_with_caller
from enfilade.api.admin.problems import MEDIA_TYPE, Problem
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Period, View
from enfilade.core.clock import to_datetime
from enfilade.costs.spend.exports.service import FORMATS, GRANULARITIES, TABLES, ExportOrder
from enfilade.identity.permissions import SPEND_READ

ROUTER = APIRouter(prefix="/exports", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ))]
EMPTY = "x-enfilade-empty"
INCOMPLETE = "x-enfilade-incomplete"


class ExportQuery(Period):
    """What to export, and how."""

    format: Annotated[
        str, Field(max_length=40, description="How it is written.", json_schema_extra={"enum": sorted(FORMATS)})
    ] = "csv"
    table: Annotated[
        str | None,
        Field(
            max_length=40,
            description="`lines` (the default), or `daily` sums; the FOCUS formats write `focus` alone.",
            json_schema_extra={"examples": sorted(TABLES)},
        ),
    ] = None
    granularity: Annotated[
        str | None,
        Field(
            max_length=10,
            description="Of the FOCUS formats: how long a charge period is; a day, unless it is said.",
            json_schema_extra={"examples": list(GRANULARITIES)},
        ),
    ] = None


class FormatView(View):
    """A format."""

    name: str
    meaning: str
    media_type: str
    tables: Annotated[list[str], Field(description="What it can write; the first one unless another is asked for.")]


def _contents() -> dict[str, Any]:
    types = {form.media_type.partition(";")[0]: form.media_type for form in FORMATS.values()}
    return {media: {"schema": {"type": "string", "format": "binary"}} for media in types.values()}


RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {
        "content": _contents(),
        "description": "The file. One that breaks off without its last chunk is not whole.",
        "headers": {
            "content-disposition": {"schema": {"type": "string"}},
            EMPTY: {"description": "`true` where the period has nothing.", "schema": {"type": "string"}},
            INCOMPLETE: {
                "description": "Cells that could not be asked, with commas, so that their tenants are not in the file. "
                "Only there if there are.",
                "schema": {"type": "string"},
            },
        },
    },
    429: {"model": Problem, "description": "Too many exports are running.", "content": {MEDIA_TYPE: {}}},
}


@ROUTER.get("")
async def formats(actor: Reader) -> list[FormatView]:
    """List the formats of exports."""
    del actor
    return [
        FormatView(name=form.name, meaning=form.meaning, media_type=form.media_type, tables=list(form.tables))
        for form in sorted(FORMATS.values(), key=lambda form: form.name)
    ]


@ROUTER.get("/spend", response_class=Response, responses=RESPONSES, dependencies=[Depends(ends_with_caller)])
async def spend(context: Context, actor: Reader, query: Annotated[ExportQuery, Query()]) -> Response:
    """Write the ledger of a period to a file, line by line, by day, or as FOCUS 1.2.

    Without a period: this month up to now, in UTC. The file is made while it is sent, from one snapshot of the ledger.
    What providers charge stands in the platform's exports alone. Of all tenants, the file has one cell after the other,
    and is of one snapshot of each.
    """
    now = to_datetime(context.clock.now_ns())
    start, end = query.moments(now.replace(day=1, hour=0, minute=0, second=0, microsecond=0), now)
    tenant = context.principals.tenant(actor.tenant) if actor.tenant else None
    order = ExportOrder(
        query.format,
        start,
        end,
        table=query.table,
        granularity=query.granularity,
        tenant=actor.tenant,
        time_zone=tenant.spec.time_zone if tenant else "UTC",
    )
    export = await context.exports.open(actor.scope, order)
    subject = f"{tenant.name}-" if tenant and tenant.name.isascii() and tenant.name.replace("-", "").isalnum() else ""
    note = "-incomplete" if export.incomplete else ""
    name = f"spend-{subject}{start:%Y%m%d}-{end:%Y%m%d}{note}.{export.suffix}"
    headers = {"content-disposition": f'attachment; filename="{name}"', EMPTY: str(export.is_empty).lower()}
    if export.incomplete:
        headers[INCOMPLETE] = ",".join(export.incomplete)
    return Download(export.chunks(), export.media_type, headers)
