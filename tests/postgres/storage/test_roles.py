"""The database's roles hold what they need and nothing else, and what was appended stays as it is."""

import asyncpg
import pytest

from enfilade.core.ids import PLATFORM_ID
from enfilade.storage.address import APP, LOGIN_ROLES, OPERATOR, WRITER
from enfilade.storage.roles import GROUPS
from tests.support.two_tenants import NO_ROW_OF_A_TENANT, REFUSED, SCHEMA, World

GRANTS = """
SELECT n.nspname || '.' || c.relname AS name, string_agg(DISTINCT a.privilege_type, ' ' ORDER BY a.privilege_type) AS rights
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE a.grantee = $1::regrole GROUP BY 1
UNION ALL
SELECT n.nspname || '.' || c.relname || '.' || t.attname, string_agg(a.privilege_type, ' ')
FROM pg_attribute t JOIN pg_class c ON c.oid = t.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
CROSS JOIN LATERAL aclexplode(t.attacl) a
WHERE a.grantee = $1::regrole GROUP BY 1
"""
GRANTED_TO_EVERYBODY = """
SELECT c.oid::regclass::text FROM pg_class c CROSS JOIN LATERAL aclexplode(c.relacl) a
WHERE a.grantee = 0 AND c.relnamespace IN ('enfilade'::regnamespace, 'enfilade_shared'::regnamespace)
"""
MAY_EXECUTE = """
SELECT p.proname FROM pg_proc p
WHERE p.pronamespace IN ('enfilade'::regnamespace, 'enfilade_shared'::regnamespace)
    AND has_function_privilege($1, p.oid, 'EXECUTE')
"""
FULL, EDIT, READ = "DELETE INSERT SELECT UPDATE", "INSERT SELECT UPDATE", "SELECT"
BILLED = ("invoices", "invoice_coverage", "credits", "credit_uses")
BILLERS = ("billing_profiles",)
TENANT_KEYS_SEEN = (
    "tenant_id",
    "version",
    "id",
    "state",
    "master_key",
    "created_at",
    "retired_at",
    "renewed_at",
    "withdrawn_by",
)
"""All but the wrapped key."""
ISSUERS_SEEN = ("tenant_id", "id", "name", "url", "settings", "secret_print", "version", "created_at")
"""All but the client secret."""
ACCOUNTS = ("passwords", "second_factors", "password_links", "challenges", "sign_in_attempts", "account_rules")
ROLL_UPS = ("spend_hours", "spend_days", "spend_months", "spend_metadata")
RIGHTS = {
    "enfilade_app": {
        "enfilade.tenants": READ,
        **{f"{SCHEMA}.{name}": EDIT for name in ("departments", "users", "applications", "keys")},
        **{f"{SCHEMA}.{name}": EDIT for name in ("budget_limits", "budget_raises")},
        **{f"{SCHEMA}.{name}": FULL for name in ("key_secrets", "limits", "budgets", "idempotency_keys")},
        **{
            f"{SCHEMA}.{name}": READ
            for name in ("ledger", "ledger_lines", "ledger_epochs", "calls", "events", "event_heads")
        },
        "enfilade.tenant_revisions": EDIT,
        "enfilade.pending_changes": "DELETE INSERT SELECT",
        "enfilade.revision_counter": "SELECT UPDATE",
        "enfilade.billing_issuer": READ,
        f"{SCHEMA}.departures": READ,
        f"{SCHEMA}.conversations": FULL,
        **{f"{SCHEMA}.{name}": "DELETE INSERT SELECT" for name in ("conversation_items", "responses")},
        **{f"{SCHEMA}.{name}": READ for name in (*ROLL_UPS, "spend_tenants", "spend_progress")},
        **{f"{SCHEMA}.{name}": READ for name in (*BILLED, *BILLERS)},
        f"{SCHEMA}.anomaly_rules": FULL,
        f"{SCHEMA}.access_versions": EDIT,
        f"{SCHEMA}.use_cases": FULL,
        **{f"{SCHEMA}.{name}": FULL for name in ("approval_rules", "approval_delegations", "access_review_schedules")},
        **{
            f"{SCHEMA}.{name}": EDIT
            for name in ("approval_requests", "access_grants", "access_reviews", "access_review_items")
        },
        **{f"{SCHEMA}.{name}": "INSERT SELECT" for name in ("approval_decisions", "approval_comments")},
        f"{SCHEMA}.cost_anomalies": "INSERT SELECT",
        f"{SCHEMA}.groups": EDIT,
        **{f"{SCHEMA}.{name}": "DELETE INSERT SELECT" for name in ("group_members", "recovery_codes")},
        **{f"{SCHEMA}.{name}": FULL for name in ACCOUNTS},
        f"{SCHEMA}.ledger_bases": READ,
        f"{SCHEMA}.roles": FULL,
        f"{SCHEMA}.issuers": "DELETE INSERT UPDATE",
        **{f"{SCHEMA}.issuers.{name}": READ for name in ISSUERS_SEEN},
        f"{SCHEMA}.identities": EDIT,
        **{f"{SCHEMA}.{name}": FULL for name in ("sessions", "sign_ins", "device_grants")},
        f"{SCHEMA}.role_assignments": "DELETE INSERT SELECT",
        **{f"{SCHEMA}.{name}": EDIT for name in ("break_glass", "security_settings", "key_uses")},
        f"{SCHEMA}.subject_keys": "INSERT SELECT",
        **{f"{SCHEMA}.subject_keys.{name}": "UPDATE" for name in ("tenant_key", "wrapped", "destroyed_at")},
        **{
            f"{SCHEMA}.{name}": "UPDATE"
            for name in ("responses.input", "responses.reply", "conversation_items.content")
        },
    },
    "enfilade_writer": {},
    "enfilade_operator": {
        f"{SCHEMA}.issuers": READ,
        **{f"enfilade.{name}": EDIT for name in ("tenants", "providers", "models", "aliases", "cell_hosts")},
        "enfilade.replicas": FULL,
        "enfilade.pending_changes": "DELETE",
        **{f"enfilade.{name}": EDIT for name in ("tenant_moves", "tenant_erasures")},
        "enfilade.tenant_imports": "DELETE SELECT",
        "enfilade.billing_issuer": "DELETE INSERT UPDATE",
        "enfilade.invoice_series": EDIT,
        **{
            f"enfilade.{name}": "INSERT SELECT"
            for name in ("price_books", "price_versions", "price_lists", "price_adjustments", "exchange_rates")
        },
        **{
            f"enfilade.{name}": "INSERT SELECT"
            for name in ("reconciliations", "reconciliation_items", "reconciliation_bookings")
        },
        "enfilade.reconciliations.superseded_by": "UPDATE",
        "enfilade.secrets": "DELETE INSERT UPDATE",
        "enfilade.secrets.name": READ,
        "enfilade.secrets.fingerprint": READ,
        **{f"enfilade.tenant_keys.{name}": READ for name in TENANT_KEYS_SEEN},
        **{f"enfilade.master_keys.{name}": READ for name in ("id", "name", "for_tenant", "registered_at")},
        "enfilade.tenant_master_keys": READ,
        f"{SCHEMA}.intents": READ,
        **{f"{SCHEMA}.{name}": "INSERT" for name in BILLED},
        **{f"{SCHEMA}.{name}": "DELETE INSERT UPDATE" for name in BILLERS},
    },
    "enfilade_settler": {
        **{f"{SCHEMA}.{name}": "INSERT SELECT" for name in ("ledger", "calls", "events")},
        **{f"{SCHEMA}.{name}.posted_xact": "UPDATE" for name in ("ledger", "calls")},
        **{f"{SCHEMA}.{name}": FULL for name in ROLL_UPS},
        f"{SCHEMA}.spend_tenants": EDIT,
        f"{SCHEMA}.spend_progress": "SELECT UPDATE",
        f"{SCHEMA}.event_heads": EDIT,
        f"{SCHEMA}.ledger_epochs": EDIT,
        f"{SCHEMA}.departures": READ,
        f"{SCHEMA}.intents": "DELETE INSERT SELECT",
    },
}
READ_BY_TENANTS = {"enfilade.revision_counter", f"{SCHEMA}.spend_progress", "enfilade.billing_issuer"}
WAYS_AROUND = [
    "SET ROLE enfilade",
    "SET ROLE enfilade_settler",
    "SET SESSION AUTHORIZATION enfilade",
    "ALTER TABLE users DISABLE ROW LEVEL SECURITY",
    "ALTER TABLE users NO FORCE ROW LEVEL SECURITY",
    "DROP POLICY own_tenant ON users",
    "CREATE POLICY all_rows ON users USING (true)",
    "ALTER ROLE CURRENT_USER BYPASSRLS",
    "ALTER ROLE CURRENT_USER SUPERUSER",
    "GRANT enfilade_operator TO enfilade_app",
    "GRANT enfilade_settler TO CURRENT_USER",
    "CREATE ROLE another LOGIN",
    "CREATE OR REPLACE FUNCTION current_tenant() RETURNS uuid LANGUAGE sql AS 'SELECT NULL::uuid'",
    "ALTER FUNCTION current_tenant() SECURITY DEFINER",
    "CREATE FUNCTION enfilade_shared.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TABLE enfilade_shared.mine (id int)",
    "CREATE TABLE public.mine (id int)",
    "CREATE SCHEMA mine",
    "DROP TABLE users",
    "SELECT sealed FROM enfilade.secrets",
    "SELECT * FROM enfilade.migrations",
    "INSERT INTO enfilade.migrations VALUES ('x', 1, 'x', 'x')",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('PG_VERSION')",
    "COPY (SELECT 1) TO '/dev/null'",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "ALTER SYSTEM SET fsync = off",
    "SELECT append_leaves('{}', '{}', '{}', '{}')",
    "SELECT ensure_partition('calls', '2031-01-01')",
]
MAY_ALL = {"current_tenant", "append_events", "post_correction", "enter", "ledger_base"}
MAY_ALL |= {"latency_place", "spend_server", "sum_up_spend", "sum_up_metadata"}
FUNCTIONS = {
    APP: MAY_ALL,
    WRITER: {"current_tenant", "settle"},
    OPERATOR: MAY_ALL | {"roll_up_spend", "move_spend", "request_spend_rebuild", "rebuild_spend_month"},
}


