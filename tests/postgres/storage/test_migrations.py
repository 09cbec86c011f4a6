"""The schema: made step by step or at once, by one process at a time, and refused when it is not the right one."""

import asyncio
from dataclasses import replace

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.core.clock import SystemClock
from enfilade.storage import migrations
from enfilade.storage.address import Address
from enfilade.storage.diagnosis import diagnose
from enfilade.storage.errors import MigrationFault
from enfilade.storage.migrations import PLATFORM_SCHEMA, SETS, SHARED_SCHEMA, Migration, load_set, migrate
from tests.support.postgres import TEMPLATE, TestServer

SCHEMAS = [PLATFORM_SCHEMA, SHARED_SCHEMA]

# The catalogue, as text that names everything by its name and nothing by its oid.
CATALOGUE = {
    "columns": """
        SELECT c.relname, a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            pg_get_expr(d.adbin, d.adrelid), col_description(c.oid, a.attnum), a.attacl::text
        FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
        LEFT JOIN pg_attrdef d ON d.adrelid = c.oid AND d.adnum = a.attnum
        WHERE c.relnamespace = ANY ($1::regnamespace[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum""",
    "relations": """
        SELECT n.nspname, c.relname, c.relkind::text, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text,
            c.reloptions::text, pg_get_userbyid(c.relowner), obj_description(c.oid, 'pg_class'),
            pg_get_expr(c.relpartbound, c.oid), pg_get_partkeydef(c.oid)
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE c.relnamespace = ANY ($1::regnamespace[]) ORDER BY 1, 2""",
    "constraints": """
        SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint
        WHERE connamespace = ANY ($1::regnamespace[]) ORDER BY 1, 2""",
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes WHERE schemaname = ANY ($1::text[]) ORDER BY 1, 2",
    "policies": """
        SELECT schemaname, tablename, policyname, permissive, roles::text, cmd, qual, with_check FROM pg_policies
        WHERE schemaname = ANY ($1::text[]) ORDER BY 1, 2, 3""",
    "functions": """
        SELECT p.proname, pg_get_functiondef(p.oid), pg_get_userbyid(p.proowner), p.proacl::text,
            obj_description(p.oid, 'pg_proc')
        FROM pg_proc p WHERE p.pronamespace = ANY ($1::regnamespace[]) ORDER BY 1, 2""",
    "triggers": """
        SELECT tgrelid::regclass::text, tgname, pg_get_triggerdef(oid) FROM pg_trigger
        WHERE NOT tgisinternal ORDER BY 1, 2""",
    "schemas": """
        SELECT nspname, nspacl::text, pg_get_userbyid(nspowner) FROM pg_namespace
        WHERE nspname = ANY ($1::text[]) ORDER BY 1""",
    "register": """
        SELECT schema_name, number, name, checksum FROM enfilade.migrations WHERE cardinality($1::text[]) > 0
        ORDER BY 1, 2""",
}


@pytest.fixture
def extra(monkeypatch: pytest.MonkeyPatch) -> dict[str, list[Migration]]:
    """Files that this program carries beyond its own, by set; a test adds to them."""
    added: dict[str, list[Migration]] = {"platform": [], "cell": []}
    own = {name: load_set(name) for name in added}
    monkeypatch.setattr(migrations, "load_set", lambda name: own[name] + added[name])
    return added


