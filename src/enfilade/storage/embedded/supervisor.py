"""Keeps the embedded server running: starts it, notices its death, starts it again, stops it cleanly."""

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
from pathlib import Path

import asyncpg
import structlog

from enfilade.core.clock import Clock
from enfilade.storage.address import Address
from enfilade.storage.database import is_connection_fault
from enfilade.storage.embedded.binaries import vector_instructions_missing
from enfilade.storage.embedded.cluster import DATABASE, Cluster
from enfilade.storage.embedded.lock import DataDirectoryLock
from enfilade.storage.errors import EmbeddedServerFault

START_DEADLINE_S = 60.0
"""Recovery after a crash replays the write-ahead log; with a checkpoint every 15 minutes this is ample."""
STOP_DEADLINE_S = 20.0
POLL_S = 0.02

log = structlog.get_logger("enfilade.storage.embedded")


class EmbeddedPostgres:
    """A supervised PostgreSQL server under one data directory."""

    def __init__(self, data: Path, clock: Clock, account_name: str | None = None) -> None:
        """Describe the server under `data`; `start` makes it real."""
        self._data = data
        self._clock = clock
        self._lock = DataDirectoryLock(data)
        self._cluster = Cluster(data, account_name)
        self._process: subprocess.Popen[bytes] | None = None
        self._exited = asyncio.Event()
        self._stopping = False

    @property
    def address(self) -> Address:
        """Where the server listens."""
        return self._cluster.address

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        return self._process.pid if self._process else None

    async def start(self) -> Address:
        """Lock the directory, prepare the cluster, start the server, and return once it answers.

        Raises DataDirectoryInUse or EmbeddedServerFault.
        """
        try:
            self._data.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock.acquire()
        except OSError as error:
            message = f"The data directory {self._data} cannot be used: {error.strerror}. Choose another with --data."
            raise EmbeddedServerFault(message) from error
        try:
            self._cluster.prepare()
            await self._start_until_answering()
            await self._ensure_database()
        except BaseException:
            await self.stop()
            raise
        if vector_instructions_missing():
            log.warning(
                "vector_unavailable", remedy="This processor lacks AVX2: document search needs another machine."
            )
        return self.address

    async def run(self) -> None:
        """Watch the server and start it again whenever it ends, until cancelled."""
        delay = 0.1
        while True:
            await self._exited.wait()
            if self._stopping:
                return
            log.error("postgres_ended", last_words=self._cluster.last_words())
            try:
                await self._start_until_answering()
            except EmbeddedServerFault as fault:
                log.error("postgres_restart_failed", error=fault.message, retry_in_s=delay)  # noqa: TRY400
                self._exited.set()
                await self._clock.sleep(delay)
                delay = min(delay * 2, 5.0)
            else:
                log.warning("postgres_restarted", pid=self.pid)
                delay = 0.1

    async def stop(self) -> None:
        """Shut the server down cleanly (then firmly), and release the directory."""
        self._stopping = True
        process = self._process
        if process is not None and process.poll() is None:
            for sign, patience in ((signal.SIGINT, STOP_DEADLINE_S), (signal.SIGQUIT, 5.0), (signal.SIGKILL, 5.0)):
                with contextlib.suppress(ProcessLookupError):
                    process.send_signal(sign)
                if await self._ended_within(patience):
                    break
        self._exited.set()
        self._cluster.close()
        self._lock.release()

    async def _ended_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                await self._exited.wait()
        except TimeoutError:
            return False
        return True

    async def _start_until_answering(self) -> None:
        deadline = self._clock.monotonic() + START_DEADLINE_S
        await self._end_leftover(deadline)
        self._spawn()
        while not await self._answers():
            if self._clock.monotonic() > deadline:
                message = (
                    f"PostgreSQL did not answer within {START_DEADLINE_S:.0f} s. Its log: {self._cluster.log_path}"
                )
                raise EmbeddedServerFault(message)
            if self._exited.is_set():
                await self._retry_or_give_up()
            await self._clock.sleep(POLL_S)

    async def _retry_or_give_up(self) -> None:
        """The server ended while starting: the remains of a killed one may still hold its shared memory."""
        words = self._cluster.last_words()
        if "shared memory block" not in words and "Is another postmaster" not in words:
            message = f"PostgreSQL on {self._data} ended while starting: {words}"
            raise EmbeddedServerFault(message)
        await self._clock.sleep(POLL_S * 5)
        self._spawn()

    async def _end_leftover(self, deadline: float) -> None:
        """Wait for a server that a killed process left behind; it was told to stop by its parent's death."""
        asked = False
        while (pid := self._cluster.server_process()) is not None:
            if self._clock.monotonic() > deadline:
                message = f"An earlier PostgreSQL server (process {pid}) on {self._data} does not end."
                raise EmbeddedServerFault(message)
            if not asked:
                # Where the kernel has no parent-death signal, the leftover has not been told yet.
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGINT)
                asked = True
            await self._clock.sleep(POLL_S)

    def _spawn(self) -> None:
        process = self._cluster.spawn()
        exited = asyncio.Event()
        self._process, self._exited = process, exited
        loop = asyncio.get_running_loop()

        def wait() -> None:
            process.wait()
            with contextlib.suppress(RuntimeError):  # The loop is closed: nobody is left to tell.
                loop.call_soon_threadsafe(exited.set)

        threading.Thread(target=wait, name="postgres-watcher", daemon=True).start()

    async def _answers(self) -> bool:
        try:
            connection = await asyncpg.connect(self.address.url, database="postgres", timeout=5)
        except asyncpg.InvalidAuthorizationSpecificationError as error:
            message = (
                f"PostgreSQL on {self._data} does not take the password in {self._data / 'owner.password'}: the file was "
                "lost or changed. Restore it from a backup."
            )
            raise EmbeddedServerFault(message) from error
        except Exception as error:
            # A server that is killed while it is asked says so in many ways; none may end the one who keeps it running.
            if is_connection_fault(error):
                return False
            raise
        await connection.close()
        return True

    async def _ensure_database(self) -> None:
        connection = await asyncpg.connect(self.address.url, database="postgres", timeout=10)
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", DATABASE):
                await connection.execute(f'CREATE DATABASE "{DATABASE}"')
        finally:
            await connection.close()