async def test_what_was_appended_can_be_changed_by_no_sign_in_role(world: World) -> None:
    for role in LOGIN_ROLES:
        connection = await world.role(role)
        await connection.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
        for table in ("calls", "ledger", "events", "event_heads", "intents", "events_default", "events_202611"):
            for statement in (
                f"UPDATE {table} SET tenant_id = tenant_id",
                f"DELETE FROM {table}",
                f"TRUNCATE {table}",
                f"INSERT INTO {table} SELECT * FROM {table}",
            ):
                with pytest.raises(REFUSED):
                    await connection.execute(statement)
        await connection.close()


@pytest.mark.parametrize("role", LOGIN_ROLES)
async def test_no_sign_in_role_can_get_around_the_guard(world: World, role: str) -> None:
    connection = await world.role(role)
    for statement in WAYS_AROUND:
        try:
            await connection.execute(statement)
        except REFUSED:
            continue
        pytest.fail(f"{role} was allowed to {statement}")
    await connection.close()


@pytest.mark.parametrize("role", [APP, WRITER])
async def test_these_roles_cannot_read_the_platforms_tables(world: World, role: str) -> None:
    connection = await world.role(role)
    for name in sorted(NO_ROW_OF_A_TENANT - (READ_BY_TENANTS if role == APP else set())):
        with pytest.raises(REFUSED):
            await connection.fetch(f"SELECT * FROM {name}")
    await connection.close()


