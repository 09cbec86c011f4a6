"""The audit log and the records of calls: found, listed, filtered, exported, and provably what was written."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from enfilade.audit.errors import InvalidCursor, UnknownCall
from enfilade.audit.service import CallFilter, EventFilter, LoggedEvent
from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.identity.types import UserSpec
from enfilade.storage.address import Address
from tests.support.house import House
from tests.support.ledger import settle_all
from tests.support.parts import NOON, call_event, make_tenant, new_ids, open_parts, unit_in
from tests.support.world import ACME_AUDITOR_KEY, ACME_KEY, GLOBEX_ADMIN_KEY

HOUR = timedelta(hours=1)
NASTY = 'quote " back\\slash / tab\t line\n bell\x07 delete\x7f ümläut € 𝄞 \u2028 </script>'


@pytest.fixture
async def parts(database: Address) -> AsyncIterator[Parts]:
    async with open_parts(database, ManualClock()) as opened:
        yield opened


@pytest.fixture
async def tenant(parts: Parts) -> str:
    return (await make_tenant(parts, "acme")).id


async def _settle(parts: Parts, tenant: str, at: datetime = NOON, **changes: Any) -> str:
    (identifier,) = new_ids(1, at)
    await parts.writer.settle(identifier, call_event(tenant, identifier, at, **changes))
    return identifier


async def _calls(parts: Parts, scope: Scope, which: CallFilter, limit: int = 100) -> list[str]:
    """The calls of all pages, in their order."""
    found: list[str] = []
    cursor: str | None = None
    async with parts.storage.unit_of_work(scope, readonly=True) as unit:
        while True:
            page, cursor = await parts.audit.page_calls(unit, which, cursor, limit)
            assert len(page) <= limit
            found += [str(row["call_id"]) for row in page]
            if cursor is None:
                return found


async def _events(parts: Parts, scope: Scope, which: EventFilter, limit: int = 100) -> list[LoggedEvent]:
    found: list[LoggedEvent] = []
    cursor: str | None = None
    async with parts.storage.unit_of_work(scope, readonly=True) as unit:
        while True:
            page, cursor = await parts.audit.page_events(unit, which, cursor, limit)
            assert len(page) <= limit
            found += page
            if cursor is None:
                return found


async def _export(parts: Parts, scope: Scope, which: EventFilter) -> list[LoggedEvent]:
    async with parts.storage.unit_of_work(scope, readonly=True) as unit:
        return [event async for event in parts.audit.export_events(unit, which)]


def _canonical(value: object) -> str:
    """RFC 8785, by other means than the program's: exact for text, whole numbers and ASCII names."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


async def test_every_leaf_recomputes_from_the_canonical_bytes(parts: Parts, tenant: str) -> None:
    await _settle(parts, tenant, metadata={"b": NASTY, "B": 2**53 - 1, "_": True, "a.b": -1})
    async with unit_in(parts, tenant) as unit:
        await parts.identity.departments.put(unit, "sales")
        unit.record("Noted", text=NASTY, nested={"z": [1, None, False], "a": {}})
    events = await _export(parts, system_scope("test"), EventFilter())
    assert len(events) >= 4
    for event in events:
        assert event.leaf == hashlib.sha256(b"\x00" + event.body.encode()).digest()
        content = json.loads(event.body)
        assert _canonical(content) == event.body
        assert (content["tenant"], content["type"]) == (event.tenant, event.type)
        assert datetime.fromisoformat(content["at"]) == event.at
    assert any(json.loads(event.body)["data"].get("text") == NASTY for event in events)


async def test_every_tenants_log_is_numbered_from_zero_without_gaps(parts: Parts, tenant: str) -> None:
    other = (await make_tenant(parts, "globex")).id
    for _ in range(3):
        await _settle(parts, tenant)
        await _settle(parts, other)
    events = await _export(parts, system_scope("test"), EventFilter())
    for owner in (tenant, other):
        assert [event.seq for event in events if event.tenant == owner] == [0, 1, 2, 3]
    assert [event.tenant for event in events] == sorted(event.tenant for event in events)


async def test_a_change_and_its_event_are_written_together_or_not_at_all(parts: Parts, tenant: str) -> None:
    async with unit_in(parts, tenant) as unit:
        await parts.identity.users.put(unit, UserSpec("ana@acme.example"))
    with pytest.raises(RuntimeError):
        await _change_and_fail(parts, tenant)
    events = await _export(parts, tenant_scope(tenant, "test"), EventFilter())
    assert [event.type for event in events] == ["TenantCreated", "UserCreated"]
    # An address would stand in the log for ever: people are named by id.
    assert "ana@" not in "".join(event.body for event in events)


