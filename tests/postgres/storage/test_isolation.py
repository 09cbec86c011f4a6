"""What the database keeps apart, asked in raw SQL as the request path's role, whatever the program's code says."""

from typing import Any

import asyncpg
import pytest

from enfilade.identity.scopes import tenant_scope
from enfilade.storage.address import APP
from tests.support.two_tenants import NO_ROW_OF_A_TENANT, REFUSED, SCHEMA, World

OTHER_TABLES = """
SELECT n.nspname || '.' || c.relname AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE n.nspname IN ('enfilade', 'enfilade_shared') AND c.relkind IN ('r', 'p')
    AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
"""


async def test_every_table_with_a_tenant_has_row_security_enabled_and_forced(world: World) -> None:
    tables = await world.tenant_tables()
    assert {"ledger", "ledger_default", "ledger_202611", "events_202701", "users"} <= {
        table["name"] for table in tables
    }
    for table in tables:
        assert (table["enabled"], table["forced"]) == (True, True), table["name"]
        assert table["is_partition"] or table["policies"] >= 2, table["name"]


async def test_every_other_table_is_known_to_hold_no_tenants_rows(world: World) -> None:
    async with world.parts.database.owner() as owner:
        others = {row["name"] for row in await owner.fetch(OTHER_TABLES)}
        guarded = await owner.fetchrow(
            "SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE oid = 'enfilade.tenants'::regclass"
        )
    assert others - {"enfilade.tenants"} == NO_ROW_OF_A_TENANT
    assert tuple(guarded) == (True, True)


async def test_the_world_has_rows_of_both_tenants_in_every_table(world: World) -> None:
    # Without this the tests below could pass over empty tables.
    async with world.parts.database.owner() as owner:
        for table in await world.tenant_tables():
            if table["is_partition"] or table["name"] == "intents":
                continue
            rows = await owner.fetch(f"SELECT DISTINCT tenant_id::text FROM {SCHEMA}.{table['name']}")
            assert {world.ours, world.theirs} <= {row["tenant_id"] for row in rows}, table["name"]


async def test_the_app_role_without_a_tenant_reads_nothing(world: World, app: asyncpg.Connection) -> None:
    await _sees_only(world, app, set())
    await app.execute("SELECT set_config('enfilade.tenant', '', false)")
    await _sees_only(world, app, set())


async def test_the_app_role_with_a_tenant_reads_that_tenant_alone(world: World, app: asyncpg.Connection) -> None:
    await app.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    await _sees_only(world, app, {world.ours})


async def _sees_only(world: World, app: asyncpg.Connection, tenants: set[str]) -> None:
    unreadable = set()
    for table in await world.tenant_tables():
        name = table["name"]
        try:
            rows = await app.fetch(f"SELECT DISTINCT tenant_id::text FROM {name}")
        except REFUSED:
            unreadable.add(name)
            continue
        assert {row["tenant_id"] for row in rows} == tenants, name
        filtered = await app.fetchval(f"SELECT count(*) FROM {name} WHERE tenant_id = $1", world.theirs)
        assert filtered == 0, name
    assert [row["id"] for row in await app.fetch("SELECT id::text FROM enfilade.tenants")] == list(tenants)
    # Partitions cannot even be asked: their parents can, and follow the policies. What is for recovery and for moves is
    # for nobody else.
    partitions = {table["name"] for table in await world.tenant_tables() if table["is_partition"]}
    assert unreadable == partitions | {"intents", "move_changes"}


async def test_a_tenant_set_in_one_transaction_is_gone_in_the_next(world: World) -> None:
    for _ in range(2):
        async with world.parts.storage.unit_of_work(tenant_scope(world.ours, "test")) as unit:
            assert await unit.fetch_value("SELECT count(*) FROM users") > 0
        async with world.parts.database.transaction(APP) as connection:
            assert await connection.fetchval(f"SELECT count(*) FROM {SCHEMA}.users") == 0


async def test_updates_and_deletes_do_not_reach_another_tenant(world: World, app: asyncpg.Connection) -> None:
    await app.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    before = await _everything_of(world, world.theirs)
    for table in await world.tenant_tables():
        name = table["name"]
        for statement in (
            f"UPDATE {name} SET tenant_id = tenant_id WHERE tenant_id = '{world.theirs}'",
            f"DELETE FROM {name} WHERE tenant_id = '{world.theirs}'",
        ):
            try:
                assert (await app.execute(statement)).endswith(" 0"), statement
            except REFUSED:
                continue
    assert await _everything_of(world, world.theirs) == before


async def test_rows_cannot_be_moved_to_or_made_for_another_tenant(world: World, app: asyncpg.Connection) -> None:
    await app.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    before = await _everything_of(world, world.theirs)
    for table in await world.tenant_tables():
        name = table["name"]
        for statement in (
            f"UPDATE {name} SET tenant_id = '{world.theirs}'",
            f'INSERT INTO {name} OVERRIDING SYSTEM VALUE SELECT * FROM json_populate_record(NULL::{name}, \'{{"tenant_id": "{world.theirs}"}}\')',
        ):
            with pytest.raises(REFUSED):
                await app.execute(statement)
    assert await _everything_of(world, world.theirs) == before


async def test_foreign_keys_do_not_tell_of_another_tenants_rows(world: World, app: asyncpg.Connection) -> None:
    async with world.parts.database.owner() as owner:
        department = await owner.fetchval(f"SELECT id FROM {SCHEMA}.departments WHERE tenant_id = $1", world.theirs)
    await app.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    with pytest.raises(asyncpg.ForeignKeyViolationError):
        await app.execute("UPDATE users SET department_id = $1", department)


async def test_row_security_switched_off_makes_statements_fail_and_shows_nothing(
    world: World, app: asyncpg.Connection
) -> None:
    await app.execute("SELECT set_config('enfilade.tenant', $1, false)", world.ours)
    await app.execute("SET row_security = off")
    for name in ("users", "keys", "calls", "events"):
        with pytest.raises(REFUSED, match="row-level security"):
            await app.fetch(f"SELECT * FROM {name}")


async def _everything_of(world: World, tenant: str) -> dict[str, list[Any]]:
    async with world.parts.database.owner() as owner:
        return {
            table["name"]: await owner.fetch(
                f"SELECT * FROM {SCHEMA}.{table['name']} t WHERE tenant_id = $1 ORDER BY t::text", tenant
            )
            for table in await world.tenant_tables()
        }
