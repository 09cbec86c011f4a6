"""Connections as the owner to the two cells of a move, each in the tenant's name."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import asyncpg

from enfilade.storage.cells import Cell
from enfilade.storage.migrations import PLATFORM_SCHEMA

GO_IN = """
SELECT set_config('enfilade.tenant', $1, false), set_config('search_path', $2, false),
    set_config('idle_in_transaction_session_timeout', '0', false), set_config('statement_timeout', '0', false)
"""
# A cell of a tenant's own has no events at first, and its sums need room.
ROOM = "SELECT set_config('work_mem', '64MB', false)"
LOCK_TIMEOUT = "SELECT set_config('lock_timeout', $1, true)"
IN_THE_WAY = (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError)
LONGEST_WAIT_MS = 1600


@dataclass(frozen=True, slots=True)
class Place:
    """A connection to a cell: the owner, acting for one tenant."""

    cell: Cell
    connection: asyncpg.Connection
    tenant: str

    def table(self, name: str) -> str:
        """A table's name, with its schema."""
        return f'"{self.cell.schema}"."{name}"'

    @property
    def whose(self) -> str:
        """The tenant's id, as a literal."""
        return f"'{UUID(self.tenant)}'"


@asynccontextmanager
async def place_in(cell: Cell, tenant: str) -> AsyncIterator[Place]:
    """The owner's way into a cell, bound to one tenant's rows. Raises DatabaseUnavailable."""
    async with cell.database.owner() as connection:
        await connection.execute("SET default_transaction_isolation = 'read committed'")
        await connection.fetchrow(GO_IN, tenant, f'"{cell.schema}", "{PLATFORM_SCHEMA}", pg_temp')
        await connection.fetchrow(ROOM)
        yield Place(cell, connection, tenant)


async def patiently(connection: Any, change: Callable[[], Awaitable[None]]) -> None:
    """Make a change that needs a table for itself. Nobody behind it waits for long: it gives up, and tries again."""
    wait_ms = 50
    while True:
        try:
            async with connection.transaction():
                await connection.fetchrow(LOCK_TIMEOUT, f"{wait_ms}ms")
                await change()
        except IN_THE_WAY:
            # Longer each time, up to where the server calls off an automatic vacuum that is in the way.
            await asyncio.sleep(wait_ms / 1000)
            wait_ms = min(wait_ms * 2, LONGEST_WAIT_MS)
        else:
            return
