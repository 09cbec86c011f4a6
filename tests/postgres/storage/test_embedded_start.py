"""The embedded server on a machine that does not make it easy. Each test has a cluster of its own, copied."""

import asyncio
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest

from enfilade.core.clock import SystemClock
from enfilade.storage.embedded import account, cluster
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.errors import DataDirectoryInUse, EmbeddedServerFault
from tests.support.postgres import TestServer
from tests.support.waiting import eventually

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to others")

HOSTILE = {
    "LANG": "xx_YY.broken",
    "LC_ALL": "xx_YY.broken",
    "PGDATA": "/nowhere",
    "PGDATABASE": "nothing",
    "PGHOST": "192.0.2.1",
    "PGPASSWORD": "wrong",
    "PGPORT": "6543",
    "PGSSLMODE": "verify-full",
    "PGTARGETSESSIONATTRS": "standby",
    "PGUSER": "nobody-at-all",
    "TZ": "Asia/Kolkata",
}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose server was started once, filled, and stopped."""
    data = tmp_path_factory.mktemp("made") / "data"

    async def make() -> None:
        async with _running(data) as server, _session(server) as session:
            await session.execute("CREATE TABLE kept AS SELECT 42 AS answer")

    asyncio.run(make())
    return data


@pytest.fixture(autouse=True)
def bystander(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file in the current directory: no start, failed or not, may touch it."""
    here = tmp_path / "current directory"
    here.mkdir()
    monkeypatch.chdir(here)
    (here / "bystander").write_text("untouched")
    return here / "bystander"


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    """A copy of it, owners and modes included."""
    copy = tmp_path / "data"
    subprocess.run(["cp", "-a", str(made), str(copy)], check=True)
    return copy


@asynccontextmanager
async def _running(data: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data, SystemClock())
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


@asynccontextmanager
async def _session(server: EmbeddedPostgres) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(server.address.url)
    try:
        yield connection
    finally:
        await connection.close()


async def _answer(server: EmbeddedPostgres) -> int:
    async with _session(server) as session:
        answer: int = await session.fetchval("SELECT answer FROM kept")
        return answer


async def test_it_is_private_unprivileged_and_closed_to_the_network(data: Path, bystander: Path) -> None:
    modes = {path: path.stat().st_mode for path in (data, data.parent)}
    async with _running(data) as server, _session(server) as session:
        assert server.pid is not None
        process = psutil.Process(server.pid)
        assert process.uids().effective != 0
        assert (data / "postgres").stat().st_uid == process.uids().effective
        assert stat.S_IMODE((data / "postgres").stat().st_mode) == 0o700
        assert stat.S_IMODE((data / "owner.password").stat().st_mode) == 0o600
        assert {path: path.stat().st_mode for path in modes} == modes
        assert process.net_connections("inet") == []
        directory = Path(await session.fetchval("SHOW unix_socket_directories"))
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        methods = await session.fetch("SELECT DISTINCT auth_method FROM pg_hba_file_rules")
        assert [row["auth_method"] for row in methods] == ["scram-sha-256"]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(server.address.url, password="guessed")
    assert not (data / "postgres" / "postmaster.pid").exists()
    assert not directory.exists()
    assert bystander.read_text() == "untouched"


async def test_what_the_environment_says_of_other_servers_and_of_languages_has_no_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in HOSTILE.items():
        monkeypatch.setenv(name, value)
    async with asyncio.timeout(50), _running(tmp_path / "data") as server, _session(server) as session:
        row = await session.fetchrow(
            "SELECT current_user::text, current_database()::text, current_setting('timezone'),"
            " current_setting('server_encoding'), datcollate FROM pg_database WHERE datname = current_database()"
        )
        assert tuple(row) == ("enfilade", "enfilade", "UTC", "UTF8", "C.UTF-8")


