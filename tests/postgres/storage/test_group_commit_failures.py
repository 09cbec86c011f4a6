"""The server, or the connection to it, fails while calls are finishing: nothing is lost and nothing is doubled."""

import asyncio
import contextlib
from typing import Any

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import Clock, ManualClock, to_ns
from enfilade.core.events import Event
from enfilade.storage.errors import DatabaseUnavailable, StorageFault
from enfilade.storage.group_commit import PATIENCE_S
from tests.support.ledger import blocked_log, log_is_whole, settle_all, settled
from tests.support.parts import NOON, call_event, make_tenant, new_ids
from tests.support.waiting import eventually

TERMINATE_WRITERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE '%writer_login' AND datname = current_database()
"""


async def test_a_lost_connection_is_replaced_and_nothing_is_lost_or_doubled(parts: Parts, tenant: str) -> None:
    identifiers = new_ids(60)
    for position in range(0, 60, 10):
        waiting = settle_all(parts.writer, tenant, identifiers[position : position + 10])
        await asyncio.sleep(0)
        await _kill_writers(parts)
        await _with_time(parts, asyncio.gather(*waiting))
    assert await settled(parts) == (identifiers,) * 3
    await log_is_whole(parts)


async def test_a_commit_whose_answer_was_lost_is_not_repeated(
    parts: Parts, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    really = parts.writer._commit
    losses = iter([True, True, False])

    async def commit_then_lose_the_answer(batch: Any) -> int:
        settled = await really(batch)
        if next(losses, False):
            raise asyncpg.ConnectionDoesNotExistError
        return settled

    monkeypatch.setattr(parts.writer, "_commit", commit_then_lose_the_answer)
    identifiers = new_ids(5)
    await _with_time(parts, asyncio.gather(*settle_all(parts.writer, tenant, identifiers)))
    assert await settled(parts) == (identifiers,) * 3
    await log_is_whole(parts)
    assert parts.writer.statistics.duplicates == 5


async def test_it_says_for_how_long_nothing_could_be_written(
    parts: Parts, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = _Gate(parts, monkeypatch)
    identifiers = new_ids(3)
    waiting = asyncio.gather(*settle_all(parts.writer, tenant, identifiers))
    await eventually(lambda: gate.refused > 0)
    _clock(parts).advance(2)
    await eventually(lambda: gate.refused > 1)
    assert parts.writer.failing_for() == 2.0
    assert parts.writer.backlog == 3
    gate.opens()
    await _with_time(parts, waiting)
    assert parts.writer.failing_for() == 0.0
    assert await settled(parts) == (identifiers,) * 3


async def test_nobody_waits_for_ever_and_the_records_stay_queued(
    parts: Parts, tenant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    gate = _Gate(parts, monkeypatch)
    identifiers = new_ids(3)
    waiting = settle_all(parts.writer, tenant, identifiers[:2])
    await eventually(lambda: gate.refused > 0)
    waiting += settle_all(parts.writer, tenant, identifiers[2:])
    _clock(parts).advance(PATIENCE_S + 1)
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [DatabaseUnavailable] * 3
    assert "cannot be answered" in str(outcomes[0])
    gate.opens()

    async def all_there() -> bool:
        _clock(parts).advance(1)
        return await settled(parts) == (identifiers,) * 3

    await eventually(all_there)
    await log_is_whole(parts)


async def test_a_deadlock_between_two_writers_is_tried_again(parts: Parts, tenant: str) -> None:
    other = (await make_tenant(parts, "globex")).id
    first, second = sorted((tenant, other))
    async with parts.database.owner() as rival, rival.transaction():
        await rival.execute("SET LOCAL search_path = enfilade_shared")
        lock = "SELECT FROM event_heads WHERE tenant_id = $1 FOR UPDATE"
        await rival.execute(lock, second)
        identifiers = new_ids(2)
        waiting = asyncio.gather(
            *(parts.writer.settle(i, call_event(t, i)) for i, t in zip(identifiers, (first, second), strict=True))
        )

        async def waits() -> bool:
            return bool(await rival.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        await eventually(waits)
        with contextlib.suppress(asyncpg.DeadlockDetectedError):
            await rival.execute(lock, first)
    await _with_time(parts, waiting)
    assert await settled(parts) == (identifiers,) * 3
    await log_is_whole(parts)


async def test_flush_waits_for_facts_that_are_being_written(parts: Parts, tenant: str) -> None:
    async with blocked_log(parts, tenant) as waits:
        parts.writer.note([Event("Noted", tenant, to_ns(NOON), "system:test", {})])
        await eventually(waits)
        flushing = asyncio.ensure_future(parts.writer.flush())
        await _turns_of_the_loop()
        assert not flushing.done()
    await flushing
    assert any('"Noted"' in row["body"] for row in await log_is_whole(parts))


async def test_flush_waits_for_the_rest_of_a_batch_of_which_a_part_was_refused(parts: Parts, tenant: str) -> None:
    bad, good = new_ids(2)
    async with blocked_log(parts, tenant) as waits:
        refused = parts.writer.settle(bad, call_event(tenant, bad, cost_nano=-1))
        accepted = parts.writer.settle(good, call_event(tenant, good))
        with pytest.raises(StorageFault):
            await refused
        await eventually(waits)
        assert parts.writer.backlog == 1
        flushing = asyncio.ensure_future(parts.writer.flush())
        await _turns_of_the_loop()
        assert not flushing.done()
    await flushing
    assert accepted.done()
    assert await settled(parts) == ([good],) * 3


def _clock(parts: Parts) -> ManualClock:
    clock: Clock = parts.clock
    assert isinstance(clock, ManualClock)
    return clock


async def _with_time(parts: Parts, waiting: "asyncio.Future[Any]") -> Any:
    """Let time pass, in which the writer tries again, until the settlements are written."""

    async def done() -> bool:
        _clock(parts).advance(0.05)
        return waiting.done()

    await eventually(done, within=30)
    return await waiting


async def _kill_writers(parts: Parts) -> None:
    async with parts.database.owner() as owner:
        await owner.execute(TERMINATE_WRITERS)


class _Gate:
    """A server that refuses every connection of the writer's until it opens."""

    def __init__(self, parts: Parts, monkeypatch: pytest.MonkeyPatch) -> None:
        self.refused = 0
        self._closed = True
        self._really = parts.database.connect
        if parts.writer._connection is not None:
            parts.writer._connection.terminate()
        monkeypatch.setattr(parts.database, "connect", self._connect)

    async def _connect(self, role: str) -> asyncpg.Connection:
        if self._closed:
            self.refused += 1
            raise ConnectionRefusedError
        return await self._really(role)

    def opens(self) -> None:
        self._closed = False


async def _turns_of_the_loop() -> None:
    for _ in range(20):
        await asyncio.sleep(0)
