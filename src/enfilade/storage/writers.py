"""The writers of all databases in which tenants live, and the way to the right one."""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from functools import partial

import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.core.events import Event
from enfilade.storage.batches import Note, Record, Settlement
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.database import Database
from enfilade.storage.errors import CellUnavailable, DatabaseUnavailable
from enfilade.storage.group_commit import PATIENCE_S, GroupCommit

SEARCH_AGAIN_S = 0.05
TRY_AGAIN_S = 5.0
"""How often a record is brought to the place that refused it, when its tenant is nowhere else."""
KEEP_S = 3600.0
"""How long it is kept so."""
LOST = {"erased": "its tenant was erased", "cell_gone": "its tenant's cell is gone", "ended": "the process ended"}
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
    on_the_way: dict[int, Record]

    @property
    def schema(self) -> str:
        """The cell's schema."""
        return self.cell.schema

    def settle(self, call_id: str, body: str, alerts: Sequence[Event] = ()) -> "asyncio.Future[None]":
        """See `GroupCommit.settle`."""
        self.written[self.cell] = self.written.get(self.cell, 0) + 1
        if self.on_the_way:
            self._forget_note(call_id)
        return self.commit.settle(call_id, body, alerts, self.cell.schema, self.tenant)

    def intend(self, call_id: str, render: Callable[[], str]) -> None:
        """See `GroupCommit.intend`."""
        self.commit.intend(call_id, render, self.cell.schema, self.tenant)

    def note(self, events: Sequence[Event]) -> None:
        """See `GroupCommit.note`."""
        self.commit.note(events, self.cell.schema)

    def _forget_note(self, call_id: str) -> None:
        """A note that came after its call's settlement would stand there for ever."""
        for record in list(self.on_the_way.values()):
            if isinstance(record, Note) and record.call_id == call_id:
                del self.on_the_way[id(record)]

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
        self._on_the_way: dict[int, Record] = {}
        """Records whose tenants were not where they were looked for."""
        self._arrived = asyncio.Event()
        self._lost: Counter[str] = Counter()

    def of(self, tenant: str) -> CellWriter:
        """The writer of the cell where a tenant lives."""
        cell = self._cells.of(tenant)
        known = self._known.get(tenant)
        if known is not None and known.cell is cell:
            return known
        writer = CellWriter(self._commit_of(cell), cell, tenant, self.written, self._on_the_way)
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
        while True:
            while self._on_the_way:
                self._arrived.clear()
                await self._arrived.wait()
            await asyncio.gather(*(commit.flush() for commit in self.all()))
            if not self._on_the_way:
                return

    async def run(self) -> None:
        """Run the writers but that of `home`, which runs by itself, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                while True:
                    job = await self._jobs.get()
                    group.create_task(job())
        finally:
            for record in list(self._on_the_way.values()):
                self._lose(record, "ended")

    def _commit_of(self, cell: Cell) -> GroupCommit:
        commit = self._commits.get(cell.database)
        if commit is None:
            commit = self._commits[cell.database] = GroupCommit(cell, self._clock, self._reroute)
            self._jobs.put_nowait(commit.run)
        return commit

    def lost(self) -> dict[str, int]:
        """How many records could be written nowhere, by why."""
        refused = sum(commit.statistics.refused for commit in self.all())
        return {"refused": refused, **self._lost}

    def _reroute(self, refusing: GroupCommit, record: Record) -> bool:
        if not record.tenant or self._cells.look_up is None:
            return False
        if record.refused_since is None:
            record.refused_since = self._clock.monotonic()
        self._on_the_way[id(record)] = record
        self._jobs.put_nowait(partial(self._follow, refusing, record))
        return True

    async def _follow(self, refusing: GroupCommit, record: Record) -> None:
        """Bring a record to where its tenant has gone. While it is nowhere, as during a move, wait for it."""
        reason = await self._find(refusing, record)
        if id(record) not in self._on_the_way:
            self._arrived.set()  # A note of a call that was settled meanwhile.
            return
        if reason is not None:
            self._lose(record, reason)
            return
        writer = self.of(record.tenant)
        record.schema = writer.schema
        self._leave(record)
        writer.commit.put(record)

    async def _find(self, refusing: GroupCommit, record: Record) -> str | None:
        """Return when it is known where the record is to go, or why it cannot go anywhere."""
        began = self._clock.monotonic()
        since = began if record.refused_since is None else record.refused_since
        while True:
            await self._clock.sleep(SEARCH_AGAIN_S)
            now = self._clock.monotonic()
            if now - since > PATIENCE_S and isinstance(record, Settlement):
                record.release()
            try:
                if not await self._knows(record.tenant):
                    return "erased"
            except EnfiladeError as error:
                log.warning("tenant_not_found_again", tenant=record.tenant, error=error.message)
                continue
            writer = self.of(record.tenant)
            if writer.commit is not refusing or writer.schema != record.schema:
                return None
            if now - since > KEEP_S:
                return "cell_gone"
            if now - began > TRY_AGAIN_S:
                return None  # To the same place: a cell may have been brought back.

    async def _knows(self, tenant: str) -> bool:
        """Ask the registry where a tenant is now; whether there is such a tenant. Raises DatabaseUnavailable."""
        assert self._cells.look_up is not None, "nothing is sent after a tenant that cannot be looked for"
        placement = await self._cells.look_up(tenant)
        if placement is not None:
            self._cells.place(tenant, placement)
        return placement is not None

    def _lose(self, record: Record, reason: str) -> None:
        """The log is all that is left to keep it in."""
        self._lost[reason] += 1
        log.critical(
            "record_lost", tenant=record.tenant, record=record.describe(), reason=reason, lost_record=record.body
        )
        if isinstance(record, Settlement):
            record.refuse(f"The call's record could not be stored: {LOST[reason]}.")
        self._leave(record)

    def _leave(self, record: Record) -> None:
        del self._on_the_way[id(record)]
        self._arrived.set()
