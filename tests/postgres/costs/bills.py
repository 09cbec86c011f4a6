"""Tenants that are billed, and what the platform does to them."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import asyncpg

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock, to_ns
from enfilade.costs.billing.paper import Paper
from enfilade.costs.billing.types import ExchangeRate, Invoice, Issuer, Profile, Tax
from enfilade.costs.ledger.corrections import Correction, post_correction
from enfilade.identity.scopes import system_scope
from enfilade.identity.types import Tenant
from tests.postgres.costs.conftest import Company
from tests.support.parts import make_tenant, unit_in

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