async def _change_and_fail(parts: Parts, tenant: str) -> None:
    async with unit_in(parts, tenant) as unit:
        await parts.identity.users.put(unit, UserSpec("ben@acme.example"))
        await unit.finish()
        raise RuntimeError


async def test_a_call_is_found_by_its_id_with_the_names_of_its_subjects(parts: Parts, tenant: str) -> None:
    async with unit_in(parts, tenant) as unit:
        user, _ = await parts.identity.users.put(unit, UserSpec("ana@acme.example"))
    identifier = await _settle(parts, tenant, NOON + timedelta(microseconds=999), user=user.id)
    async with parts.storage.unit_of_work(tenant_scope(tenant, "test"), readonly=True) as reading:
        row = await parts.audit.find_call(reading, identifier)
    assert (str(row["call_id"]), row["tenant"], row["user"], row["amount_nano"]) == (
        identifier,
        "acme",
        "ana@acme.example",
        20_000,
    )


@pytest.mark.parametrize(
    "identifier",
    ["01a19c21-7200-7000-8000-000000000000", PLATFORM_ID, "ffffffff-ffff-7fff-bfff-ffffffffffff", "nothing", ""],
)
async def test_an_id_that_names_no_call_is_told_so(parts: Parts, tenant: str, identifier: str) -> None:
    async with parts.storage.unit_of_work(tenant_scope(tenant, "test"), readonly=True) as unit:
        with pytest.raises(UnknownCall):
            await parts.audit.find_call(unit, identifier)


async def test_another_tenants_call_does_not_exist(parts: Parts, tenant: str) -> None:
    other = (await make_tenant(parts, "globex")).id
    identifier = await _settle(parts, tenant)
    async with parts.storage.unit_of_work(tenant_scope(other, "test"), readonly=True) as unit:
        with pytest.raises(UnknownCall):
            await parts.audit.find_call(unit, identifier)
    assert await _calls(parts, tenant_scope(other, "test"), CallFilter(tenant=tenant)) == []
    assert await _events(parts, tenant_scope(other, "test"), EventFilter(tenant=tenant)) == []
    assert await _export(parts, tenant_scope(other, "test"), EventFilter(tenant=tenant)) == []


@pytest.mark.parametrize("limit", [1, 2, 7, 50])
async def test_pages_hold_every_call_once_newest_first(parts: Parts, tenant: str, limit: int) -> None:
    # Three of them at the same moment, so that the id decides.
    moments = [NOON, NOON, NOON, *(NOON - HOUR * hours for hours in (1, 2, 24 * 3, 24 * 30))]
    made = sorted([(moment, await _settle(parts, tenant, moment)) for moment in moments], reverse=True)
    found = await _calls(parts, tenant_scope(tenant, "test"), CallFilter(), limit)
    assert found == [identifier for _, identifier in made]


async def test_calls_that_come_while_somebody_pages_do_not_shift_the_pages(parts: Parts, tenant: str) -> None:
    older = [await _settle(parts, tenant, NOON - HOUR * hours) for hours in range(1, 5)]
    scope = tenant_scope(tenant, "test")
    async with parts.storage.unit_of_work(scope, readonly=True) as unit:
        first, cursor = await parts.audit.page_calls(unit, CallFilter(), None, 2)
    await _settle(parts, tenant, NOON)
    async with parts.storage.unit_of_work(scope, readonly=True) as unit:
        second, cursor = await parts.audit.page_calls(unit, CallFilter(), cursor, 2)
    assert [str(row["call_id"]) for row in first + second] == older
    assert cursor is None


