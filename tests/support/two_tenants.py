"""Two tenants with a row of each in every table, for tests that look at tables themselves."""

import hashlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg

from enfilade.access.content import Content, MatrixRow
from enfilade.access.use_cases import UseCaseSpec
from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import to_ns
from enfilade.costs.billing.types import Issuer, Profile
from enfilade.costs.holds.budgets import BudgetSpec
from enfilade.costs.holds.limits import LimitSpec
from enfilade.costs.holds.raises import RaiseSpec
from enfilade.costs.ledger.corrections import Correction, post_correction
from enfilade.costs.outlook import store as outlook
from enfilade.costs.outlook.rules import AnomalyRules
from enfilade.gateway.stored.forms import raw
from enfilade.gateway.stored.types import Exchange
from enfilade.identity.roles.store import NOTE_USES
from enfilade.identity.roles.types import AssignmentSpec, RoleSpec, SecuritySettings
from enfilade.identity.scopes import key_scope, tenant_scope
from enfilade.identity.sign_in.store import INSERT_GRANT, INSERT_SIGN_IN
from enfilade.identity.sign_in.types import ClientFacts
from enfilade.identity.tokens.store import INSERT_IDENTITY
from enfilade.identity.tokens.types import IssuerSettings, IssuerSpec
from enfilade.identity.types import ApplicationSpec, KeySpec, UserSpec
from enfilade.storage import idempotency
from enfilade.storage.unit_of_work import UnitOfWork
from tests.support.accounts import leave_accounts
from tests.support.approving import leave_approvals
from tests.support.parts import NOON, call_event, intent_text, make_tenant, new_ids, unit_in

SCHEMA = "enfilade_shared"
REFUSED = asyncpg.InsufficientPrivilegeError

TENANT_TABLES = """
SELECT c.relname AS name, c.relkind::text AS kind, c.relispartition AS is_partition,
    c.relrowsecurity AS enabled, c.relforcerowsecurity AS forced,
    (SELECT count(*) FROM pg_policy p WHERE p.polrelid = c.oid) AS policies
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
WHERE c.relnamespace = 'enfilade_shared'::regnamespace AND c.relkind IN ('r', 'p')
"""
NO_ROW_OF_A_TENANT = {
    "enfilade.aliases",
    "enfilade.migrations",
    "enfilade.models",
    "enfilade.price_books",
    "enfilade.exchange_rates",
    "enfilade.price_adjustments",
    "enfilade.price_lists",
    "enfilade.price_versions",
    "enfilade.providers",
    "enfilade.replicas",
    "enfilade.master_keys",
    "enfilade.sealing_marks",
    "enfilade.secrets",
    "enfilade.billing_issuer",
    "enfilade.invoice_series",
    "enfilade.reconciliations",
    "enfilade.reconciliation_items",
    "enfilade.reconciliation_bookings",
    "enfilade.revision_counter",
    "enfilade.cell_hosts",
    "enfilade.tenant_erasures",
    "enfilade.tenant_imports",
    "enfilade_shared.spend_progress",
}


@dataclass
class World:
    """Two tenants, with rows in every table that has a tenant."""

    parts: Parts
    ours: str
    theirs: str
    calls: dict[str, str]

    async def role(self, role: str) -> asyncpg.Connection:
        """A raw connection as one of the sign-in roles."""
        connection = await self.parts.database.connect(role)
        await connection.execute(f"SET search_path = {SCHEMA}, enfilade")
        return connection

    async def tenant_tables(self) -> list[Any]:
        """Every table with a tenant column, partitions among them, as the catalogue has them."""
        async with self.parts.database.owner() as owner:
            return list(await owner.fetch(TENANT_TABLES))


