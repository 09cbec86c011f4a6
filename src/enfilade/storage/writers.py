"""The writers of all databases in which tenants live, and the way to the right one."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.core.events import Event
from enfilade.storage.batches import Settlement
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.database import Database
from enfilade.storage.errors import CellUnavailable, DatabaseUnavailable
from enfilade.storage.group_commit import PATIENCE_S, GroupCommit

SEARCH_AGAIN_S = 0.05
WRITER_PATIENCE_S = 5.0
"""When records have not been written for this long, new calls are refused: they could not be answered either."""

log = structlog.get_logger("enfilade.storage.writers")


@dataclass(frozen=True, slots=True)
class CellWriter:
    """The group commit of a cell's database, writing to that cell."""

    commit: GroupCommit
    cell: Cell
    tenant: str
    written: dict[Cell, int]

    @property
    def schema(self) -> str:
        """The cell's schema."""
        return self.cell.schema

    def settle(self, call_id: str, body: str, alerts: Sequence[Event] = ()) -> "asyncio.Future[None]":
        """See `GroupCommit.settle`."""
        self.written[self.cell] = self.written.get(self.cell, 0) + 1
        return self.commit.settle(call_id, body, alerts, self.cell.schema, self.tenant)

    def intend(self, call_id: str, render: Callable[[], str]) -> None:
        """See `GroupCommit.intend`."""
        self.commit.intend(call_id, render, self.cell.schema)

    def note(self, events: Sequence[Event]) -> None:
        """See `GroupCommit.note`."""
        self.commit.note(events, self.cell.schema)

    def failing_for(self) -> float:
        """See `GroupCommit.failing_for`."""
        return self.commit.failing_for()

    async def flush(self) -> None:
        """See `GroupCommit.flush`."""
        await self.commit.flush()


class Writers:
    """One group commit for each database, made when the first tenant there has something to write."""

    def __init__(self, cells: CellDirectory, clock: Clock) -> None:
        """Write to these cells, to those of `home` by the writer `home`."""
        self._cells = cells
        self._clock = clock
        self.home = GroupCommit(cells.shared, clock, self._reroute)
        self._commits: dict[Database, GroupCommit] = {cells.home.database: self.home}
        self._known: dict[str, CellWriter] = {}
        self.written: dict[Cell, int] = {}
        """How many records of calls this process had for each cell."""
        self._jobs: asyncio.Queue[Callable[[], Coroutine[None, None, None]]] = asyncio.Queue()
        self._following = 0
        self._followed = asyncio.Event()

    def of(self, tenant: str) -> CellWriter:
        """The writer of the cell where a tenant lives."""
        cell = self._cells.of(tenant)
        known = self._known.get(tenant)
        if known is not None and known.cell is cell:
            return known
        writer = CellWriter(self._commit_of(cell), cell, tenant, self.written)
        self._known[tenant] = writer
        return writer

    def require(self, tenant: str) -> None:
        """Refuse, with DatabaseUnavailable, what could not be recorded for a tenant now."""
        if self._cells.unreached and (reason := self._cells.unreached.get(self._cells.of(tenant).name)):
            raise CellUnavailable(reason, retry_after=2)
        if self.of(tenant).failing_for() > WRITER_PATIENCE_S:
            message = "Calls cannot be recorded at the moment, so they are not made."
            raise DatabaseUnavailable(message, retry_after=2)

    def all(self) -> list[GroupCommit]:
        """The writers that there are, that of `home` first."""
        return list(self._commits.values())

    @property
    def backlog(self) -> int:
        """How many settlements are not written yet, anywhere."""
        return sum(commit.backlog for commit in self._commits.values())

    async def flush(self) -> None:
        """Return once everything queued so far is committed, also what is on its way to another cell."""
        while self._following:
            self._followed.clear()
            await self._followed.wait()
        await asyncio.gather(*(commit.flush() for commit in self.all()))

    async def run(self) -> None:
        """Run the writers but that of `home`, which runs by itself, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                job = await self._jobs.get()
                group.create_task(job())

    def _commit_of(self, cell: Cell) -> GroupCommit:
        commit = self._commits.get(cell.database)
        if commit is None:
            commit = self._commits[cell.database] = GroupCommit(cell, self._clock, self._reroute)
            self._jobs.put_nowait(commit.run)
        return commit

    def _reroute(self, refusing: GroupCommit, settlement: Settlement) -> bool:
        if not settlement.tenant or self._cells.look_up is None:
            return False
        self._following += 1
        self._jobs.put_nowait(partial(self._follow, refusing, settlement))
        return True

    async def _follow(self, refusing: GroupCommit, settlement: Settlement) -> None:
        """Bring a record to where its tenant has gone. While it is nowhere, as during a move, wait for it."""
        given_up = self._clock.monotonic() + PATIENCE_S
        writer = self.of(settlement.tenant)
        while writer.commit is refusing and writer.schema == settlement.schema:
            if self._clock.monotonic() > given_up:
                settlement.release()
            await self._clock.sleep(SEARCH_AGAIN_S)
            try:
                await self._cells.find_again(settlement.tenant)
            except EnfiladeError as error:
                log.warning("tenant_not_found_again", tenant=settlement.tenant, error=error.message)
            writer = self.of(settlement.tenant)
        settlement.schema = writer.schema
        writer.commit.put(settlement)
        self._following -= 1
        self._followed.set()
