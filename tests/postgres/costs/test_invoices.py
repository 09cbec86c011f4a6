"""Invoices against the ledger: nothing is lost, nothing is billed twice, nothing issued is changed."""

import asyncio
import hashlib
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.costs.billing.paper import read_paper
from enfilade.costs.billing.service import Subject
from enfilade.costs.billing.types import ExchangeRate, Invoice, Profile, Tax
from enfilade.costs.errors import (
    BillingProfileMissing,
    ExchangeRateMissing,
    InvalidBilling,
    IssuerMissing,
    NothingToInvoice,
    PeriodNotOver,
    PeriodOverlaps,
)
from enfilade.identity.types import TenantSpec
from enfilade.storage.address import APP, OPERATOR, Address
from tests.postgres.costs.bills import (
    DAY,
    ISSUER,
    LINES,
    NANO,
    OCTOBER,
    PROFILE,
    clock,
    correct,
    credit,
    declare,
    events,
    grant,
    issue,
    large,
    make_company_of_one,
    slow_settlement,
    tenant_of,
    usage,
)
from tests.postgres.costs.conftest import Company, make_company
from tests.support.parts import NOON, open_parts, unit_in


async def test_an_invoice_holds_the_ledger_of_its_period_to_the_nano_dollar(billed: Company) -> None:
    for _ in range(3):
        await billed.spend(NANO, OCTOBER, list_nano=12_000_000, **LINES)
    await billed.spend(
        7, OCTOBER, model="other", kinds=["web_searches"], quantities=[1], rates=[7_000_000], amounts=[7]
    )
    await billed.spend(123, OCTOBER, model="unitemised")
    await billed.spend(999, datetime(2026, 9, 30, 23, 59, 59, tzinfo=UTC))
    await billed.spend(999, datetime(2026, 11, 1, tzinfo=UTC))
    invoice = await issue(billed)
    paper = read_paper(invoice.body)
    assert [(line.model, line.kind, line.quantity, line.unit_price, line.amount) for line in paper.lines] == [
        ("chat", "input", 3000, "3.00", "0.009000000"),
        ("chat", "output", 1500, "15.00", "0.022500000"),
        ("other", "web_searches", 1, "0.000000007", "0.000000007"),
        ("unitemised", None, 0, None, "0.000000123"),
    ]
    assert paper.usage_usd == "0.031500130"
    assert (paper.subtotal, paper.net, paper.taxes[0].amount, paper.total) == ("0.03", "0.03", "0.01", "0.04")
    assert (paper.models[0].list_price, paper.models[0].adjustment) == ("0.036000000", "-0.004500000")
    assert (paper.calls, paper.models[0].calls, paper.is_provisional) == (5, 3, False)
    assert (invoice.number, paper.issue_date, paper.due_date) == ("INV-2026-000001", "2026-11-02", "2026-12-02")
    assert invoice.digest == hashlib.sha256(invoice.body.encode()).digest()
    (told,) = await events(billed, "InvoiceIssued")
    assert (told["number"], told["total"], told["sha256"]) == (invoice.number, "0.04", invoice.digest.hex())


async def test_the_same_period_again_gives_the_same_invoice(billed: Company) -> None:
    await billed.spend(NANO, OCTOBER, **LINES)
    first = await issue(billed)
    await billed.spend(NANO, OCTOBER, **LINES)
    assert await issue(billed) == first
    assert len(await events(billed, "InvoiceIssued")) == 1
    async with unit_in(billed.parts) as unit:
        period = billed.parts.billing.period(tenant_of(billed), "2026-10", None, None)
        assert (await billed.parts.billing.preview(unit, tenant_of(billed), period)).number == first.number


