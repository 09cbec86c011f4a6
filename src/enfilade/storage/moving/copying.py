"""Bringing a tenant's rows to the target while it goes on working in the source."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from functools import partial
from typing import Any

from enfilade.core.clock import Clock
from enfilade.storage.moving import registry
from enfilade.storage.moving.capture import start_capture
from enfilade.storage.moving.changes import END_CHANGES, TIMED, apply_changes, earliest_change, read_changes
from enfilade.storage.moving.places import Place, patiently
from enfilade.storage.moving.registry import Move, note_sums
from enfilade.storage.moving.switch import LOWEST, ROLL_UP_ARRIVALS, VALUES_A_DAY, Rolled, place_in_target
from enfilade.storage.moving.tables import Table, Unit, copied, read_tables
from enfilade.storage.moving.transport import Carried, copy_unit
from enfilade.storage.moving.verify import compare
from enfilade.storage.partitions import rows_of_a_month

ADMIT_OWNER = "SELECT admit_owner()"
KEEP_AWAY = """
INSERT INTO departures (tenant_id) VALUES ($1) ON CONFLICT (tenant_id) DO UPDATE SET returned_at = NULL
"""
BEGIN_SPEND = """
INSERT INTO spend_tenants (tenant_id, time_zone) VALUES ($1, $2)
ON CONFLICT (tenant_id) DO UPDATE SET time_zone = excluded.time_zone, rebuild_from = NULL
"""
READ_ZONE = "SELECT time_zone FROM enfilade.tenants WHERE id = $1"
COUNT_EVENTS = "SELECT coalesce(sum(next_seq), 0)::bigint FROM event_heads WHERE tenant_id = $1"
HORIZON = "SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint"
ENSURE_PARTITION = "SELECT ensure_partition($1, $2)"
EVER = datetime(2000, 1, 1, tzinfo=UTC)
REPORT_EVERY_S = 0.2
TABLES_OF_A_CALL = 3
"""Most rows are of calls, in the ledger and in the log: how many there will be is known about."""

Mark = Callable[[str], Awaitable[None]]


class MoveAborted(Exception):
    """Somebody asked to take the move back."""


@dataclass(slots=True)
class Way:
    """A move under way: its two ends, and what is known of it."""

    move: Move
    source: Place
    target: Place
    home: Any
    """The coordinator's connection to the installation's own database, as the owner; it holds the move's lock."""
    clock: Clock
    mark: Mark
    """Called where something has just become lasting: tests break things there."""
    tables: list[Table] = field(default_factory=list)
    carried: Carried = field(default_factory=Carried)
    rolled: Rolled = field(default_factory=Rolled)
    began: float | None = None
    """When the tenant's writes began to wait."""

    @property
    def copied(self) -> list[Table]:
        """The tables whose rows travel as they are."""
        return copied(self.tables)

    async def check_abort(self) -> None:
        """Raise MoveAborted when somebody asked for it."""
        if await self.home.fetchval(registry.READ_ABORT, self.move.id):
            raise MoveAborted

    async def step(self, name: str) -> None:
        """Note the next step. Raises MoveAborted."""
        await self.mark(name)
        await self.check_abort()
        await self.home.execute(registry.NOTE_STEP, self.move.id, name)


async def prepare(way: Way) -> None:
    """Make both ends ready, and have what changes in the source written down."""
    for place in (way.source, way.target):
        await patiently(place.connection, partial(place.connection.execute, ADMIT_OWNER))
    await way.target.connection.execute(KEEP_AWAY, way.target.tenant)
    zone = await way.home.fetchval(READ_ZONE, way.move.tenant)
    await way.target.connection.execute(BEGIN_SPEND, way.target.tenant, zone)
    way.tables = await read_tables(way.source.connection, way.source.cell.schema)
    await way.step("capturing")
    await start_capture(way.source, way.copied)


