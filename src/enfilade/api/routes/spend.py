"""Who spent what."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec
from fastapi import APIRouter, Depends, Query, Response
from pydantic import Field

from enfilade.api.admin.confinement import confined_filter
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.outlook import zones_of
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.subjects import subject_id
from enfilade.api.admin.views import Incomplete, Money, Period, View
from enfilade.audit.errors import InvalidCursor
from enfilade.core.clock import to_datetime
from enfilade.core.cursors import read_cursor, write_cursor
from enfilade.core.money import format_usd
from enfilade.costs.prices.kinds import KINDS, REQUESTS
from enfilade.costs.spend.measures import Sums
from enfilade.costs.spend.report import Cursor, Question, SpendGroup, SpendReport, report_spend
from enfilade.costs.spend.rollups import read_progress, request_rebuild
from enfilade.identity.permissions import SPEND_READ, TENANTS_MANAGE
from enfilade.storage import rounds
from enfilade.storage.unit_of_work import UnitOfWork

NOUNS = {"tenant", "department", "application", "user", "key"}
SUBJECTS = ("department", "application", "user", "key")
TOKEN_KINDS = frozenset(KINDS[:REQUESTS])
GROUPING = (
    "tenant, department, application, user, key, model, provider, deployment, region, use_case, prompt, metadata:NAME"
)
Milliseconds = Annotated[float | None, Field(description="Milliseconds, within 15 % of the truth.")]
Filter = Annotated[str | None, Field(max_length=255, description="Only calls with this one; empty: calls with none.")]


class SumsView(View):
    """What some calls came to."""

    calls: int
    failures: Annotated[int, Field(description="Admitted, and ended by a fault that was not their caller's.")]
    refused: int
    abandoned: Annotated[int, Field(description="Left by their callers before the end.")]
    cached: Annotated[int, Field(description="Answered from the reply cache.")]
    streamed: int
    estimated_calls: int
    tokens: int
    tokens_by_kind: dict[str, int]
    quantities: Annotated[dict[str, int], Field(description="What is counted beside tokens, by kind.")]
    cost_usd: Annotated[Money, Field(description="What the tenant is charged.")]
    cost_by_kind_usd: dict[str, Money]
    provider_usd: Annotated[Money, Field(description="What providers charge.")]
    list_usd: Annotated[Money, Field(description="At published prices.")]
    saved_usd: Annotated[Money, Field(description="What caches saved.")]
    could_save_usd: Annotated[Money, Field(description="What a reply cache would have saved beside.")]
    overrun_usd: Money
    latency_p50_ms: Milliseconds
    latency_p95_ms: Milliseconds
    latency_p99_ms: Milliseconds
    first_byte_p50_ms: Milliseconds
    first_byte_p95_ms: Milliseconds


class KeyView(View):
    """One of the things that a group has in common."""

    by: str
    name: Annotated[str | None, Field(description="Null where a call had none.")]
    id: Annotated[str | None, Field(description="The id, where the grouping is by a noun.")]


class SpendGroupView(SumsView):
    """What one group of one tenant's calls came to."""

    keys: list[KeyView]
    tenant: str


class SpendView(View):
    """Sums over calls that started in the period, as the ledger has them at this moment."""

    start: Annotated[datetime, Field(alias="from", serialization_alias="from")]
    to: Annotated[datetime, Field(description="The period in whole hours: what was asked for is widened to them.")]
    group_by: list[str]
    total_usd: Money
    calls: int
    tokens: int
    total: Annotated[SumsView, Field(description="Of all groups, on this page or not.")]
    groups: list[SpendGroupView]
    next: Annotated[str | None, Field(description="The cursor of the next page; null on the last one.")]
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


class SpendQuery(Period):
    """Which spend to sum up."""

    group_by: Annotated[
        str | None,
        Field(
            max_length=200,
            description=f"One or two, with a comma: {GROUPING}, hour, day, week, month, quarter.",
            examples=["application,day"],
        ),
    ] = None
    sort: Annotated[Literal["cost", "time"], Field(description="The dearest first, or as time goes.")] = "cost"
    department: Filter = None
    application: Filter = None
    user: Filter = None
    key: Filter = None
    model: Filter = None
    provider: Filter = None
    deployment: Filter = None
    region: Filter = None
    use_case: Filter = None
    prompt: Filter = None
    limit: Annotated[int, Field(ge=1, le=1000, description="How many groups at most.")] = 100
    cursor: Annotated[str | None, Field(max_length=2000, description="`next` of the previous page.")] = None


class RollUpsView(View):
    """How far the roll-ups are. Reports are right meanwhile: they read the rest from the ledger."""

    caught_up_at: Annotated[
        datetime | None,
        Field(description="When they last held everything that was posted: of several cells, the one farthest behind."),
    ]
    rebuilding: Annotated[int, Field(description="Tenants whose roll-ups wait to be made anew.")]
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


class RebuildView(View):
    """What is made anew."""

    tenants: int
    incomplete: Incomplete = Field(default_factory=rounds.left_out)


ROUTER = APIRouter(prefix="/spend", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(SPEND_READ, confined_by="filter"))]


@ROUTER.get("")
async def spend(context: Context, actor: Reader, query: Annotated[SpendQuery, Query()]) -> SpendView:
    """Spend of a period, by up to two things: whose, of what, and when.

    Without a period: this month up to now. Dates, days and longer are those of the tenant's time zone; of UTC for the
    platform's own keys, whose groups of days are each tenant's.
    """
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        question = await _question(context, unit, actor, query)
        report = await report_spend(unit, question)
        names = await _names(context, unit, question.group_by, report.groups)
    return _view(report, question.group_by, names)


