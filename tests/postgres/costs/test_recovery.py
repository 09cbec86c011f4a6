"""What a crash leaves behind is settled once, at its worst case, by whoever looks first."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.core.ids import IdFactory
from enfilade.costs.ledger.recovery import CHUNK, LOOK_EVERY_S
from enfilade.storage.address import WRITER, Address
from enfilade.storage.group_commit import SETTLE
from tests.support.ledger import log_is_whole, rows, settled
from tests.support.parts import call_event, intent_text, make_tenant, new_ids, open_parts, service
from tests.support.waiting import eventually


@pytest.fixture
async def tenant(parts: Parts) -> str:
    return (await make_tenant(parts, "acme")).id


@pytest.fixture
def dead(parts: Parts) -> str:
    """A process that is gone."""
    return IdFactory(parts.clock).new_id()


async def _leave_behind(parts: Parts, *intents: str) -> None:
    """Write intents as the writer of another process did before it died."""
    writer = await parts.database.connect(WRITER)
    await writer.execute("SET search_path = enfilade_shared")
    await writer.fetchval(SETTLE, [], [], [], [], [], list(intents))
    await writer.close()


async def test_an_orphan_is_settled_as_an_estimate_at_its_worst_case(parts: Parts, tenant: str, dead: str) -> None:
    (identifier,) = new_ids(1)
    department, application, key = new_ids(3)
    subject: dict[str, Any] = {"department": department, "application": application, "key": key}
    await _leave_behind(
        parts, intent_text(tenant, identifier, dead, deployment="sim/echo", metadata={"team": "x"}, **subject)
    )
    assert await parts.recovery.settle_orphans() == 1
    (ledger,) = await rows(parts, "SELECT * FROM ledger")
    assert (ledger["amount_nano"], ledger["estimated"], ledger["tokens"]) == (70_000, True, 50)
    assert {name: str(ledger[f"{name}_id"]) for name in subject} == subject
    (call,) = await rows(parts, "SELECT * FROM calls")
    assert (call["status"], call["estimated"], call["provider"], call["deployment"]) == (
        "interrupted",
        True,
        "sim",
        "sim/echo",
    )
    assert json.loads(call["metadata"]) == {"team": "x"}
    assert await rows(parts, "SELECT * FROM intents") == []
    assert await settled(parts) == ([identifier],) * 3
    await log_is_whole(parts)
    assert await parts.recovery.settle_orphans() == 0


async def test_the_calls_of_processes_that_live_are_left_alone(
    database: Address, parts: Parts, tenant: str, dead: str
) -> None:
    mine, others, orphan = new_ids(3)
    async with open_parts(database, ManualClock()) as living:
        await _leave_behind(
            parts,
            intent_text(tenant, mine, parts.replica),
            intent_text(tenant, others, living.replica),
            intent_text(tenant, orphan, dead),
        )
        assert await parts.recovery.settle_orphans() == 1
        assert await settled(parts) == ([orphan],) * 3
    # It has stopped, and its lock with it.
    assert await parts.recovery.settle_orphans() == 1
    assert (await settled(parts))[0] == sorted([others, orphan])
    assert [str(row["call_id"]) for row in await rows(parts, "SELECT call_id FROM intents")] == [mine]


async def test_recoverers_at_the_same_time_settle_each_call_once(
    database: Address, parts: Parts, tenant: str, dead: str
) -> None:
    identifiers = new_ids(120)
    await _leave_behind(parts, *(intent_text(tenant, identifier, dead) for identifier in identifiers))
    async with open_parts(database, ManualClock()) as second, open_parts(database, ManualClock()) as third:
        everyone = (parts, second, third)
        waiting = asyncio.gather(*(each.recovery.settle_orphans() for each in everyone))

        async def done() -> bool:
            for each in everyone:
                assert isinstance(each.clock, ManualClock)
                each.clock.advance(0.05)
            return waiting.done()

        await eventually(done)
        await waiting
        assert sum(each.writer.statistics.settled for each in everyone) == 120
    assert await settled(parts) == (identifiers,) * 3
    await log_is_whole(parts)
    assert {row["amount_nano"] for row in await rows(parts, "SELECT amount_nano FROM ledger")} == {70_000}


async def test_a_call_that_was_settled_before_the_crash_keeps_its_real_figures(
    parts: Parts, tenant: str, dead: str
) -> None:
    (identifier,) = new_ids(1)
    await parts.writer.settle(identifier, call_event(tenant, identifier, cost_nano=11))
    # The note came late: its batch was tried again after the settlement's.
    await _leave_behind(parts, intent_text(tenant, identifier, dead))
    await parts.recovery.settle_orphans()
    (ledger,) = await rows(parts, "SELECT amount_nano, estimated FROM ledger")
    assert tuple(ledger) == (11, False)
    assert await rows(parts, "SELECT * FROM intents") == []
    assert await settled(parts) == ([identifier],) * 3


async def test_more_orphans_than_one_look_takes_are_all_settled(parts: Parts, tenant: str, dead: str) -> None:
    identifiers = new_ids(CHUNK + 3)
    await _leave_behind(parts, *(intent_text(tenant, identifier, dead) for identifier in identifiers))
    assert await parts.recovery.settle_orphans() == CHUNK + 3
    assert (await settled(parts))[0] == identifiers


@pytest.mark.parametrize(
    "spoiled",
    [
        pytest.param({"cost_nano": -1}, id="refused by the database"),
        pytest.param({"key": "no-uuid"}, id="not an id"),
    ],
)
async def test_an_orphan_that_cannot_be_settled_does_not_keep_the_others_from_it(
    parts: Parts, tenant: str, dead: str, spoiled: dict[str, Any]
) -> None:
    bad, *good = new_ids(3)
    await _leave_behind(
        parts,
        intent_text(tenant, bad, dead, **spoiled),
        *(intent_text(tenant, identifier, dead) for identifier in good),
    )
    assert await parts.recovery.settle_orphans() == 2
    assert await settled(parts) == (good,) * 3
    # It stays where an operator finds it, and a process can start nevertheless.
    assert [str(row["call_id"]) for row in await rows(parts, "SELECT call_id FROM intents")] == [bad]
    assert await parts.recovery.settle_orphans() == 0


async def test_an_orphan_whose_note_cannot_be_read_does_not_keep_the_others_from_it(
    parts: Parts, tenant: str, dead: str
) -> None:
    unreadable, good = new_ids(2)
    foreign = json.dumps({"id": unreadable, "tenant": tenant, "replica": dead, "written_by": "another version"})
    await _leave_behind(parts, foreign, intent_text(tenant, good, dead))
    assert await parts.recovery.settle_orphans() == 1
    assert await settled(parts) == ([good],) * 3


async def test_a_process_that_runs_settles_what_others_leave_when_they_die(
    parts: Parts, tenant: str, dead: str
) -> None:
    clock = parts.clock
    assert isinstance(clock, ManualClock)
    (identifier,) = new_ids(1)
    async with service(parts.recovery.run):
        await eventually(lambda: clock.next_wake() is not None)
        await _leave_behind(parts, intent_text(tenant, identifier, dead))
        clock.advance(LOOK_EVERY_S)

        async def there() -> bool:
            return await settled(parts) == ([identifier],) * 3

        await eventually(there)


async def test_a_process_is_alive_until_its_listening_connection_ends(
    database: Address, parts: Parts, tenant: str
) -> None:
    (identifier,) = new_ids(1)
    async with open_parts(database, ManualClock()) as doomed:
        await _leave_behind(parts, intent_text(tenant, identifier, doomed.replica))
        assert await parts.recovery.settle_orphans() == 0
        connection = doomed.presence._connection
        assert isinstance(connection, asyncpg.Connection)
        connection.terminate()

        async def settles() -> bool:
            return await parts.recovery.settle_orphans() == 1

        await eventually(settles)