async def copy(way: Way) -> None:
    """Copy what is not copied yet. All of it is read from one snapshot, and what was copied before is brought up to it."""
    source, done = way.source, list(way.move.units)
    await way.step("copying")
    reported = way.clock.monotonic()
    async with source.connection.transaction(isolation="repeatable_read", readonly=True):
        units = await _units(way)
        expected = TABLES_OF_A_CALL * await source.connection.fetchval(COUNT_EVENTS, source.tenant)
        missing = {unit.table.name for unit in units if unit.name not in done}
        await bring(way, [table for table in way.copied if table.name not in missing])
        for unit in units:
            if unit.name in done:
                continue
            await copy_unit(source, way.target, unit, way.carried)
            await way.mark(f"copied {unit.name}")
            done.append(unit.name)
            if way.clock.monotonic() - reported > REPORT_EVERY_S:
                reported = way.clock.monotonic()
                await _report(way, done, expected)
    await _report(way, done, expected)


async def _report(way: Way, done: Sequence[str], expected: int) -> None:
    carried = way.carried
    expected = max(expected, carried.rows)
    await way.home.execute(registry.NOTE_PROGRESS, way.move.id, done, carried.rows, expected, carried.bytes)
    await way.check_abort()


async def _units(way: Way) -> list[Unit]:
    units = []
    for table in way.copied:
        if table.divided_by is None:
            units.append(Unit(table))
            continue
        for month, rows in await _months(way.source, table):
            if rows >= rows_of_a_month(way.target.cell.schema):
                make = partial(way.target.connection.execute, ENSURE_PARTITION, table.name, month)
                await patiently(way.target.connection, make)
            units.append(Unit(table, month))
    return units


async def _months(source: Place, table: Table) -> list[tuple[date, int]]:
    """The months of which it has rows, and how many."""
    found = await source.connection.fetch(
        f"SELECT date_trunc('month', t.\"{table.divided_by}\" AT TIME ZONE 'UTC')::date AS month, count(*) AS rows "
        f"FROM {source.table(table.name)} t WHERE t.tenant_id = {source.whose} GROUP BY 1 ORDER BY 1"
    )
    return [(row["month"], row["rows"]) for row in found]


async def bring(way: Way, tables: Sequence[Table]) -> list[int]:
    """Bring what the source's transaction sees of the changes; returns the places at which they are written down."""
    changes = await read_changes(way.source, tables)
    if changes.positions:
        async with way.target.connection.transaction():
            await apply_changes(way.source, way.target, changes, way.carried)
            way.rolled.owe(await earliest_change(way.target, changes.tables))
    return changes.positions


async def catch_up(way: Way, *, verifies: bool) -> int:
    """Bring all changes there are now, and see that both cells hold the same; returns how many changes there were.

    Raises RowsDiffer.
    """
    source = way.source
    async with source.connection.transaction(isolation="repeatable_read", readonly=True):
        brought = await bring(way, way.copied)
        if verifies:
            sums = await compare(source, way.target, way.copied)
            await note_sums(way.home, way.move.id, sums)
        if way.rolled.up_to is None:
            await _roll_up(way)
    await source.connection.execute(END_CHANGES, source.tenant, brought)
    return len(brought)


async def _roll_up(way: Way) -> None:
    """Make the target's roll-ups of everything below the oldest transaction that still runs in the source."""
    source, target = way.source, way.target
    horizon = await source.connection.fetchval(HORIZON)
    up_to = place_in_target(horizon)
    async with target.connection.transaction():
        for name in ("spend_hours", "spend_days", "spend_months", "spend_metadata"):
            await target.connection.execute(f"DELETE FROM {target.table(name)} WHERE tenant_id = {target.whose}")
        await target.connection.execute(ROLL_UP_ARRIVALS, target.tenant, LOWEST, up_to, EVER, VALUES_A_DAY)
    way.rolled = Rolled(up_to)
    for name in TIMED:
        start = await source.connection.fetchval(
            f"SELECT min(started_at) FROM {source.table(name)} WHERE tenant_id = {source.whose} AND posted_xact >= $1",
            horizon,
        )
        way.rolled.owe(start)
