"""Invoices and credit notes."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.billing import FORMS, Form, PaperQuery, PaperView, Rate, SumAmount, paper_reply, tenant_of
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, View, page_of
from enfilade.costs.billing.credit_notes import Scope
from enfilade.costs.billing.paper import read_paper
from enfilade.costs.billing.types import Invoice
from enfilade.identity.permissions import BILLING_READ, BILLING_WRITE

Name = Annotated[str, Path(max_length=64, pattern=r"^[A-Za-z0-9_.-]+$", description="The number or the id.")]
Type = Annotated[Literal["invoice", "credit_note"] | None, Query(description="Only these.")]
Reason = Annotated[str, Field(min_length=1, max_length=500)]


class InvoiceView(View):
    """An invoice or credit note, in short."""

    id: str
    tenant: str
    type: Literal["invoice", "credit_note"]
    number: str
    issued_at: datetime
    period_start: datetime
    period_end: datetime
    currency: str
    total: SumAmount
    corrects: Annotated[str | None, Field(description="Of a credit note: the invoice's id.")]
    is_full: Annotated[bool, Field(description="A credit note that takes back all that was left of its invoice.")]
    replaces: Annotated[str | None, Field(description="The id of the fully credited invoice that this one replaces.")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="Of the document's canonical JSON.")]


class InvoiceOrder(BaseModel):
    """Which invoice to issue; without a period, last month's."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    tenant: Annotated[str, Field(min_length=1, max_length=100)]
    period: Annotated[str | None, Field(max_length=10, description="2026-11, 2026-Q4 or 2026.")] = None
    start: Annotated[str | None, Field(alias="from", max_length=10, description="The first day.")] = None
    to: Annotated[str | None, Field(max_length=10, description="The last day.")] = None
    zero: Annotated[bool, Field(description="Issue it though nothing is owed.")] = False
    again: Annotated[bool, Field(description="Replace an invoice that was credited in full.")] = False
    exchange_rate: Rate | None = None


class CreditNoteOrder(BaseModel):
    """What to credit of an invoice."""

    model_config = ConfigDict(extra="forbid")

    reason: Reason
    lines: Annotated[
        list[Annotated[int, Field(ge=1, le=10**6)]] | None,
        Field(min_length=1, max_length=1000, description="Numbers of lines; without any, all that is left."),
    ] = None
    late: Annotated[bool, Field(description="Only what was corrected in its period since it was billed.")] = False


ROUTER = APIRouter(prefix="/invoices", tags=["billing"])
Reader = Annotated[Actor, Depends(Needs(BILLING_READ))]
OneReader = Annotated[Actor, Depends(Needs(BILLING_READ, "one"))]
Issuer = Annotated[Actor, Depends(Needs(BILLING_WRITE, "platform"))]


def show(context: AdminContext, invoice: Invoice) -> InvoiceView:
    """As it is listed."""
    tenant = context.principals.tenant(invoice.tenant)
    return InvoiceView(
        id=invoice.id,
        tenant=tenant.name if tenant else invoice.tenant,
        type=invoice.type,
        number=invoice.number,
        issued_at=invoice.issued_at,
        period_start=invoice.period_start,
        period_end=invoice.period_end,
        currency=invoice.currency,
        total=invoice.total,
        corrects=invoice.corrects,
        is_full=invoice.is_full,
        replaces=invoice.replaces,
        sha256=invoice.digest.hex(),
    )


@ROUTER.get("")
async def page(
    context: Context,
    actor: Reader,
    limit: Limit = 50,
    cursor: Cursor = None,
    type: Type = None,  # noqa: A002 - the name in the address
) -> Page[InvoiceView]:
    """List invoices and credit notes in the order of their issue."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.billing.register.page(unit, after, count, actor.tenant, type),
            cursor,
            limit,
            lambda invoice: show(context, invoice),
        )


@ROUTER.post("", status_code=201, responses={200: {"model": InvoiceView, "description": "It was issued before."}})
async def issue(context: Context, body: InvoiceOrder, actor: Issuer, response: Response) -> InvoiceView:
    """Issue the invoice of a period that is over.

    A period has one invoice: asked for twice, the first is given again, with status 200. Entries of the ledger that
    come later, of a period that is billed already, stand on the next invoice.
    """
    tenant = tenant_of(context, body.tenant)
    period = context.billing.period(tenant, body.period, body.start, body.to)
    rate = None if body.exchange_rate is None else body.exchange_rate.pinned()
    async with context.storage.unit_of_work(actor.scope, alone=False) as unit:
        invoice, is_new = await context.billing.issue(unit, tenant, period, rate, zero=body.zero, again=body.again)
    if not is_new:
        response.status_code = 200
    return show(context, invoice)


@ROUTER.get("/preview", response_model=PaperView, responses=FORMS)
async def preview(context: Context, actor: OneReader, query: Annotated[PaperQuery, Query()]) -> Response:
    """The invoice that would be issued now for a period, or the one that was."""
    assert actor.tenant is not None
    tenant = tenant_of(context, actor.tenant)
    period = query.days(context, tenant)
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        paper = await context.billing.preview(unit, tenant, period, query.pinned(context, period))
    return await paper_reply(context, paper, query.format)


@ROUTER.get("/{name}", response_model=PaperView, responses=FORMS)
async def read(
    context: Context,
    name: Name,
    actor: Reader,
    format: Form = "json",  # noqa: A002 - the name in the address
) -> Response:
    """An invoice or credit note as it was issued, as JSON, CSV or PDF."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        invoice = await context.billing.register.get(unit, name, actor.tenant)
    reply = await paper_reply(context, read_paper(invoice.body), format, invoice.body)
    reply.headers["etag"] = f'"{invoice.digest.hex()}"'
    return reply


@ROUTER.get("/{name}/credit-notes")
async def credit_notes(context: Context, name: Name, actor: Reader) -> Page[InvoiceView]:
    """The credit notes of an invoice."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        invoice = await context.billing.register.get(unit, name, actor.tenant)
        notes = await context.billing.register.credit_notes(unit, invoice)
    return Page(items=[show(context, note) for note in notes])


@ROUTER.post(
    "/{name}/credit-notes",
    status_code=201,
    responses={200: {"model": InvoiceView, "description": "It was credited in full before."}},
)
async def credit(context: Context, name: Name, body: CreditNoteOrder, actor: Issuer, response: Response) -> InvoiceView:
    """Credit an invoice: all that is left of it, some of its lines, or what was corrected since."""
    scope: Scope = "late" if body.late else "full" if body.lines is None else "lines"
    async with context.storage.unit_of_work(actor.scope, alone=False) as unit:
        invoice = await context.billing.register.get(unit, name)
        note, is_new = await context.billing.notes.issue(unit, invoice, scope, body.reason, body.lines or ())
    if not is_new:
        response.status_code = 200
    return show(context, note)
