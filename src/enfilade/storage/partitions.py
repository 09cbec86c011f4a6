"""Monthly partitions of the big tables, made ahead of time.

A cell that many tenants share, and a database of a tenant's own, has them from its first day. A schema of a tenant's own
has them once it has grown: most tenants are small, and each partition that the server makes costs it a look at all
constraints of the database, which among a thousand schemas are a million (`CloneFkReferenced`, which no index helps).
"""

from collections.abc import Sequence
from datetime import date
from typing import Any

import asyncpg
import structlog

from enfilade.core.clock import Clock, to_datetime
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.database import Database, is_connection_fault
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.migrations import SHARED_SCHEMA

PARTITIONED = ("calls", "ledger", "events")
MONTHS_AHEAD = 2
CHECK_EVERY_S = 3600
GROWN_BYTES = 16 << 20
"""A schema's table whose default partition holds so much is divided from the next month on."""
GROWN_ROWS = 25_000
"""About as many rows: a month that arrives in a schema with so many has a partition of its own."""

LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('enfilade partitions ' || $1, 0))"
# The month that a schema is in stays where it is: to take its rows out would hold up the tenant's calls.
MISSING = """
SELECT s.schema, p.parent, m.month FROM unnest($1::text[]) AS s (schema) CROSS JOIN unnest($2::text[]) AS p (parent)
CROSS JOIN unnest($3::date[]) AS m (month)
WHERE to_regclass(format('%I.%I', s.schema, p.parent || to_char(m.month, '_YYYYMM'))) IS NULL
    AND (s.schema = $4 OR m.month > ($3::date[])[1] AND (
        pg_relation_size(to_regclass(format('%I.%I', s.schema, p.parent || '_default'))) >= $5
        OR (SELECT count(*) FROM pg_inherits WHERE inhparent = to_regclass(format('%I.%I', s.schema, p.parent))) > 1))
ORDER BY s.schema, p.parent, m.month
"""
ENSURE_PARTITION = "SELECT {schema}.ensure_partition($1, $2)"

log = structlog.get_logger("enfilade.storage.partitions")


def months_from(start: date, ahead: int) -> list[date]:
    """The first days of `start`'s month and of the `ahead` months that follow."""
    months = []
    for offset in range(ahead + 1):
        index = start.year * 12 + start.month - 1 + offset
        months.append(date(index // 12, index % 12 + 1, 1))
    return months


def rows_of_a_month(schema: str) -> int:
    """How many rows of one month make it worth a partition, in a cell to which rows of the past are brought."""
    return 1 if schema == SHARED_SCHEMA else GROWN_ROWS


async def ensure_partitions(connection: Any, schema: str, today: date) -> int:
    """Make what a cell lacks for this month and the next ones; return how many were made."""
    rows = await _missing(connection, [schema], today)
    return sum([await _make(connection, row) for row in rows])


async def _missing(connection: Any, schemas: Sequence[str], today: date) -> list[Any]:
    months = months_from(today, MONTHS_AHEAD)
    rows: list[Any] = await connection.fetch(MISSING, schemas, PARTITIONED, months, SHARED_SCHEMA, GROWN_BYTES)
    return rows


async def _make(connection: Any, row: Any) -> bool:
    # Each by itself, since it holds its table; several processes look at the same time, e.g. when they start.
    async with connection.transaction():
        await connection.fetchval(LOCK, row["schema"])
        ensure = ENSURE_PARTITION.format(schema=f'"{row["schema"]}"')
        return bool(await connection.fetchval(ensure, row["parent"], row["month"]))


class Partitions:
    """Makes partitions before they are needed; rows that come earlier wait in the default partition."""

    def __init__(self, cells: CellDirectory, clock: Clock) -> None:
        """Look after these cells."""
        self._cells = cells
        self._clock = clock

    async def ensure(self) -> int:
        """Make what is missing in any cell; return how many were made. Raises DatabaseUnavailable for `home` alone."""
        made = 0
        today = to_datetime(self._clock.now_ns()).date()
        by_database: dict[Database, list[Cell]] = {}
        for cell in self._cells.all():
            if cell.name not in self._cells.unreached:
                by_database.setdefault(cell.database, []).append(cell)
        for database, cells in by_database.items():
            try:
                made += await self._ensure_in(database, cells, today)
            except DatabaseUnavailable as error:
                if database is self._cells.home.database:
                    raise
                log.warning("partitions_not_checked", error=error.message, cell=cells[0].name)
        return made

    async def _ensure_in(self, database: Database, cells: Sequence[Cell], today: date) -> int:
        made = 0
        async with database.owner() as connection:
            for row in await _missing(connection, [cell.schema for cell in cells], today):
                try:
                    made += await _make(connection, row)
                except asyncpg.PostgresError as error:
                    if is_connection_fault(error) or row["schema"] == SHARED_SCHEMA:
                        raise
                    log.warning("partition_not_made", schema=row["schema"], error=str(error))
        return made

    async def run(self) -> None:
        """Look again every few hours, until cancelled."""
        while True:
            await self._clock.sleep(CHECK_EVERY_S)
            try:
                await self.ensure()
            except DatabaseUnavailable as error:
                log.warning("partitions_not_checked", error=error.message)
