"""Writes what has finished: one transaction for all calls that are waiting, the next for those that came meanwhile.

There is no timer: a lone settlement is written at once, and under load the transactions grow by themselves. A
caller's last byte waits for the future that `settle` returns.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg
import structlog

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.events import Event
from enfilade.storage.address import WRITER
from enfilade.storage.batches import Batch, Fact, Note, Record, Settlement
from enfilade.storage.cells import Cell
from enfilade.storage.database import is_connection_fault

SETTLE = "SELECT settle($1, $2, $3, $4, $5, $6)"
ELSEWHERE = ("EF001", "3D000", "3F000", "42883", "42P01")
"""What the database says of a tenant that has gone to another cell: that it has, or that there is no such place."""
INTENT_DELAY_S = 0.02
"""A call that settles within this time needs no intent: there is nothing left to recover."""
NO_LOG = "a settlement names a tenant that has no log"
MAX_BATCH = 2000
SCHEMAS_A_CONNECTION = 250
"""The writer's server process keeps a megabyte of each schema in which it settled: after so many, another one goes on."""
PATIENCE_S = 30.0
"""How long a caller waits for its record while the database is away."""
RETRY_DELAYS_S = (0.05, 0.1, 0.25, 0.5, 1.0)

log = structlog.get_logger("enfilade.storage.group_commit")


@dataclass(slots=True)
class WriterStatistics:
    """Figures that the metrics page shows."""

    transactions: int = 0
    settled: int = 0
    duplicates: int = 0
    seconds: float = 0.0
    largest: int = 0
    refused: int = 0
    """Records that the database will never take."""
    failing_since: float | None = None


Reroute = Callable[["GroupCommit", Record], bool]
"""Takes over a record whose tenant has gone to another cell; False when nobody knows where."""


