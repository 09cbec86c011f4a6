"""All cells of an installation: what their schemas lack, and bringing them up to date side by side.

Each file is applied in a transaction together with the row that says so: whoever is interrupted goes on where they were. A
cell that cannot be brought up to date is named, and keeps nobody but its own tenants waiting.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import asyncpg
import structlog

from enfilade.core.errors import EnfiladeError
from enfilade.storage.cells import DATABASE, SCHEMA, Cell, CellDirectory, Placement
from enfilade.storage.database import Database
from enfilade.storage.migrations import (
    SETS,
    SHARED_SCHEMA,
    Step,
    lacking,
    migrate,
    migrate_cell,
    pending,
    read_register,
)

AT_ONCE = 4
"""Cells that are brought up to date side by side."""
CELLS_A_CONNECTION = 50
"""A server process remembers every table that it has seen: after so many cells another one goes on."""
READ_REGISTRY = (
    "SELECT id, isolation, cell FROM enfilade.tenants WHERE isolation <> 'row' OR cell <> 'home' ORDER BY id"
)
HAS_REGISTRY = "SELECT to_regclass('enfilade.cell_hosts') IS NOT NULL"

CELL_FAULTS = (EnfiladeError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError)

log = structlog.get_logger("enfilade.storage.fleet")


@dataclass(frozen=True, slots=True)
class CellState:
    """A cell's schema, compared with what this program carries."""

    cell: Cell
    steps: tuple[Step, ...] = ()
    """What it lacks, or what was applied to it."""
    fault: str | None = None
    """Why it cannot be used, or be brought up to date."""


Progress = Callable[[CellState], None]
"""Called for each cell that is finished with, whatever came of it."""


class Fleet:
    """The cells of an installation."""

    def __init__(self, cells: CellDirectory) -> None:
        """Look after `cells`, whose hosts are known already."""
        self.cells = self._cells = cells

    @property
    def home(self) -> Cell:
        """The shared cell of the installation's own database."""
        return self._cells.shared

    async def has_registry(self) -> bool:
        """Whether the installation knows of cells: an older one does not, and everybody lives together there."""
        async with self._cells.home.database.owner() as connection:
            return bool(await connection.fetchval(HAS_REGISTRY))

    async def find(self) -> list[str]:
        """Read from the registry where tenants live; returns those on a host that is not known. As the owner."""
        async with self._cells.home.database.owner() as connection:
            rows = await connection.fetch(READ_REGISTRY)
        return self._cells.place_all({str(row["id"]): Placement(row["isolation"], row["cell"]) for row in rows})

    async def inspect(self) -> list[CellState]:
        """What each cell lacks, the shared ones first. Changes nothing."""
        states: list[CellState] = []
        for database, cells in self._by_database().items():
            states += await _inspect(database, cells)
        return states

    async def check(self) -> list[CellState]:
        """The cells that cannot be used as they are, and note them for everybody who looks for their tenants."""
        unusable = [unusable_state(state) for state in await self.inspect() if state.steps or state.fault]
        self._note(unusable)
        return unusable

    async def recheck(self, cell: Cell) -> str | None:
        """Why a cell cannot be used; None when it can."""
        (state,) = await _inspect(cell.database, [cell])
        return unusable_state(state).fault if state.steps or state.fault else None

    async def migrate(self, progress: Progress | None = None, at_once: int = AT_ONCE) -> list[CellState]:
        """Bring all cells but the shared one of `home` up to date; returns those that failed.

        The installation's own database comes before, by `migrate`: it has the registry.
        """
        failed: list[CellState] = []

        def finished(state: CellState) -> None:
            if state.fault is not None:
                log.error("cell_not_migrated", cell=state.cell.name, error=state.fault)
                failed.append(state)
            if progress is not None:
                progress(state)

        by_database = self._by_database()
        async with asyncio.TaskGroup() as group:
            slots = asyncio.Semaphore(at_once)
            for database, cells in by_database.items():
                group.create_task(self._migrate_database(database, cells, slots, finished, at_once))
        self._note(failed)
        return failed

    async def _migrate_database(
        self, database: Database, cells: Sequence[Cell], slots: asyncio.Semaphore, finished: Progress, at_once: int
    ) -> None:
        shared = [cell for cell in cells if cell.schema == SHARED_SCHEMA]
        if shared and database is not self._cells.home.database:
            async with slots:
                state = await _attempt(shared[0], _migrate_whole)
            finished(state)
            if state.fault is not None:
                for cell in cells:
                    if cell is not shared[0]:
                        finished(CellState(cell, fault=state.fault))
                return
        behind = await _inspect(database, [cell for cell in cells if cell.schema != SHARED_SCHEMA])
        for state in behind:
            if state.fault is not None:
                finished(state)
        waiting = [state.cell for state in behind if state.steps and state.fault is None]
        if not waiting:
            return
        queue = iter(waiting)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(at_once, len(waiting))):
                group.create_task(_migrate_schemas(database, queue, slots, finished))

    def _by_database(self) -> dict[Database, list[Cell]]:
        """All cells, by database; the shared cell of each host is among them whether anybody lives there or not."""
        grouped: dict[Database, list[Cell]] = {host.database: [host.shared] for host in self._cells.hosts()}
        for cell in self._cells.all():
            cells = grouped.setdefault(cell.database, [])
            if cell not in cells:
                cells.append(cell)
        return grouped

    def _note(self, states: Iterable[CellState]) -> None:
        for state in states:
            self._cells.unreached[state.cell.name] = state.fault or ""


