"""The two-tenant walk over every table: both tenants have used it, and the database shows each its own rows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from enfilade.storage.address import APP, WRITER
from tests.isolation.two_tenants import TENANTS, TwoTenants

TABLES = """
SELECT n.nspname || '.' || c.relname AS name, a.attname AS tenant_column
FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped
WHERE c.relkind IN ('r', 'p') AND n.nspname LIKE 'enfilade%'
    AND (a.attname = 'tenant_id' OR (c.relname = 'tenants' AND a.attname = 'id'))
ORDER BY 1
"""
PARTITIONS = """
SELECT inhrelid::regclass::text FROM pg_inherits JOIN pg_class c ON c.oid = inhrelid WHERE c.relkind IN ('r', 'p')
"""
HIDDEN = {
    "enfilade_shared.intents": "only the platform's recovery reads them",
    "enfilade.tenant_keys": "only the owner reads what is wrapped, and the operator how it stands",
    "enfilade.tenant_master_keys": "they stand where tenants' keys stand",
    "enfilade.key_acts": "the tenant's log tells of them",
    "enfilade.tenant_moves": "moves are the platform's business",
    "enfilade_shared.move_changes": "only the owner reads what a move writes down",
}
"""Tables that the app role may not read at all, and why."""


@asynccontextmanager
async def signed_in(both: TwoTenants, role: str, tenant: str | None = None) -> AsyncIterator[asyncpg.Connection]:
    """A connection as one of the sign-in roles, with a tenant set or not."""
    address = both.house.address
    user, password = address.login(role)
    connection = await asyncpg.connect(address.url, user=user, password=password)
    try:
        if tenant is not None:
            await connection.execute("SELECT set_config('enfilade.tenant', $1, false)", tenant)
        yield connection
    finally:
        await connection.close()


async def tables(both: TwoTenants) -> dict[str, str]:
    """Every table that has a tenant, with the name of the column; partitions are reached through their parents."""
    connection = await asyncpg.connect(both.house.address.url)
    try:
        await connection.execute("SET search_path = pg_catalog")
        partitions = {row[0] for row in await connection.fetch(PARTITIONS)}
        found = {row["name"]: row["tenant_column"] for row in await connection.fetch(TABLES)}
    finally:
        await connection.close()
    return {name: column for name, column in found.items() if name not in partitions}


async def test_both_tenants_have_rows_in_every_table(both: TwoTenants) -> None:
    connection = await asyncpg.connect(both.house.address.url)
    try:
        for name, column in (await tables(both)).items():
            seen = {str(row[0]) for row in await connection.fetch(f"SELECT DISTINCT {column} FROM {name}")}
            assert {both.house.tenant_id(tenant) for tenant in TENANTS} <= seen, name
    finally:
        await connection.close()


async def test_with_a_tenant_set_only_its_rows_are_seen(both: TwoTenants) -> None:
    own = both.house.tenant_id("globex")
    hidden = set()
    async with signed_in(both, APP, own) as connection:
        for name, column in (await tables(both)).items():
            try:
                seen = {str(row[0]) for row in await connection.fetch(f"SELECT {column} FROM {name}")}
            except asyncpg.InsufficientPrivilegeError:
                hidden.add(name)
                continue
            assert seen == {own}, name
    assert hidden == set(HIDDEN)


@pytest.mark.parametrize("tenant", [None, ""], ids=["never-set", "set-to-nothing"])
async def test_with_nothing_set_nothing_is_seen(both: TwoTenants, tenant: str | None) -> None:
    async with signed_in(both, APP, tenant) as connection:
        for name in set(await tables(both)) - set(HIDDEN):
            assert await connection.fetch(f"SELECT 1 FROM {name}") == [], name


async def test_rows_of_another_tenant_cannot_be_changed_or_removed(both: TwoTenants) -> None:
    other = both.house.tenant_id("acme")
    async with signed_in(both, APP, both.house.tenant_id("globex")) as connection:
        for name, column in (await tables(both)).items():
            for statement in (
                f"UPDATE {name} SET {column} = {column} WHERE {column} = '{other}'",
                f"DELETE FROM {name} WHERE {column} = '{other}'",
            ):
                try:
                    done = await connection.execute(statement)
                except asyncpg.InsufficientPrivilegeError:
                    continue
                assert done.split(" ")[-1] == "0", statement


async def test_the_writer_reads_nothing_whatever_is_set(both: TwoTenants) -> None:
    async with signed_in(both, WRITER, both.house.tenant_id("acme")) as connection:
        for name in await tables(both):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT 1 FROM {name}")


async def test_a_partition_reached_by_itself_shows_nothing(both: TwoTenants) -> None:
    owner = await asyncpg.connect(both.house.address.url)
    try:
        partitions = [row[0] for row in await owner.fetch(PARTITIONS)]
    finally:
        await owner.close()
    assert partitions
    async with signed_in(both, APP, both.house.tenant_id("globex")) as connection:
        for name in partitions:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"SELECT 1 FROM {name}")
