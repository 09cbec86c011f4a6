"""Why a call cost what it cost, and corrections of it."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.seen import seen_call
from enfilade.api.admin.views import Money, View
from enfilade.core.clock import to_ns
from enfilade.core.errors import InvalidRequest
from enfilade.core.money import format_usd, parse_usd
from enfilade.costs.ledger.corrections import Correction, post_correction
from enfilade.costs.ledger.explanations import Entry, Line, entries_of
from enfilade.costs.ledger.postings import FLAGS
from enfilade.costs.prices.units import UNITS, dollars_from_rate
from enfilade.identity.permissions import CALLS_READ, LEDGER_WRITE

CallId = Annotated[str, Path(max_length=40)]


class CostLine(View):
    """Quantity times price is the amount."""

    kind: str
    quantity: int
    price_usd: Annotated[Decimal, Field(description="For as many units as `per` says.")]
    per: str
    amount_usd: Money


class CostEntry(View):
    """What was posted: the settlement (line 0), a lost attempt, or a correction."""

    line: int
    attempt: int
    posted_at: datetime
    model: str | None
    deployment: str | None
    price_version: Annotated[str | None, Field(description="Which version of whose price was charged.")]
    lines: list[CostLine]
    amount_usd: Annotated[Money, Field(description="What the tenant is charged.")]
    provider_usd: Annotated[Money, Field(description="What the provider charges.")]
    list_usd: Annotated[Money, Field(description="What it would be at the published price.")]
    saved_usd: Annotated[Money, Field(description="What caches saved.")]
    overrun_usd: Annotated[Money, Field(description="What exceeded the hold.")]
    flags: list[str]
    remarks: Annotated[list[str], Field(description="What the flags mean.")]
    corrects: Annotated[int | None, Field(description="The line that this one corrects.")]
    source: Annotated[str | None, Field(description="Where an entry comes from that the call did not post.")]
    reason: str | None


class CallCosts(View):
    """All that was posted for a call."""

    call: str
    tenant: str
    started_at: datetime
    status: str
    requested_model: str | None
    upstream_model: Annotated[str | None, Field(description="As the provider's answer names it.")]
    total_usd: Money
    entries: list[CostEntry]


class CorrectionBody(BaseModel):
    """By how much to correct a line; amounts are differences and may be negative."""

    model_config = ConfigDict(extra="forbid")

    corrects: Annotated[int, Field(ge=0, description="The line to correct.")] = 0
    amount_usd: Annotated[str, Field(max_length=40, description="Of what the tenant is charged.")] = "0"
    provider_usd: Annotated[str, Field(max_length=40, description="Of what the provider charges.")] = "0"
    reason: Annotated[str, Field(min_length=1, max_length=500)]


ROUTER = APIRouter(prefix="/calls", tags=["calls and spend"])
Reader = Annotated[Actor, Depends(Needs(CALLS_READ, confined_by="object"))]
Corrector = Annotated[Actor, Depends(Needs(LEDGER_WRITE, "platform"))]


@ROUTER.get("/{id}/costs")
async def explain(context: Context, id: CallId, actor: Reader) -> CallCosts:  # noqa: A002 - the name in the path
    """Explain what a call cost: each line with its quantity, its price and the version of that, and corrections."""
    return await _costs(context, id, actor)


@ROUTER.post("/{id}/corrections", status_code=201)
async def correct(context: Context, id: CallId, body: CorrectionBody, actor: Corrector) -> CallCosts:  # noqa: A002
    """Correct what a call was charged, by a new line that points at the one it corrects. Nothing is changed."""
    amount, provider = _nano(body.amount_usd, "amount_usd"), _nano(body.provider_usd, "provider_usd")
    async with context.storage.unit_of_work(actor.scope) as unit:
        call = await context.audit.find_call(unit, id)
        await unit.act_in(str(call["tenant_id"]))
        correction = Correction(
            call_id=str(call["call_id"]),
            started_ns=to_ns(call["started_at"]),
            reason=body.reason,
            corrects=body.corrects,
            amount_nano=amount,
            provider_nano=provider,
        )
        await post_correction(unit, correction, context.clock)
    return await _costs(context, id, actor)


async def _costs(context: AdminContext, identifier: str, actor: Actor) -> CallCosts:
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        call = await seen_call(context, unit, actor, identifier)
        entries = await entries_of(unit, str(call["call_id"]), call["started_at"])
    return CallCosts(
        call=str(call["call_id"]),
        tenant=call["tenant"],
        started_at=call["started_at"].astimezone(UTC),
        status=call["status"],
        requested_model=call["requested_model"],
        upstream_model=call["upstream_model"],
        total_usd=format_usd(sum(entry.amount_nano for entry in entries)),
        entries=[_entry(entry) for entry in entries],
    )


def _entry(entry: Entry) -> CostEntry:
    return CostEntry(
        line=entry.line,
        attempt=entry.attempt,
        posted_at=entry.posted_at.astimezone(UTC),
        model=entry.model,
        deployment=entry.deployment,
        price_version=entry.price,
        lines=[_line(line) for line in entry.lines],
        amount_usd=format_usd(entry.amount_nano),
        provider_usd=format_usd(entry.provider_nano),
        list_usd=format_usd(entry.list_nano),
        saved_usd=format_usd(entry.saved_nano),
        overrun_usd=format_usd(entry.overrun_nano),
        flags=list(entry.flags),
        remarks=[FLAGS[flag] for flag in entry.flags if flag in FLAGS],
        corrects=entry.corrects,
        source=entry.source,
        reason=entry.reason,
    )


def _line(line: Line) -> CostLine:
    return CostLine(
        kind=line.kind,
        quantity=line.quantity,
        price_usd=dollars_from_rate(line.kind, line.rate),
        per=UNITS[line.kind].words,
        amount_usd=format_usd(line.amount_nano),
    )


def _nano(amount: str, param: str) -> int:
    try:
        return parse_usd(amount)
    except ValueError as error:
        raise InvalidRequest(str(error), param=param) from None
