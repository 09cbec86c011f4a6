"""From sums to documents: pure, so that the same figures always make the same paper."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from enfilade.core.clock import to_ns, to_rfc3339
from enfilade.core.money import format_usd
from enfilade.costs.billing.amounts import Currency, Totals, minor_of, tax_minor
from enfilade.costs.billing.paper import (
    Correction,
    CreditPart,
    CurrencyPart,
    Line,
    Paper,
    Party,
    PeriodPart,
    Range,
    TaxPart,
)
from enfilade.costs.billing.periods import BillingPeriod
from enfilade.costs.billing.types import Issuer, Profile
from enfilade.costs.billing.usage import UsageOf, lines_of, models_of


@dataclass(frozen=True, slots=True)
class Heading:
    """What a document begins with."""

    tenant: str
    issuer: Issuer | None
    profile: Profile
    period: BillingPeriod
    currency: Currency
    now: datetime
    identifier: str | None = None
    number: str | None = None

    @property
    def issue_date(self) -> str:
        """The issuer's day."""
        zone = self.issuer.time_zone if self.issuer else self.period.time_zone
        return self.now.astimezone(ZoneInfo(zone)).date().isoformat()


def draft_invoice(heading: Heading, usage: UsageOf, totals: Totals, replaces: str | None = None) -> Paper:
    """An invoice; without a number it is a preview."""
    currency, profile, issuer = heading.currency, heading.profile, heading.issuer
    zone = issuer.time_zone if issuer else heading.period.time_zone
    due = heading.now.astimezone(ZoneInfo(zone)).date() + timedelta(days=profile.payment_days)
    return Paper(
        type="invoice",
        id=heading.identifier,
        number=heading.number,
        issued_at=_moment(heading.now),
        issue_date=heading.issue_date,
        due_date=due.isoformat(),
        is_provisional=heading.now < heading.period.end,
        tenant=heading.tenant,
        subject=None,
        issuer=None if issuer is None else _party(issuer),
        customer=_party(profile),
        reference=profile.reference,
        period=_period(heading.period),
        currency=_currency(currency),
        lines=lines_of(usage, currency, heading.period.time_zone),
        models=models_of(usage, currency),
        calls=usage.calls,
        usage_usd=format_usd(usage.nano),
        subtotal=currency.text(totals.subtotal),
        credits=_credits(totals, currency),
        net=currency.text(totals.net),
        taxes=_taxes(totals, currency),
        total=currency.text(totals.total),
        notes=tuple(note for note in (profile.note, issuer.note if issuer else None) if note),
        payment=issuer.payment if issuer else (),
        replaces=replaces,
        ledger=tuple(stretch.shown() for stretch in usage.stretches),
    )


def draft_statement(heading: Heading, usage: UsageOf, totals: Totals, subject: str | None) -> Paper:
    """A statement of usage: no number, no taxes, nothing to be paid."""
    currency = heading.currency
    return Paper(
        type="statement",
        id=None,
        number=None,
        issued_at=_moment(heading.now),
        issue_date=heading.issue_date,
        due_date=None,
        is_provisional=heading.now < heading.period.end,
        tenant=heading.tenant,
        subject=subject,
        issuer=None if heading.issuer is None else _party(heading.issuer),
        customer=_party(heading.profile),
        reference=None,
        period=_period(heading.period),
        currency=_currency(currency),
        lines=lines_of(usage, currency, heading.period.time_zone),
        models=models_of(usage, currency),
        calls=usage.calls,
        usage_usd=format_usd(usage.nano),
        subtotal=currency.text(totals.subtotal),
        credits=_credits(totals, currency),
        net=currency.text(totals.net),
        taxes=(),
        total=currency.text(totals.net),
        notes=(),
        payment=(),
        ledger=tuple(stretch.shown() for stretch in usage.stretches),
    )


