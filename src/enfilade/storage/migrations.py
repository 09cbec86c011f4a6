"""Numbered SQL files, applied once each, in order, by one process at a time.

Two sets: `platform` makes the installation's own schema, `cell` makes a place where tenants live. A file runs in one
transaction with the row that says so, hence one that fails leaves nothing behind. A cell of a tenant's own takes all
its files in one: a commit for each would be most of the time.
"""

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import asyncpg
import structlog

from enfilade.storage.address import Address
from enfilade.storage.errors import MigrationFault
from enfilade.storage.roles import acting_for_settler, ensure_roles

PLATFORM_SCHEMA = "enfilade"
SHARED_SCHEMA = "enfilade_shared"
MIGRATION_LOCK = 0x656E66696C616465  # "enfilade"
SETS = {PLATFORM_SCHEMA: "platform", SHARED_SCHEMA: "cell"}
OLDEST_SERVER = 150000

MAKE_REGISTER = """
CREATE TABLE IF NOT EXISTS enfilade.migrations (
    schema_name text NOT NULL, number integer NOT NULL, name text NOT NULL, checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (schema_name, number))
"""
READ_REGISTER = """
SELECT schema_name, number, name, checksum FROM enfilade.migrations
WHERE $1::text[] IS NULL OR schema_name = ANY ($1) ORDER BY schema_name, number
"""
REGISTER = "INSERT INTO enfilade.migrations (schema_name, number, name, checksum) VALUES ($1, $2, $3, $4)"
REGISTER_EXISTS = "SELECT to_regclass('enfilade.migrations') IS NOT NULL"
LOCK = "SELECT pg_advisory_lock($1)"
UNLOCK = "SELECT pg_advisory_unlock($1)"
LOCK_CELL = "SELECT pg_advisory_xact_lock(hashtextextended('enfilade cell ' || $1, 0))"

log = structlog.get_logger("enfilade.storage.migrations")