async def test_the_writer_reads_nothing_at_all(world: World) -> None:
    writer = await world.role(WRITER)
    await writer.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    for table in await world.tenant_tables():
        with pytest.raises(REFUSED):
            await writer.fetch(f"SELECT 1 FROM {table['name']}")
    await writer.close()


async def test_the_operator_reads_all_tenants_and_writes_for_one(world: World) -> None:
    operator = await world.role(OPERATOR)
    await operator.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    rows = await operator.fetch("SELECT tenant_id::text FROM departments")
    assert sorted(row["tenant_id"] for row in rows) == sorted([world.ours, world.theirs])
    assert await operator.execute("UPDATE departments SET version = version + 1") == "UPDATE 1"
    with pytest.raises(REFUSED):
        await operator.execute("UPDATE users SET tenant_id = $1", world.theirs)
    await operator.close()


async def test_events_can_be_appended_for_the_current_tenant_only(world: World, app: asyncpg.Connection) -> None:
    append = "SELECT append_events($1, $2, $3, $4)"
    now = await app.fetchval("SELECT now()")
    for set_tenant in ("", world.ours):
        await app.execute("SELECT set_config('enfilade.tenant', $1, false)", set_tenant)
        for tenants in ([world.theirs], [world.ours, world.theirs], [PLATFORM_ID]):
            count = len(tenants)
            with pytest.raises(REFUSED, match="current tenant only"):
                await app.execute(append, tenants, ["Forged"] * count, [now] * count, ["{}"] * count)
    await app.execute(append, [world.ours], ["Noted"], [now], ["{}"])
    await app.execute("SET search_path = public")
    with pytest.raises(asyncpg.UndefinedFunctionError):
        await app.execute(append, [world.ours], ["Noted"], [now], ["{}"])