async def test_long_paths_and_a_large_log_are_no_obstacle(
    made: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = tmp_path / ("d" * 120) / "with spaces, 'quotes' and ümläuts" / ("e" * 100)
    long.parent.mkdir(parents=True)
    subprocess.run(["cp", "-a", str(made), str(long)], check=True)
    scratch = tmp_path / ("t" * 100)
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    os.truncate(long / "postgres.log", cluster.MAX_LOG_BYTES + 1)
    async with _running(long) as server:
        assert await _answer(server) == 42
    assert (long / "postgres.log.1").stat().st_size > cluster.MAX_LOG_BYTES
    assert (long / "postgres.log").stat().st_size < cluster.MAX_LOG_BYTES


async def test_a_directory_that_is_served_already_is_refused_and_its_server_goes_on(data: Path) -> None:
    async with _running(data) as first:
        for _ in range(2):
            with pytest.raises(DataDirectoryInUse, match=f"in use by process {os.getpid()}") as caught:
                await EmbeddedPostgres(data, SystemClock()).start()
            assert "--data" in caught.value.remedy
        assert await _answer(first) == 42
    async with _running(data) as second:
        assert await _answer(second) == 42


@pytest.mark.parametrize("whose", ["nobody's", "this process's", "another server's", "a zombie's"])
async def test_a_mark_that_names_no_server_of_ours_is_put_aside(data: Path, server: TestServer, whose: str) -> None:
    other = await asyncpg.connect(server.address.url)
    ended = subprocess.Popen(["true"])
    await eventually(lambda: psutil.Process(ended.pid).status() == psutil.STATUS_ZOMBIE)
    postmaster = await other.fetchval("SELECT pg_read_file('postmaster.pid')")
    pid = {
        "nobody's": "4194304",
        "this process's": str(os.getpid()),
        "another server's": postmaster.split("\n")[0],
        "a zombie's": str(ended.pid),
    }[whose]
    mark = data / "postgres" / "postmaster.pid"
    mark.write_text(f"{pid}\n{data / 'postgres'}\n1760000000\n5432\n/tmp\n\n  0 0\nready\n")
    if os.geteuid() == 0:
        owner = (data / "postgres").stat()
        os.chown(mark, owner.st_uid, owner.st_gid)
    async with asyncio.timeout(50), _running(data) as started:
        assert await _answer(started) == 42
    # Nobody else was harmed.
    assert await other.fetchval("SELECT 1") == 1
    await other.close()
    ended.wait()


async def _refused(data: Path, account_name: str | None = None) -> EmbeddedServerFault:
    with pytest.raises(EmbeddedServerFault) as caught:
        await EmbeddedPostgres(data, SystemClock(), account_name).start()
    return caught.value


@as_root
async def test_files_that_belong_to_root_are_refused_with_the_reason(data: Path, bystander: Path) -> None:
    os.chown(data / "postgres", 0, 0)
    assert "ended while starting" in (await _refused(data)).message
    assert bystander.read_text() == "untouched"


async def test_files_that_others_may_read_are_refused_and_mended_they_start(data: Path, bystander: Path) -> None:
    (data / "postgres").chmod(0o755)
    message = (await _refused(data)).message
    assert "invalid permissions" in message
    assert "0700" in message
    assert bystander.read_text() == "untouched"
    (data / "postgres").chmod(0o700)
    async with _running(data) as server:
        assert await _answer(server) == 42


async def test_a_cluster_of_an_unknown_version_is_refused_with_a_way_out(data: Path, bystander: Path) -> None:
    (data / "postgres" / "PG_VERSION").write_text("12\n")
    message = (await _refused(data)).message
    assert "made by PostgreSQL 12" in message
    assert "dump it and restore" in message
    assert bystander.read_text() == "untouched"


@as_root
@pytest.mark.parametrize("wanted", [None, "no-such-account", "root"])
async def test_root_without_an_account_for_the_server_is_told_what_to_do(
    tmp_path: Path, bystander: Path, monkeypatch: pytest.MonkeyPatch, wanted: str | None
) -> None:
    monkeypatch.setattr(account, "CANDIDATES", ("no-such-account-either",))
    message = (await _refused(tmp_path / "data", wanted)).message
    assert "does not run as root" in message
    assert "ENFILADE_POSTGRES_USER" in message
    assert bystander.read_text() == "untouched"


@as_root
@pytest.mark.parametrize("trap", ["directory", "link"])
async def test_a_socket_directory_that_somebody_else_made_first_is_not_used(
    data: Path, tmp_path: Path, bystander: Path, monkeypatch: pytest.MonkeyPatch, trap: str
) -> None:
    # A temporary directory of the test's own, so that nothing outside it can be in the way.
    scratch = Path(tempfile.mkdtemp(prefix="enfilade-test-"))
    scratch.chmod(0o755)
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    described = cluster.Cluster(data, None)
    described._account = account.choose_account(None, data / "postgres")
    place = described._make_socket_directory()
    assert place.parent == scratch
    place.rmdir()
    target = tmp_path / "target"
    target.mkdir()
    (target / "kept").write_text("kept")
    if trap == "directory":
        place.mkdir()
        strangers = {entry.pw_uid for entry in pwd.getpwall()} - {0, described._account.uid}
        os.chown(place, min(strangers), 0)
    else:
        place.symlink_to(target)
    try:
        message = (await _refused(data)).message
        assert "belongs to somebody else" in message
        assert "TMPDIR" in message
        assert place.exists()
        assert (target / "kept").read_text() == "kept"
        assert bystander.read_text() == "untouched"
    finally:
        shutil.rmtree(scratch)


async def test_a_killed_first_start_leaves_nothing_that_stops_the_next(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "postgres.new" / "base").mkdir(parents=True)
    (data / "owner.new").write_text("half a passw")
    async with _running(data) as server, _session(server) as session:
        assert await session.fetchval("SELECT 1") == 1
    assert "half" not in (data / "owner.password").read_text()
    assert {path.name for path in data.iterdir()} == {"enfilade.lock", "owner.password", "postgres", "postgres.log"}
