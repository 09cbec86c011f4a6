"""Invoices and statements: what a tenant used in a period, and what is owed for it."""

from dataclasses import dataclass, replace
from datetime import date, datetime

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.costs.billing.amounts import Currency, Totals, check_rate, total_up
from enfilade.costs.billing.credit_notes import CreditNotes
from enfilade.costs.billing.credits import Credits
from enfilade.costs.billing.drafting import Heading, draft_invoice, draft_statement
from enfilade.costs.billing.paper import Paper, read_paper
from enfilade.costs.billing.periods import BillingPeriod, read_period
from enfilade.costs.billing.profiles import BillingProfiles
from enfilade.costs.billing.register import Entry, Register
from enfilade.costs.billing.types import INVOICE, ExchangeRate, Invoice, Issuer, Profile
from enfilade.costs.billing.usage import EVERYTHING, Stretch, UsageOf, read_usage
from enfilade.costs.errors import (
    ExchangeRateMissing,
    InvalidBilling,
    NothingToInvoice,
    PeriodNotOver,
    PeriodOverlaps,
)
from enfilade.costs.prices.currencies import USD, Currencies
from enfilade.identity.types import Tenant
from enfilade.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Subject:
    """The department or application that a statement is confined to."""

    kind: str
    name: str
    id: str


@dataclass(frozen=True, slots=True)
class _Bill:
    """All that an invoice is made from."""

    heading: Heading
    usage: UsageOf
    totals: Totals


