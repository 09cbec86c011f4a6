"""Records of a tenant that is not where its writer thinks: they go to where it is, and what can go nowhere is named."""

from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
from structlog.testing import capture_logs

from enfilade.bootstrap.compose import Parts, Service
from enfilade.core.clock import ManualClock, to_ns
from enfilade.core.events import Event
from enfilade.storage.address import Address
from enfilade.storage.cells import Placement, own_name
from enfilade.storage.errors import DatabaseUnavailable, StorageFault
from enfilade.storage.group_commit import PATIENCE_S
from enfilade.storage.writers import KEEP_S, TRY_AGAIN_S
from tests.support.moves import contents, log_is_gapless, move
from tests.support.parts import NOON, call_event, intent_text, make_tenant, new_ids, open_parts, unit_in
from tests.support.waiting import eventually

SCHEMA, ROW = Placement("schema"), Placement()


def writers(parts: Parts) -> Sequence[Service]:
    return (parts.writer.run, parts.writers.run)


@pytest.fixture
async def parts(database: Address) -> AsyncIterator[Parts]:
    """All writers run."""
    async with open_parts(database, services=writers) as opened:
        yield opened


@pytest.fixture
async def slow(database: Address) -> AsyncIterator[Parts]:
    """The same, with a clock that stands still."""
    async with open_parts(database, ManualClock(), services=writers) as opened:
        yield opened


async def test_facts_go_to_where_the_tenant_is_now(parts: Parts) -> None:
    ours = (await make_tenant(parts, "ours")).id
    former = parts.writers.of(ours)
    await move(parts, ours, SCHEMA)
    former.note([Event("Noted", ours, to_ns(NOON), "system:test", {"n": n}) for n in range(3)])
    await parts.writers.flush()
    found = await contents(parts, ours)
    log_is_gapless(found)
    assert sum("Noted" in row for row in found.tables["events"]) == 3


async def test_notes_of_running_calls_go_there_too_unless_the_call_was_settled(slow: Parts) -> None:
    ours = (await make_tenant(slow, "ours", isolation="schema")).id
    former = slow.writers.of(ours)
    running, settled = new_ids(2)
    await move(slow, ours, ROW)
    for call in (running, settled):
        former.intend(call, lambda call=call: intent_text(ours, call, slow.replica))  # type: ignore[misc]
    former.commit._intents_are_due()
    await eventually(lambda: len(slow.writers._on_the_way) == 2)
    await slow.writers.of(ours).settle(settled, call_event(ours, settled))
    await _passes(slow, 1, until=lambda: not slow.writers._on_the_way)

    async def intents() -> bool:
        async with unit_in(slow, ours) as unit:
            return [str(row["call_id"]) for row in await unit.fetch("SELECT call_id FROM intents")] == [running]

    await eventually(intents)
    await slow.writers.flush()
    assert await intents()


async def test_a_record_of_an_erased_tenant_is_lost_and_kept_in_the_log(parts: Parts) -> None:
    ours = (await make_tenant(parts, "ours", isolation="schema")).id
    await _drop_schema(parts, ours)
    async with parts.database.owner() as owner:
        await owner.execute("DELETE FROM enfilade.tenants WHERE id = $1", ours)
    (call,) = new_ids(1)
    body = call_event(ours, call)
    with capture_logs() as logs:
        with pytest.raises(StorageFault, match="erased"):
            await parts.writers.of(ours).settle(call, body)
        await parts.writers.flush()
    (line,) = [line for line in logs if line["event"] == "record_lost"]
    assert (line["tenant"], line["record"], line["reason"], line["lost_record"]) == (ours, call, "erased", body)
    assert parts.writers.lost()["erased"] == 1


async def test_a_record_waits_for_a_cell_that_is_brought_back(slow: Parts) -> None:
    ours = (await make_tenant(slow, "ours", isolation="schema")).id
    (call,) = new_ids(1)
    await _rename_schema(slow, own_name(ours), "elsewhere")
    waiting = slow.writers.of(ours).settle(call, call_event(ours, call))
    await _passes(slow, PATIENCE_S + 1, until=waiting.done)
    with pytest.raises(DatabaseUnavailable):
        await waiting
    await _rename_schema(slow, "elsewhere", own_name(ours))
    await _passes(slow, TRY_AGAIN_S + 1, until=lambda: not slow.writers._on_the_way and not slow.writers.backlog)
    assert (await contents(slow, ours)).calls == [call]
    assert not slow.writers.lost().get("cell_gone")


async def test_a_record_does_not_wait_for_ever(slow: Parts) -> None:
    ours = (await make_tenant(slow, "ours", isolation="schema")).id
    (call,) = new_ids(1)
    await _drop_schema(slow, ours)
    waiting = slow.writers.of(ours).settle(call, call_event(ours, call))
    await eventually(lambda: bool(slow.writers._on_the_way))
    with capture_logs() as logs:
        await _passes(slow, KEEP_S + 1, until=lambda: slow.writers.lost().get("cell_gone"))
    assert [line["record"] for line in logs if line["event"] == "record_lost"] == [call]
    with pytest.raises((DatabaseUnavailable, StorageFault)):
        await waiting
    assert not slow.writers._on_the_way


async def test_what_is_on_its_way_when_the_process_ends_is_in_the_log(database: Address) -> None:
    with capture_logs() as logs:
        async with open_parts(database, ManualClock(), services=writers) as parts:
            ours = (await make_tenant(parts, "ours", isolation="schema")).id
            (call,) = new_ids(1)
            await _drop_schema(parts, ours)
            waiting = parts.writers.of(ours).settle(call, call_event(ours, call))
            await eventually(lambda: bool(parts.writers._on_the_way))
    with pytest.raises(StorageFault, match="process ended"):
        await waiting
    assert [line["reason"] for line in logs if line["event"] == "record_lost"] == ["ended"]


async def test_a_call_that_runs_while_its_tenant_is_removed_is_settled_in_its_cell(parts: Parts) -> None:
    ours = (await make_tenant(parts, "ours", isolation="schema")).id
    (call,) = new_ids(1)
    async with unit_in(parts) as unit:
        await parts.identity.tenants.remove(unit, "ours")
    await parts.directory.refresh()
    await parts.writers.of(ours).settle(call, call_event(ours, call))
    assert (await contents(parts, ours, SCHEMA)).calls == [call]


async def _drop_schema(parts: Parts, tenant: str) -> None:
    async with parts.database.owner() as owner:
        await owner.execute(f'DROP SCHEMA "{own_name(tenant)}" CASCADE')


async def _rename_schema(parts: Parts, name: str, to: str) -> None:
    async with parts.database.owner() as owner:
        await owner.execute(f'ALTER SCHEMA "{name}" RENAME TO "{to}"')


def _clock(parts: Parts) -> ManualClock:
    assert isinstance(parts.clock, ManualClock)
    return parts.clock


async def _passes(parts: Parts, seconds: float, until: Any) -> None:
    """Let so much time pass at once, and then a little again and again, until something holds."""
    clock = _clock(parts)
    await eventually(lambda: clock.next_wake() is not None)
    clock.advance(seconds)

    async def holds() -> bool:
        if not until():
            clock.advance(0.05)
        return bool(until())

    await eventually(holds, within=60)
