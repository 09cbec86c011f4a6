"""Which processes are taken for dead: a lost connection alone is no death where others would settle what still runs."""

import os
import socket
import subprocess
import sys
from dataclasses import dataclass
from datetime import timedelta

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.costs.ledger.recovery import Recovery
from enfilade.gateway.records import recovered_event
from enfilade.storage import replicas
from enfilade.storage.address import OPERATOR, WRITER, Address
from enfilade.storage.group_commit import SETTLE
from enfilade.storage.replicas import HOLD_LIFE, REGISTER_REPLICA, STOP
from tests.support.ledger import rows, settled
from tests.support.parts import intent_text, make_tenant, new_ids, open_parts

HERE, ELSEWHERE = socket.gethostname(), "another-machine.example"
RECENT, LONG_AGO = timedelta(seconds=2), timedelta(seconds=16)
LONG_UP = timedelta(hours=1)
SERVER_START = "pg_postmaster_start_time()"


@dataclass(frozen=True, slots=True)
class Process:
    """A process that serves the same database, as its entry shows it, and a call of its own."""

    parts: Parts
    replica: str
    call: str

    async def is_recovered(self, *, has_company: bool) -> bool:
        """Whether a look settles the process's call."""
        parts = self.parts
        recovery = Recovery(
            parts.storage, parts.writers, parts.clock, parts.replica, recovered_event, has_company=has_company
        )
        recovered = await recovery.settle_orphans()
        left = [str(row["call_id"]) for row in await rows(parts, "SELECT call_id FROM intents")]
        assert await settled(parts) == (([self.call],) * 3 if recovered else ([],) * 3)
        assert left == ([] if recovered else [self.call])
        return recovered == 1


async def process(
    parts: Parts, *, host: str = HERE, pid: int | None = None, beat: timedelta = RECENT, stopped: bool = False
) -> Process:
    """A process without its lock: of this machine and living, and heard of lately, unless it is said otherwise."""
    tenant = (await make_tenant(parts, "acme")).id
    replica, call = new_ids(2)
    async with parts.database.transaction(OPERATOR) as connection:
        await connection.execute(REGISTER_REPLICA, replica, host, os.getpid() if pid is None else pid, "1.0")
        if stopped:
            await connection.execute(STOP, replica)
        await connection.execute(
            "UPDATE enfilade.replicas SET heartbeat_at = now() - $2::interval WHERE id = $1", replica, beat
        )
    await note(parts, intent_text(tenant, call, replica))
    return Process(parts, replica, call)


async def note(parts: Parts, intent: str) -> None:
    """Write an intent, as the writer of another process did."""
    writer = await parts.database.connect(WRITER)
    await writer.execute("SET search_path = enfilade_shared")
    await writer.fetchval(SETTLE, [], [], [], [], [], [intent])
    await writer.close()


@pytest.fixture
def gone() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
    return ended.pid


@pytest.fixture
def server_up_for(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """Let the server have run for so long: what was heard before its start says nothing."""
    assert SERVER_START in replicas.SIGNS_OF_LIFE
    up_for: timedelta = getattr(request, "param", LONG_UP)
    moment = f"(now() - interval '{up_for.total_seconds()} seconds')"
    monkeypatch.setattr(replicas, "SIGNS_OF_LIFE", replicas.SIGNS_OF_LIFE.replace(SERVER_START, moment))


pytestmark = pytest.mark.usefixtures("server_up_for")


@pytest.mark.parametrize("host", [HERE, ELSEWHERE])
async def test_a_process_that_lost_its_connection_is_left_alone_for_a_while(parts: Parts, host: str) -> None:
    doomed = await process(parts, host=host)
    assert not await doomed.is_recovered(has_company=True)


async def test_the_id_of_a_process_says_nothing_on_another_machine(parts: Parts, gone: int) -> None:
    elsewhere = await process(parts, host=ELSEWHERE, pid=gone)
    assert not await elsewhere.is_recovered(has_company=True)


async def test_a_process_of_this_machine_that_has_ended_is_recovered_at_once(parts: Parts, gone: int) -> None:
    ended = await process(parts, pid=gone)
    assert await ended.is_recovered(has_company=True)


@pytest.mark.parametrize("host", [HERE, ELSEWHERE])
async def test_a_process_that_was_not_heard_of_for_long_is_recovered(parts: Parts, host: str) -> None:
    silent = await process(parts, host=host, beat=LONG_AGO)
    assert await silent.is_recovered(has_company=True)


async def test_a_process_that_said_that_it_stops_is_recovered_at_once(parts: Parts) -> None:
    stopped = await process(parts, stopped=True)
    assert await stopped.is_recovered(has_company=True)


async def test_a_process_of_which_nothing_is_known_is_recovered(parts: Parts) -> None:
    tenant = (await make_tenant(parts, "acme")).id
    replica, call = new_ids(2)
    await note(parts, intent_text(tenant, call, replica))
    assert await Process(parts, replica, call).is_recovered(has_company=True)


@pytest.mark.parametrize("host", [HERE, ELSEWHERE])
async def test_where_one_process_serves_alone_the_former_one_is_recovered_at_once(parts: Parts, host: str) -> None:
    former = await process(parts, host=host)
    assert await former.is_recovered(has_company=False)


@pytest.mark.parametrize("server_up_for", [timedelta(seconds=1)], indirect=True)
async def test_a_server_that_was_just_started_gives_everybody_time_to_return(parts: Parts) -> None:
    away = await process(parts, beat=LONG_AGO)
    assert not await away.is_recovered(has_company=True)


@pytest.mark.parametrize("server_up_for", [timedelta(seconds=1)], indirect=True)
async def test_a_server_that_was_just_started_revives_nobody_who_has_ended(parts: Parts, gone: int) -> None:
    ended = await process(parts, pid=gone, beat=LONG_AGO)
    assert await ended.is_recovered(has_company=True)


@pytest.mark.parametrize("has_company", [True, False])
async def test_a_process_that_holds_its_lock_is_alive_whatever_else_is_said(
    parts: Parts, gone: int, has_company: bool
) -> None:
    living = await process(parts, pid=gone, beat=LONG_AGO, stopped=True)
    holder = await parts.database.connect(OPERATOR)
    try:
        await holder.execute(HOLD_LIFE, living.replica)
        assert not await living.is_recovered(has_company=has_company)
    finally:
        await holder.close()


async def test_a_process_that_came_back_settles_its_call_itself(database: Address, parts: Parts) -> None:
    tenant = (await make_tenant(parts, "acme")).id
    (call,) = new_ids(1)
    async with open_parts(database, ManualClock()) as other:
        await note(parts, intent_text(tenant, call, other.replica))
        connection = other.presence._connection
        assert connection is not None
        connection.terminate()
        seen = Process(parts, other.replica, call)
        assert not await seen.is_recovered(has_company=True)
        await other.presence._connect()
        assert not await seen.is_recovered(has_company=True)
        assert not await seen.is_recovered(has_company=False)
