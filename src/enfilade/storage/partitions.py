"""Monthly partitions of the big tables, made ahead of time."""

from datetime import date
from typing import Any

import structlog

from enfilade.core.clock import Clock, to_datetime
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.database import Database
from enfilade.storage.errors import DatabaseUnavailable

PARTITIONED = ("calls", "ledger", "events")
MONTHS_AHEAD = 2
CHECK_EVERY_S = 6 * 3600

PARTITION_LOCK = 0x706172746974696F  # "partitio"

LOCK = "SELECT pg_advisory_lock($1)"
UNLOCK = "SELECT pg_advisory_unlock($1)"
ENSURE_PARTITION = "SELECT ensure_partition($1, $2)"

log = structlog.get_logger("enfilade.storage.partitions")


def months_from(start: date, ahead: int) -> list[date]:
    """The first days of `start`'s month and of the `ahead` months that follow."""
    months = []
    for offset in range(ahead + 1):
        index = start.year * 12 + start.month - 1 + offset
        months.append(date(index // 12, index % 12 + 1, 1))
    return months


async def ensure_partitions(connection: Any, schema: str, today: date) -> int:
    """Make what a cell lacks for this month and the next ones; return how many were made."""
    made = 0
    await connection.execute(f'SET search_path = "{schema}"')
    # Several processes look at the same time, e.g. when they start.
    await connection.execute(LOCK, PARTITION_LOCK)
    try:
        for parent in PARTITIONED:
            for month in months_from(today, MONTHS_AHEAD):
                made += bool(await connection.fetchval(ENSURE_PARTITION, parent, month))
    finally:
        if not connection.is_closed():
            await connection.execute(UNLOCK, PARTITION_LOCK)
    return made


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
                async with database.owner() as connection:
                    for cell in cells:
                        made += await ensure_partitions(connection, cell.schema, today)
            except DatabaseUnavailable as error:
                if database is self._cells.home.database:
                    raise
                log.warning("partitions_not_checked", error=error.message, cell=cells[0].name)
        return made

    async def run(self) -> None:
        """Look again every few hours, until cancelled."""
        while True:
            await self._clock.sleep(CHECK_EVERY_S)
            try:
                await self.ensure()
            except DatabaseUnavailable as error:
                log.warning("partitions_not_checked", error=error.message)
