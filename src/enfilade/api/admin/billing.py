"""What the routes of billing share: documents as they are shown, and the parameters that choose a period and a form."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any, Literal

from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin.problems import MEDIA_TYPE, Problem
from enfilade.api.admin.views import Money, View
from enfilade.core.errors import InvalidRequest
from enfilade.core.ids import PLATFORM_ID
from enfilade.costs.billing.paper import Paper
from enfilade.costs.billing.periods import BillingPeriod
from enfilade.costs.billing.spreadsheet import spreadsheet
from enfilade.costs.billing.types import ExchangeRate
from enfilade.identity.errors import UnknownTenant
from enfilade.identity.types import Tenant

LineAmount = Annotated[str, Field(pattern=r"^-?\d+\.\d{9}$", examples=["14.249998832"])]
SumAmount = Annotated[str, Field(pattern=r"^-?\d+(\.\d+)?$", examples=["1200.36"])]
Form = Literal["json", "csv", "pdf"]
Day = Annotated[str, Field(max_length=10, examples=["2026-11-30"])]


class PartyView(View):
    """The issuer or the customer."""

    name: str
    address: list[str]
    tax_id: str | None
    email: str | None


class PeriodView(View):
    """The days that are billed, both included, and the moments at which they begin and end."""

    first_day: Day
    last_day: Day
    time_zone: str
    start: str
    end: str


class CurrencyView(View):
    """The document's currency; its rate is pinned where it is not the dollar."""

    code: str
    digits: int
    per_usd: str
    rate_date: str | None
    rate_source: str | None


class LineView(View):
    """What one kind of usage of one model came to, at one rate."""

    n: int
    section: Literal["usage", "correction", "earlier"]
    period: Annotated[str | None, Field(description="Of `earlier` lines: the first day of their period.")]
    model: str | None
    kind: Annotated[str | None, Field(description="Null for what the ledger has as a sum only.")]
    quantity: int
    per: Annotated[int, Field(description="How many units the unit price is for.")]
    unit_price: str | None
    amount: LineAmount
    amount_usd: Money


class ModelView(View):
    """A model's sums, at the published price and at the tenant's."""

    model: str | None
    calls: int
    tokens: int
    list_price: LineAmount
    adjustment: LineAmount
    amount: LineAmount


class CreditPartView(View):
    """What was taken of a credit, or given back to it."""

    id: str
    reason: str
    amount: SumAmount
    amount_usd: Money


class TaxView(View):
    """A tax on the net sum."""

    name: str
    rate: str
    base: SumAmount
    amount: SumAmount


class RangeView(View):
    """A period of which the document holds ledger entries."""

    start: str
    end: str


class CorrectionView(View):
    """What a credit note is about."""

    id: str
    number: str
    issue_date: Day
    scope: Literal["full", "lines", "late"]
    reason: str


class PaperView(View):
    """An invoice, a credit note or a statement. As JSON it comes in canonical form: its SHA-256 is the `etag`."""

    form: str
    type: Literal["invoice", "credit_note", "statement"]
    id: str | None
    number: Annotated[str | None, Field(description="Null for previews and statements.")]
    issued_at: str
    issue_date: Day
    due_date: Day | None
    is_provisional: Annotated[bool, Field(description="The period is not over.")]
    tenant: str
    subject: str | None
    issuer: PartyView | None
    customer: PartyView
    reference: str | None
    period: PeriodView
    currency: CurrencyView
    lines: list[LineView]
    models: list[ModelView]
    calls: int
    usage_usd: Annotated[Money, Field(description="The exact sum of the lines.")]
    subtotal: SumAmount
    credits: list[CreditPartView]
    net: SumAmount
    taxes: list[TaxView]
    total: SumAmount
    notes: list[str]
    payment: list[str]
    corrects: CorrectionView | None
    replaces: str | None
    ledger: list[RangeView]


class Rate(BaseModel):
    """What a dollar is worth in the currency that the tenant is billed in."""

    model_config = ConfigDict(extra="forbid")

    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
    rate: Annotated[Decimal, Field(gt=0, lt=10**9, max_digits=24, description="Units of the currency for one dollar.")]
    date: date
    source: Annotated[str, Field(min_length=1, max_length=100)]

    def pinned(self) -> ExchangeRate:
        """For the room."""
        return ExchangeRate(self.currency, self.rate, self.date, self.source)


class PeriodQuery(BaseModel):
    """Which days, as parameters of an address; without any, last month."""

    model_config = ConfigDict(extra="ignore")

    period: Annotated[str | None, Field(max_length=10, description="2026-11, 2026-Q4 or 2026.")] = None
    start: Annotated[str | None, Field(alias="from", max_length=10, description="The first day.")] = None
    to: Annotated[str | None, Field(max_length=10, description="The last day.")] = None

    def days(self, context: AdminContext, tenant: Tenant) -> BillingPeriod:
        """In the tenant's calendar. Raises InvalidPeriod."""
        return context.billing.period(tenant, self.period, self.start, self.to)


class PaperQuery(PeriodQuery):
    """Which days, in which form, at which rate."""

    format: Form = "json"
    currency: Annotated[
        str | None, Field(pattern=r"^[A-Z]{3}$", description="Without `rate`: at the one in force on the last day.")
    ] = None
    rate: Annotated[Decimal | None, Field(gt=0, lt=10**9, max_digits=24)] = None
    rate_date: date | None = None
    rate_source: Annotated[str | None, Field(min_length=1, max_length=100)] = None

    def pinned(self, context: AdminContext, period: BillingPeriod) -> ExchangeRate | None:
        """The rate, where a currency is given. Raises InvalidRequest for half a rate, ExchangeRateMissing."""
        if self.currency is not None and self.rate is None and self.rate_date is None:
            return context.billing.rate_on(self.currency, period.last)
        given = (self.currency, self.rate, self.rate_date)
        if given == (None, None, None):
            return None
        if self.currency is None or self.rate is None or self.rate_date is None:
            message = "A rate is given with `currency`, `rate` and `rate_date`, all of them."
            raise InvalidRequest(message, param="rate")
        return ExchangeRate(self.currency, self.rate, self.rate_date, self.rate_source or "given with the request")


def tenant_of(context: AdminContext, name: str) -> Tenant:
    """The tenant of that name or id. Raises UnknownTenant."""
    found = context.principals.tenant_named(name)
    if found is None or found.id == PLATFORM_ID:
        message = f"There is no tenant {name!r}."
        raise UnknownTenant(message, param="tenant")
    return found


FORMS: dict[int | str, dict[str, Any]] = {
    200: {
        "model": PaperView,
        "description": "The document, in the form that was asked for.",
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/pdf": {"schema": {"type": "string", "format": "binary"}},
        },
    },
    500: {"model": Problem, "description": "The document could not be typeset.", "content": {MEDIA_TYPE: {}}},
}


async def paper_reply(context: AdminContext, paper: Paper, form: Form, body: str | None = None) -> Response:
    """A document in one of its forms; `body` is what was stored of it."""
    name = paper.number or f"{paper.type}-{paper.tenant}-{paper.period.first_day}"
    headers = {"content-disposition": f'attachment; filename="{name}.{form}"'}
    if form == "pdf":
        return Response(await context.typesetter.pdf(paper), media_type="application/pdf", headers=headers)
    if form == "csv":
        return Response(spreadsheet(paper), media_type="text/csv; charset=utf-8", headers=headers)
    return Response(body or paper.encoded(), media_type="application/json")
