"""What was issued: numbered without gaps, and never changed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal
from zoneinfo import ZoneInfo

from enfilade.core.clock import to_ns, to_rfc3339
from enfilade.core.ids import IdFactory
from enfilade.costs.billing import store
from enfilade.costs.billing.paper import Paper
from enfilade.costs.billing.profiles import number_text
from enfilade.costs.billing.types import CREDIT_NOTE, INVOICE, Invoice, Issuer
from enfilade.costs.billing.usage import Stretch
from enfilade.costs.errors import UnknownInvoice
from enfilade.identity.rows import START
from enfilade.storage.rounds import fetch_found
from enfilade.storage.unit_of_work import UnitOfWork

Draft = Callable[[str, str], Paper]
"""Makes the document from its id and number."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept beside a document."""

    type: Literal["invoice", "credit_note"]
    period: tuple[datetime, datetime]
    now: datetime
    coverage: tuple[Stretch, ...]
    corrects: str | None = None
    is_full: bool = False
    replaces: str | None = None


class Register:
    """The use cases of issued documents."""

    def __init__(self, ids: IdFactory) -> None:
        """Name new documents with `ids`."""
        self._ids = ids

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None, kind: str | None = None
    ) -> list[Invoice]:
        """Documents in the order of their issue."""
        rows = await unit.fetch_listed(store.LIST_INVOICES, after or START, limit, tenant, kind)
        return [_invoice(row) for row in rows]

    async def get(self, unit: UnitOfWork, name: str, tenant: str | None = None) -> Invoice:
        """The document with that number or id. Raises UnknownInvoice."""
        row = await fetch_found(unit, store.FIND_INVOICE, name, tenant)
        if row is None:
            message = f"There is no invoice {name!r} here."
            raise UnknownInvoice(message)
        return _invoice(row)

    async def of_period(self, unit: UnitOfWork, tenant: str, start: datetime, end: datetime) -> list[Invoice]:
        """Invoices of a period and around it, in the order of their issue."""
        return [_invoice(row) for row in await unit.fetch(store.LIST_OF_PERIOD, tenant, start, end)]

    async def credit_notes(self, unit: UnitOfWork, invoice: Invoice) -> list[Invoice]:
        """The credit notes of an invoice, in the order of their issue."""
        return [_invoice(row) for row in await unit.fetch(store.LIST_CREDIT_NOTES, invoice.tenant, invoice.id)]

    async def is_taken_back(self, unit: UnitOfWork, invoice: Invoice) -> bool:
        """Whether nothing is left of an invoice."""
        return any(note.is_full for note in await self.credit_notes(unit, invoice))

    async def position(self, unit: UnitOfWork, tenant: str) -> int:
        """The transaction below which a tenant's ledger is complete."""
        position: int = await unit.fetch_value(store.POSITION, tenant)
        return position

    async def billed_up_to(self, unit: UnitOfWork, tenant: str, position: int) -> list[Stretch]:
        """What may have come late, in each period that is billed: from where it was billed up to `position`."""
        rows = await unit.fetch(store.BILLED_UP_TO, tenant)
        return [
            Stretch(row["period_start"], row["period_end"], row["to_xact"], position)
            for row in rows
            if row["to_xact"] < position
        ]

    async def coverage(self, unit: UnitOfWork, invoice: Invoice) -> list[Stretch]:
        """What an invoice holds of the ledger, its own period first."""
        rows = await unit.fetch(store.LIST_COVERAGE, invoice.tenant, invoice.id)
        stretches = [Stretch(row["period_start"], row["period_end"], row["from_xact"], row["to_xact"]) for row in rows]
        return sorted(stretches, key=lambda stretch: stretch.start != invoice.period_start)

    async def add(self, unit: UnitOfWork, issuer: Issuer, entry: Entry, draft: Draft) -> Invoice:
        """Number a document of the current tenant, and keep it."""
        year = entry.now.astimezone(ZoneInfo(issuer.time_zone)).year
        sequence = await unit.fetch_value(store.NEXT_SEQUENCE, entry.type, year)
        pattern = issuer.invoice_number if entry.type == INVOICE else issuer.credit_note_number
        identifier = self._ids.new_id(to_ns(entry.now))
        # Another database cannot know what is numbered here at the same moment: its tenants' numbers begin differently.
        series = own_series(unit.tenant) if unit.is_away else ""
        paper = draft(identifier, f"{series}{number_text(pattern, year, sequence)}")
        await unit.execute(
            store.INSERT_INVOICE,
            *(unit.tenant, identifier, entry.type, year, sequence, paper.number, entry.now, *entry.period),
            *(entry.corrects, entry.is_full, entry.replaces, paper.currency.code, paper.total, paper.encoded()),
            series,
        )
        for stretch in entry.coverage:
            await unit.execute(
                store.INSERT_COVERAGE,
                *(unit.tenant, identifier, stretch.start, stretch.end, stretch.from_xact, stretch.to_xact),
            )
        invoice = await self.get(unit, identifier)
        _record(unit, invoice, paper)
        return invoice


def own_series(tenant: str) -> str:
    """How the numbers of a tenant begin that is numbered by itself: with what tells its id from others, which is its end."""
    return f"{tenant[-8:].upper()}-"


def _record(unit: UnitOfWork, invoice: Invoice, paper: Paper) -> None:
    about = {
        "id": invoice.id,
        "number": invoice.number,
        "currency": invoice.currency,
        "total": invoice.total,
        "sha256": invoice.digest.hex(),
    }
    if invoice.type == CREDIT_NOTE and paper.corrects is not None:
        unit.record("CreditNoteIssued", **about, corrects=paper.corrects.number, scope=paper.corrects.scope)
    else:
        unit.record(
            "InvoiceIssued",
            **about,
            **{"from": to_rfc3339(to_ns(invoice.period_start)), "to": to_rfc3339(to_ns(invoice.period_end))},
        )


def _invoice(row: Any) -> Invoice:
    return Invoice(**{name: row[column] for name, column in _COLUMNS.items()})


_COLUMNS = {name: name for name in Invoice.__slots__} | {"tenant": "tenant_id"}
