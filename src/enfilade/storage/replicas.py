"""The processes that serve: who is alive, and which revision of the configuration each has applied."""

import asyncio
import os
import socket
from dataclasses import dataclass
from datetime import datetime

import asyncpg
import psutil
import structlog

from enfilade.core.clock import Clock
from enfilade.storage.address import OPERATOR
from enfilade.storage.announcing import REVISION_CHANNEL
from enfilade.storage.database import Database, is_connection_fault
from enfilade.storage.unit_of_work import UnitOfWork

POLL_S = 0.4
"""How long a lost notification can hide a change: a revoked key must be dead everywhere within a second."""
HEARTBEAT_S = 2.0
KEPT = "30 days"
COUNTED_APART = (
    "Each process counts limits and budgets by itself: together they may let through more than one would. "
    "Run one serving process where they have to be exact."
)

REGISTER_REPLICA = "INSERT INTO enfilade.replicas (id, host, pid, program_version) VALUES ($1, $2, $3, $4)"
BEAT = "UPDATE enfilade.replicas SET heartbeat_at = now(), applied_revision = $2 WHERE id = $1"
_HELD = """EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted
    AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND ((classid::bigint << 32) | objid::bigint) = hashtextextended({id}, 0))"""
STOP = "UPDATE enfilade.replicas SET heartbeat_at = now(), stopped_at = now() WHERE id = $1"
FORGET_OLD = f"DELETE FROM enfilade.replicas WHERE heartbeat_at < now() - interval '{KEPT}'"
LIST_REPLICAS = f"""
SELECT id, host, pid, program_version, started_at, heartbeat_at, applied_revision
FROM enfilade.replicas WHERE stopped_at IS NULL AND {_HELD.format(id="id::text")} ORDER BY started_at
"""
COUNT_REPLICAS = f"SELECT count(*) FROM enfilade.replicas WHERE stopped_at IS NULL AND {_HELD.format(id='id::text')}"
HOLD_LIFE = "SELECT pg_advisory_lock(hashtextextended($1, 0))"
SIGNS_OF_LIFE = f"""
SELECT {_HELD.format(id="$1::text")} AS held, r.host, r.pid, r.stopped_at IS NULL
    AND greatest(r.heartbeat_at, pg_postmaster_start_time()) > now() - interval '15 seconds' AS recent
FROM (SELECT $1::uuid AS id) AS wanted LEFT JOIN enfilade.replicas AS r USING (id)
"""

log = structlog.get_logger("enfilade.storage.replicas")


@dataclass(frozen=True, slots=True)
class ReplicaState:
    """One serving process, as it last reported."""

    id: str
    host: str
    pid: int
    version: str
    started_at: datetime
    heartbeat_at: datetime
    applied_revision: int


class ReplicaPresence:
    """This process's entry among the replicas, and its ear for changes.

    The advisory lock that stands for its life is held by the listening connection: however the process ends, the
    server releases it.
    """

    def __init__(self, database: Database, replica_id: str, version: str, clock: Clock) -> None:
        """Prepare the entry; `register` writes it."""
        self.id = replica_id
        self._database = database
        self._version = version
        self._clock = clock
        self._connection: asyncpg.Connection | None = None
        self._applied = 0
        self._applied_changed = asyncio.Event()
        self.news = asyncio.Event()
        """Set when the configuration may have changed: by a notification, or by the clock as a safety net."""
        self.alive = 1
        """How many processes serve this database, this one among them."""

    async def register(self) -> None:
        """Announce this process and start listening. Raises what the driver raises."""
        connection = await self._connect()
        await connection.execute(FORGET_OLD)
        await connection.execute(REGISTER_REPLICA, self.id, socket.gethostname(), os.getpid(), self._version)

    def applied(self, revision: int) -> None:
        """Report, soon, that this process works with `revision` now."""
        if revision != self._applied:
            self._applied = revision
            self._applied_changed.set()

    async def run(self) -> None:
        """Keep listening and reporting until cancelled, reconnecting as often as it takes."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._poll())
            group.create_task(self._beat())

    async def _poll(self) -> None:
        while True:
            await self._clock.sleep(POLL_S)
            self.news.set()

    async def _beat(self) -> None:
        while True:
            try:
                connection = self._connection
                if connection is None or connection.is_closed():
                    connection = await self._connect()
                    self.news.set()
                await connection.execute(BEAT, self.id, self._applied)
                self._notice(await connection.fetchval(COUNT_REPLICAS))
            except Exception as error:
                if not is_connection_fault(error):
                    raise
                log.warning("replica_heartbeat_missed", error=type(error).__name__)
                self._drop()
            self._applied_changed.clear()
            await self._pause()

    def _notice(self, alive: int) -> None:
        if alive > 1 and self.alive <= 1:
            log.warning("limits_are_counted_by_each_process", count=alive, remedy=COUNTED_APART)
        self.alive = alive

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(HEARTBEAT_S):
                await self._applied_changed.wait()
        except TimeoutError:
            return

    async def _connect(self) -> asyncpg.Connection:
        connection = await self._database.connect(OPERATOR)
        try:
            await connection.execute("SET statement_timeout = 0")
            await connection.execute(HOLD_LIFE, self.id)
            await connection.add_listener(REVISION_CHANNEL, self._hear)
        except BaseException:
            connection.terminate()  # A session that nobody knows of would go on holding the lock.
            raise
        self._connection = connection
        return connection

    def _hear(self, *_: object) -> None:
        self.news.set()

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.terminate()
            self._connection = None

    async def leave(self) -> None:
        """Say that this process stops; silent when the database is away."""
        connection = self._connection
        if connection is None or connection.is_closed():
            return
        try:
            await connection.execute(STOP, self.id)
            await connection.remove_listener(REVISION_CHANNEL, self._hear)
            await connection.close()
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log.warning("replica_left_silently", error=type(error).__name__)
            self._drop()


async def is_alive(unit: UnitOfWork, replica: str, *, may_return: bool) -> bool:
    """Whether a process may still live: it holds its lock.

    Where several processes can serve (`may_return`), one without its lock may have lost its connection, or the
    database was started anew, and it will be back in a moment: it has a while for that, unless it ran on this machine
    and is gone.
    """
    signs = await unit.fetch_row(SIGNS_OF_LIFE, replica)
    if signs is None or signs["held"] or not may_return:
        return signs is not None and signs["held"]
    is_gone = signs["host"] == socket.gethostname() and not psutil.pid_exists(signs["pid"])
    return bool(signs["recent"]) and not is_gone


async def list_replicas(database: Database) -> list[ReplicaState]:
    """The processes that live now: a process that was killed is not among them."""
    async with database.transaction(OPERATOR, readonly=True) as connection:
        rows = await connection.fetch(LIST_REPLICAS)
    return [
        ReplicaState(
            id=str(row["id"]),
            host=row["host"],
            pid=row["pid"],
            version=row["program_version"],
            started_at=row["started_at"],
            heartbeat_at=row["heartbeat_at"],
            applied_revision=row["applied_revision"],
        )
        for row in rows
    ]