class GroupCommit:
    """The writer of one database: of the shared cell, and of the cells that are schemas."""

    def __init__(self, cell: Cell, clock: Clock, reroute: Reroute | None = None) -> None:
        """Write to the database of `cell` once `run` is running, to `cell` itself unless a record says another."""
        self._cell = cell
        self._clock = clock
        self._reroute = reroute
        self._connection: asyncpg.Connection | None = None
        self._schemas: set[str] = set()
        """Where this connection has settled."""
        self._settlements: list[Settlement] = []
        self._facts: list[Fact] = []
        self._intents: dict[str, tuple[Callable[[], str], str, str]] = {}
        self._in_flight = 0
        self._writing = False
        self._intent_timer: asyncio.TimerHandle | None = None
        self._wake = asyncio.Event()
        self.statistics = WriterStatistics()

    @property
    def backlog(self) -> int:
        """How many settlements are not written yet."""
        return len(self._settlements) + self._in_flight

    def failing_for(self) -> float:
        """For how many seconds nothing could be written; 0 when all is well."""
        since = self.statistics.failing_since
        return 0.0 if since is None else self._clock.monotonic() - since

    def settle(
        self, call_id: str, body: str, alerts: Sequence[Event] = (), schema: str | None = None, tenant: str = ""
    ) -> "asyncio.Future[None]":
        """Queue a call's record. The future is done once it is committed, and fails only if it can never be."""
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.put(Settlement(call_id, body, alerts, written, schema or self._cell.schema, tenant))
        return written

    def put(self, record: Record) -> None:
        """Queue a record that was made before."""
        match record:
            case Settlement():
                self._intents.pop(record.call_id, None)
                self._settlements.append(record)
            case Fact():
                self._facts.append(record)
            case Note():
                self._intents[record.call_id] = (lambda: record.body), record.schema, record.tenant
        self._wake.set()

    def intend(self, call_id: str, render: Callable[[], str], schema: str | None = None, tenant: str = "") -> None:
        """Queue the note that a call was admitted, from which a crash is settled. Nobody waits for it.

        It is rendered only if it is written: most calls that are answered quickly never need it.
        """
        self._intents[call_id] = render, schema or self._cell.schema, tenant
        if self._intent_timer is None:
            self._intent_timer = asyncio.get_running_loop().call_later(INTENT_DELAY_S, self._intents_are_due)

    def note(self, events: Sequence[Event], schema: str | None = None) -> None:
        """Queue facts that belong to no call. Nobody waits for them."""
        self._facts.extend(Fact(event, schema or self._cell.schema) for event in events)
        self._wake.set()

    def _intents_are_due(self) -> None:
        self._intent_timer = None
        if self._intents:
            self._wake.set()

    async def flush(self) -> None:
        """Return once everything queued so far is committed."""
        waiting = [settlement.written for settlement in self._settlements]
        if self._writing or waiting or self._facts:
            marker = self.settle("", "")
            await marker
        elif self._intents:
            self._wake.set()

    async def run(self) -> None:
        """Write batches until cancelled. What was queued before the cancellation may stay unwritten: flush first."""
        try:
            while True:
                await self._wake.wait()
                self._wake.clear()
                while self._settlements or self._facts or self._intents:
                    self._writing = True
                    await self._write(self._take())
                    self._writing = False
        finally:
            if self._connection is not None:
                self._connection.terminate()

    def _take(self) -> Batch:
        intents = list(self._intents.items())[:MAX_BATCH]
        notes = [Note(call_id, render(), schema, tenant) for call_id, (render, schema, tenant) in intents]
        batch = Batch(self._settlements[:MAX_BATCH], self._facts[:MAX_BATCH], notes)
        del self._settlements[:MAX_BATCH]
        del self._facts[:MAX_BATCH]
        for call_id, _ in intents:
            del self._intents[call_id]
        self._in_flight = len(batch.settlements)
        return batch

    async def _write(self, batch: Batch) -> None:
        attempt = 0
        while True:
            started = self._clock.monotonic()
            try:
                settled = await self._commit(batch)
            except Exception as error:  # noqa: BLE001 - told apart below; anything unknown must not end the writer
                if not _may_pass(error):
                    await self._isolate(batch, error)
                    return
                await self._recover_connection(batch, error, attempt)
                attempt += 1
                continue
            self._account(batch, settled, self._clock.monotonic() - started)
            self._in_flight -= len(batch.settlements)
            for settlement in batch.settlements:
                if not settlement.written.done():
                    settlement.written.set_result(None)
            return

    async def _commit(self, batch: Batch) -> int:
        connection = self._connection
        schemas = batch.schemas()
        if (
            connection is not None
            and len(self._schemas) >= SCHEMAS_A_CONNECTION
            and not self._schemas.issuperset(schemas)
        ):
            connection.terminate()
        if connection is None or connection.is_closed():
            connection = self._connection = await self._cell.database.connect(WRITER)
            self._schemas.clear()
        self._schemas.update(schemas)
        if len(schemas) == 1:
            return await self._settle(connection, schemas[0], batch)
        async with connection.transaction():
            return sum([await self._settle(connection, schema, batch.part(schema)) for schema in schemas])

    async def _settle(self, connection: asyncpg.Connection, schema: str, batch: Batch) -> int:
        bodies = [settlement.body for settlement in batch.settlements if settlement.body]
        facts = [event for settlement in batch.settlements for event in settlement.alerts]
        facts += [fact.event for fact in batch.facts]
        if not bodies and not facts and not batch.intents:
            return 0
        settled: int = await connection.fetchval(
            settle_in(schema),
            bodies,
            [event.tenant for event in facts],
            [event.type for event in facts],
            [to_datetime(event.at_ns) for event in facts],
            [event.body() for event in facts],
            [note.body for note in batch.intents],
        )
        return settled

    def _account(self, batch: Batch, settled: int, seconds: float) -> None:
        statistics = self.statistics
        if statistics.failing_since is not None:
            log.warning("writer_recovered", after_s=round(self.failing_for(), 3))
            statistics.failing_since = None
        size = sum(1 for settlement in batch.settlements if settlement.body)
        statistics.transactions += 1
        statistics.settled += settled
        statistics.duplicates += size - settled
        statistics.seconds += seconds
        statistics.largest = max(statistics.largest, size)

    async def _recover_connection(self, batch: Batch, error: Exception, attempt: int) -> None:
        if self.statistics.failing_since is None:
            self.statistics.failing_since = self._clock.monotonic()
            log.error("writer_waits_for_database", error=type(error).__name__, waiting=self.backlog)
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None
        if self.failing_for() > PATIENCE_S:
            self._release_waiters(batch)
        await self._clock.sleep(RETRY_DELAYS_S[min(attempt, len(RETRY_DELAYS_S) - 1)])

    def _release_waiters(self, batch: Batch) -> None:
        """Nobody should wait for ever: tell the callers that their answer cannot be given. Their records stay queued."""
        for settlement in (*batch.settlements, *self._settlements):
            if not settlement.written.done():
                settlement.release()

    async def _isolate(self, batch: Batch, error: Exception) -> None:
        """Something in the batch cannot be stored: find it by halving, store the rest, and refuse only that."""
        halves = batch.split()
        for half in halves:
            await self._write(half)
        if halves:
            return
        self._in_flight -= len(batch.settlements)
        for record in batch.records():
            if _is_elsewhere(error) and self._reroute is not None and self._reroute(self, record):
                continue
            self.statistics.refused += 1
            log.critical(
                "record_lost",
                tenant=record.tenant,
                record=record.describe(),
                reason="refused",
                lost_record=record.body,
                error=str(error),
            )
            if isinstance(record, Settlement):
                record.refuse("The call's record could not be stored.")


def settle_in(schema: str) -> str:
    """The statement that settles in one cell: the writer's search path leads to none, since it writes to many."""
    return SETTLE.replace("settle", f'"{schema}".settle')


def _is_elsewhere(error: Exception) -> bool:
    if isinstance(error, asyncpg.RaiseError):
        return NO_LOG in str(error)
    return isinstance(error, asyncpg.PostgresError) and error.sqlstate in ELSEWHERE


def _may_pass(error: Exception) -> bool:
    """Whether the same batch may succeed later."""
    return is_connection_fault(error) or isinstance(
        error, (asyncpg.DeadlockDetectedError, asyncpg.SerializationError, asyncpg.QueryCanceledError)
    )