class Billing:
    """The use cases of invoices and statements."""

    def __init__(
        self,
        ids: IdFactory,
        clock: Clock,
        profiles: BillingProfiles,
        granted: Credits,
        rates: Currencies,
    ) -> None:
        """Look exchange rates up in `rates` where none is given."""
        self._clock = clock
        self.profiles = profiles
        self.credits = granted
        self.register = Register(ids)
        self.notes = CreditNotes(clock, profiles, granted, self.register)
        self._rates = rates

    def now(self) -> datetime:
        """The clock's time."""
        return to_datetime(self._clock.now_ns())

    def period(self, tenant: Tenant, name: str | None, first: str | None, last: str | None) -> BillingPeriod:
        """Days of the tenant's calendar. Raises InvalidPeriod."""
        return read_period(name, first, last, tenant.spec.time_zone, self.now())

    def rate_on(self, currency: str, day: date) -> ExchangeRate:
        """The rate in force on a day. Raises ExchangeRateMissing."""
        found = self._rates.find(currency, day)
        if found is None:
            message = f"There is no exchange rate of {currency} for {day}."
            raise ExchangeRateMissing(message, param="currency")
        return ExchangeRate(currency, found.rate, found.on, found.source or "declared by hand")

    async def statement(
        self,
        unit: UnitOfWork,
        tenant: Tenant,
        period: BillingPeriod,
        subject: Subject | None = None,
        rate: ExchangeRate | None = None,
    ) -> Paper:
        """What was used, by model, kind and rate, whether it is invoiced or not."""
        if rate is not None:
            check_rate(rate)
        currency = Currency(USD) if rate is None or rate.currency == USD else Currency(rate.currency, rate)
        stretch = Stretch(period.start, period.end, 0, EVERYTHING)
        department = subject.id if subject is not None and subject.kind == "department" else None
        application = subject.id if subject is not None and subject.kind == "application" else None
        usage = await read_usage(unit, tenant.id, [stretch], department, application)
        now = self.now()
        # A credit is the tenant's: which department it lessens, nobody has said.
        usable = await self.credits.usable(unit, tenant.id, now, period.start) if subject is None else []
        profile = await self.profiles.find_profile(unit, tenant.id) or Profile(tenant.name)
        heading = Heading(tenant.name, await self.profiles.find_issuer(unit), profile, period, currency, now)
        name = None if subject is None else f"{subject.kind}:{subject.name}"
        return draft_statement(heading, usage, total_up(usage.nano, currency, usable, ()), name)

    async def preview(
        self, unit: UnitOfWork, tenant: Tenant, period: BillingPeriod, rate: ExchangeRate | None = None
    ) -> Paper:
        """The invoice that would be issued now, without a number; the one that was issued, where there is one.

        Raises PeriodOverlaps, ExchangeRateMissing.
        """
        period, present = await self._placed(unit, tenant, period)
        if present is not None and not await self.register.is_taken_back(unit, present):
            return read_paper(present.body)
        issuer = await self.profiles.find_issuer(unit)
        profile = await self.profiles.find_profile(unit, tenant.id) or Profile(tenant.name)
        bill = await self._bill(unit, tenant, period, (issuer, profile, rate), present)
        return draft_invoice(bill.heading, bill.usage, bill.totals, None if present is None else present.number)

    async def issue(
        self,
        unit: UnitOfWork,
        tenant: Tenant,
        period: BillingPeriod,
        rate: ExchangeRate | None = None,
        *,
        zero: bool = False,
        again: bool = False,
    ) -> tuple[Invoice, bool]:
        """Issue the invoice of a period, and say whether this made it: a period has one.

        With `again`, one that was fully credited is replaced: the same entries of the ledger are billed anew. Raises
        IssuerMissing, BillingProfileMissing, PeriodNotOver, PeriodOverlaps, NothingToInvoice, ExchangeRateMissing.
        """
        await unit.act_in(tenant.id)
        period, present = await self._placed(unit, tenant, period)
        if present is not None and not (again and await self.register.is_taken_back(unit, present)):
            return present, False
        if self.now() < period.end:
            message = f"The period {period} is not over in {period.time_zone}."
            raise PeriodNotOver(message)
        issuer, profile = await self.profiles.issuer(unit), await self.profiles.profile(unit, tenant.id)
        bill = await self._bill(unit, tenant, period, (issuer, profile, rate), present)
        if bill.usage.nano == 0 and not zero:
            message = f"Nothing was charged in {period}: {bill.usage.calls} calls, 0 USD."
            raise NothingToInvoice(message)

        def draft(identifier: str, number: str) -> Paper:
            heading = replace(bill.heading, identifier=identifier, number=number)
            return draft_invoice(heading, bill.usage, bill.totals, None if present is None else present.number)

        entry = Entry(
            INVOICE,
            (period.start, period.end),
            bill.heading.now,
            bill.usage.stretches,
            replaces=None if present is None else present.id,
        )
        invoice = await self.register.add(unit, issuer, entry, draft)
        await self.credits.take(unit, invoice.id, [(taken.credit.id, taken.nano) for taken in bill.totals.credits])
        return invoice, True

    async def _placed(
        self, unit: UnitOfWork, tenant: Tenant, period: BillingPeriod
    ) -> tuple[BillingPeriod, Invoice | None]:
        """The period between its neighbours, and the invoice of exactly its days that was issued last."""
        present, placed = None, period
        for invoice in await self.register.of_period(unit, tenant.id, period.start, period.end):
            days = read_paper(invoice.body).period
            first, last = date.fromisoformat(days.first_day), date.fromisoformat(days.last_day)
            if (first, last) == (period.first, period.last):
                present = invoice
            elif first <= period.last and period.first <= last:
                message = f"A part of {period} is invoiced already, with {invoice.number}."
                raise PeriodOverlaps(message, details={"invoice": invoice.number})
            else:
                placed = placed.beside(first, last, invoice.period_start, invoice.period_end)
        if present is not None:
            placed = replace(period, begins=present.period_start, ends=present.period_end)
        return placed, present

    async def _bill(
        self,
        unit: UnitOfWork,
        tenant: Tenant,
        period: BillingPeriod,
        terms: tuple[Issuer | None, Profile, ExchangeRate | None],
        taken_back: Invoice | None,
    ) -> _Bill:
        issuer, profile, rate = terms
        if taken_back is None:
            position = await self.register.position(unit, tenant.id)
            late = await self.register.billed_up_to(unit, tenant.id, position)
            stretches = [Stretch(period.start, period.end, 0, position), *late]
        else:
            stretches = await self.register.coverage(unit, taken_back)
        usage = (await read_usage(unit, tenant.id, stretches)).without_idle()
        currency = self._currency(profile, period, rate)
        now = self.now()
        usable = await self.credits.usable(unit, tenant.id, now, period.start)
        totals = total_up(usage.nano, currency, usable, profile.taxes)
        return _Bill(Heading(tenant.name, issuer, profile, period, currency, now), usage, totals)

    def _currency(self, profile: Profile, period: BillingPeriod, rate: ExchangeRate | None) -> Currency:
        code = profile.currency
        if rate is not None and rate.currency != code:
            message = f"The tenant is billed in {code}; the rate is for {rate.currency}."
            raise InvalidBilling(message, param="exchange_rate")
        if code == USD:
            return Currency(USD)
        rate = rate or self.rate_on(code, period.last)
        check_rate(rate)
        return Currency(code, rate)