@pytest.mark.parametrize(
    ("which", "expected"),
    [
        ({"status": "refused"}, ["refused"]),
        ({"model": "gpt"}, ["model"]),
        ({"application": "01a19c21-7200-7000-8000-00000000000a"}, ["subjects"]),
        ({"department": "01a19c21-7200-7000-8000-00000000000d"}, ["subjects"]),
        ({"user": "01a19c21-7200-7000-8000-00000000000e"}, ["subjects"]),
        ({"key": "01a19c21-7200-7000-8000-00000000000f"}, ["subjects"]),
        ({"start": NOON}, ["refused", "model"]),
        ({"end": NOON}, ["subjects"]),
        ({"start": NOON - HOUR, "end": NOON, "status": "ok"}, ["subjects"]),
        ({"status": "refused", "model": "gpt"}, []),
    ],
)
async def test_calls_are_filtered(parts: Parts, tenant: str, which: dict[str, Any], expected: list[str]) -> None:
    subjects = {
        name: f"01a19c21-7200-7000-8000-00000000000{digit}"
        for name, digit in {"application": "a", "department": "d", "user": "e", "key": "f"}.items()
    }
    made = {
        "refused": await _settle(parts, tenant, NOON, status="refused"),
        "model": await _settle(parts, tenant, NOON, model="gpt"),
        "subjects": await _settle(parts, tenant, NOON - HOUR, **subjects),
    }
    found = await _calls(parts, tenant_scope(tenant, "test"), CallFilter(**which))
    assert sorted(found) == sorted(made[name] for name in expected)


@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_pages_hold_every_event_of_a_period_once_oldest_first(parts: Parts, tenant: str, limit: int) -> None:
    for hours in (3, 1, 2, 1):
        await _settle(parts, tenant, NOON + HOUR * hours)
    scope = tenant_scope(tenant, "test")
    which = EventFilter(start=NOON + HOUR, end=NOON + HOUR * 3, type="CallSettled")
    events = await _events(parts, scope, which, limit)
    assert [event.seq for event in events] == [2, 4, 3]
    # An export of the same period holds the same, in the order of the leaves.
    assert [event.seq for event in await _export(parts, scope, which)] == [2, 3, 4]
    assert [event.seq for event in await _export(parts, scope, EventFilter(type="TenantCreated"))] == [0]
    assert await _export(parts, scope, EventFilter(start=datetime(2030, 1, 1, tzinfo=UTC))) == []


async def test_a_long_export_is_complete_and_in_order(parts: Parts, tenant: str) -> None:
    identifiers = new_ids(1200)
    await asyncio.gather(*settle_all(parts.writer, tenant, identifiers))
    events = await _export(parts, tenant_scope(tenant, "test"), EventFilter(type="CallSettled"))
    assert [json.loads(event.body)["data"]["id"] for event in events] == identifiers


@pytest.mark.parametrize("cursor", ["", "x", "!!", "YXxi", "YXxifGM", "w6TDtsO8"])
async def test_what_is_no_cursor_is_refused(parts: Parts, tenant: str, cursor: str) -> None:
    async with parts.storage.unit_of_work(tenant_scope(tenant, "test"), readonly=True) as unit:
        with pytest.raises(InvalidCursor):
            await parts.audit.page_calls(unit, CallFilter(), cursor, 10)
        with pytest.raises(InvalidCursor):
            await parts.audit.page_events(unit, EventFilter(), cursor, 10)


async def test_the_api_exports_a_period_as_ndjson_that_can_be_verified_line_by_line(house: House) -> None:
    for _ in range(3):
        reply = await house.client(ACME_KEY).post(
            "/v1/chat/completions",
            json={"model": "simulated/echo", "messages": [{"role": "user", "content": NASTY}]},
        )
        assert reply.status_code == 200
    auditor = house.client(ACME_AUDITOR_KEY)
    exported = await auditor.get("/api/v1/events/export")
    assert exported.headers["content-type"].startswith("application/x-ndjson")
    lines = [json.loads(line) for line in exported.content.splitlines()]
    assert [line["seq"] for line in lines] == list(range(len(lines)))
    for line, raw in zip(lines, exported.content.splitlines(), strict=True):
        body = raw.removeprefix(b'{"event":').rpartition(b',"leaf":"')[0]
        assert json.loads(body) == line["event"]
        assert hashlib.sha256(b"\x00" + body).hexdigest() == line["leaf"]
    assert sum(line["event"]["type"] == "CallSettled" for line in lines) == 3

    earlier = {"to": lines[0]["event"]["at"]}
    assert (await auditor.get("/api/v1/events/export", params=earlier)).content == b""
    foreign = (await house.client(GLOBEX_ADMIN_KEY).get("/api/v1/events/export")).content
    assert house.tenant_id("acme").encode() not in foreign
    assert (await house.client(ACME_KEY).get("/api/v1/events/export")).status_code == 403
