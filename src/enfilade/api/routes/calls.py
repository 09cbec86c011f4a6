"""The records of calls."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter, Depends, Path, Query
from pydantic import Field

from enfilade.api.admin.confinement import confined_filter
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import seen_call
from enfilade.api.admin.subjects import subject_id
from enfilade.api.admin.views import Listing, Money, Page, View
from enfilade.audit.service import EARLIEST, LATEST, CallFilter
from enfilade.core.money import format_usd
from enfilade.identity.permissions import CALLS_READ

Status = Literal["ok", "failed", "cut", "abandoned", "interrupted", "refused"]


class UsageView(View):
    """Tokens. Input includes cached and cache-writing ones, output includes reasoning."""

    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    total_tokens: int


class CallView(View):
    """What is known of a call. Its id is the `x-request-id` of its reply."""

    id: str
    tenant: str | None
    department: str | None
    application: str | None
    user: str | None
    key: str | None
    dialect: str
    model: str | None
    deployment: str | None
    status: Status
    http_status: int
    error: Annotated[str | None, Field(description="The stable code of what went wrong.")]
    stream: bool
    cached: Annotated[bool, Field(description="Whether it was answered from the reply cache.")]
    usage: UsageView
    cost_usd: Money
    estimated: Annotated[bool, Field(description="Whether the provider reported no usage, or the call was cut short.")]
    attempts: int
    latency_ms: float
    first_byte_ms: float | None
    use_case: str | None
    metadata: dict[str, Any] | None
    access_policies: Annotated[list[str], Field(description="The policies that decided whether it was allowed.")]
    access_missing: Annotated[list[str], Field(description="What would have allowed it.")]
    created_at: datetime


def show(row: Any) -> CallView:
    """A call as it is shown."""
    return CallView(
        id=str(row["call_id"]),
        tenant=row["tenant"],
        department=row["department"],
        application=row["application"],
        user=row["user"],
        key=row["key"],
        dialect=row["dialect"],
        model=row["model"],
        deployment=row["deployment"],
        status=row["status"],
        http_status=row["http_status"],
        error=row["error_code"],
        stream=row["stream"],
        cached=row["cached"],
        usage=UsageView(
            input_tokens=row["input_tokens"],
            cached_input_tokens=row["cached_input_tokens"],
            cache_write_tokens=row["cache_write_tokens"],
            output_tokens=row["output_tokens"],
            reasoning_tokens=row["reasoning_tokens"],
            total_tokens=row["input_tokens"] + row["output_tokens"],
        ),
        cost_usd=format_usd(row["amount_nano"]),
        estimated=row["estimated"],
        attempts=row["attempts"],
        latency_ms=row["latency_us"] / 1000,
        first_byte_ms=None if row["first_byte_us"] is None else row["first_byte_us"] / 1000,
        use_case=row["use_case"],
        metadata=msgspec.json.decode(row["metadata"]) if row["metadata"] else None,
        access_policies=list(row["access_policies"]),
        access_missing=list(row["access_missing"]),
        created_at=row["started_at"].astimezone(UTC),
    )


ROUTER = APIRouter(prefix="/calls", tags=["calls and spend"])
Lister = Annotated[Actor, Depends(Needs(CALLS_READ, confined_by="filter"))]
Reader = Annotated[Actor, Depends(Needs(CALLS_READ, confined_by="object"))]


class CallQuery(Listing):
    """Which calls to list."""

    status: Status | None = None
    model: Annotated[str | None, Field(max_length=200)] = None
    department: Annotated[str | None, Field(max_length=100)] = None
    application: Annotated[str | None, Field(max_length=100)] = None
    user: Annotated[str | None, Field(max_length=255)] = None
    key: Annotated[str | None, Field(max_length=100)] = None


@ROUTER.get("")
async def page(context: Context, actor: Lister, query: Annotated[CallQuery, Query()]) -> Page[CallView]:
    """List calls, newest first."""
    period = query.moments(EARLIEST, LATEST)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        department, application = confined_filter(
            actor,
            await subject_id(context, unit, actor, "department", query.department),
            await subject_id(context, unit, actor, "application", query.application),
        )
        which = CallFilter(
            actor.tenant,
            *period,
            status=query.status,
            model=query.model,
            department=department,
            application=application,
            user=await subject_id(context, unit, actor, "user", query.user),
            key=await subject_id(context, unit, actor, "key", query.key),
        )
        rows, following = await context.audit.page_calls(unit, which, query.cursor, query.limit)
    return Page(items=[show(row) for row in rows], next=following)


@ROUTER.get("/{id}")
async def read(
    context: Context,
    id: Annotated[str, Path(max_length=40)],  # noqa: A002 - the name in the path
    actor: Reader,
) -> CallView:
    """Show a call."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return show(await seen_call(context, unit, actor, id))