def kind_of(cell: Cell) -> str:
    """What kind of cell it is, for people: shared, schema or database."""
    if cell.tenant is None:
        return "shared"
    return SCHEMA if cell.schema != SHARED_SCHEMA else DATABASE


def unusable_state(state: CellState) -> CellState:
    """The state, with a reason that the tenants of the cell may read."""
    if state.fault is not None:
        return state
    reason = "The database in which this tenant's data lives is not at this program's version yet."
    return CellState(state.cell, state.steps, reason)


async def _inspect(database: Database, cells: Sequence[Cell]) -> list[CellState]:
    if not cells:
        return []
    try:
        async with database.owner() as connection:
            register = await read_register(connection, [cell.schema for cell in cells])
            own = await pending(connection) if cells[0].schema == SHARED_SCHEMA else []
    except CELL_FAULTS as error:
        return [CellState(cell, fault=_words(error)) for cell in cells]
    states = []
    for cell in cells:
        if cell.schema in SETS:
            states.append(CellState(cell, tuple(own)))
            continue
        try:
            states.append(CellState(cell, tuple(lacking(register.get(cell.schema, {}), cell.schema))))
        except EnfiladeError as error:
            states.append(CellState(cell, fault=error.message))
    return states


class _Owner:
    """The owner's connection to one database, for one cell after the other; a new one now and then."""

    def __init__(self, database: Database, stack: AsyncExitStack) -> None:
        self._database = database
        self._stack = stack
        self._connection: asyncpg.Connection | None = None
        self._cells = 0

    async def migrate(self, cell: Cell) -> list[Step]:
        connection = self._connection
        if connection is None or connection.is_closed() or self._cells == CELLS_A_CONNECTION:
            await self._stack.aclose()
            connection = self._connection = await self._stack.enter_async_context(self._database.owner())
            self._cells = 0
        self._cells += 1
        return await migrate_cell(connection, cell.schema)


async def _migrate_schemas(
    database: Database, queue: Iterator[Cell], slots: asyncio.Semaphore, finished: Progress
) -> None:
    async with AsyncExitStack() as stack:
        owner = _Owner(database, stack)
        for cell in queue:
            async with slots:
                state = await _attempt(cell, owner.migrate)
            finished(state)


async def _attempt(cell: Cell, work: Callable[[Cell], Awaitable[list[Step]]]) -> CellState:
    try:
        return CellState(cell, tuple(await work(cell)))
    except CELL_FAULTS as error:
        return CellState(cell, fault=_words(error))


async def _migrate_whole(cell: Cell) -> list[Step]:
    async with cell.database.owner() as connection:
        return await migrate(connection, cell.database.address)


def _words(error: Exception) -> str:
    return error.message if isinstance(error, EnfiladeError) else f"{type(error).__name__}: {error}"
