"""Many cells: brought up to date side by side, interrupted, and with one that cannot be."""

import asyncio
from collections.abc import AsyncIterator

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.storage import migrations
from enfilade.storage.cells import own_name
from enfilade.storage.fleet import CellState, kind_of
from enfilade.storage.migrations import Migration, load_set
from enfilade.storage.roles import ensure_roles
from tests.support.parts import make_tenant, open_parts
from tests.support.postgres import TEMPLATE, TestServer

FOUR_SCHEMAS = "template_schemas"
NEXT = Migration(9000, "next", "CREATE TABLE added (tenant_id uuid PRIMARY KEY)")


@pytest.fixture
async def parts(server: TestServer) -> AsyncIterator[Parts]:
    """Four tenants in schemas of their own, as they were made for the first test that asked for them."""
    if FOUR_SCHEMAS not in server.furnished:
        await _furnish(server)
        server.furnished.add(FOUR_SCHEMAS)
    async with server.database(FOUR_SCHEMAS) as address, open_parts(address) as running:
        yield running


async def _furnish(server: TestServer) -> None:
    address = server.at(FOUR_SCHEMAS)
    async with server.maintenance() as connection:
        await connection.execute(f'CREATE DATABASE "{FOUR_SCHEMAS}" TEMPLATE "{TEMPLATE}" STRATEGY FILE_COPY')
        await ensure_roles(connection, address)
    async with open_parts(address) as making:
        for number in range(4):
            await make_tenant(making, f"t{number}", isolation="schema")


@pytest.fixture
def newer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next version of the program, with one more migration of cells."""
    own = {name: load_set(name) for name in ("platform", "cell")}
    monkeypatch.setattr(migrations, "load_set", lambda name: own[name] + ([NEXT] if name == "cell" else []))


def names(states: list[CellState]) -> set[str]:
    """The tenants' cells among them."""
    return {state.cell.name for state in states if state.cell.tenant is not None}


async def test_cells_are_brought_up_to_date_and_a_second_time_nothing_is_left(parts: Parts, newer: None) -> None:
    assert len(names([state for state in await parts.fleet.inspect() if state.steps])) == 4
    seen: list[CellState] = []
    assert await parts.fleet.migrate(seen.append) == []
    assert {tuple(step.migration.number for step in state.steps) for state in seen} == {(9000,)}
    assert len(names(seen)) == 4
    assert not names([state for state in await parts.fleet.inspect() if state.steps])
    again: list[CellState] = []
    await parts.fleet.migrate(again.append)
    assert again == []


async def test_a_cell_that_fails_is_named_and_the_others_go_on(parts: Parts, newer: None) -> None:
    spoilt, whole = (next(t for t in parts.principals.tenants() if t.name == name) for name in ("t3", "t1"))
    async with parts.database.owner() as owner:
        await owner.execute(f'CREATE TABLE "{own_name(spoilt.id)}".added (a int)')
    failed = await parts.fleet.migrate()
    assert names(failed) == {f"home/{own_name(spoilt.id)}"}
    assert "already exists" in str(failed[0].fault)
    assert list(parts.cells.unreached) == [f"home/{own_name(spoilt.id)}"]
    async with parts.database.owner() as owner:
        assert await owner.fetchval(f'SELECT count(*) FROM "{own_name(whole.id)}".added') == 0
        await owner.execute(f'DROP TABLE "{own_name(spoilt.id)}".added')
    assert await parts.fleet.migrate() == []
    assert await parts.fleet.recheck(parts.cells.of(spoilt.id)) is None


async def test_who_is_interrupted_goes_on_where_they_were(parts: Parts, newer: None) -> None:
    done: list[CellState] = []

    def stop_after_two(state: CellState) -> None:
        done.append(state)
        if len(done) == 2:
            working.cancel()

    working = asyncio.ensure_future(parts.fleet.migrate(stop_after_two, at_once=1))
    with pytest.raises(asyncio.CancelledError):
        await working
    rest: list[CellState] = []
    assert await parts.fleet.migrate(rest.append) == []
    assert 0 < len(names(rest)) < 4
    assert not any(state.steps for state in await parts.fleet.inspect() if state.cell.tenant)


async def test_several_that_migrate_at_once_do_the_work_once(parts: Parts, newer: None) -> None:
    results = await asyncio.gather(*(parts.fleet.migrate() for _ in range(3)))
    assert results == [[], [], []]
    async with parts.database.owner() as owner:
        counted = await owner.fetchval("SELECT count(*) FROM enfilade.migrations WHERE number = 9000")
    assert counted == 4


async def test_a_cell_without_its_schema_is_named(parts: Parts) -> None:
    lost = parts.principals.tenants()[0]
    async with parts.database.owner() as owner:
        await owner.execute(f'DROP SCHEMA "{own_name(lost.id)}" CASCADE')
        await owner.execute("DELETE FROM enfilade.migrations WHERE schema_name = $1", own_name(lost.id))
    unusable = await parts.fleet.check()
    assert [(state.cell.tenant, kind_of(state.cell)) for state in unusable] == [(lost.id, "schema")]
    with pytest.raises(asyncpg.UndefinedTableError):
        async with parts.database.owner() as owner:
            await owner.execute(f'SELECT FROM "{own_name(lost.id)}".users')
