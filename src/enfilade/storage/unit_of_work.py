"""The only way to a tenant's rows: one transaction, one tenant at a time, with the facts it makes true."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, NoReturn

import asyncpg

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.events import Event
from enfilade.core.scope import Scope
from enfilade.storage.address import APP, OPERATOR
from enfilade.storage.announcing import SET_PLACE, Announcer, announce
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.errors import CellUnavailable
from enfilade.storage.rounds import fetch_listed
from enfilade.storage.shares import ConnectionShares
from enfilade.storage.transactions import (
    TenantFinder,
    Transactions,
    search_path,
    translated_absence,
    translated_conflicts,
)

APPEND_EVENTS = "SELECT append_events($1, $2, $3, $4)"


class TakenBack(Exception):
    """The unit of work was taken back on purpose: nothing of it is written."""


class UnitOfWork:
    """One transaction under one scope. It commits together with the events recorded in it, or not at all.

    Where an operator's unit acts in tenants whose cells are in several databases, there is a transaction in each, and the
    installation's own is committed last.
    """

    def __init__(
        self, transactions: Transactions, scope: Scope, clock: Clock, cell: Cell, find: "TenantFinder"
    ) -> None:
        """Use `Storage.unit_of_work` instead: it sets the transaction's tenant."""
        self._transactions = transactions
        self._connection = transactions.opened[cell.database]
        self._find = find
        self._cells = find.cells
        self._cell = cell
        self._current = cell
        self._places = {scope.tenant: cell}
        self.scope = scope
        self.tenant = scope.tenant
        self._clock = clock
        self._events: dict[str, list[Event]] = {}
        self._changed: set[str] = set()
        self.revision: int | None = None
        self.rehearses = False
        """Whether this unit is going to be taken back: nothing may be made outside of it."""

    @property
    def is_away(self) -> bool:
        """Whether the statements go to a database that is not the installation's own."""
        return not self._cells.is_at_home(self._cell)

    @property
    def changed_away(self) -> set[str]:
        """Tenants whose configuration changes in a database that is not the installation's own."""
        return {tenant for tenant in self._changed if not self._cells.is_at_home(self._places[tenant])}

    async def fetch(self, statement: str, *values: object) -> list[asyncpg.Record]:
        """All rows."""
        rows: list[asyncpg.Record] = await self._connection.fetch(statement, *values)
        return rows

    async def fetch_listed(
        self, statement: str, after: object, limit: int, tenant: str | None, *values: object
    ) -> list[asyncpg.Record]:
        """A page of a list in the order of ids; see `rounds.fetch_listed`."""
        return await fetch_listed(self, statement, after, limit, tenant, *values)

    def places(self, tenant: str | None) -> list[Cell]:
        """Where a tenant lives; with None every cell in which tenants live, the installation's shared one first."""
        return self._cells.all() if tenant is None else [self._cells.of(tenant)]

    async def come_to(self, cell: Cell) -> None:
        """Go on in another cell, as the platform: it reads all tenants there. Raises DatabaseUnavailable."""
        if cell is self._current:
            return
        self._check_view(cell)
        with translated_absence(cell, self._cells.shared):
            connection = await self._transactions.at(cell.database)
            # A schema that is gone must not spoil what is asked of the others in its database.
            async with connection.transaction():
                await self._transactions.is_let_in(connection, self.tenant, cell, alone=False)
        self._connection, self._current = connection, cell

    @asynccontextmanager
    async def visit(self, cell: Cell) -> AsyncIterator[None]:
        """Go on in another cell for a while, as the platform. What goes wrong there leaves the unit as it was.

        Raises DatabaseUnavailable. Whoever has visited all that they wanted to comes back by `come_to`.
        """
        if cell is self._current:
            yield
            return
        self._check_view(cell)
        before = self._connection, self._current
        stays = not self._transactions.readonly or cell.database in self._transactions.opened
        came = False
        try:
            async with self._transactions.aside(self.tenant, cell, self._cells.shared) as connection:
                self._connection, self._current = connection, cell
                yield
            came = stays
        finally:
            if not came:
                self._connection, self._current = before

    def _check_view(self, cell: Cell) -> None:
        if not self.scope.is_platform:
            message = "only the platform may look into cells that are not its tenant's own"
            raise PermissionError(message)
        if reason := self._cells.unreached.get(cell.name):
            raise CellUnavailable(reason, retry_after=2)

    @property
    def current(self) -> Cell:
        """The cell to which the statements go."""
        return self._current

    async def fetch_row(self, statement: str, *values: object) -> asyncpg.Record | None:
        """The first row, or None."""
        return await self._connection.fetchrow(statement, *values)

    async def fetch_row_at_home(self, statement: str, *values: object) -> asyncpg.Record | None:
        """The first row of something that belongs to the installation, whose tables the statement names with their schema."""
        home = self._cells.home.database
        connection = await self._transactions.at(home)
        return await connection.fetchrow(statement, *values)

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
        """Go on for another tenant, wherever its rows are: for the platform's operators only."""
        if tenant == self.tenant:
            return
        if not self.scope.is_platform:
            message = "only the platform may act in a tenant that is not its own"
            raise PermissionError(message)
        cell, connection = await self._find.enter(tenant, self._cells.of(tenant), self._transactions, alone=True)
        self._connection, self._cell, self._current, self.tenant = connection, cell, cell, tenant
        self._places[tenant] = cell

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
        # cannot deadlock. For the revision everybody waits, hence it is the very last.
        for tenant, events in sorted(self._events.items()):
            cell = self._places[tenant]
            connection = self._transactions.opened[cell.database]
            await connection.execute(SET_PLACE, tenant, search_path(cell))
            await _append(connection, events)
        at_home = self._changed - self.changed_away
        home = self._transactions.opened.get(self._cells.home.database)
        if at_home and home is not None:
            self.revision = await announce(home, at_home)


async def _append(connection: asyncpg.Connection, events: Sequence[Event]) -> None:
    await connection.execute(
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
        self._find = TenantFinder(cells)
        self._shares = ConnectionShares()
        self.announcer = Announcer(cells.home.database, clock)

    @asynccontextmanager
    async def unit_of_work(
        self, scope: Scope, *, readonly: bool = False, alone: bool = True, cell: Cell | None = None
    ) -> AsyncIterator[UnitOfWork]:
        """A transaction in the cell of the scope's tenant, with that tenant set.

        A platform scope works as `operator`: it reads all tenants of a cell (the shared one of `home` unless `cell` says
        another) and writes for one at a time (`act_in`). What changes no configuration, and relies on nothing that it
        read, need not be `alone` in its tenant. Raises DatabaseUnavailable; nothing was written then.
        """
        role = OPERATOR if scope.is_platform else APP
        if not scope.is_platform:
            cell = self.cells.of(scope.tenant)
        async with translated_conflicts(), AsyncExitStack() as around, AsyncExitStack() as stack:
            if not scope.is_platform:
                await around.enter_async_context(self._shares.of(scope.tenant))
            transactions = Transactions(role, readonly, stack)
            cell, _ = await self._find.enter(scope.tenant, cell or self.cells.shared, transactions, alone=alone)
            unit = UnitOfWork(transactions, scope, self._clock, cell, self._find)
            with translated_absence(cell, self.cells.shared):
                yield unit
                if not readonly:
                    await unit.finish()
            if not readonly and (away := unit.changed_away):
                await around.enter_async_context(self.announcer.announced_after(away))