@dataclass(frozen=True, slots=True)
class Migration:
    """One file of one set."""

    number: int
    name: str
    sql: str

    @property
    def checksum(self) -> str:
        """What tells an altered file from the one that was applied."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Step:
    """A migration that a schema still lacks."""

    schema: str
    migration: Migration


def load_set(name: str) -> list[Migration]:
    """The files of one set, in order."""
    return list(_files(name))


@cache
def _files(name: str) -> tuple[Migration, ...]:
    migrations = [
        Migration(int(match[1]), match[2], file.read_text(encoding="utf-8"))
        for file in files("enfilade.storage").joinpath("migrations", name).iterdir()
        if (match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name))
    ]
    return tuple(sorted(migrations, key=lambda migration: migration.number))


async def pending(connection: asyncpg.Connection, schemas: Mapping[str, str] = SETS) -> list[Step]:
    """What this database still lacks in its own two schemas, or in those of `schemas` by the name of their set.

    Raises MigrationFault when it was made by a newer program, or when an applied file is not the one we carry.
    """
    register = await read_register(connection, list(schemas))
    return [
        step for schema, set_name in schemas.items() for step in lacking(register.get(schema, {}), schema, set_name)
    ]


Register = dict[str, dict[int, asyncpg.Record]]
"""What was applied: by schema, by number."""


async def read_register(connection: asyncpg.Connection, schemas: Sequence[str] | None = None) -> Register:
    """What was applied to this database, or to these of its schemas."""
    register: Register = {}
    if await connection.fetchval(REGISTER_EXISTS):
        for row in await connection.fetch(READ_REGISTER, schemas):
            register.setdefault(row["schema_name"], {})[row["number"]] = row
    return register


def lacking(applied: Mapping[int, asyncpg.Record], schema: str, set_name: str = "cell") -> list[Step]:
    """What a schema lacks of its set. Raises MigrationFault as `pending` does."""
    carried = {migration.number: migration for migration in load_set(set_name)}
    for number, row in applied.items():
        _compare(schema, row, carried.get(number))
    return [Step(schema, migration) for number, migration in carried.items() if number not in applied]


def _compare(schema: str, row: asyncpg.Record, carried: Migration | None) -> None:
    label = f"{schema}/{row['number']:04d}_{row['name']}"
    if carried is None:
        message = (
            f"The database has migration {label}, which this program does not know: it was made by a newer version."
        )
        raise MigrationFault(message)
    if carried.checksum != row["checksum"]:
        message = f"Migration {label} was altered after it had been applied."
        raise MigrationFault(message)


async def require_current(connection: asyncpg.Connection) -> None:
    """Refuse, with MigrationFault, a schema that is not exactly the one this program was written for."""
    steps = await pending(connection)
    if steps:
        names = ", ".join(f"{step.schema}/{step.migration.number:04d}_{step.migration.name}" for step in steps)
        message = f"The database lacks these migrations: {names}. Run `enfilade migrate`."
        raise MigrationFault(message)


async def migrate_cell(connection: asyncpg.Connection, schema: str, most: int | None = None) -> list[Step]:
    """Bring one cell that is a schema up to date, making it if need be; return what was done.

    With `most`, by so many files only: a schema of an older version, for rows of that version. All or nothing, in the
    caller's transaction if there is one. Raises MigrationFault.
    """
    async with connection.transaction():
        await connection.fetchval(LOCK_CELL, schema)
        steps = (await pending(connection, {schema: "cell"}))[:most]
        if steps:
            await _apply(connection, steps)
        return steps


async def migrate(
    connection: asyncpg.Connection,
    address: Address,
    on_step: Callable[[Step], None] | None = None,
    *,
    together: bool = False,
) -> list[Step]:
    """Bring the database's own two schemas up to date and return what was done: file by file, or all of them `together`.

    Safe when several processes start at once: one works, the others wait and find nothing left to do.
    Raises MigrationFault when a file fails; the database is then as it was before that file.
    """
    server = connection.get_server_version()
    if server.major * 10000 < OLDEST_SERVER:
        message = f"The server is PostgreSQL {server.major}; Enfilade needs 15 or newer."
        raise MigrationFault(message)
    await connection.execute(LOCK, MIGRATION_LOCK)
    try:
        async with connection.transaction():
            await ensure_roles(connection, address)
        await connection.execute(f"CREATE SCHEMA IF NOT EXISTS {PLATFORM_SCHEMA}")
        await connection.execute(MAKE_REGISTER)
        steps = await pending(connection)
        if not steps:
            return []
        for part in [steps] if together else [[step] for step in steps]:
            await _apply(connection, part)
            if on_step is not None:
                on_step(part[-1])
        return steps
    finally:
        # A connection that was lost has given its locks back, and must not hide what lost it.
        if not connection.is_closed():
            await connection.execute(UNLOCK, MIGRATION_LOCK)


async def _apply(connection: asyncpg.Connection, steps: Sequence[Step]) -> None:
    """Apply some files in one transaction."""
    running = steps[0]
    try:
        async with connection.transaction(), acting_for_settler(connection):
            for running in steps:
                await _run(connection, running)
            await connection.executemany(REGISTER, [_registered(step) for step in steps])
    except (asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        message = f"Migration {running.schema}/{running.migration.number:04d}_{running.migration.name} failed: {error}"
        raise MigrationFault(message) from error
    for step in steps:
        log.info("migrated", schema=step.schema, number=step.migration.number, name=step.migration.name)


async def _run(connection: asyncpg.Connection, step: Step) -> None:
    # The one thing a file cannot know is the name of the schema that it is making.
    sql = re.sub(r"(?<!:):schema\b", f'"{step.schema}"', step.migration.sql)
    prepare = f'CREATE SCHEMA IF NOT EXISTS "{step.schema}"; SET LOCAL search_path = "{step.schema}", pg_temp;'
    if step.schema not in SETS:
        # The server has read these functions in the shared schema; among a thousand schemas it is slow at finding names.
        prepare += " SET LOCAL check_function_bodies = off;"
    await connection.execute(f"{prepare}\n{sql}")


def _registered(step: Step) -> tuple[str, int, str, str]:
    return step.schema, step.migration.number, step.migration.name, step.migration.checksum
