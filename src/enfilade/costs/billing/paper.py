"""The documents themselves, as they are stored, hashed, listed and typeset.

Amounts are decimal text: those of lines with nine places, sums with as many as the currency has.
"""

from typing import Literal

import msgspec

from enfilade.core.canonical import canonical_text

FORM = "enfilade-billing/1"
Section = Literal["usage", "correction", "earlier"]


class Party(msgspec.Struct, frozen=True):
    """The issuer or the customer, as they stand on the document."""

    name: str
    address: tuple[str, ...]
    tax_id: str | None
    email: str | None


class PeriodPart(msgspec.Struct, frozen=True):
    """The days that are billed, both included, and the moments at which they begin and end."""

    first_day: str
    last_day: str
    time_zone: str
    start: str
    end: str


class CurrencyPart(msgspec.Struct, frozen=True):
    """The currency of the document; a rate where it is not the ledger's."""

    code: str
    digits: int
    per_usd: str
    rate_date: str | None
    rate_source: str | None


class Line(msgspec.Struct, frozen=True):
    """What one kind of usage of one model came to, at one rate."""

    n: int
    section: Section
    period: str | None
    """The first day of the earlier period that an `earlier` line belongs to."""
    model: str | None
    kind: str | None
    """Null for what the ledger has as a sum only."""
    quantity: int
    per: int
    unit_price: str | None
    amount: str
    amount_usd: str


class ModelPart(msgspec.Struct, frozen=True):
    """A model's sums: the published price, and what a discount or markup made of it."""

    model: str | None
    calls: int
    tokens: int
    list_price: str
    adjustment: str
    amount: str


class CreditPart(msgspec.Struct, frozen=True):
    """What was taken of a credit, or given back to it."""

    id: str
    reason: str
    amount: str
    amount_usd: str


class TaxPart(msgspec.Struct, frozen=True):
    """One tax on the net sum."""

    name: str
    rate: str
    base: str
    amount: str


class Range(msgspec.Struct, frozen=True):
    """Ledger entries that began in the period. Which of them, by the transactions that posted them, is kept beside the
    document: how many transactions there are is not the customer's business."""

    start: str
    end: str


class Correction(msgspec.Struct, frozen=True):
    """What a credit note is about."""

    id: str
    number: str
    issue_date: str
    scope: Literal["full", "lines", "late"]
    reason: str


class Paper(msgspec.Struct, frozen=True):
    """An invoice, a credit note, or a statement of usage."""

    type: Literal["invoice", "credit_note", "statement"]
    id: str | None
    number: str | None
    issued_at: str
    issue_date: str
    due_date: str | None
    is_provisional: bool
    tenant: str
    subject: str | None
    """The department or application that a statement is confined to, as `department:NAME`."""
    issuer: Party | None
    customer: Party
    reference: str | None
    period: PeriodPart
    currency: CurrencyPart
    lines: tuple[Line, ...]
    models: tuple[ModelPart, ...]
    calls: int
    usage_usd: str
    """The exact sum of the lines, in dollars."""
    subtotal: str
    credits: tuple[CreditPart, ...]
    net: str
    taxes: tuple[TaxPart, ...]
    total: str
    notes: tuple[str, ...]
    payment: tuple[str, ...]
    corrects: Correction | None = None
    replaces: str | None = None
    ledger: tuple[Range, ...] = ()
    form: str = FORM

    def encoded(self) -> str:
        """Canonical JSON, the form that is stored and hashed."""
        return canonical_text(self)


def read_paper(body: str) -> Paper:
    """The document in its stored form."""
    return msgspec.json.decode(body, type=Paper)
