"""Transactions in the databases that a unit of work comes to, and the way into a cell."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field

import asyncpg
import structlog

from enfilade.core.errors import Conflict
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.database import Database, translated_faults
from enfilade.storage.errors import CellUnavailable, DatabaseUnavailable, UnstorableText
from enfilade.storage.migrations import PLATFORM_SCHEMA, SHARED_SCHEMA

UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
MISSING = (
    asyncpg.UndefinedTableError,
    asyncpg.UndefinedFunctionError,
    asyncpg.InvalidSchemaNameError,
    asyncpg.InvalidCatalogNameError,
)
"""What the database says of a cell that is not there."""
LOOKS_FOR_TENANT = 40
LOOK_AGAIN_S = 0.05
"""A tenant that is being moved is nowhere for a moment."""

# The place comes first: what `enter` looks into is found by it.
ENTER = f"""
SELECT set_config('enfilade.tenant', $1, true), set_config('search_path', $2, true),
    {PLATFORM_SCHEMA}.enter($1::uuid, $3, $4) AS is_here
"""

log = structlog.get_logger("enfilade.storage.transactions")


@dataclass(slots=True)
class Transactions:
    """The transactions of one unit of work, one in each database that it comes to. The first is committed last."""

    role: str
    readonly: bool
    stack: AsyncExitStack
    opened: dict[Database, asyncpg.Connection] = field(default_factory=dict)

    async def at(self, database: Database) -> asyncpg.Connection:
        """The transaction in a database; it is begun if there is none."""
        return self.opened.get(database) or await self.open(database)

    async def open(self, database: Database) -> asyncpg.Connection:
        """A transaction in a further database."""
        transaction = database.transaction(self.role, readonly=self.readonly)
        connection = self.opened[database] = await self.stack.enter_async_context(transaction)
        return connection

    async def is_let_in(self, connection: asyncpg.Connection, tenant: str, cell: Cell, *, alone: bool) -> bool:
        """Set the tenant and go to the cell; whether the tenant lives there."""
        writes = not self.readonly
        if cell.schema != SHARED_SCHEMA:
            cell.database.goes_to(connection, cell.schema)
        row = await connection.fetchrow(ENTER, tenant, search_path(cell), writes, writes and alone)
        return row is not None and bool(row["is_here"])

    @asynccontextmanager
    async def aside(self, tenant: str, cell: Cell, home_cell: Cell) -> AsyncIterator[asyncpg.Connection]:
        """In a cell for a while: what goes wrong there is told as its fault, and spoils nothing of the rest.

        A database that is only read is let go of at the end. Raises DatabaseUnavailable.
        """
        with translated_absence(cell, home_cell):
            async with translated_conflicts(), translated_faults():
                if self.readonly and cell.database not in self.opened:
                    async with cell.database.transaction(self.role, readonly=True) as connection:
                        await self.is_let_in(connection, tenant, cell, alone=False)
                        yield connection
                else:
                    connection = await self.at(cell.database)
                    async with connection.transaction():
                        await self.is_let_in(connection, tenant, cell, alone=False)
                        yield connection


class TenantFinder:
    """Finds where a tenant lives, also while it is being moved."""

    def __init__(self, cells: CellDirectory) -> None:
        """Look among these cells."""
        self.cells = cells

    async def enter(
        self, tenant: str, cell: Cell, transactions: Transactions, *, alone: bool
    ) -> tuple[Cell, asyncpg.Connection]:
        """Enter the cell, or the one that the tenant has gone to meanwhile. Raises CellUnavailable."""
        for _ in range(LOOKS_FOR_TENANT):
            if reason := self.cells.unreached.get(cell.name):
                raise CellUnavailable(reason, retry_after=2)
            with translated_absence(cell, self.cells.shared):
                connection = await transactions.at(cell.database)
                if await transactions.is_let_in(connection, tenant, cell, alone=alone):
                    return cell, connection
            await asyncio.sleep(LOOK_AGAIN_S)
            cell = await self.cells.find_again(tenant)
        message = "The tenant is being moved to another cell at the moment."
        raise CellUnavailable(message, retry_after=2)


@contextmanager
def translated_absence(cell: Cell, home_cell: Cell) -> Iterator[None]:
    """Tell of a cell that is not there, or not whole, as its own fault. Without the installation's nothing goes on."""
    try:
        yield
    except MISSING as error:
        if cell is home_cell:
            raise
        # Somebody else's hand removed it, or a move did and this process has not heard of it yet.
        log.error("cell_missing", cell=cell.name, error=str(error))  # noqa: TRY400
        message = "The database in which this tenant's data lives is not there, or not as it should be."
        raise CellUnavailable(message, retry_after=2) from error


@asynccontextmanager
async def translated_conflicts() -> AsyncIterator[None]:
    """Turn what the database refuses for reasons that a caller can mend into our own errors."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        message = "Something of that name, or with that secret, exists already."
        raise Conflict(message) from error
    except asyncpg.ForeignKeyViolationError as error:
        message = "What this refers to was removed meanwhile."
        raise Conflict(message) from error
    except (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.LockNotAvailableError) as error:
        message = "Somebody else changed the same things at the same time; nothing was changed by this."
        raise Conflict(message, retry_after=1) from error
    except asyncpg.DataError as error:
        if not isinstance(error, UNSTORABLE) and not isinstance(error.__cause__, UnicodeEncodeError):
            raise
        message = "A text in the request holds a character that cannot be stored."
        raise UnstorableText(message) from error
    except asyncpg.QueryCanceledError as error:
        message = "The database took too long to answer; ask for a shorter period or fewer groups."
        raise DatabaseUnavailable(message, retry_after=5) from error


def search_path(cell: Cell) -> str:
    """Where a cell's statements look for their tables."""
    return f'"{cell.schema}", "{PLATFORM_SCHEMA}"'
