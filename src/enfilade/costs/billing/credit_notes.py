"""Credit notes: the only way to correct an invoice."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.money import parse_usd
from enfilade.costs.billing.amounts import Currency, minor_of
from enfilade.costs.billing.credits import Credits
from enfilade.costs.billing.drafting import Credited, Stamp, draft_credit_note, negated
from enfilade.costs.billing.paper import Correction, Line, Paper, read_paper
from enfilade.costs.billing.profiles import BillingProfiles
from enfilade.costs.billing.register import Entry, Register
from enfilade.costs.billing.types import CREDIT_NOTE, ExchangeRate, Invoice
from enfilade.costs.billing.usage import Stretch, lines_of, read_usage
from enfilade.costs.errors import CreditNoteRefused
from enfilade.storage.unit_of_work import UnitOfWork

Scope = Literal["full", "lines", "late"]


class CreditNotes:
    """The use cases of credit notes."""

    def __init__(self, clock: Clock, profiles: BillingProfiles, granted: Credits, register: Register) -> None:
        """Number them in `register`."""
        self._clock = clock
        self._profiles = profiles
        self._credits = granted
        self._register = register

    async def issue(
        self,
        unit: UnitOfWork,
        invoice: Invoice,
        scope: Scope,
        reason: str,
        lines: Sequence[int] = (),
    ) -> tuple[Invoice, bool]:
        """Credit all that is left of an invoice, some of its lines, or what was corrected in its period since.

        Says whether this made it: an invoice is credited in full once. Raises CreditNoteRefused, IssuerMissing.
        """
        await unit.act_in(invoice.tenant)
        if invoice.type == CREDIT_NOTE:
            message = f"{invoice.number} is a credit note; what it credited too much is invoiced."
            raise CreditNoteRefused(message)
        notes = await self._register.credit_notes(unit, invoice)
        full = next((note for note in notes if note.is_full), None)
        if full is not None and scope == "full":
            return full, False
        if full is not None and scope == "lines":
            message = f"{invoice.number} is credited in full, with {full.number}."
            raise CreditNoteRefused(message, details={"credit_note": full.number})
        paper = read_paper(invoice.body)
        earlier = [read_paper(note.body) for note in notes]
        stretches: tuple[Stretch, ...] = ()
        if scope == "full":
            credited = _rest(paper, earlier)
        elif scope == "lines":
            credited = _chosen(paper, earlier, lines)
        else:
            credited, stretches = await self._late(unit, invoice, paper)
        issuer = await self._profiles.issuer(unit)
        now = to_datetime(self._clock.now_ns())
        correction = Correction(invoice.id, invoice.number, paper.issue_date, scope, reason)
        period = (invoice.period_start, invoice.period_end)
        entry = Entry(CREDIT_NOTE, period, now, stretches, corrects=invoice.id, is_full=scope == "full")
        note = await self._register.add(
            unit,
            issuer,
            entry,
            lambda identifier, number: draft_credit_note(
                paper, credited, correction, Stamp(issuer, now, identifier, number)
            ),
        )
        if scope == "full":
            taken = await self._credits.taken_by(unit, invoice.tenant, invoice.id)
            await self._credits.take(unit, note.id, [(credit, -nano) for credit, nano in taken])
        return note, True

    async def _late(self, unit: UnitOfWork, invoice: Invoice, paper: Paper) -> tuple[Credited, tuple[Stretch, ...]]:
        """What was posted for the invoice's period since it was last billed."""
        position = await self._register.position(unit, invoice.tenant)
        found = await self._register.billed_up_to(unit, invoice.tenant, position)
        stretches = [stretch for stretch in found if stretch.start == invoice.period_start]
        usage = await read_usage(unit, invoice.tenant, stretches)
        if usage.nano >= 0:
            message = (
                f"Nothing was corrected in the customer's favour since {invoice.number}: the entries that came later "
                "add up to what the next invoice will hold."
            )
            raise CreditNoteRefused(message)
        currency = currency_of(paper)
        net = currency.minor(-usage.nano)
        lines = negated(lines_of(usage, currency, paper.period.time_zone))
        credited = Credited(lines, -usage.nano, net, net, ledger=tuple(stretch.shown() for stretch in stretches))
        return credited, tuple(stretches)


def _rest(paper: Paper, earlier: Sequence[Paper]) -> Credited:
    """What earlier credit notes by lines have left of an invoice."""
    before = [note for note in earlier if note.corrects is not None and note.corrects.scope == "lines"]
    gone = {line.n for note in before for line in note.lines}
    left = tuple(line for line in paper.lines if line.n not in gone)
    net_before = sum(minor_of(note.net) for note in before)
    return Credited(
        lines=left,
        nano=_nano(left),
        subtotal=minor_of(paper.subtotal) - sum(minor_of(note.subtotal) for note in before),
        net=minor_of(paper.net) - net_before,
        net_before=net_before,
        credits=paper.credits,
    )


def _chosen(paper: Paper, earlier: Sequence[Paper], numbers: Sequence[int]) -> Credited:
    """Some lines of an invoice, each of them once."""
    before = [note for note in earlier if note.corrects is not None and note.corrects.scope == "lines"]
    gone = {line.n for note in before for line in note.lines}
    known = {line.n: line for line in paper.lines}
    for n in numbers:
        if n not in known or n in gone:
            fault = "is credited already" if n in gone else f"is none of {paper.number}"
            message = f"Line {n} {fault}."
            raise CreditNoteRefused(message, param="lines")
    lines = tuple(known[n] for n in sorted(set(numbers)))
    nano, nano_before = _nano(lines), _nano([line for note in before for line in note.lines])
    currency = currency_of(paper)
    # Differences of rounded sums: the credit notes of all lines add up to the invoice, to its smallest unit.
    net = currency.minor(nano_before + nano) - currency.minor(nano_before)
    net_before = sum(minor_of(note.net) for note in before)
    if not 0 < net <= minor_of(paper.net) - net_before:
        left = currency.text(minor_of(paper.net) - net_before)
        message = f"These lines come to {currency.text(net)} {currency.code}; {left} of {paper.number} can be credited."
        raise CreditNoteRefused(message, param="lines")
    return Credited(lines, nano, net, net, net_before)


def _nano(lines: Sequence[Line]) -> int:
    return sum(parse_usd(line.amount_usd) for line in lines)


def currency_of(paper: Paper) -> Currency:
    """The currency of a document, with the rate that is pinned on it."""
    part = paper.currency
    if part.rate_date is None:
        return Currency(part.code)
    rate = ExchangeRate(part.code, Decimal(part.per_usd), date.fromisoformat(part.rate_date), part.rate_source or "")
    return Currency(part.code, rate)
