"""A server that somebody else runs: the owner of the database is no superuser, and row-level security binds it too."""

from collections.abc import AsyncIterator
from dataclasses import replace
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock, to_datetime
from enfilade.storage.address import Address
from enfilade.storage.errors import StorageFault
from enfilade.storage.migrations import migrate
from enfilade.storage.roles import GROUPS, SETTLER, administrator_statements, role_statements
from tests.support.ledger import log_is_whole, settled
from tests.support.parts import call_event, make_tenant, new_ids, open_parts
from tests.support.postgres import TestServer

OWNER = "plain_owner"
PASSWORD = "a password"


@pytest.fixture
async def plain(server: TestServer, empty_database: Address) -> AsyncIterator[Address]:
    """An empty database whose owner may make roles and nothing more, as PostgreSQL 16 lets one."""
    name = empty_database.database
    async with server.maintenance() as admin:
        await admin.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE NOSUPERUSER NOBYPASSRLS PASSWORD '{PASSWORD}'")
        # What the maker of a role is given with it since PostgreSQL 16: to administer it, not to act as it.
        for role in await _roles_of(admin, empty_database):
            await admin.execute(f'GRANT "{role}" TO {OWNER} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE')
        await admin.execute(f'ALTER DATABASE "{name}" OWNER TO {OWNER}')
    parts = urlsplit(empty_database.url)
    url = urlunsplit(parts._replace(netloc=f"{OWNER}:{quote(PASSWORD)}@"))
    try:
        yield replace(empty_database, url=url)
    finally:
        async with server.maintenance() as admin:
            await admin.execute(f'ALTER DATABASE "{name}" OWNER TO CURRENT_USER')
        inside = await asyncpg.connect(empty_database.url)
        await inside.execute(f"REASSIGN OWNED BY {OWNER} TO CURRENT_USER; DROP OWNED BY {OWNER} CASCADE")
        await inside.close()
        async with server.maintenance() as admin:
            await admin.execute(f"DROP OWNED BY {OWNER} CASCADE; DROP ROLE {OWNER}")


async def _roles_of(admin: asyncpg.Connection, address: Address) -> list[str]:
    """All of Enfilade's roles for that database, made if need be."""
    wanted = [*GROUPS, *(address.login(role)[0] for role in ("app", "writer", "operator"))]
    rows = await admin.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY ($1)", wanted)
    for statement in role_statements(address, {row["rolname"] for row in rows}):
        await admin.execute(statement)
    return wanted


async def test_it_migrates_serves_and_makes_partitions(plain: Address) -> None:
    connection = await asyncpg.connect(plain.url)
    assert await connection.fetchval("SELECT current_setting('is_superuser')") == "off"
    assert len(await migrate(connection, plain)) >= 3
    assert await migrate(connection, plain) == []
    async with open_parts(plain, ManualClock()) as parts:
        tenant = await make_tenant(parts, "acme")
        identifiers = new_ids(3)
        for identifier in identifiers:
            await parts.writer.settle(identifier, call_event(tenant.id, identifier))
        assert await settled(parts) == (identifiers,) * 3
        await log_is_whole(parts)
        await _sees_no_tenant(connection)
    await connection.close()


async def _sees_no_tenant(connection: asyncpg.Connection) -> None:
    """Even the owner: row-level security is forced."""
    for table in ("calls", "ledger", "events", "users", "keys", "event_heads"):
        assert await connection.fetchval(f"SELECT count(*) FROM enfilade_shared.{table}") == 0, table


async def test_after_a_migration_the_owner_cannot_act_as_the_settler(plain: Address) -> None:
    connection = await asyncpg.connect(plain.url)
    await migrate(connection, plain)
    assert not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'SET')", SETTLER)
    assert not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'USAGE')", SETTLER)
    await connection.close()


async def test_an_owner_who_may_make_no_roles_is_told_which_are_missing(server: TestServer, plain: Address) -> None:
    async with server.maintenance() as admin:
        await admin.execute(f"ALTER ROLE {OWNER} NOCREATEROLE")
    fresh = replace(plain, url=plain.url.replace(plain.database, "postgres", 1))
    connection = await asyncpg.connect(plain.url)
    with pytest.raises(StorageFault, match=r"postgres_app_login.*CREATEROLE.*--roles-sql"):
        await migrate(connection, fresh)
    await connection.close()


async def test_an_owner_who_may_make_no_roles_migrates_when_an_administrator_made_them(
    server: TestServer, plain: Address
) -> None:
    async with server.maintenance() as admin:
        roles = await _roles_of(admin, plain)
        await admin.execute(f"ALTER ROLE {OWNER} NOCREATEROLE")
        await admin.execute(f"REVOKE {', '.join(roles)} FROM {OWNER}")
        for statement in administrator_statements(plain, set(roles)):
            await admin.execute(statement)
    connection = await asyncpg.connect(plain.url)
    assert await migrate(connection, plain)
    assert not await connection.fetchval("SELECT pg_has_role(current_user, $1, 'SET')", SETTLER)
    await connection.close()


async def test_rows_in_the_default_partition_move_for_a_plain_owner_too(plain: Address) -> None:
    connection = await asyncpg.connect(plain.url)
    await migrate(connection, plain)
    clock = ManualClock()
    async with open_parts(plain, clock) as parts:
        await _settles_far_ahead(parts, clock)
    await connection.close()


async def _settles_far_ahead(parts: Parts, clock: ManualClock) -> None:
    tenant = await make_tenant(parts, "acme")
    clock.jump(3650 * 86_400)
    far = to_datetime(clock.now_ns())
    (identifier,) = new_ids(1, far)
    await parts.writer.settle(identifier, call_event(tenant.id, identifier, far))
    assert await parts.partitions.ensure() == 9
    assert await settled(parts) == ([identifier],) * 3
