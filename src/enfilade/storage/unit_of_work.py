"""The only way to a tenant's rows: one transaction, one tenant at a time, with the facts it makes true."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any, NoReturn

import asyncpg

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.errors import Conflict
from enfilade.core.events import Event
from enfilade.core.scope import Scope
from enfilade.storage.address import APP, OPERATOR
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.errors import DatabaseUnavailable, UnstorableText
from enfilade.storage.migrations import PLATFORM_SCHEMA

UNSTORABLE = (asyncpg.CharacterNotInRepertoireError, asyncpg.UntranslatableCharacterError)
REVISION_CHANNEL = "enfilade_revision"

SET_TENANT = "SELECT set_config('enfilade.tenant', $1, true)"
SET_PLACE = "SELECT set_config('enfilade.tenant', $1, true), set_config('search_path', $2, true)"
# Changes to one tenant are made one after the other: what a change has read is still true when it writes.
LOCK_TENANT = "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))"
APPEND_EVENTS = "SELECT append_events($1, $2, $3, $4)"
BUMP_REVISION = "UPDATE revision_counter SET revision = revision + 1 RETURNING revision"
MARK_TENANT = """
INSERT INTO tenant_revisions (tenant_id, revision) VALUES ($1, $2)
ON CONFLICT (tenant_id) DO UPDATE SET revision = excluded.revision
"""
NOTIFY_REVISION = "SELECT pg_notify($1, $2)"


class TakenBack(Exception):
    """The unit of work was taken back on purpose: nothing of it is written."""


class UnitOfWork:
    """One transaction under one scope. It commits together with the events recorded in it, or not at all."""

    def __init__(self, connection: asyncpg.Connection, scope: Scope, clock: Clock) -> None:
        """Use `Storage.unit_of_work` instead: it sets the transaction's tenant."""
        self._connection = connection
        self.scope = scope
        self.tenant = scope.tenant
        self._clock = clock
        self._events: dict[str, list[Event]] = {}
        self._changed: set[str] = set()
        self.revision: int | None = None

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """All rows."""
        rows: list[asyncpg.Record] = await self._connection.fetch(statement, *values)
        return rows

    async def fetch_row(self, statement: str, *values: object) -> asyncpg.Record | None:
        """The first row, or None."""
        return await self._connection.fetchrow(statement, *values)

    async def fetch_value(self, statement: str, *values: object) -> Any:
        """The first column of the first row, or None."""
        return await self._connection.fetchval(statement, *values)

    async def execute(self, statement: str, *values: object) -> None:
        """Run a statement for its effect."""
        await self._connection.execute(statement, *values)

    async def rows(self, statement: str, *values: object, chunk: int = 500) -> AsyncIterator[asyncpg.Record]:
        """Rows one by one from a cursor, for what does not fit in memory."""
        async for row in self._connection.cursor(statement, *values, prefetch=chunk):
            yield row

    async def act_in(self, tenant: str) -> None:
        """Go on for another tenant in the same transaction: for the platform's operators only."""
        if tenant == self.tenant:
            return
        if not self.scope.is_platform:
            message = "only the platform may act in a tenant that is not its own"
            raise PermissionError(message)
        await self._connection.execute(SET_TENANT, tenant)
        await self._connection.execute(LOCK_TENANT, tenant)
        self.tenant = tenant

    def record(self, event_type: str, **data: Any) -> None:
        """Note a fact about the current tenant; it is written in this transaction."""
        event = Event(event_type, self.tenant, self._clock.now_ns(), self.scope.actor, data)
        self._events.setdefault(self.tenant, []).append(event)

    def changed(self) -> None:
        """Note that the current tenant's configuration changed, so that every process loads it anew."""
        self._changed.add(self.tenant)

    def take_back(self) -> NoReturn:
        """End this unit of work without writing anything, as a rehearsal does. Raises TakenBack."""
        raise TakenBack

    async def finish(self) -> None:
        """Write the events, and announce the revision, as the transaction's last statements."""
        # Both take row locks that other transactions wait for: last, and in one order, so that they are short and
        # cannot deadlock.
        if self._changed:
            self.revision = await self._connection.fetchval(BUMP_REVISION)
        for tenant in sorted(self._changed | self._events.keys()):
            await self._connection.execute(SET_TENANT, tenant)
            if tenant in self._changed:
                await self._connection.execute(MARK_TENANT, tenant, self.revision)
            if events := self._events.get(tenant):
                await self._append(events)
        if self._changed:
            await self._connection.execute(NOTIFY_REVISION, REVISION_CHANNEL, str(self.revision))

    async def _append(self, events: Sequence[Event]) -> None:
        await self._connection.execute(
            APPEND_EVENTS,
            [event.tenant for event in events],
            [event.type for event in events],
            [to_datetime(event.at_ns) for event in events],
            [event.body() for event in events],
        )


class Storage:
    """The face of this room for the others."""

    def __init__(self, cells: CellDirectory, clock: Clock) -> None:
        """Work on these cells."""
        self.cells = cells
        self._clock = clock

    @asynccontextmanager
    async def unit_of_work(
        self, scope: Scope, *, readonly: bool = False, alone: bool = True
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction in the cell of the scope's tenant, with that tenant set.

        A platform scope works as `operator`: it reads all tenants and writes for one at a time (`act_in`). What changes
        no configuration, and relies on nothing that it read, need not be `alone` in its tenant. Raises
        DatabaseUnavailable; nothing was written then.
        """
        cell = self.cells.of(scope.tenant)
        role = OPERATOR if scope.is_platform else APP
        async with translated_conflicts(), cell.database.transaction(role, readonly=readonly) as connection:
            await connection.execute(SET_PLACE, scope.tenant, search_path(cell))
            if alone and not readonly:
                await connection.execute(LOCK_TENANT, scope.tenant)
            unit = UnitOfWork(connection, scope, self._clock)
            yield unit
            if not readonly:
                await unit.finish()


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
