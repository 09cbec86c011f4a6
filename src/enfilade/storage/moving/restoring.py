"""Putting an archive's rows into a cell: first beside the tables, where nobody waits for anything; then all at once."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from functools import partial
from typing import Any

import asyncpg

from enfilade.storage.database import is_connection_fault
from enfilade.storage.errors import ArchiveFault
from enfilade.storage.moving.archive import Part
from enfilade.storage.moving.arrivals import put_tenant
from enfilade.storage.moving.bridging import Bridge, bridged
from enfilade.storage.moving.copying import ADMIT_OWNER, BEGIN_SPEND, ENSURE_PARTITION, EVER
from enfilade.storage.moving.places import Place, patiently
from enfilade.storage.moving.switch import LOWEST, PUT_BASE, PUT_HEAD, ROLL_UP_ARRIVALS, VALUES_A_DAY
from enfilade.storage.moving.tables import Table, copied, read_tables
from enfilade.storage.moving.unpacking import Archive
from enfilade.storage.partitions import rows_of_a_month

DROP_PLACES = "DELETE FROM departures WHERE tenant_id = $1"
MOST_MONTHS = 240
"""Rows of further months stay in the default partition."""
NOT_OURS = "SELECT EXISTS (SELECT FROM {} WHERE row ->> 'tenant_id' IS DISTINCT FROM $1)"
MONTHS = """
SELECT date_trunc('month', (row ->> $1)::timestamptz AT TIME ZONE 'UTC')::date FROM {}
WHERE (row ->> $1)::timestamptz BETWEEN '2000-01-01' AND now() + interval '2 months'
GROUP BY 1 HAVING count(*) >= $3 ORDER BY 1 DESC LIMIT $2
"""


class RowsTaken(Exception):
    """Something of the archive exists already, under another tenant."""


async def restore(place: Place, archive: Archive, mirror: dict[str, Any] | None) -> None:
    """Put an archive's rows into a cell, all or nothing; roll-ups are made anew. `mirror` is the tenant's row, where
    the cell is not in the installation's own database.

    Raises ArchiveFault, RowsTaken, DatabaseUnavailable.
    """
    connection, tenant = place.connection, place.tenant
    async with explained():
        await patiently(connection, partial(connection.execute, ADMIT_OWNER))
        tables = copied(await read_tables(connection, place.cell.schema))
        known = tables
        bridge: Bridge | None = None
        if not archive.is_of_now:
            bridge = await bridged(place, archive)
            known = bridge.tables
        _check_tables(known, archive)
        for table in known:
            await _stage(place, table, archive)
        if bridge is not None:
            await bridge.fill(connection)
        await _make_partitions(place, tables, bridge)
        async with connection.transaction():
            await connection.execute(DROP_PLACES, tenant)
            await connection.execute(BEGIN_SPEND, tenant, archive.header.tenant["time_zone"])
            for table in tables:
                await _put(place, table, bridge)
            await connection.execute(PUT_HEAD, tenant, archive.manifest.next_seq)
            await connection.execute(PUT_BASE, tenant, archive.manifest.moves + 1)
            await connection.execute(ROLL_UP_ARRIVALS, tenant, LOWEST, 0, EVER, VALUES_A_DAY)
            if mirror is not None:
                await put_tenant(connection, mirror)
        if bridge is not None:
            await bridge.remove(connection)


def _check_tables(tables: Sequence[Table], archive: Archive) -> None:
    wrong = {table.name for table in tables} ^ archive.manifest.tables.keys()
    if wrong:
        message = f"The archive was altered: it has other tables than it should have: {', '.join(sorted(wrong)[:3])}."
        raise ArchiveFault(message)


def staging(table: Table) -> str:
    """The table of the session that holds the rows of a table."""
    return f'pg_temp."restored_{table.name}"'


async def _stage(place: Place, table: Table, archive: Archive) -> None:
    name = f"restored_{table.name}"
    await place.connection.execute(f'CREATE TEMP TABLE "{name}" (row jsonb)')
    for part in archive.parts_of(table.name):
        rows = await asyncio.to_thread(_escaped, archive, part)
        await place.connection.copy_to_table(name, schema_name="pg_temp", source=_pieces(rows), format="text")
    if await place.connection.fetchval(NOT_OURS.format(staging(table)), place.tenant):
        message = f"The archive was altered: {table.name} holds rows that are not the tenant's."
        raise ArchiveFault(message)


def _escaped(archive: Archive, part: Part) -> bytes:
    return archive.rows(part).replace(b"\\", rb"\\")


async def _pieces(rows: bytes) -> AsyncIterator[bytes]:
    for start in range(0, len(rows), 1 << 18):
        yield rows[start : start + (1 << 18)]


async def _make_partitions(place: Place, tables: Sequence[Table], bridge: Bridge | None) -> None:
    """Before the transaction that puts the rows: a partition needs its table for itself."""
    for table in tables:
        if table.divided_by is None:
            continue
        source = staging(table) if bridge is None else f"(SELECT to_jsonb(b) AS row FROM {bridge.name(table)} b) s"
        least = rows_of_a_month(place.cell.schema)
        rows = await place.connection.fetch(MONTHS.format(source), table.divided_by, MOST_MONTHS, least)
        for month in [found[0] for found in rows]:
            await _make_partition(place, table, month)


async def _make_partition(place: Place, table: Table, month: date) -> None:
    await patiently(place.connection, partial(place.connection.execute, ENSURE_PARTITION, table.name, month))


async def _put(place: Place, table: Table, bridge: Bridge | None) -> None:
    """In one statement: rows of a table may refer to one another."""
    name = place.table(table.name)
    source = (
        f"{staging(table)} s CROSS JOIN LATERAL jsonb_populate_record(NULL::{name}, s.row) AS t"
        if bridge is None
        else f"{bridge.name(table)} AS t WHERE t.tenant_id = {place.whose}"
    )
    await place.connection.execute(f"INSERT INTO {name} ({table.listed()}) SELECT {table.travelling()} FROM {source}")


@asynccontextmanager
async def explained() -> AsyncIterator[None]:
    """Say of what the database refuses whether the archive is at fault."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise RowsTaken(str(error)) from error
    except (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError, asyncpg.BadCopyFileFormatError) as error:
        if is_connection_fault(error):
            raise
        message = f"The archive is damaged or was altered: the database refuses what it holds: {error}"
        raise ArchiveFault(message) from error