@ROUTER.get("/roll-ups")
async def roll_ups(context: Context, actor: Annotated[Actor, Depends(Needs(SPEND_READ))]) -> RollUpsView:
    """Show how far the roll-ups are that reports read."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        progress = await read_progress(unit, actor.tenant)
    return RollUpsView(caught_up_at=progress.caught_up_at, rebuilding=progress.rebuilding)


@ROUTER.post("/rebuild", status_code=202)
async def rebuild(
    context: Context, actor: Annotated[Actor, Depends(Needs(TENANTS_MANAGE))], response: Response
) -> RebuildView:
    """Have the roll-ups made anew from the ledger, of one tenant or of all. Calls and reports go on meanwhile."""
    response.headers["location"] = "/api/v1/spend/roll-ups"
    async with context.storage.unit_of_work(actor.principal.scope, alone=False) as unit:
        return RebuildView(tenants=await request_rebuild(unit, actor.tenant))


async def _question(context: AdminContext, unit: UnitOfWork, actor: Actor, query: SpendQuery) -> Question:
    zones = zones_of(context, actor.tenant)
    zone = ZoneInfo(zones[actor.tenant]) if actor.tenant else UTC
    now = to_datetime(context.clock.now_ns())
    month = now.astimezone(zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0, fold=0).astimezone(UTC)
    given = query.model_dump(exclude_none=True, include={*SUBJECTS, *WHERE})
    where = {
        by: name if by not in SUBJECTS or not name else str(await subject_id(context, unit, actor, by, name))
        for by, name in given.items()
    }
    confined = confined_filter(actor, where.get("department"), where.get("application"))
    where |= {by: found for by, found in zip(("department", "application"), confined, strict=True) if found is not None}
    start, end = query.moments(month, now, zone)
    return Question(
        start,
        end,
        actor.tenant,
        tuple(query.group_by.split(",")) if query.group_by is not None else (),
        where,
        query.sort == "time",
        _decoded(query.cursor),
        query.limit,
        zones,
    )


WHERE = ("model", "provider", "deployment", "region", "use_case", "prompt")


async def _names(
    context: AdminContext, unit: UnitOfWork, group_by: tuple[str, ...], groups: list[SpendGroup]
) -> dict[str, dict[str, str]]:
    found = {"tenant": await context.rooms.identity.names(unit, "tenant", {group.tenant for group in groups})}
    for place, by in enumerate(group_by):
        if by in SUBJECTS:
            ids = {key for group in groups if (key := group.keys[place])}
            found[by] = await context.rooms.identity.names(unit, by, ids)
    return found


def _view(report: SpendReport, group_by: tuple[str, ...], names: dict[str, dict[str, str]]) -> SpendView:
    total = _sums(report.total)
    fields = {
        "from": report.start,
        "to": report.end,
        "group_by": list(group_by),
        "total_usd": total["cost_usd"],
        "calls": total["calls"],
        "tokens": total["tokens"],
        "total": total,
        "groups": [
            {
                "keys": [
                    {
                        "by": by,
                        "name": names[by].get(key, key) if by in NOUNS and key else key,
                        "id": key if by in NOUNS else None,
                    }
                    for by, key in zip(group_by, group.keys, strict=True)
                ],
                "tenant": names["tenant"].get(group.tenant, group.tenant),
                **_sums(group.sums),
            }
            for group in report.groups
        ],
        "next": _encoded(report.following) if report.following else None,
    }
    return SpendView.model_validate(fields)


def _sums(sums: Sums) -> dict[str, object]:
    milliseconds = [None if value is None else value / 1000 for value in (*sums.took, *sums.began)]
    names = ("latency_p50_ms", "latency_p95_ms", "latency_p99_ms", "first_byte_p50_ms", "first_byte_p95_ms")
    return {
        "calls": sums.calls,
        "failures": sums.failures,
        "refused": sums.refused,
        "abandoned": sums.abandoned,
        "cached": sums.cached,
        "streamed": sums.streamed,
        "estimated_calls": sums.estimated,
        "tokens": sums.tokens,
        "tokens_by_kind": {kind: count for kind, count in sums.quantities.items() if kind in TOKEN_KINDS},
        "quantities": {kind: count for kind, count in sums.quantities.items() if kind not in TOKEN_KINDS},
        "cost_usd": format_usd(sums.nano),
        "cost_by_kind_usd": {kind: format_usd(nano) for kind, nano in sums.amounts.items()},
        "provider_usd": format_usd(sums.provider_nano),
        "list_usd": format_usd(sums.list_nano),
        "saved_usd": format_usd(sums.saved_nano),
        "could_save_usd": format_usd(sums.could_save_nano),
        "overrun_usd": format_usd(sums.overrun_nano),
        **dict(zip(names, milliseconds, strict=True)),
    }


def _encoded(cursor: Cursor) -> str:
    return write_cursor(msgspec.json.encode(cursor))


def _decoded(cursor: str | None) -> Cursor | None:
    if cursor is None:
        return None
    try:
        # Which number fits a column is not for the database to find out.
        moment, nano, name = msgspec.json.decode(read_cursor(cursor), type=Cursor)
    except (msgspec.DecodeError, ValueError):
        raise _no_cursor() from None
    if not -(2**63) <= nano < 2**63:
        raise _no_cursor()
    return moment, nano, name


def _no_cursor() -> InvalidCursor:
    message = "This is no cursor of this list."
    return InvalidCursor(message, param="cursor")
