"""Gemini's streams without `alt=sse`: one JSON array, whole and valid however the stream ends."""

import asyncio
import json
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import assert_nothing_held, cost_of, record_of
from tests.support.house import House, HouseOptions
from tests.support.speaking import Asked
from tests.support.upstream import open_upstream, stream
from tests.support.waiting import eventually
from tests.support.wire_streams import (
    MAX_OUTPUT,
    WORDS,
    asked,
    begun,
    charged,
    ending,
    failing,
    house_between,
    post,
    until_left,
)

QUESTION = asked("gemini_generate", array=True)
upstreams = pytest.mark.parametrize("dialect", ["gemini_generate", "anthropic_messages"])


def entries(content: bytes) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(content)
    assert isinstance(found, list)
    return found


def text_of(found: list[dict[str, Any]]) -> str:
    return "".join(
        part.get("text", "")
        for entry in found
        for candidate in entry.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
    )


@upstreams
async def test_a_whole_stream_is_one_array(database: Address, dialect: str) -> None:
    step = stream(begun(dialect) + ending(dialect))
    async with open_upstream(step) as upstream, house_between(database, upstream, dialect) as house:
        reply = await post(house, QUESTION)
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
        found = entries(reply.content)
        assert text_of(found) == "".join(WORDS)
        assert found[-1]["candidates"][0]["finishReason"] == "STOP"
        assert found[-1]["usageMetadata"]["promptTokenCount"] == 12
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["stream"]) == ("ok", True)
        await assert_nothing_held(house)


@upstreams
@pytest.mark.parametrize("ends_by", ["an error", "a cut"])
async def test_an_error_amid_the_stream_is_the_last_entry(database: Address, dialect: str, ends_by: str) -> None:
    chunks = begun(dialect) + (failing(dialect, "tired") if ends_by == "an error" else [])
    step = stream(chunks, ends=ends_by == "an error")
    async with open_upstream(step) as upstream, house_between(database, upstream, dialect) as house:
        reply = await post(house, QUESTION)
        assert (reply.status_code, reply.headers["content-type"]) == (200, "application/json")
        *words, last = entries(reply.content)
        assert text_of(words) == "".join(WORDS)
        code = "provider_overloaded" if ends_by == "an error" else "provider_connection_broken"
        assert last["error"]["details"][0]["reason"] == code
        assert last["error"]["status"] == "UNAVAILABLE"
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["error"]) == ("failed", code)
        assert charged(record) == cost_of(record) > 0
        await assert_nothing_held(house)


@upstreams
async def test_a_stream_that_never_begins_is_refused_by_its_status(database: Address, dialect: str) -> None:
    step = stream([], ends=False)
    async with open_upstream(step) as upstream, house_between(database, upstream, dialect) as house:
        reply = await post(house, QUESTION)
        assert reply.status_code == 502
        assert reply.json()["error"]["details"][0]["reason"] == "provider_connection_broken"
        await assert_nothing_held(house)


@upstreams
async def test_a_budget_cuts_the_stream_and_the_array_is_closed(database: Address, dialect: str) -> None:
    (*start, word) = begun(dialect)
    budget = {"scope": "tenant", "window": "total", "limit_usd": "0.0002", "action": "cut"}
    async with (
        open_upstream(until_left([*start, *[word] * MAX_OUTPUT])) as upstream,
        house_between(database, upstream, dialect, budgets=[budget]) as house,
    ):
        reply = await post(house, QUESTION)
        assert entries(reply.content)[-1]["candidates"][0]["finishReason"] == "MAX_TOKENS"
        await eventually(upstream.wires[0].left.is_set)
        assert (await record_of(house, reply.headers["x-request-id"]))["status"] == "cut"
        await assert_nothing_held(house)


@upstreams
async def test_a_caller_may_leave_amid_the_array(database: Address, dialect: str) -> None:
    options = HouseOptions(clock=ManualClock())
    async with (
        open_upstream(until_left(begun(dialect))) as upstream,
        house_between(database, upstream, dialect, options) as house,
    ):
        got = b""
        async with house.client().stream("POST", QUESTION.path, json=QUESTION.body) as reply:
            parts = reply.aiter_raw()
            while WORDS[-1].encode() not in got:
                got += await anext(parts)
        await eventually(upstream.wires[0].left.is_set)
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["usage"]["output_tokens"]) == ("abandoned", len(WORDS))
        assert charged(record) == cost_of(record)
        await assert_nothing_held(house)


async def test_a_stream_that_a_shutdown_ends_is_a_whole_array_too(house: House) -> None:
    asking = Asked("/v1beta/models/simulated/text-50+hang-after-3:streamGenerateContent", QUESTION.body)
    async with house.client().stream("POST", asking.path, json=asking.body) as reply:
        parts = reply.aiter_raw()
        got = await anext(parts)
        draining = asyncio.ensure_future(house.parts.data_plane.drain(0))
        got += b"".join([part async for part in parts])
        await draining
    *words, last = entries(got)
    assert words
    assert last["error"]["details"][0]["reason"] == "interrupted"
    assert (await record_of(house, reply.headers["x-request-id"]))["status"] == "interrupted"
