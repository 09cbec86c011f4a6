"""Invoices against the ledger: nothing is lost, nothing is billed twice, nothing issued is changed."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock, to_ns
from enfilade.costs.billing.paper import Paper, read_paper
from enfilade.costs.billing.service import Subject
from enfilade.costs.billing.types import ExchangeRate, Invoice, Issuer, Profile, Tax
from enfilade.costs.errors import (
    BillingProfileMissing,
    CreditNoteRefused,
    ExchangeRateMissing,
    InvalidBilling,
    IssuerMissing,
    NothingToInvoice,
    PeriodNotOver,
    PeriodOverlaps,
)
from enfilade.costs.ledger.corrections import Correction, post_correction
from enfilade.identity.scopes import system_scope
from enfilade.identity.types import Tenant, TenantSpec
from enfilade.storage.address import APP, OPERATOR, Address
from tests.postgres.costs.conftest import Company, make_company
from tests.support.parts import NOON, make_tenant, open_parts, unit_in

DAY = 86_400.0
OCTOBER = datetime(2026, 10, 15, 12, tzinfo=UTC)
ISSUER = Issuer("Enfilade Operations", ("Main Street 1",), payment=("IBAN AT00",))
PROFILE = Profile("Acme", ("Side Street 2",), taxes=(Tax("VAT", "20"),))
LINES: dict[str, Any] = {
    "kinds": ["input", "output"],
    "quantities": [1000, 500],
    "rates": [3_000_000_000, 15_000_000_000],
    "amounts": [3_000_000, 7_500_000],
}
NANO = 10_500_000


@pytest.fixture
async def billed(company: Company) -> Company:
    """The company, with all that an invoice needs."""
    await declare(company.parts, company.tenant, PROFILE)
    return company


async def declare(parts: Parts, tenant: str, profile: Profile) -> None:
    async with unit_in(parts) as unit:
        await parts.billing.profiles.put_issuer(unit, ISSUER)
        await unit.act_in(tenant)
        await parts.billing.profiles.put_profile(unit, profile)


def tenant_of(company: Company) -> Tenant:
    found = company.parts.principals.tenant(company.tenant)
    assert found is not None
    return found


async def issue(
    company: Company, name: str = "2026-10", parts: Parts | None = None, rate: ExchangeRate | None = None, **more: bool
) -> Invoice:
    """What the platform does."""
    parts, tenant = parts or company.parts, tenant_of(company)
    period = parts.billing.period(tenant, name, None, None)
    async with parts.storage.unit_of_work(system_scope("test"), alone=False) as unit:
        invoice, _ = await parts.billing.issue(unit, tenant, period, rate, **more)
    return invoice


async def credit(company: Company, invoice: Invoice, scope: Any = "full", lines: tuple[int, ...] = ()) -> Invoice:
    parts = company.parts
    async with parts.storage.unit_of_work(system_scope("test"), alone=False) as unit:
        note, _ = await parts.billing.notes.issue(unit, invoice, scope, "a mistake", lines)
    return note


async def correct(company: Company, call: str, nano: int, at: datetime = OCTOBER) -> None:
    async with unit_in(company.parts, company.tenant) as unit:
        fields: dict[str, Any] = {"call_id": call, "started_ns": to_ns(at), "corrects": 0, "amount_nano": nano}
        await post_correction(unit, Correction(reason="counted twice", list_nano=nano, **fields), company.parts.clock)


async def events(company: Company, name: str) -> list[dict[str, Any]]:
    async with unit_in(company.parts, company.tenant) as unit:
        rows = await unit.fetch(
            "SELECT body FROM events WHERE type = $1 AND tenant_id = $2 ORDER BY seq", name, company.tenant
        )
    return [json.loads(row["body"])["data"] for row in rows]


def usage(paper: Paper) -> Decimal:
    return Decimal(paper.usage_usd)


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


async def test_lines_are_credited_once_and_a_full_credit_note_takes_the_rest(billed: Company) -> None:
    for model in ("alpha", "beta"):
        await billed.spend(NANO * 1000, OCTOBER, model=model, **large())
    invoice = await issue(billed)
    some = await credit(billed, invoice, "lines", (1, 4))
    with pytest.raises(CreditNoteRefused, match="Line 4 is credited already"):
        await credit(billed, invoice, "lines", (4,))
    with pytest.raises(CreditNoteRefused, match="Line 9 is none of"):
        await credit(billed, invoice, "lines", (9,))
    rest = await credit(billed, invoice)
    assert await credit(billed, invoice) == rest
    with pytest.raises(CreditNoteRefused, match="credited in full"):
        await credit(billed, invoice, "lines", (2,))
    with pytest.raises(CreditNoteRefused, match="is a credit note"):
        await credit(billed, rest)
    notes = [read_paper(note.body) for note in (some, rest)]
    assert [note.number for note in notes] == ["CN-2026-000001", "CN-2026-000002"]
    for sum_of in ("subtotal", "net", "total"):
        assert sum(Decimal(getattr(note, sum_of)) for note in notes) == Decimal(
            getattr(read_paper(invoice.body), sum_of)
        )
    assert [line.n for note in notes for line in note.lines] == [1, 4, 2, 3]
    assert [event["scope"] for event in await events(billed, "CreditNoteIssued")] == ["lines", "full"]


async def test_an_invoice_that_was_credited_in_full_is_billed_again_from_the_same_entries(billed: Company) -> None:
    call = await billed.spend(NANO, OCTOBER, **LINES)
    first = await issue(billed)
    await correct(billed, call, -1_000_000)
    await credit(billed, first)
    assert await issue(billed) == first
    await declare(billed.parts, billed.tenant, Profile("Acme renamed", taxes=(Tax("VAT", "10"),)))
    again = await issue(billed, again=True)
    old, new = read_paper(first.body), read_paper(again.body)
    assert (again.replaces, new.replaces, again.number) == (first.id, first.number, "INV-2026-000002")
    assert (new.lines, new.usage_usd, new.ledger) == (old.lines, old.usage_usd, old.ledger)
    assert (new.customer.name, new.taxes[0].rate) == ("Acme renamed", "10")
    assert await issue(billed, again=True) == again
    clock(billed).advance(30 * DAY)
    late = read_paper((await issue(billed, "2026-11")).body)
    assert [line.amount for line in late.lines] == ["-0.001000000"]
    assert (late.total, late.lines[0].section) == ("0.00", "earlier")


async def test_corrections_in_the_customers_favour_may_be_credited_at_once(billed: Company) -> None:
    call = await billed.spend(NANO * 1000, OCTOBER, **large())
    invoice = await issue(billed)
    with pytest.raises(CreditNoteRefused, match="Nothing was corrected"):
        await credit(billed, invoice, "late")
    await correct(billed, call, -2_000_000_000)
    note = read_paper((await credit(billed, invoice, "late")).body)
    assert (note.net, note.total, note.lines[0].amount) == ("2.00", "2.40", "2.000000000")
    with pytest.raises(CreditNoteRefused, match="Nothing was corrected"):
        await credit(billed, invoice, "late")
    clock(billed).advance(30 * DAY)
    with pytest.raises(NothingToInvoice):
        await issue(billed, "2026-11")


async def test_credits_are_taken_oldest_first_until_they_expire_and_come_back(billed: Company) -> None:
    await grant(billed, "4", "old")
    await grant(billed, "5", "for November alone", datetime(2026, 12, 1, tzinfo=UTC))
    await grant(billed, "100", "new")
    for at in (OCTOBER, NOON, NOON + timedelta(days=30)):
        await billed.spend(NANO * 1000, at, **large())
    october = await issue(billed)
    clock(billed).advance(60 * DAY)
    taken = {"october": read_paper(october.body)}
    taken["december"] = read_paper((await issue(billed, "2026-12")).body)
    taken["november"] = read_paper((await issue(billed, "2026-11")).body)
    reasons = {month: [(part.reason, part.amount) for part in paper.credits] for month, paper in taken.items()}
    assert reasons == {
        "october": [("old", "4.00"), ("for November alone", "5.00"), ("new", "1.50")],
        "december": [("new", "10.50")],
        "november": [("new", "10.50")],
    }
    assert {paper.total for paper in taken.values()} == {"0.00"}
    await credit(billed, october)
    async with unit_in(billed.parts, billed.tenant) as unit:
        left = {c.reason: c.left_nano for c in await billed.parts.billing.credits.page(unit, None, 10, billed.tenant)}
    assert left == {"old": 4 * 10**9, "for November alone": 5 * 10**9, "new": 79 * 10**9}
    assert (await events(billed, "CreditGranted"))[0]["amount_usd"] == "4.000000000"


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


def clock(company: Company) -> ManualClock:
    found = company.parts.clock
    assert isinstance(found, ManualClock)
    return found


def large() -> dict[str, Any]:
    """The same lines, a thousand times as much."""
    return LINES | {
        "quantities": [q * 1000 for q in LINES["quantities"]],
        "amounts": [a * 1000 for a in LINES["amounts"]],
    }


async def grant(company: Company, usd: str, reason: str = "a credit", expires: datetime | None = None) -> None:
    async with unit_in(company.parts, company.tenant) as unit:
        await company.parts.billing.credits.grant(unit, usd, reason, expires)
    # Oldest first: each is a little younger than the one before.
    clock(company).advance(0.001)


async def make_company_of_one(parts: Parts, name: str) -> Company:
    company = Company(parts, (await make_tenant(parts, name)).id)
    company.ids = dict.fromkeys(
        ("key:copilot-key", "department:sales", "application:copilot", "user:ana@acme.example"), company.tenant
    )
    await declare(parts, company.tenant, PROFILE)
    return company


@asynccontextmanager
async def slow_settlement(company: Company, nano: int) -> AsyncIterator[None]:
    """An entry whose transaction is open while the block runs."""
    row = {"started_at": OCTOBER, "amount_nano": nano}
    connection = await asyncpg.connect(company.parts.database.address.url)
    try:
        async with connection.transaction():
            await connection.execute("SET LOCAL search_path = enfilade_shared, enfilade")
            await connection.execute("SET LOCAL ROLE enfilade_settler")
            await connection.execute(
                "INSERT INTO ledger (tenant_id, call_id, started_at, posted_at, model, tokens, amount_nano, provider_nano,"
                " list_nano, estimated, posted_xact) VALUES ($1, gen_random_uuid(), $2, $2, 'slow', 1, $3, $3, $3, false,"
                " pg_current_xact_id()::text::bigint)",
                *(company.tenant, row["started_at"], row["amount_nano"]),
            )
            yield
    finally:
        await connection.close()