async def two_tenants(parts: Parts) -> World:
    """Make both tenants and their rows."""
    tenants = {name: (await make_tenant(parts, name)).id for name in ("ours", "theirs")}
    calls = {}
    for tenant in tenants.values():
        calls[tenant], running = new_ids(2)
        await _fill(parts, tenant)
        await _store(parts, tenant, calls[tenant])
        parts.writer.intend(running, lambda t=tenant, i=running: intent_text(t, i, parts.replica))  # type: ignore[misc]
        await parts.writer.settle(calls[tenant], call_event(tenant, calls[tenant], metadata={"team": "sales"}))
        await correct(parts, tenant, calls[tenant])
        await bill(parts, tenant)
        await note_anomaly(parts, tenant)
        await sign_in(parts, tenant)
        await change_keys(parts, tenant)
        await leave_traces(parts, tenant)
        await leave_approvals(parts, tenant, "ana@example.com")
    await parts.roll_ups.catch_up()
    return World(parts, tenants["ours"], tenants["theirs"], calls)


async def _fill(parts: Parts, tenant: str) -> None:
    identity = parts.identity
    async with unit_in(parts, tenant) as unit:
        await identity.departments.put(unit, "sales")
        await identity.users.put(unit, UserSpec("ana@example.com", "sales"))
        await identity.applications.put(unit, ApplicationSpec("copilot", "sales"))
        key = await identity.keys.issue(unit, KeySpec("copilot-key", application="copilot"))
        await give_roles(parts, unit, "ana@example.com", key.key.id)
        await leave_accounts(parts, unit, "ana@example.com")
        await parts.limits.put(unit, LimitSpec("tenant", "requests", 10, "minute"))
        budget, _ = await parts.budgets.put(unit, BudgetSpec("tenant", "month", "10"))
        await parts.budgets.raises.add(unit, budget, RaiseSpec("9999-12-30", "a test", by_usd="1"))
        await idempotency.claim(unit, "same-key", b"d" * 32)
        await parts.access.use_cases.put(unit, UseCaseSpec("writing", "ana@example.com", "a test"))
        await parts.access.versions.put(unit, Content(default="allow", matrix=(MatrixRow("sales", ("sales",)),)))


async def give_roles(parts: Parts, unit: UnitOfWork, email: str, key: str) -> None:
    """A role of the tenant's own, given to somebody; broken glass; demands; when a key was used last."""
    identity = parts.identity
    await identity.roles.put(unit, RoleSpec(f"role-of-{email}", ("applications:read",)))
    await identity.assignments.put(unit, AssignmentSpec(f"role-of-{email}", user=email))
    await identity.glass.open(unit, identity.glass.new_id(), "key:nobody", f"A reason of {email}")
    # What is as by default has no row until it has once been otherwise.
    await identity.security.put(unit, SecuritySettings("break_glass"))
    await identity.security.put(unit, SecuritySettings("standing"))
    await unit.execute(NOTE_USES, unit.tenant, [key], [NOON])


async def correct(parts: Parts, tenant: str, call_id: str) -> None:
    """Correct what a call was charged."""
    async with unit_in(parts, tenant) as unit:
        started = await unit.fetch_value("SELECT started_at FROM ledger WHERE call_id = $1", call_id)
        correction = Correction(call_id=call_id, started_ns=to_ns(started), reason="a test", corrects=0, amount_nano=1)
        await post_correction(unit, correction, parts.clock)


async def leave_traces(parts: Parts, tenant: str) -> None:
    """What a tenant leaves that went to another cell and came back, and a change that is to be announced some day."""
    async with parts.database.owner() as owner, owner.transaction():
        await owner.execute("SELECT set_config('enfilade.tenant', $1, true)", tenant)
        await owner.execute(f"INSERT INTO {SCHEMA}.departures (tenant_id, returned_at) VALUES ($1, now())", tenant)
        await owner.execute(f"INSERT INTO {SCHEMA}.ledger_bases (tenant_id, moves) VALUES ($1, 1)", tenant)
        await owner.execute(
            f"INSERT INTO {SCHEMA}.move_changes (tenant_id, table_name, key) VALUES ($1, 'nothing', '{{}}')", tenant
        )
        await owner.execute(
            "INSERT INTO enfilade.tenant_moves (tenant_id, id, from_isolation, from_cell, to_isolation, to_cell, actor, step,"
            " ended_at) VALUES ($1, $1, 'schema', 'home', 'row', 'home', 'key:test', 'done', now())",
            tenant,
        )
    async with unit_in(parts, tenant) as unit:
        await unit.execute(
            "INSERT INTO pending_changes (tenant_id, id, since) VALUES ($1, $1, now() + interval '1 year')", tenant
        )


