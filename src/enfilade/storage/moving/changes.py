"""Bringing what changed in the source to the target."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import asyncpg

from enfilade.storage.moving.places import Place
from enfilade.storage.moving.tables import Table
from enfilade.storage.moving.transport import Carried, pour, stage
from enfilade.storage.moving.verify import sum_up

READ_CHANGES = "SELECT position, table_name FROM move_changes WHERE tenant_id = $1"
END_CHANGES = "DELETE FROM move_changes WHERE tenant_id = $1 AND position = ANY ($2)"
TIMED = ("ledger", "calls")
# Rows are found by their keys, one by one, however many there seem to be.
BY_KEY = """
SELECT set_config('enable_hashjoin', $1, true), set_config('enable_mergejoin', $1, true),
    set_config('enable_seqscan', $1, true), set_config('jit', 'off', true)
"""


@dataclass(slots=True)
class Changes:
    """What a round has brought."""

    positions: list[int] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    rows: int = 0


async def read_changes(source: Place, tables: Sequence[Table]) -> Changes:
    """What was written down of these tables, as far as the source's transaction sees it."""
    changes = Changes()
    touched: set[str] = set()
    known = {table.name for table in tables}
    for row in await source.connection.fetch(READ_CHANGES, source.tenant):
        if row["table_name"] in known:
            touched.add(row["table_name"])
            changes.positions.append(row["position"])
    changes.tables = [table for table in tables if table.name in touched]
    return changes


async def apply_changes(source: Place, target: Place, changes: Changes, carried: Carried) -> None:
    """Make the rows that changed the same in the target. Both are in a transaction; a repetition does no harm."""
    for table in changes.tables:
        await _stage_changes(source, target, table, carried)
    gone = [table for table in changes.tables if await _find_gone(target, table)]
    await target.connection.fetchval(BY_KEY, "off")
    await _apply(target, changes, gone)
    await target.connection.fetchval(BY_KEY, "on")


async def _apply(target: Place, changes: Changes, gone: Sequence[Table]) -> None:
    try:
        async with target.connection.transaction():
            await _remove(target, gone)
            changes.rows = await _put(target, changes.tables)
    except asyncpg.IntegrityConstraintViolationError:
        # A name went from one row to another, or what refers to a row that is gone refers to another one by now.
        async with target.connection.transaction():
            await _update(target, changes.tables)
            changes.rows = await _put(target, changes.tables)
            await _remove(target, gone)


def _changed(source: Place, table: Table) -> str:
    return (
        f"FROM (SELECT DISTINCT key FROM move_changes WHERE tenant_id = {source.whose} AND table_name = '{table.name}') m "
        f"CROSS JOIN LATERAL jsonb_to_record(m.key) AS k ({table.key_of_json()})"
    )


async def _stage_changes(source: Place, target: Place, table: Table, carried: Carried) -> None:
    rows = f"SELECT {table.travelling()} {_changed(source, table)} {_found(source, table)}"
    await stage(source, target, table, rows, carried)
    await target.connection.execute(
        f"CREATE TEMP TABLE keys_of_{table.name} ON COMMIT DROP AS SELECT {table.keyed()} "
        f"FROM {target.table(table.name)} t WITH NO DATA"
    )
    keys = f"SELECT {table.keyed('k')} {_changed(source, table)}"
    await pour(source, target, keys, f"keys_of_{table.name}", table.key, Carried())


def _found(place: Place, table: Table) -> str:
    """The row of each key `k`, found one by one: no plan that reads the whole table can come of it."""
    same = " AND ".join(f'k."{name}" = r."{name}"' for name in table.key)
    return (
        f"CROSS JOIN LATERAL (SELECT r.* FROM {place.table(table.name)} r "
        f"WHERE {same} AND r.tenant_id = {place.whose} OFFSET 0) AS t"
    )


async def _find_gone(target: Place, table: Table) -> bool:
    """Which of the keys have no row any more; returns whether there are any."""
    kept = " AND ".join(f's."{name}" = k."{name}"' for name in table.key)
    done = await target.connection.execute(
        f"CREATE TEMP TABLE gone_of_{table.name} ON COMMIT DROP AS SELECT k.* FROM pg_temp.keys_of_{table.name} k "
        f"WHERE NOT EXISTS (SELECT FROM pg_temp.staged_{table.name} s WHERE {kept})"
    )
    return int(done.split()[-1]) > 0


async def _remove(target: Place, tables: Sequence[Table]) -> None:
    """Remove what is gone, what refers to others first."""
    for table in reversed(tables):
        same = " AND ".join(f't."{name}" = k."{name}"' for name in table.key)
        await target.connection.execute(
            f"DELETE FROM {target.table(table.name)} t USING pg_temp.gone_of_{table.name} k "
            f"WHERE t.tenant_id = {target.whose} AND {same}"
        )


async def _put(target: Place, tables: Sequence[Table]) -> int:
    rows = 0
    for table in tables:
        values = ", ".join(f'"{name}" = excluded."{name}"' for name in table.columns if name not in table.key)
        done = await target.connection.execute(
            f"INSERT INTO {target.table(table.name)} ({table.listed()}) "
            f"SELECT {table.listed()} FROM pg_temp.staged_{table.name} "
            f"ON CONFLICT ({', '.join(table.key)}) DO {f'UPDATE SET {values}' if values else 'NOTHING'}"
        )
        rows += int(done.split()[-1])
    return rows


async def _update(target: Place, tables: Sequence[Table]) -> None:
    """Change the rows that are there already, and let go of what new ones may want."""
    for table in tables:
        values = ", ".join(f'"{name}" = s."{name}"' for name in table.columns if name not in table.key)
        same = " AND ".join(f't."{name}" = s."{name}"' for name in table.key)
        if values:
            await target.connection.execute(
                f"UPDATE {target.table(table.name)} t SET {values} FROM pg_temp.staged_{table.name} s "
                f"WHERE t.tenant_id = {target.whose} AND {same}"
            )


async def compare_changed(source: Place, target: Place, tables: Sequence[Table]) -> list[str]:
    """The tables whose changed rows are not the same in both cells, before the staged keys are gone."""
    different = []
    for table in tables:
        there = await sum_up(source, table, shifts=True, origin=f"{_changed(source, table)} {_found(source, table)}")
        here = await sum_up(
            target,
            table,
            shifts=False,
            origin=f"FROM pg_temp.keys_of_{table.name} k {_found(target, table)}",
        )
        if there != here:
            different.append(table.name)
    return different


async def earliest_change(target: Place, tables: Sequence[Table]) -> datetime | None:
    """When the earliest call began whose entries were brought just now."""
    starts: list[Any] = [
        await target.connection.fetchval(f"SELECT min(started_at) FROM pg_temp.keys_of_{table.name}")
        for table in tables
        if table.name in TIMED
    ]
    return min((start for start in starts if start is not None), default=None)
