"""The ledger beside what providers say that they charge."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.reconciliation_views import (
    BookedView,
    Cause,
    ImportView,
    ReconciliationView,
    ReportView,
    booked_view,
    reconciliation_view,
    report_view,
)
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, page_of
from enfilade.core.errors import InvalidRequest
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.money import parse_usd
from enfilade.costs.errors import InvalidRule
from enfilade.costs.reconciliation.booking import BookingOrder
from enfilade.costs.reconciliation.reading import NOT_OURS, ReadingOptions
from enfilade.identity.errors import UnknownTenant
from enfilade.identity.permissions import RECONCILIATIONS_READ, RECONCILIATIONS_WRITE

Id = Annotated[str, Path(pattern=r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")]
Day = Annotated[str | None, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="A day in UTC, e.g. 2026-11-02.")]
Mapping = Annotated[list[str], Field(max_length=500)]
DAY = timedelta(days=1)


class BookingBody(BaseModel):
    """What to book."""

    model_config = ConfigDict(extra="forbid")

    reason: Annotated[str, Field(min_length=1, max_length=400)]
    causes: Annotated[
        list[Cause] | None, Field(max_length=7, description="All but rounding, beyond the tolerance, if left out.")
    ] = None
    bill: Annotated[bool, Field(description="Charge the tenants, too, on the terms of their calls.")] = False
    tenant: Annotated[
        str | None, Field(max_length=100, description="Whose are the differences that no call of ours stands behind.")
    ] = None


class ImportQuery(BaseModel):
    """How an export is to be understood."""

    model_config = ConfigDict(extra="ignore")

    provider: Annotated[str, Field(min_length=1, max_length=63, description="Our name of the provider.")]
    file: Annotated[str, Field(max_length=200, description="The file's name, for messages.")] = "export"
    start: Annotated[Day, Field(alias="from")] = None
    to: Annotated[Day, Field(description="The last day, with itself.")] = None
    map: Annotated[
        Mapping,
        Field(description="KEY=PROVIDER: the export's keys, projects or accounts; `*` is any other, `-` none of ours."),
    ] = []
    model: Annotated[Mapping, Field(description="NAME=NAME: the export's name of a model, and our deployment's.")] = []
    tolerance_usd: Annotated[
        str, Field(max_length=30, description="Ignored up to this, for each day, model and provider.")
    ] = "0"

    def options(self) -> ReadingOptions:
        """For the reader. Raises InvalidRequest."""
        start, to = _day(self.start, "from"), _day(self.to, "to")
        if start and to and start > to:
            message = "`from` must not be after `to`"
            raise InvalidRequest(message, param="from")
        return ReadingOptions(
            provider=self.provider,
            keys=_pairs(self.map, "map"),
            models=_pairs(self.model, "model"),
            start=start,
            end=to + DAY if to else None,
            name=self.file or "export",
        )


ROUTER = APIRouter(prefix="/reconciliations", tags=["reconciliation"])
Reader = Annotated[Actor, Depends(Needs(RECONCILIATIONS_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(RECONCILIATIONS_WRITE, "platform"))]
GroupLimit = Annotated[int, Query(ge=0, le=10_000, description="How many groups at most.")]
UPLOAD: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "A file as the provider gave it, packed with gzip or not; or several in one tar archive.",
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
}


@ROUTER.post("", status_code=201, openapi_extra=UPLOAD)
async def import_export(
    context: Context,
    request: Request,
    actor: Writer,
    query: Annotated[ImportQuery, Query()],
    response: Response,
    limit: GroupLimit = 100,
) -> ImportView:
    """Import a provider's export, and compare it with the ledger.

    The format is found out. Nothing is stored of a file that is cut. The same export once more changes nothing and is
    answered with 200; a newer one of the same period takes the older one's place.
    """
    options = query.options()
    tolerance = _tolerance(query.tolerance_usd)
    await _check_providers(context, actor, options)
    reading = await context.reconciliations.read(request.stream(), options)
    # Whatever the ledger's size, others change the platform's configuration meanwhile.
    async with context.storage.unit_of_work(actor.scope, alone=False) as unit:
        imported = await context.reconciliations.keep(unit, reading, options, tolerance)
    if not imported.is_new:
        response.status_code = 200
    shown = report_view(imported.report, None, limit)
    return ImportView.model_validate(
        shown.model_dump(by_alias=True) | {"changed": imported.is_new, "superseded": imported.superseded}
    )


@ROUTER.get("")
async def page(
    context: Context,
    actor: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    provider: Annotated[str | None, Query(max_length=63)] = None,
) -> Page[ReconciliationView]:
    """List imported exports, the newest first."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.reconciliations.page(unit, after, count, provider),
            cursor,
            limit,
            reconciliation_view,
        )


@ROUTER.get("/{id}")
async def read(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    actor: Reader,
    status: Literal["matches", "differs"] | None = None,
    limit: GroupLimit = 500,
) -> ReportView:
    """Show an export beside the ledger as it is now: differences by cause, group by group."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        report = await context.reconciliations.report(unit, id)
    return report_view(report, status, limit)


@ROUTER.post("/{id}/bookings", status_code=201)
async def book(
    context: Context,
    id: Id,  # noqa: A002 - the name in the path
    body: BookingBody,
    actor: Writer,
) -> BookedView:
    """Book differences as corrections of the ledger.

    Each is divided in proportion among those whose calls it concerns, to the nano-dollar. What was booked before is not
    booked again.
    """
    tenant = context.principals.tenant_named(body.tenant) if body.tenant is not None else None
    if body.tenant is not None and (tenant is None or tenant.id == PLATFORM_ID):
        message = f"There is no tenant {body.tenant!r}."
        raise UnknownTenant(message, param="tenant")
    order = BookingOrder(
        reason=body.reason, causes=body.causes, bill=body.bill, tenant=tenant.id if tenant is not None else None
    )
    async with context.storage.unit_of_work(actor.scope, alone=False) as unit:
        booked = await context.bookings.book(unit, id, order)
        names = await context.rooms.identity.names(unit, "tenant", set(booked.tenants)) if booked.tenants else {}
    return booked_view(booked, names)


async def _check_providers(context: AdminContext, actor: Actor, options: ReadingOptions) -> None:
    """Refuse a name that nobody knows before a large file is read for it: everything would be missing here."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        for name in sorted({options.provider, *options.keys.values()} - {NOT_OURS}):
            if not await context.reconciliations.knows_provider(unit, name):
                message = f"There is no provider {name!r}, and there never was one."
                raise InvalidRule(message, param="provider")


def _pairs(texts: list[str], param: str) -> dict[str, str]:
    pairs = {}
    for text in texts:
        left, _, right = text.rpartition("=")
        if not left or not right or len(text) > 500:
            message = f"{text[:80]!r} is no pair; it looks like LEFT=RIGHT"
            raise InvalidRequest(message, param=param)
        pairs[left] = right
    return pairs


def _day(text: str | None, param: str) -> date | None:
    if text is None:
        return None
    try:
        found = date.fromisoformat(text)
    except ValueError:
        found = date.max
    if not date(1970, 1, 1) <= found < date(9999, 1, 1):
        message = f"{text!r} is no day; it looks like 2026-11-02"
        raise InvalidRequest(message, param=param)
    return found


def _tolerance(text: str) -> int:
    try:
        nano = parse_usd(text)
    except ValueError as error:
        raise InvalidRequest(str(error), param="tolerance_usd") from None
    if nano < 0:
        message = "a tolerance is not negative"
        raise InvalidRequest(message, param="tolerance_usd")
    return nano