async def change_keys(parts: Parts, tenant: str) -> None:
    """A key that was rotated, and a master key that is declared as the tenant's own."""
    await parts.sealing.encryption.rotate(tenant_scope(tenant, "test"))
    async with parts.database.owner() as owner:
        declare = "INSERT INTO enfilade.tenant_master_keys SELECT $1::uuid, id FROM enfilade.master_keys"
        await owner.execute(declare, tenant)


async def sign_in(parts: Parts, tenant: str) -> None:
    """An issuer, somebody whom it knows, their session, somebody on the way, and a command line that waits."""
    later = NOON + timedelta(days=36_500)
    async with unit_in(parts, tenant) as unit:
        user = (await parts.identity.users.page(unit, None, 1, tenant))[0]
        settings = IssuerSettings(audiences=(f"of-{tenant}",), client_id="enfilade")
        named = parts.principals.tenant(tenant)
        assert named is not None
        spec = IssuerSpec(f"{named.name}-login", "https://login.example.com", settings)
        issuer, _ = await parts.sign_in.issuers.put(unit, spec, "a-client-secret")
        await parts.sessions.start(unit, user.id, methods=("oidc",), issuer=issuer.id, client=ClientFacts())
        await unit.execute(INSERT_IDENTITY, tenant, issuer.id, f"subject-of-{tenant}", user.id, NOON)
        digests = (hashlib.sha256(f"{name} of {tenant}".encode()).digest() for name in ("state", "browser", "code"))
        state, browser, code = digests
        words = ("nonce", "verifier", "https://x.example", "/")
        await unit.execute(INSERT_SIGN_IN, tenant, parts.ids.new_id(), issuer.id, state, browser, *words, later)
        nothing = (None,) * 7
        await unit.execute(INSERT_GRANT, tenant, parts.ids.new_id(), code, *nothing, later)


async def note_anomaly(parts: Parts, tenant: str) -> None:
    """An hour out of the ordinary, and rules of the tenant's own."""
    async with unit_in(parts, tenant) as unit:
        await parts.anomaly_rules.put(unit, AnomalyRules(factor="3"))
        await unit.execute(outlook.NOTE_ANOMALY, tenant, "model", f"model-of-{tenant}", NOON, NOON, 2, 1)
        unit.record("CostAnomalyDetected", scope="model", subject=f"model-of-{tenant}")


async def bill(parts: Parts, tenant: str) -> None:
    """A credit, and an invoice that takes some of it."""
    found = parts.principals.tenant(tenant)
    assert found is not None
    async with unit_in(parts) as unit:
        await parts.billing.profiles.put_issuer(unit, Issuer("The operator"))
        await unit.act_in(tenant)
        await parts.billing.profiles.put_profile(unit, Profile(found.name))
        await parts.billing.credits.grant(unit, 1, "a test")
        credit = (await parts.billing.credits.page(unit, None, 1, tenant))[0]
        period = parts.billing.period(found, "2001", None, None)
        invoice, _ = await parts.billing.issue(unit, found, period, zero=True)
        await parts.billing.credits.take(unit, invoice.id, [(credit.id, 1)])


async def _store(parts: Parts, tenant: str, call_id: str) -> None:
    async with unit_in(parts, tenant) as unit:
        application = await parts.identity.applications.get(unit, "copilot")
        key = await parts.identity.keys.get(unit, "copilot-key")
    scope = key_scope(tenant, key.id, application=application.id)
    item = raw({"type": "message", "role": "user", "content": "Good morning"})
    await parts.stored.conversations.create(scope, {}, [item], days=30)
    exchange = Exchange(call_id, "chat", parts.clock.now_ns(), (item,), b'{"output": []}')
    await parts.stored.responses.keep(scope, exchange, days=30)
