"""The nouns of billing: who bills, who is billed, and what was issued."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final, Literal

import msgspec

INVOICE: Final = "invoice"
CREDIT_NOTE: Final = "credit_note"


class Tax(msgspec.Struct, frozen=True):
    """A tax, in percent of the net sum."""

    name: str
    rate: str


class Profile(msgspec.Struct, frozen=True, omit_defaults=True):
    """How a tenant is billed."""

    name: str
    address: tuple[str, ...] = ()
    tax_id: str | None = None
    email: str | None = None
    currency: str = "USD"
    taxes: tuple[Tax, ...] = ()
    payment_days: int = 30
    reference: str | None = None
    note: str | None = None


class Issuer(msgspec.Struct, frozen=True, omit_defaults=True):
    """Who bills."""

    name: str
    address: tuple[str, ...] = ()
    tax_id: str | None = None
    email: str | None = None
    payment: tuple[str, ...] = ()
    note: str | None = None
    time_zone: str = "UTC"
    invoice_number: str = "INV-{year}-{number}"
    credit_note_number: str = "CN-{year}-{number}"


@dataclass(frozen=True, slots=True)
class ExchangeRate:
    """What a dollar is worth in another currency."""

    currency: str
    rate: Decimal
    """Units of the currency for one dollar."""
    on: date
    source: str


@dataclass(frozen=True, slots=True)
class Credit:
    """An amount that later invoices are lessened by."""

    id: str
    tenant: str
    amount_nano: int
    left_nano: int
    reason: str
    granted_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Invoice:
    """An invoice or credit note as it was issued."""

    id: str
    tenant: str
    type: Literal["invoice", "credit_note"]
    number: str
    issued_at: datetime
    period_start: datetime
    period_end: datetime
    corrects: str | None
    is_full: bool
    replaces: str | None
    currency: str
    total: str
    body: str
    digest: bytes