@dataclass(frozen=True, slots=True)
class Credited:
    """What a credit note gives back: its lines, and its sums in smallest units."""

    lines: tuple[Line, ...]
    nano: int
    subtotal: int
    net: int
    net_before: int = 0
    """What earlier credit notes took off the same net sum: taxes are differences, so that they add up."""
    credits: tuple[CreditPart, ...] = ()
    ledger: tuple[Range, ...] = ()


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who issued a document, and when, and its number."""

    issuer: Issuer
    now: datetime
    identifier: str
    number: str


def draft_credit_note(invoice: Paper, credited: Credited, correction: Correction, stamp: Stamp) -> Paper:
    """A credit note: its sums are what the customer gets back."""
    currency, issuer = invoice.currency, stamp.issuer
    text = Currency(currency.code).text
    taxes = tuple(
        TaxPart(
            name=tax.name,
            rate=tax.rate,
            base=text(credited.net),
            amount=text(
                tax_minor(credited.net_before + credited.net, tax.rate) - tax_minor(credited.net_before, tax.rate)
            ),
        )
        for tax in invoice.taxes
    )
    total = credited.net + sum(minor_of(tax.amount) for tax in taxes)
    return Paper(
        type="credit_note",
        id=stamp.identifier,
        number=stamp.number,
        issued_at=_moment(stamp.now),
        issue_date=stamp.now.astimezone(ZoneInfo(issuer.time_zone)).date().isoformat(),
        due_date=None,
        is_provisional=False,
        tenant=invoice.tenant,
        subject=None,
        issuer=_party(issuer),
        customer=invoice.customer,
        reference=invoice.reference,
        period=invoice.period,
        currency=currency,
        lines=credited.lines,
        models=(),
        calls=0,
        usage_usd=format_usd(credited.nano),
        subtotal=text(credited.subtotal),
        credits=credited.credits,
        net=text(credited.net),
        taxes=taxes,
        total=text(total),
        notes=tuple(note for note in (issuer.note,) if note),
        payment=(),
        corrects=correction,
        ledger=credited.ledger,
    )


def _party(given: Issuer | Profile) -> Party:
    return Party(given.name, given.address, given.tax_id, given.email)


def _period(period: BillingPeriod) -> PeriodPart:
    return PeriodPart(
        period.first.isoformat(),
        period.last.isoformat(),
        period.time_zone,
        _moment(period.start),
        _moment(period.end),
    )


def _currency(currency: Currency) -> CurrencyPart:
    rate = currency.rate
    return CurrencyPart(
        code=currency.code,
        digits=currency.digits,
        per_usd=format(currency.per_usd, "f"),
        rate_date=None if rate is None else rate.on.isoformat(),
        rate_source=None if rate is None else rate.source,
    )


def _credits(totals: Totals, currency: Currency) -> tuple[CreditPart, ...]:
    return tuple(
        CreditPart(taken.credit.id, taken.credit.reason, currency.text(taken.minor), format_usd(taken.nano))
        for taken in totals.credits
    )


def _taxes(totals: Totals, currency: Currency) -> tuple[TaxPart, ...]:
    return tuple(
        TaxPart(tax.name, tax.rate, currency.text(totals.net), currency.text(amount)) for tax, amount in totals.taxes
    )


def _moment(moment: datetime) -> str:
    return to_rfc3339(to_ns(moment))


def negated(lines: Sequence[Line]) -> tuple[Line, ...]:
    """Lines with their signs turned: what is credited is shown as an amount in the customer's favour."""
    return tuple(
        Line(
            n=line.n,
            section=line.section,
            period=line.period,
            model=line.model,
            kind=line.kind,
            quantity=-line.quantity,
            per=line.per,
            unit_price=line.unit_price,
            amount=_turned(line.amount),
            amount_usd=_turned(line.amount_usd),
        )
        for line in lines
    )


def _turned(amount: str) -> str:
    if not amount.strip("0."):
        return amount
    return amount[1:] if amount.startswith("-") else f"-{amount}"
