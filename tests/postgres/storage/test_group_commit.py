"""The writer of settlements: once each, in order, around what cannot be stored and across a database that goes away."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import to_ns
from enfilade.core.events import Event
from enfilade.storage.address import WRITER, Address
from enfilade.storage.errors import StorageFault
from enfilade.storage.group_commit import MAX_BATCH, SETTLE, GroupCommit
from tests.support.ledger import log_is_whole, rows, settle_all, settled
from tests.support.parts import NOON, call_event, intent_text, make_tenant, new_ids, service
from tests.support.waiting import eventually


async def test_what_was_settled_is_committed_when_the_future_is_done(parts: Parts, tenant: str) -> None:
    (identifier,) = new_ids(1)
    await parts.writer.settle(identifier, call_event(tenant, identifier))
    assert await settled(parts) == ([identifier], [identifier], [identifier])
    assert parts.writer.backlog == 0


async def test_a_call_settled_twice_has_one_row_and_one_event(parts: Parts, tenant: str) -> None:
    (identifier,) = new_ids(1)
    body = call_event(tenant, identifier)
    await parts.writer.settle(identifier, body)
    # Later, and with other figures, as a recovery would that did not know.
    await parts.writer.settle(identifier, body)
    await parts.writer.settle(identifier, call_event(tenant, identifier, cost_nano=99, estimated=True))
    assert await settled(parts) == ([identifier], [identifier], [identifier])
    (row,) = await rows(parts, "SELECT amount_nano, estimated FROM ledger")
    assert tuple(row) == (20_000, False)
    await log_is_whole(parts)
    assert (parts.writer.statistics.settled, parts.writer.statistics.duplicates) == (1, 2)


async def test_a_call_that_is_twice_in_one_batch_is_settled_once(parts: Parts, tenant: str) -> None:
    first, twice, last = new_ids(3)
    await asyncio.gather(*settle_all(parts.writer, tenant, [first, twice, twice, last]))
    assert await settled(parts) == ([first, twice, last],) * 3
    await log_is_whole(parts)


async def test_a_batch_is_one_transaction_and_the_next_takes_what_came_meanwhile(parts: Parts, tenant: str) -> None:
    await parts.writer.flush()
    before = parts.writer.statistics.transactions
    identifiers = new_ids(50)
    await asyncio.gather(*settle_all(parts.writer, tenant, identifiers))
    assert parts.writer.statistics.transactions == before + 1
    assert parts.writer.statistics.largest == 50


async def test_more_than_fits_in_a_batch_is_written_in_several(parts: Parts, tenant: str) -> None:
    identifiers = new_ids(MAX_BATCH + 1)
    await asyncio.gather(*settle_all(parts.writer, tenant, identifiers))
    assert parts.writer.statistics.largest == MAX_BATCH
    assert (await settled(parts))[0] == sorted(identifiers)
    await log_is_whole(parts)


async def test_events_stand_in_the_order_in_which_calls_were_settled(parts: Parts, tenant: str) -> None:
    identifiers = new_ids(40)[::-1]
    waiting = []
    for identifier in identifiers:
        waiting.append(parts.writer.settle(identifier, call_event(tenant, identifier)))
        await asyncio.sleep(0)
    await asyncio.gather(*waiting)
    events = await log_is_whole(parts)
    assert [json.loads(row["body"])["data"]["id"] for row in events if "CallSettled" in row["body"]] == identifiers


async def test_writers_of_several_processes_share_a_log_without_gaps(
    database: Address, parts: Parts, tenant: str
) -> None:
    other = (await make_tenant(parts, "globex")).id
    writers = [GroupCommit(parts.cells.shared, parts.clock) for _ in range(3)]
    identifiers = new_ids(240)
    async with service(writers[0].run), service(writers[1].run), service(writers[2].run):
        waiting = []
        for position, identifier in enumerate(identifiers):
            owner = (tenant, other)[position % 2]
            alert = Event("Noted", (other, tenant)[position % 2], to_ns(NOON), "system:test", {"n": position})
            waiting.append(writers[position % 3].settle(identifier, call_event(owner, identifier), [alert]))
            if position % 7 == 0:
                await asyncio.sleep(0)
        await asyncio.gather(*waiting)
    assert await settled(parts) == (identifiers,) * 3
    events = await log_is_whole(parts)
    assert sum('"Noted"' in row["body"] for row in events) == 240


async def test_the_same_calls_settled_by_two_processes_at_once_are_settled_once(parts: Parts, tenant: str) -> None:
    writers = [GroupCommit(parts.cells.shared, parts.clock) for _ in range(2)]
    identifiers = new_ids(100)
    async with service(writers[0].run), service(writers[1].run):
        await asyncio.gather(
            *settle_all(writers[0], tenant, identifiers), *settle_all(writers[1], tenant, identifiers[::-1])
        )
    assert await settled(parts) == (identifiers,) * 3
    await log_is_whole(parts)
    assert sum(writer.statistics.settled for writer in writers) == 100


@pytest.mark.parametrize(
    ("position", "poison"),
    [
        pytest.param(0, {"cost_nano": -1}, id="a negative amount, first"),
        pytest.param(3, {"key": "no-uuid"}, id="an id that is none, in the middle"),
        pytest.param(5, {"output_tokens": 2**63}, id="a figure that does not fit, in the middle"),
        pytest.param(6, {"tenant": "01900000-0000-7000-8000-000000000000"}, id="a tenant without a log, last"),
    ],
)
async def test_what_cannot_be_stored_does_not_take_the_others_with_it(
    parts: Parts, tenant: str, poison: dict[str, Any], position: int
) -> None:
    identifiers = new_ids(7)
    bodies = {identifier: call_event(tenant, identifier) for identifier in identifiers}
    bad = identifiers[position]
    changes = dict(poison)
    bodies[bad] = call_event(changes.pop("tenant", tenant), bad, **changes)
    parts.writer.note([Event("Noted", tenant, to_ns(NOON), "system:test", {})])
    outcomes = await asyncio.gather(
        *(parts.writer.settle(identifier, body) for identifier, body in bodies.items()), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [
        StorageFault if identifier == bad else type(None) for identifier in identifiers
    ]
    kept = [identifier for identifier in identifiers if identifier != bad]
    assert await settled(parts) == (kept,) * 3
    await parts.writer.flush()  # Nobody waits for a fact: it may be in the part that is written last.
    assert any('"Noted"' in row["body"] for row in await log_is_whole(parts))
    assert parts.writer.backlog == 0

    # The writer goes on.
    (following,) = new_ids(1)
    await parts.writer.settle(following, call_event(tenant, following))
    assert (await settled(parts))[0] == sorted([*kept, following])


async def test_the_order_survives_the_search_for_what_cannot_be_stored(parts: Parts, tenant: str) -> None:
    identifiers = new_ids(20)[::-1]
    waiting = [
        parts.writer.settle(i, call_event(tenant, i, cost_nano=-1 if n == 11 else 1)) for n, i in enumerate(identifiers)
    ]
    await asyncio.gather(*waiting, return_exceptions=True)
    events = await log_is_whole(parts)
    found = [json.loads(row["body"])["data"]["id"] for row in events if "CallSettled" in row["body"]]
    assert found == identifiers[:11] + identifiers[12:]


async def test_a_refused_settlement_keeps_nothing_of_itself(parts: Parts, tenant: str) -> None:
    (identifier,) = new_ids(1)
    alert = Event("BudgetExhausted", tenant, to_ns(NOON), "system:test", {})
    with pytest.raises(StorageFault, match="could not be stored"):
        await parts.writer.settle(identifier, call_event(tenant, identifier, key="no-uuid"), [alert])
    assert await settled(parts) == ([], [], [])
    assert not any("BudgetExhausted" in row["body"] for row in await log_is_whole(parts))


async def test_an_intent_is_gone_once_its_call_is_settled(parts: Parts, tenant: str) -> None:
    slow, quick = new_ids(2)
    for identifier in (slow, quick):
        parts.writer.intend(identifier, lambda i=identifier: intent_text(tenant, i, parts.replica))  # type: ignore[misc]
    await parts.writer.settle(quick, call_event(tenant, quick))

    async def noted() -> bool:
        return [str(row["call_id"]) for row in await rows(parts, "SELECT call_id FROM intents")] == [slow]

    await eventually(noted)
    await parts.writer.settle(slow, call_event(tenant, slow))
    assert await rows(parts, "SELECT * FROM intents") == []
    assert await settled(parts) == ([slow, quick],) * 3


async def test_a_call_that_ends_at_once_writes_no_intent(parts: Parts, tenant: str) -> None:
    (identifier,) = new_ids(1)
    parts.writer.intend(identifier, lambda: pytest.fail("it was rendered"))
    await parts.writer.settle(identifier, call_event(tenant, identifier))
    await parts.writer.flush()
    assert await rows(parts, "SELECT * FROM intents") == []


async def test_flush_waits_for_everything_that_was_queued(parts: Parts, tenant: str) -> None:
    identifiers = new_ids(30)
    settle_all(parts.writer, tenant, identifiers)
    parts.writer.note([Event("Noted", tenant, to_ns(NOON), "system:test", {})])
    await parts.writer.flush()
    assert (await settled(parts))[0] == identifiers
    assert any('"Noted"' in row["body"] for row in await log_is_whole(parts))


async def test_times_of_events_are_kept_to_the_microsecond(parts: Parts, tenant: str) -> None:
    moment = NOON + timedelta(microseconds=123_457)
    (identifier,) = new_ids(1, moment)
    await parts.writer.settle(identifier, call_event(tenant, identifier, moment))
    (row,) = await rows(parts, "SELECT started_at, posted_at FROM ledger")
    assert tuple(row) == (moment, moment)


async def test_the_function_itself_is_idempotent(parts: Parts, tenant: str) -> None:
    (identifier,) = new_ids(1)
    writer = await parts.database.connect(WRITER)
    await writer.execute("SET search_path = enfilade_shared")
    body = call_event(tenant, identifier)
    assert [await writer.fetchval(SETTLE, [body], [], [], [], [], []) for _ in range(3)] == [1, 0, 0]
    await writer.close()
    assert await settled(parts) == ([identifier],) * 3