async def test_the_definers_functions_do_not_look_into_a_callers_temporary_tables(
    world: World, app: asyncpg.Connection
) -> None:
    await app.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    await app.execute("CREATE TEMPORARY TABLE events (LIKE enfilade_shared.events)")
    await app.execute("CREATE TEMPORARY TABLE event_heads (LIKE enfilade_shared.event_heads)")
    await app.execute("SET search_path = pg_temp, enfilade_shared")
    count = f"SELECT count(*) FROM {SCHEMA}.events"
    before = await app.fetchval(count)
    now = await app.fetchval("SELECT now()")
    await app.execute(f"SELECT {SCHEMA}.append_events($1, $2, $3, $4)", [world.ours], ["Noted"], [now], ["{}"])
    assert await app.fetchval(count) == before + 1
    assert await app.fetchval("SELECT count(*) FROM pg_temp.events") == 0


@pytest.mark.parametrize("group", GROUPS)
async def test_each_role_holds_exactly_the_rights_it_needs(world: World, group: str) -> None:
    async with world.parts.database.owner() as owner:
        assert {row["name"]: row["rights"] for row in await owner.fetch(GRANTS, group)} == RIGHTS[group]
        assert await owner.fetch(GRANTED_TO_EVERYBODY) == []
        flags = await owner.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication, rolcanlogin FROM pg_roles"
            " WHERE rolname = $1",
            group,
        )
    assert not any(flags)


@pytest.mark.parametrize("role", LOGIN_ROLES)
async def test_each_sign_in_role_is_a_plain_member_of_its_group(world: World, role: str) -> None:
    user, _ = world.parts.database.address.login(role)
    async with world.parts.database.owner() as owner:
        rows = await owner.fetch(
            "SELECT roleid::regrole::text AS name, admin_option FROM pg_auth_members WHERE member = $1::regrole", user
        )
        assert [(row["name"], row["admin_option"]) for row in rows] == [(f"enfilade_{role}", False)]
        assert {row["proname"] for row in await owner.fetch(MAY_EXECUTE, user)} == FUNCTIONS[role]
        flags = await owner.fetchrow(
            "SELECT rolsuper, rolbypassrls, rolcreaterole, rolcreatedb, rolreplication FROM pg_roles WHERE rolname = $1",
            user,
        )
    assert not any(flags)


async def test_a_password_of_one_role_does_not_open_another(world: World) -> None:
    address = world.parts.database.address
    for role in LOGIN_ROLES:
        user, _ = address.login(role)
        for other in LOGIN_ROLES:
            if other != role:
                with pytest.raises(asyncpg.InvalidPasswordError):
                    await asyncpg.connect(address.url, user=user, password=address.login(other)[1])
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(address.url, user=user, password=address.role_secret)


async def test_nobody_signs_in_as_a_group(world: World) -> None:
    for group in GROUPS:
        with pytest.raises((asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidPasswordError)):
            await asyncpg.connect(world.parts.database.address.url, user=group, password="x")