async def test_step_by_step_makes_the_same_schema_as_at_once(
    server: TestServer, empty_database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = {name: load_set(name) for name in SETS.values()}
    longest = max(len(carried) for carried in own.values())
    assert longest > 1
    done = []
    for length in range(1, longest + 1):
        monkeypatch.setattr(migrations, "load_set", lambda name, n=length: own[name][:n])
        async with _owner(empty_database) as connection:
            done += await migrate(connection, empty_database)
    assert [(step.schema, step.migration.number) for step in done] == [
        (schema, number)
        for number in range(1, longest + 1)
        for schema, name in SETS.items()
        if number <= len(own[name])
    ]

    async with server.database(template=None) as other:
        async with _owner(other) as connection:
            await migrate(connection, other)
            at_once = await _catalogue(connection)
        async with _owner(empty_database) as connection:
            step_by_step = await _catalogue(connection)
    assert len(at_once["columns"]) > 100
    for part in CATALOGUE:
        assert step_by_step[part] == at_once[part], part


@pytest.mark.parametrize("starters", [2, 5])
async def test_starters_at_once_migrate_exactly_once(empty_database: Address, starters: int) -> None:
    async def start() -> int:
        async with _owner(empty_database) as connection:
            return len(await migrate(connection, empty_database))

    done = await asyncio.gather(*(start() for _ in range(starters)))
    files = sum(len(load_set(name)) for name in SETS.values())
    assert sorted(done) == [0] * (starters - 1) + [files]
    async with _owner(empty_database) as connection:
        assert await connection.fetchval("SELECT count(*) FROM enfilade.migrations") == files


async def test_whole_starters_at_once_all_come_up(empty_database: Address) -> None:
    starting = [Parts(Ingredients(empty_database, SystemClock())) for _ in range(3)]
    await asyncio.gather(*(bring_up(parts, migrates=True) for parts in starting))
    try:
        assert {parts.directory.revision for parts in starting} == {0}
    finally:
        for parts in starting:
            await shut(parts)


async def test_a_starter_that_dies_while_it_migrates_leaves_the_work_to_the_next(
    empty_database: Address, server: TestServer, extra: dict[str, list[Migration]]
) -> None:
    extra["cell"].append(Migration(9000, "slow", "SELECT pg_advisory_xact_lock(77)"))
    async with _owner(empty_database) as gate:
        await gate.execute("SELECT pg_advisory_lock(77)")
        async with _owner(empty_database) as first, _owner(empty_database) as second, server.maintenance() as watcher:
            doomed = asyncio.create_task(migrate(first, empty_database))
            await _waits_for_lock(watcher, first.get_server_pid())
            waiting = asyncio.create_task(migrate(second, empty_database))
            await _waits_for_lock(watcher, second.get_server_pid())
            await watcher.execute("SELECT pg_terminate_backend($1)", first.get_server_pid())
            with pytest.raises(MigrationFault, match="9000_slow failed"):
                await doomed
            await gate.execute("SELECT pg_advisory_unlock(77)")
            assert [step.migration.name for step in await waiting] == ["slow"]


async def test_a_file_that_fails_leaves_nothing_of_itself_and_all_of_those_before(
    empty_database: Address, extra: dict[str, list[Migration]]
) -> None:
    extra["cell"] += [
        Migration(9000, "good", "CREATE TABLE good (id integer)"),
        Migration(9001, "bad", "CREATE TABLE half (id integer); SELECT 1 / 0; CREATE TABLE other (id integer)"),
        Migration(9002, "never", "CREATE TABLE never (id integer)"),
    ]
    async with _owner(empty_database) as connection:
        with pytest.raises(MigrationFault, match=r"enfilade_shared/9001_bad failed: division by zero") as caught:
            await migrate(connection, empty_database)
        assert "enfilade migrate" in caught.value.remedy
        tables = {
            row["relname"]
            for row in await connection.fetch(
                "SELECT relname FROM pg_class WHERE relnamespace = 'enfilade_shared'::regnamespace"
            )
        }
        assert tables & {"good", "half", "other", "never"} == {"good"}
        numbers = await connection.fetch("SELECT number FROM enfilade.migrations WHERE number >= 9000")
        assert [row["number"] for row in numbers] == [9000]


async def test_no_process_serves_a_schema_whose_migration_failed(
    empty_database: Address, extra: dict[str, list[Migration]]
) -> None:
    extra["cell"].append(Migration(9001, "bad", "CREATE TABLE half (id integer); SELECT 1 / 0"))
    for migrates, words in ((True, "9001_bad failed"), (False, "lacks .*9001_bad.* Run `enfilade migrate`")):
        parts = Parts(Ingredients(empty_database, SystemClock()))
        with pytest.raises(MigrationFault, match=words):
            await bring_up(parts, migrates=migrates)
        await shut(parts)

    # The mended file is taken up where the broken one stopped.
    extra["cell"][0] = Migration(9001, "bad", "CREATE TABLE half (id integer)")
    parts = Parts(Ingredients(empty_database, SystemClock()))
    await bring_up(parts, migrates=True)
    await shut(parts)


@pytest.mark.parametrize("migrates", [True, False])
async def test_no_process_serves_an_empty_database_unless_it_migrates(empty_database: Address, migrates: bool) -> None:
    parts = Parts(Ingredients(empty_database, SystemClock()))
    if migrates:
        await bring_up(parts, migrates=True)
    else:
        with pytest.raises(MigrationFault, match="lacks these migrations: enfilade/0001_platform"):
            await bring_up(parts, migrates=False)
    await shut(parts)


@pytest.mark.parametrize("migrates", [True, False])
@pytest.mark.parametrize("schema", SCHEMAS)
async def test_a_schema_that_is_newer_than_the_program_is_refused(
    database: Address, schema: str, migrates: bool
) -> None:
    async with _owner(database) as connection:
        await connection.execute(migrations.REGISTER, schema, 9000, "from_the_future", "0" * 64)
    parts = Parts(Ingredients(database, SystemClock()))
    with pytest.raises(MigrationFault, match=rf"{schema}/9000_from_the_future.*made by a newer version") as caught:
        await bring_up(parts, migrates=migrates)
    assert "program version" in caught.value.remedy
    await shut(parts)
    diagnosis = await diagnose(parts.database)
    assert ("fault", "schema") in [finding[:2] for finding in diagnosis.findings]


@pytest.mark.parametrize("migrates", [True, False])
async def test_a_file_that_was_altered_after_it_was_applied_is_noticed(
    database: Address, monkeypatch: pytest.MonkeyPatch, migrates: bool
) -> None:
    own = {name: load_set(name) for name in SETS.values()}
    own["cell"][0] = replace(own["cell"][0], sql=own["cell"][0].sql + "\n-- one more line")
    monkeypatch.setattr(migrations, "load_set", own.__getitem__)
    parts = Parts(Ingredients(database, SystemClock()))
    with pytest.raises(MigrationFault, match=r"enfilade_shared/0001_cell was altered"):
        await bring_up(parts, migrates=migrates)
    await shut(parts)


async def test_the_lock_is_free_after_success_and_after_failure(
    empty_database: Address, extra: dict[str, list[Migration]]
) -> None:
    extra["cell"].append(Migration(9001, "bad", "SELECT 1 / 0"))
    async with _owner(empty_database) as connection:
        with pytest.raises(MigrationFault):
            await migrate(connection, empty_database)
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )
        extra["cell"].clear()
        assert await migrate(connection, empty_database) == []
        assert not await connection.fetchval(
            "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
        )


def test_the_files_of_each_set_are_numbered_without_gaps() -> None:
    for name in SETS.values():
        assert [migration.number for migration in load_set(name)] == list(range(1, len(load_set(name)) + 1))


async def test_the_template_of_the_tests_is_a_current_schema(server: TestServer) -> None:
    async with _owner(server.at(TEMPLATE)) as connection:
        await migrations.require_current(connection)


class _Owner:
    """A connection as the owner that is closed at the end of the block."""

    def __init__(self, address: Address) -> None:
        self._address = address

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection = await asyncpg.connect(self._address.url)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()


_owner = _Owner


async def _catalogue(connection: asyncpg.Connection) -> dict[str, list[tuple[object, ...]]]:
    return {
        part: [tuple(row) for row in await connection.fetch(statement, SCHEMAS)]
        if "$1" in statement
        else [tuple(row) for row in await connection.fetch(statement)]
        for part, statement in CATALOGUE.items()
    }


async def _waits_for_lock(watcher: asyncpg.Connection, pid: int) -> None:
    waiting = "SELECT count(*) FROM pg_locks WHERE pid = $1 AND NOT granted"
    async with asyncio.timeout(20):
        while not await watcher.fetchval(waiting, pid):
            await asyncio.sleep(0.01)
