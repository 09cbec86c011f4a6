"""Tenants move to another PostgreSQL server and back, also where the databases' owners are no superusers."""

from collections.abc import AsyncIterator

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.identity.scopes import system_scope
from enfilade.storage.address import Address
from enfilade.storage.cells import Placement, own_name
from enfilade.storage.database import Database
from enfilade.storage.migrations import migrate
from tests.postgres.moving.conftest import as_superuser, plainly_owned
from tests.support.moves import contents, differing, furnished, log_is_gapless, move
from tests.support.parts import make_tenant, open_parts, unit_in
from tests.support.postgres import TestServer
from tests.support.settling import calls_settled, writers

AWAY = "zurich"
GROWING = ("calls", "ledger", "events", "intents")
GROUPS = ("enfilade_app", "enfilade_writer", "enfilade_operator", "enfilade_settler")


async def test_a_tenant_lives_on_another_server_and_comes_home(database: Address, elsewhere: TestServer) -> None:
    host = await plainly_owned(elsewhere, "zurich")
    async with open_parts(database, services=writers) as parts:
        await parts.cells.put_host(AWAY, host)
        ours, other = await furnished(parts, "ours"), await furnished(parts, "theirs")
        theirs = await contents(parts, other)
        before = await contents(parts, ours)
        told: list[str] = []
        async with calls_settled(parts, ours, told) as more:
            for isolation, cell in (("database", AWAY), ("schema", AWAY), ("row", "home")):
                goal = Placement(isolation, cell)
                more()
                done = await move(parts, ours, goal)
                assert (done.step, done.error) == ("done", None)
                assert parts.cells.placement(ours) == goal
                more()
        after = await contents(parts, ours)
        assert not differing(before, after, grown=GROWING)
        assert after.calls == sorted([*before.calls, *told])
        log_is_gapless(after)
        assert not differing(theirs, await contents(parts, other))
        # Nothing of it is left there.
        assert not await _left(elsewhere, host.database, ours)


@pytest.fixture
async def installation(elsewhere: TestServer) -> AsyncIterator[Parts]:
    """A whole installation, made by an owner who is no superuser."""
    address = await plainly_owned(elsewhere, "plain")
    async with Database(address).owner() as owner:
        await migrate(owner, address)
    async with open_parts(address, services=writers) as opened:
        yield opened


async def test_an_owner_who_is_no_superuser_makes_moves_and_erases(installation: Parts, elsewhere: TestServer) -> None:
    parts = installation
    async with parts.database.owner() as owner:
        assert await owner.fetchval("SELECT current_setting('is_superuser')") == "off"
    kept = await furnished(parts, "kept")
    made = [
        (await make_tenant(parts, f"made-{isolation}", isolation=isolation)).id for isolation in ("schema", "database")
    ]
    ours = await furnished(parts, "ours")
    before = await contents(parts, ours)
    for isolation in ("schema", "database", "row", "database"):
        assert (await move(parts, ours, Placement(isolation))).error is None
    assert not differing(before, await contents(parts, ours))
    # Another process is connected to the database that is to go.
    async with open_parts(parts.database.address, services=writers) as other:
        await other.directory.refresh()
        async with other.storage.unit_of_work(system_scope("test"), cell=other.cells.of(ours)) as unit:
            assert await unit.fetch_value("SELECT count(*) FROM users") == 1
        for tenant in (ours, *made):
            await _erase(parts, tenant)
            assert not await _left(elsewhere, parts.database.address.database, tenant)
    assert (await contents(parts, kept)).tables["users"]
    # What the settler may do, the owner may not, whatever was made.
    for group in GROUPS:
        query = f"SELECT pg_has_role('plain_owner', '{group}', 'SET') OR pg_has_role('plain_owner', '{group}', 'USAGE') AS can"
        assert [row["can"] for row in await as_superuser(elsewhere, "postgres", query)] == [False], group


async def _erase(parts: Parts, tenant: str) -> None:
    erasures = parts.identity.erasures
    parts.tenancy.eraser._grace_s = 0  # The other process does not follow the news.
    async with unit_in(parts) as unit:
        started = await erasures.start(unit, await parts.identity.tenants.get(unit, tenant), force=True)
    await parts.tenancy.erasure_runner.drive(started.id)
    async with unit_in(parts) as unit:
        assert (await erasures.get(unit, started.id)).step == "done"
    await parts.directory.refresh()


async def _left(server: TestServer, database: str, tenant: str) -> list[str]:
    """A tenant's own schemas, databases and roles, and its row."""
    name = own_name(tenant)
    statement = f"""
        SELECT nspname AS name FROM pg_namespace WHERE nspname = '{name}'
        UNION ALL SELECT datname FROM pg_database WHERE datname = '{name}'
        UNION ALL SELECT rolname FROM pg_roles WHERE starts_with(rolname, '{name}')
        UNION ALL SELECT name FROM enfilade.tenants WHERE id = '{tenant}'
    """
    return [row["name"] for row in await as_superuser(server, database, statement)]
