"""The embedded server, or the process that keeps it, is killed: it comes back with everything that was committed."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from enfilade.core.clock import SystemClock
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.errors import DataDirectoryInUse
from tests.support.parts import service
from tests.support.process import clean_environment
from tests.support.waiting import eventually

pytestmark = pytest.mark.e2e

KEEPER = """
import asyncio, pathlib, sys
from enfilade.core.clock import SystemClock
from enfilade.storage.embedded.supervisor import EmbeddedPostgres

async def keep():
    server = EmbeddedPostgres(pathlib.Path(sys.argv[1]), SystemClock())
    address = await server.start()
    print(server.pid, address.url, flush=True)
    await asyncio.Event().wait()

asyncio.run(keep())
"""


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@asynccontextmanager
async def _supervised(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    """A server that is watched, as `enfilade up` does."""
    server = EmbeddedPostgres(data, SystemClock())
    await server.start()
    try:
        async with service(server.run):
            yield server
    finally:
        await server.stop()


async def _write(url: str, number: int) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("CREATE TABLE IF NOT EXISTS kept (number integer)")
    await connection.execute("INSERT INTO kept VALUES ($1)", number)
    await connection.close()


async def _numbers(url: str) -> list[int]:
    connection = await asyncpg.connect(url)
    rows = await connection.fetch("SELECT number FROM kept ORDER BY 1")
    await connection.close()
    return [row["number"] for row in rows]


async def _is_back(server: EmbeddedPostgres, former: int) -> None:
    """Wait until another server than `former` answers."""

    async def answers() -> bool:
        if server.pid == former:
            return False
        try:
            connection = await asyncpg.connect(server.address.url, timeout=5)
        except (OSError, asyncpg.PostgresError):
            return False
        await connection.close()
        return True

    await eventually(answers, within=50)


async def test_a_killed_server_is_started_again_as_often_as_it_takes(tmp_path: Path) -> None:
    async with _supervised(tmp_path / "data") as server:
        for number in range(2):
            await _write(server.address.url, number)
            assert server.pid is not None
            killed = server.pid
            os.kill(killed, signal.SIGKILL)
            await _is_back(server, killed)
        assert await _numbers(server.address.url) == [0, 1]


async def test_the_remains_of_a_killed_server_are_waited_for(tmp_path: Path) -> None:
    data = tmp_path / "data"
    async with _supervised(data) as server:
        await _write(server.address.url, 7)
        assert server.pid is not None
        killed = server.pid
        connection = await asyncpg.connect(server.address.url)
        backend = connection.get_server_pid()
        # A backend that is stopped cannot see its server's end, and goes on holding its shared memory.
        os.kill(backend, signal.SIGSTOP)
        os.kill(killed, signal.SIGKILL)
        try:
            await eventually(lambda: "shared memory block" in (data / "postgres.log").read_text(), within=30)
            assert psutil.pid_exists(backend)
        finally:
            os.kill(backend, signal.SIGCONT)
        await _is_back(server, killed)
        assert await _numbers(server.address.url) == [7]
        connection.terminate()


async def test_a_crashed_backend_leaves_the_server_running(tmp_path: Path) -> None:
    async with _supervised(tmp_path / "data") as server:
        await _write(server.address.url, 1)
        before = server.pid
        connection = await asyncpg.connect(server.address.url)
        os.kill(connection.get_server_pid(), signal.SIGKILL)
        await eventually(connection.is_closed)

        async def answers() -> bool:
            try:
                return await _numbers(server.address.url) == [1]
            except (OSError, asyncpg.PostgresError):
                return False

        await eventually(answers, within=30)
        assert server.pid == before


async def test_a_stop_is_not_taken_for_a_crash(tmp_path: Path) -> None:
    server = EmbeddedPostgres(tmp_path / "data", SystemClock())
    await server.start()
    assert server.pid is not None
    pid = server.pid
    watch = asyncio.ensure_future(server.run())
    await server.stop()
    await asyncio.wait_for(watch, 10)
    assert _has_ended(pid)


async def test_a_killed_keeper_leaves_a_directory_that_the_next_takes_over(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with _keeper(tmp_path, data) as keeper:
        assert keeper.stdout is not None
        first_line = await asyncio.to_thread(keeper.stdout.readline)
        pid, url = first_line.split()
        await _write(url, 5)
        with pytest.raises(DataDirectoryInUse, match=f"in use by process {keeper.pid}"):
            await EmbeddedPostgres(data, SystemClock()).start()
        keeper.kill()
        keeper.wait()
        # At once: its server may still be ending.
        async with _supervised(data) as server:
            assert server.pid != int(pid)
            assert await _numbers(server.address.url) == [5]
            assert _has_ended(int(pid))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux tells a child of its parent's end")
async def test_the_server_ends_with_its_keeper(tmp_path: Path) -> None:
    with _keeper(tmp_path, tmp_path / "data") as keeper:
        assert keeper.stdout is not None
        first_line = await asyncio.to_thread(keeper.stdout.readline)
        keeper.kill()
        keeper.wait()
        await eventually(lambda: _has_ended(int(first_line.split()[0])), within=30)


def _has_ended(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def _keeper(home: Path, data: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", KEEPER, str(data)],
        cwd=home,
        env=clean_environment(home, {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}),
        stdout=subprocess.PIPE,
        text=True,
    )
