"""Usage events: every entry once, in the order of commits, whoever commits late."""

import json
import re
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest

from enfilade.core.cursors import read_cursor, write_cursor
from enfilade.core.scope import Scope
from enfilade.costs.spend import usage_events
from enfilade.costs.spend.usage_events import NOBODY, Position, UsagePage, cloud_event, read_usage
from enfilade.costs.spend.usage_of_all import Positions, has_one_order, read_usage_of_all
from enfilade.identity.scopes import system_scope, tenant_scope
from tests.postgres.costs.conftest import Company, make_company
from tests.support.entries import POST_CORRECTION, lines, post_call, post_correction
from tests.support.ledger import rows as read
from tests.support.parts import NOON, unit_in

PLATFORM = system_scope("test")


async def page(
    company: Company, after: Position, limit: int = 100, scope: Scope = PLATFORM, tenant: str | None = None
) -> UsagePage:
    async with company.parts.storage.unit_of_work(scope, readonly=True) as unit:
        return await read_usage(unit, after, limit, tenant)


async def everything(company: Company, after: Position, limit: int = 100, **which: Any) -> tuple[list[str], Position]:
    """What a reader gets that goes on for as long as there is more."""
    found: list[str] = []
    while True:
        got = await page(company, after, limit, **which)
        found += [f"{entry['call_id']}:{entry['line']}" for entry in got.entries]
        assert len(got.entries) <= limit
        assert got.next >= after
        after = Position.of_cursor(got.next.cursor())
        if not got.more:
            return found, after


def correction(call_id: str) -> str:
    body: dict[str, Any] = {
        "call_id": call_id,
        "started_at": NOON.isoformat(),
        "posted_at": NOON.isoformat(),
        "corrects": 0,
    }
    body |= {"amount_nano": -1, "provider_nano": -1, "source": "manual", "reason": "a test"}
    return json.dumps(body)


async def test_whoever_commits_late_is_neither_missed_nor_given_twice(company: Company) -> None:
    """Transactions that begin, post and end in every order, while somebody reads a page now and then."""
    chance = Random(8)
    calls = [await company.spend(1) for _ in range(6)]
    found, position = await everything(company, Position(), limit=4)
    assert sorted(found) == sorted(f"{call}:0" for call in calls)
    for _ in range(3):
        async with AsyncExitStack() as stack:
            # One posts and stays open; what is posted later is committed before it.
            unit = await stack.enter_async_context(unit_in(company.parts, company.tenant))
            await unit.fetch_value(POST_CORRECTION, correction(chance.choice(calls)))
            calls += [await company.spend(1) for _ in range(chance.randrange(1, 4))]
            early, position = await everything(company, position, limit=chance.randrange(1, 4))
            assert early == []
        calls.append(await company.spend(1))
        late, position = await everything(company, position, limit=chance.randrange(1, 4))
        found += late
    again, position = await everything(company, position)
    assert again == []
    posted = await read(company.parts, "SELECT call_id, line FROM ledger ORDER BY posted_xact, call_id, line")
    assert found == [f"{row['call_id']}:{row['line']}" for row in posted]
    assert len(found) > len(calls) > 12


