"""What providers report is charged by kind, or settled at an estimate, whoever asked and however the answer came."""

import json
from decimal import Decimal
from typing import Any

import pytest

from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    MESSAGES,
    MODEL,
    assert_nothing_held,
    house_at,
    question,
    streamed,
    whole_reply,
)
from tests.support.house import House
from tests.support.upstream import Step, open_upstream, reply, stream
from tests.support.world import ACME_ADMIN_KEY

FIELD = {CHAT: b'"prompt_tokens":12', MESSAGES: b'"input_tokens":12'}
FAULTS = [b"NaN", b'"12"', b"1e999"]
CALLERS = (CHAT, MESSAGES)


def faulty(path: str, fault: bytes, *, streams: bool) -> Step:
    """An answer of a provider that speaks the dialect of `path`, whose report holds the fault."""
    field = FIELD[path]
    wrong = field.replace(b"12", fault)
    if streams:
        chunks = streamed(path, "Good", " morning")
        assert any(field in chunk for chunk in chunks)
        return stream([chunk.replace(field, wrong) for chunk in chunks])
    whole = json.dumps(whole_reply(path), separators=(",", ":")).encode()
    assert field in whole
    return reply(whole.replace(field, wrong))


async def entry_of(house: House, call: str) -> dict[str, Any]:
    got = await house.client(ACME_ADMIN_KEY).get(f"/api/v1/calls/{call}/costs")
    assert got.status_code == 200, got.text
    (entry,) = got.json()["entries"]
    found: dict[str, Any] = entry
    return found


@pytest.mark.parametrize("path", CALLERS, ids=["chat", "messages"])
async def test_a_report_that_cannot_be_true_costs_the_caller_no_answer_and_is_flagged(
    database: Address, path: str
) -> None:
    """At a provider of each family, for callers of both, in replies and in streams."""
    calls = [(caller, streams, fault) for caller in CALLERS for streams in (False, True) for fault in FAULTS]
    steps = [faulty(path, fault, streams=streams) for _, streams, fault in calls]
    async with open_upstream(*steps) as upstream, house_at(database, upstream, path) as house:
        for caller, streams, fault in calls:
            got = await house.client().post(caller, json=question(caller, stream=streams))
            assert got.status_code == 200, (caller, streams, fault, got.text)
            assert "Good" in got.text if streams else "Yes." in got.text
            entry = await entry_of(house, got.headers["x-request-id"])
            assert entry["flags"] == ["estimated_usage", "usage_impossible"], (caller, streams, fault)
            assert 0 < Decimal(entry["amount_usd"]) < Decimal("0.001")
        await assert_nothing_held(house)


async def test_searches_that_a_provider_made_are_charged_beside_the_tokens(database: Address) -> None:
    answer = whole_reply(MESSAGES)
    answer["usage"] |= {"server_tool_use": {"web_search_requests": 3, "web_fetch_requests": 1}}
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]
    async with open_upstream(reply(answer)) as upstream, house_at(database, upstream, MESSAGES) as house:
        price = {"input": 1, "output": 2, "web_searches": 10}
        put = await house.admin().put(f"/api/v1/prices/{MODEL}", json={"price": price})
        assert put.status_code == 200, put.text
        got = await house.client().post(MESSAGES, json=question(MESSAGES, tools=tools))
        assert got.status_code == 200, got.text
        entry = await entry_of(house, got.headers["x-request-id"])
        lines = {line["kind"]: (line["quantity"], Decimal(line["amount_usd"])) for line in entry["lines"]}
        assert lines["web_searches"] == (3, Decimal("0.03"))
        assert entry["flags"] == []
        await assert_nothing_held(house)