async def test_what_comes_late_stands_on_the_next_invoice_once(billed: Company) -> None:
    call = await billed.spend(NANO, OCTOBER, **LINES)
    first = read_paper((await issue(billed)).body)
    await billed.spend(NANO, OCTOBER, **LINES)
    await correct(billed, call, -500_000)
    await billed.spend(NANO, NOON, **LINES)
    clock(billed).advance(30 * DAY)
    second = read_paper((await issue(billed, "2026-11")).body)
    await correct(billed, call, -250_000)
    await billed.spend(NANO, NOON + timedelta(days=30), **LINES)
    clock(billed).advance(31 * DAY)
    third = read_paper((await issue(billed, "2026-12")).body)
    assert [(line.section, line.period, line.amount) for line in second.lines] == [
        ("usage", None, "0.003000000"),
        ("usage", None, "0.007500000"),
        ("earlier", "2026-10-01", "0.003000000"),
        ("earlier", "2026-10-01", "0.007500000"),
        ("earlier", "2026-10-01", "-0.000500000"),
    ]
    assert [line.amount for line in third.lines if line.section == "earlier"] == ["-0.000250000"]
    async with unit_in(billed.parts, billed.tenant) as unit:
        ledger = await unit.fetch_value("SELECT sum(amount_nano) FROM ledger")
    assert usage(first) + usage(second) + usage(third) == Decimal(ledger) / 10**9


async def test_an_entry_that_commits_after_the_invoice_is_not_lost(billed: Company) -> None:
    await billed.spend(NANO, OCTOBER, **LINES)
    async with slow_settlement(billed, 4_000):
        # Its transaction is older than the one of this call, and ends later.
        await billed.spend(NANO, OCTOBER, **LINES)
        first = read_paper((await issue(billed)).body)
    clock(billed).advance(30 * DAY)
    second = read_paper((await issue(billed, "2026-11")).body)
    assert usage(first) == Decimal("0.010500000")
    assert usage(second) == Decimal("0.010504000")
    assert {line.section for line in second.lines} == {"earlier"}


async def test_numbers_have_no_gaps_when_two_processes_issue_at_once(database: Address) -> None:
    async with open_parts(database, ManualClock()) as one, open_parts(database, ManualClock()) as other:
        companies = []
        for number in range(5):
            companies.append(company := await make_company_of_one(one, f"tenant-{number}"))
            if number != 2:
                await company.spend(NANO, OCTOBER, **LINES)
        await other.directory.refresh()
        tried = [issue(company, parts=parts) for company in companies for parts in (one, other)]
        done = await asyncio.gather(*tried, return_exceptions=True)
    assert [type(entry) for entry in done if isinstance(entry, BaseException)] == [NothingToInvoice] * 2
    found = [entry for entry in done if isinstance(entry, Invoice)]
    assert sorted({invoice.number for invoice in found}) == [f"INV-2026-{n:06d}" for n in range(1, 5)]
    assert len({invoice.id for invoice in found}) == 4