async def test_a_page_may_be_short_of_its_limit_and_says_that_there_is_more(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = [await company.spend(1, NOON + timedelta(minutes=number)) for number in range(3)]
    (oldest,) = await read(company.parts, "SELECT min(posted_xact) AS xact FROM ledger")
    monkeypatch.setattr(usage_events, "FIRST_WIDTH", oldest["xact"] + 1)
    first = await page(company, Position())
    assert (len(first.entries), first.more) == (1, True)
    monkeypatch.setattr(usage_events, "FIRST_WIDTH", 1)
    found, _ = await everything(company, Position())
    assert found == [f"{call}:0" for call in calls]


async def test_a_tenant_reads_its_own_and_the_platform_whom_it_asks_for(company: Company) -> None:
    other = await make_company(company.parts, "globex")
    mine, theirs = await company.spend(1), await other.spend(2)
    own = tenant_scope(company.tenant, "test")
    assert (await everything(company, Position(), scope=own))[0] == [f"{mine}:0"]
    assert (await everything(company, Position(), scope=own, tenant=other.tenant))[0] == []
    assert (await everything(company, Position(), tenant=other.tenant))[0] == [f"{theirs}:0"]
    assert set((await everything(company, Position()))[0]) == {f"{mine}:0", f"{theirs}:0"}


async def test_a_cursor_from_a_ledger_that_has_come_further_is_refused(company: Company) -> None:
    _, position = await everything(company, Position())
    with pytest.raises(ValueError, match="ahead of the ledger"):
        await page(company, Position(position.xact + 1_000_000))


async def test_a_reader_of_all_goes_on_past_a_tenant_that_came_from_elsewhere(company: Company) -> None:
    other = await make_company(company.parts, "globex")
    tenants = [company.tenant, other.tenant]
    calls = [await company.spend(1), await other.spend(1), await company.spend(1), await other.spend(1)]
    async with company.parts.storage.unit_of_work(PLATFORM, readonly=True) as unit:
        assert await has_one_order(unit)
    found, position = await everything_of_all(company, Positions(), tenants)
    assert sorted(found) == sorted(f"{call}:0" for call in calls)
    # As a move brings it: its entries below all that this server posts, its places counted from its beginning.
    async with company.parts.database.owner() as owner, owner.transaction():
        await owner.execute("SELECT set_config('enfilade.tenant', $1, true)", other.tenant)
        back = "UPDATE enfilade_shared.ledger SET posted_xact = posted_xact - (1::bigint << 48) WHERE tenant_id = $1"
        await owner.execute(back, other.tenant)
        await owner.execute("INSERT INTO enfilade_shared.ledger_bases (tenant_id, moves) VALUES ($1, 1)", other.tenant)
    late = [await other.spend(1), await company.spend(1)]
    async with company.parts.storage.unit_of_work(PLATFORM, readonly=True) as unit:
        assert not await has_one_order(unit)
    found, position = await everything_of_all(company, position, tenants)
    assert sorted(found) == sorted(f"{call}:0" for call in late)
    assert (await everything_of_all(company, position, tenants))[0] == []
    again, _ = await everything_of_all(company, Positions(), tenants)
    assert sorted(again) == sorted(f"{call}:0" for call in [*calls, *late])


async def test_a_busy_tenant_does_not_keep_the_others_from_their_turn(company: Company) -> None:
    other = await make_company(company.parts, "globex")
    for _ in range(6):
        await company.spend(1)
    await other.spend(1)
    position, seen = Positions(), set()
    for _ in range(3):
        async with company.parts.storage.unit_of_work(PLATFORM, readonly=True) as unit:
            page = await read_usage_of_all(unit, position, 1, [company.tenant, other.tenant])
        seen |= {str(entry["tenant_id"]) for entry in page.entries}
        assert page.more
        position = Positions.of_cursor(page.next.cursor()) or position
    assert seen == {company.tenant, other.tenant}


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x", lambda data: data[:10]])
def test_a_cursor_of_all_that_was_not_given_out_is_refused(change: Any) -> None:
    tenant = "01a19c21-7200-7000-8000-000000000001"
    whole = Positions({tenant: Position(7), NOBODY: Position(2**62, tenant, 3)}, tenant)
    assert Positions.of_cursor(whole.cursor()) == whole
    assert Positions.of_cursor(Position(7).cursor()) is None
    with pytest.raises(ValueError, match="no cursor of usage events"):
        Positions.of_cursor(write_cursor(change(read_cursor(whole.cursor()))))


async def everything_of_all(company: Company, after: Positions, tenants: list[str]) -> tuple[list[str], Positions]:
    """What a reader of these tenants gets who goes on for as long as there is more."""
    found: list[str] = []
    while True:
        async with company.parts.storage.unit_of_work(PLATFORM, readonly=True) as unit:
            page = await read_usage_of_all(unit, after, 3, tenants)
        found += [f"{entry['call_id']}:{entry['line']}" for entry in page.entries]
        assert len(page.entries) <= 3
        after = page.next
        if not page.more:
            return found, after


async def test_events_are_cloudevents_with_a_name_for_good(company: Company) -> None:
    parts, tenant, ids = company.parts, company.tenant, company.ids
    fields = lines(input=(10, 100_000_000), output=(5, 800_000_000)) | {"application": ids["application:copilot"]}
    call = await post_call(parts, tenant, **fields, price="book/1:m", provider_nano=4_000)
    await post_correction(parts, tenant, call, -7, posted_at=NOON + timedelta(days=1))
    entries = (await page(company, Position())).entries
    first, second = (cloud_event(entry, "tenant", is_platform=False) for entry in entries)
    for event in (first, second):
        conforms(event)
        assert event["source"] == f"urn:enfilade:tenant:{tenant}"
        assert event["subject"] == tenant
    assert (first["id"], second["id"]) == (f"{call}:0", f"{call}:1")
    data = first["data"]
    assert data["quantities"] == {"input": 10, "output": 5}
    assert [line["cost_usd"] for line in data["lines"]] == ["0.000001000", "0.000004000"]
    assert data["lines"][1]["rate_usd_per_million"] == "0.8"
    assert (data["cost_usd"], data["application"], data["price"]) == ("0.000005000", "copilot", "book/1:m")
    assert "provider_usd" not in data
    assert (second["data"]["cost_usd"], second["data"]["corrects"]) == ("-0.000000007", 0)
    by_application = cloud_event(entries[0], "application", is_platform=True)
    assert by_application["subject"] == ids["application:copilot"]
    assert by_application["data"]["provider_usd"] == "0.000004000"


def conforms(event: dict[str, Any]) -> None:
    """The rules of the CloudEvents 1.0 JSON format."""
    assert event["specversion"] == "1.0"
    for name in ("id", "source", "type"):
        assert isinstance(event[name], str)
        assert event[name]
    assert all(re.fullmatch(r"[a-z0-9]+", name) for name in event)
    assert re.fullmatch(r"[a-z][a-z0-9+.-]*:\S+", event["source"])
    assert datetime.fromisoformat(event["time"]).tzinfo is not None
    assert event["datacontenttype"] == "application/json"
    assert isinstance(event["data"], dict)
    assert json.loads(json.dumps(event)) == event