@pytest.mark.parametrize("role", [APP, OPERATOR])
async def test_nobody_changes_what_was_issued(billed: Company, role: str) -> None:
    await billed.spend(NANO, OCTOBER, **LINES)
    await grant(billed, "0.001")
    await issue(billed)
    connection = await billed.parts.database.connect(role)
    try:
        await connection.execute("SET search_path = enfilade_shared, enfilade")
        await connection.execute("SELECT set_config('enfilade.tenant', $1, false)", billed.tenant)
        for table in ("invoices", "invoice_coverage", "credits", "credit_uses"):
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 1
            for statement in (f"UPDATE {table} SET tenant_id = tenant_id", f"DELETE FROM {table}", f"TRUNCATE {table}"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await connection.execute(statement)
        if role == APP:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("INSERT INTO credits SELECT * FROM credits")
    finally:
        await connection.close()


async def test_another_currency_has_its_rate_pinned(billed: Company) -> None:
    await declare(billed.parts, billed.tenant, Profile("Acme", currency="EUR", taxes=(Tax("VAT", "20"),)))
    await billed.spend(NANO * 1000, OCTOBER, **large())
    with pytest.raises(ExchangeRateMissing):
        await issue(billed)
    rate = ExchangeRate("EUR", Decimal("0.9234"), date(2026, 10, 31), "European Central Bank")
    with pytest.raises(InvalidBilling):
        await issue(billed, rate=ExchangeRate("CHF", Decimal(1), date(2026, 10, 31), "a bank"))
    invoice = await issue(billed, rate=rate)
    paper = read_paper(invoice.body)
    assert (paper.net, paper.total, paper.usage_usd) == ("9.70", "11.64", "10.500000000")
    assert [line.amount for line in paper.lines] == ["2.770200000", "6.925500000"]
    assert (paper.currency.per_usd, paper.currency.rate_source) == ("0.9234", "European Central Bank")
    note = read_paper((await credit(billed, invoice, "lines", (1,))).body)
    assert (note.net, note.currency) == ("2.77", paper.currency)


async def test_without_a_rate_the_one_that_was_in_force_on_the_last_day_is_taken(billed: Company) -> None:
    await declare(billed.parts, billed.tenant, Profile("Acme", currency="JPY"))
    await billed.spend(NANO * 1000, OCTOBER, **large())
    async with unit_in(billed.parts) as unit:
        for day, rate in ((date(2026, 10, 1), "150"), (date(2026, 10, 31), "151.5"), (date(2026, 11, 1), "160")):
            await billed.parts.prices.currencies.put(unit, "JPY", rate, day, "a bank")
    await billed.parts.directory.refresh()
    paper = read_paper((await issue(billed)).body)
    assert (paper.currency.per_usd, paper.currency.rate_date, paper.total) == ("151.5", "2026-10-31", "1591")


async def test_what_cannot_be_invoiced_is_told(company: Company) -> None:
    with pytest.raises(IssuerMissing):
        await issue(company)
    async with unit_in(company.parts) as unit:
        await company.parts.billing.profiles.put_issuer(unit, ISSUER)
    with pytest.raises(BillingProfileMissing):
        await issue(company)
    await declare(company.parts, company.tenant, PROFILE)
    with pytest.raises(PeriodNotOver):
        await issue(company, "2026-11")
    with pytest.raises(NothingToInvoice):
        await issue(company)
    nothing = await issue(company, zero=True)
    assert (nothing.total, read_paper(nothing.body).lines) == ("0.00", ())
    with pytest.raises(PeriodOverlaps, match="INV-2026-000001"):
        await issue(company, "2026")


async def test_a_statement_can_be_made_at_any_time_and_of_a_department(billed: Company) -> None:
    await billed.spend(NANO, NOON, "copilot", **LINES)
    await billed.spend(NANO, NOON, "review", **LINES)
    await grant(billed, "0.01")
    billing, tenant = billed.parts.billing, tenant_of(billed)
    period = billing.period(tenant, "2026-11", None, None)
    sales = Subject("department", "sales", billed.ids["department:sales"])
    review = Subject("application", "review", billed.ids["application:review"])
    async with unit_in(billed.parts) as unit:
        whole = await billing.statement(unit, tenant, period)
        parts = [await billing.statement(unit, tenant, period, subject) for subject in (sales, review)]
    assert (whole.is_provisional, whole.number, whole.calls, whole.usage_usd) == (True, None, 2, "0.021000000")
    assert (whole.subtotal, whole.credits[0].amount, whole.total, whole.taxes) == ("0.02", "0.01", "0.01", ())
    assert [(paper.subject, paper.usage_usd, paper.credits) for paper in parts] == [
        ("department:sales", "0.010500000", ()),
        ("application:review", "0.010500000", ()),
    ]


async def test_days_are_those_of_the_tenants_calendar(parts: Parts) -> None:
    company = await make_company(parts, "vienna", time_zone="Europe/Vienna")
    await declare(parts, company.tenant, PROFILE)
    for at in (datetime(2026, 9, 30, 22, tzinfo=UTC), datetime(2026, 10, 31, 22, 59, 59, tzinfo=UTC)):
        await company.spend(NANO, at, **LINES)
    for at in (datetime(2026, 9, 30, 21, 59, 59, tzinfo=UTC), datetime(2026, 10, 31, 23, tzinfo=UTC)):
        await company.spend(1, at)
    assert read_paper((await issue(company)).body).usage_usd == "0.021000000"


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/Los_Angeles"])
async def test_a_tenant_that_changes_its_time_zone_is_billed_for_every_moment_once(billed: Company, zone: str) -> None:
    for hour in range(-12, 13):
        await billed.spend(NANO, datetime(2026, 10, 31, 23, 30, tzinfo=UTC) + timedelta(hours=hour), **LINES)
    october = read_paper((await issue(billed)).body)
    async with unit_in(billed.parts) as unit:
        await billed.parts.identity.tenants.put(unit, TenantSpec("acme", time_zone=zone))
    await billed.parts.directory.refresh()
    assert (await issue(billed)).number == october.number
    clock(billed).advance(31 * DAY)
    november = read_paper((await issue(billed, "2026-11")).body)
    assert (november.period.start, november.period.time_zone) == (october.period.end, zone)
    assert usage(october) + usage(november) == Decimal(25 * NANO) / 10**9
