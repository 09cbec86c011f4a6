"""Replies of status 200 that are not what was asked: read if they can be, else a clear error; the call is settled."""

import asyncio
import gzip
import json
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT_USAGE,
    MESSAGES,
    MODEL,
    STREAMING,
    UP_ENVIRONMENT,
    UP_KEY,
    answers_well,
    assert_nothing_held,
    chat_chunk,
    chat_stream,
    checked_error,
    cost_of,
    driven,
    error_of,
    house_at,
    model,
    provider,
    question,
    record_of,
    served,
    sse,
    streamed,
    whole_reply,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.upstream import Step, Upstream, open_upstream, raw, reply, silence, stream

WORDS = ("One", " two", " three")
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": f"{UP_KEY} at 127.0.0.1 is busy"}}


def as_stream(content: bytes, coding: str | None = None) -> Step:
    """A streamed reply of these bytes."""
    named = f"content-encoding: {coding}\r\n" if coding else ""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n{named}content-length: {len(content)}\r\n\r\n"
    return raw(head.encode() + content, hangs_up=False)


@asynccontextmanager
async def house_of_two(
    database: Address, first: Upstream, second: Upstream, path: str, clock: ManualClock
) -> AsyncIterator[House]:
    """A house in which `up-model` is served by two providers, in this order."""
    document = served(first, path)
    document["providers"].append(provider(second, path, "other"))
    document["models"][-1] = model(MODEL, "up/m", "other/m")
    async with open_house(database, HouseOptions(clock=clock, document=document, environment=UP_ENVIRONMENT)) as house:
        yield house


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("path", STREAMING)
async def test_a_reply_that_begins_as_an_error_is_answered_by_the_next_deployment(
    database: Address, path: str, is_stream: bool
) -> None:
    clock = ManualClock()
    refused = stream([b": waiting\n\n", *sse(OVERLOADED, named=path == MESSAGES)]) if is_stream else reply(OVERLOADED)
    good = stream(streamed(path, *WORDS)) if is_stream else reply(whole_reply(path))
    async with (
        open_upstream(refused) as first,
        open_upstream(good) as second,
        house_of_two(database, first, second, path, clock) as house,
    ):
        got = await driven(clock, house.client().post(path, json=question(path, stream=is_stream)))
        assert got.status_code == 200, got.text
        assert "busy" not in got.text
        assert "waiting" not in got.text
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["status"], record["attempts"]) == ("ok", 2)
        assert (len(first.seen), len(second.seen)) == (1, 1)
        assert f"{cost_of(record):.9f}" == record["cost_usd"]
        await assert_nothing_held(house)


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("path", STREAMING)
async def test_a_reply_that_begins_as_an_error_is_asked_for_again(
    database: Address, path: str, is_stream: bool
) -> None:
    clock = ManualClock()
    refused = stream(sse(OVERLOADED, named=path == MESSAGES)) if is_stream else reply(OVERLOADED)
    good = stream(streamed(path, *WORDS)) if is_stream else reply(whole_reply(path))
    options = HouseOptions(clock=clock)
    async with open_upstream(silence) as upstream, house_at(database, upstream, path, options=options) as house:
        upstream.will(refused, good)
        got = await driven(clock, house.client().post(path, json=question(path, stream=is_stream)))
        assert got.status_code == 200
        assert (await record_of(house, got.headers["x-request-id"]))["attempts"] == 2
        upstream.will(refused)
        got = await driven(clock, house.client().post(path, json=question(path, stream=is_stream)))
        ours = 529 if path == MESSAGES else 503
        assert (got.status_code, error_of(path, got)["code"]) == (ours, "provider_overloaded")
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["status"], record["attempts"], record["cost_usd"]) == ("failed", 3, "0.000000000")
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_an_error_deep_inside_a_whole_reply_is_told_by_what_it_says(database: Address, path: str) -> None:
    said = {"id": "x" * 200, "error": {"code": 429, "message": f"{UP_KEY} at 127.0.0.1"}, "type": "error"}
    async with open_upstream(reply(said)) as upstream, house_at(database, upstream, path) as house:
        got = await house.client().post(path, json=question(path))
        assert (got.status_code, error_of(path, got)["code"]) == (429, "provider_rate_limited")
        await assert_nothing_held(house)


def odd_replies(path: str) -> Mapping[str, tuple[bool, Step]]:
    """By what is odd: whether a stream was asked for, and what came."""
    whole = json.dumps(whole_reply(path)).encode()
    events = b"".join(streamed(path, *WORDS))
    html = b"<!doctype html><html><body>Please sign in at http://127.0.0.1/</body></html>"
    return {
        "a page": (False, reply(html, content_type="text/html")),
        "a page instead of a stream": (True, reply(html, content_type="text/html")),
        "nothing": (False, reply(b"")),
        "nothing instead of a stream": (True, reply(b"", content_type="text/event-stream")),
        "one piece instead of a stream": (True, reply(whole)),
        "a stream instead of one piece": (False, as_stream(events)),
        "half a JSON": (False, reply(whole[: len(whole) // 2])),
        "a length that is too short": (False, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 20\r\n\r\n" + whole)),
        "a length that is too long": (False, raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + whole)),
        "a stream that is shorter than it says": (
            True,
            raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + events[:150]),
        ),
        "half a compressed reply": (False, reply(gzip.compress(whole)[:80], headers={"content-encoding": "gzip"})),
        "half a compressed stream": (True, as_stream(gzip.compress(events)[:90], "gzip")),
        "an unknown coding": (False, reply(whole, headers={"content-encoding": "br"})),
        "an explosion": (False, reply(gzip.compress(b" " * 50_000_000), headers={"content-encoding": "gzip"})),
        "an explosion in a stream": (True, as_stream(gzip.compress(b":" + b"\n" * 50_000_000), "gzip")),
    }


@pytest.mark.parametrize("path", STREAMING)
async def test_what_cannot_be_read_is_a_clear_error_and_is_settled(database: Address, path: str) -> None:
    clock = ManualClock()
    options = HouseOptions(clock=clock)
    codes = {"provider_response_unreadable", "provider_connection_broken", "unreadable_reply"}
    async with open_upstream(silence) as upstream, house_at(database, upstream, path, options=options) as house:
        for what, (is_stream, step) in odd_replies(path).items():
            upstream.will(step)
            got = await driven(clock, house.client().post(path, json=question(path, stream=is_stream)))
            if got.status_code == 200:
                assert is_stream, what
                error = checked_error(path, got.content.removesuffix(b"\n\n").rpartition(b"data: ")[2])
            else:
                assert got.status_code == 502, what
                error = error_of(path, got)
            assert error["code"] in codes, what
            record = await record_of(house, got.headers["x-request-id"])
            assert (record["status"], record["estimated"]) == ("failed", True), what
            await assert_nothing_held(house)
            clock.advance(200)
        await answers_well(house, path)


@pytest.mark.parametrize("path", STREAMING)
async def test_what_can_be_read_is_read(database: Address, path: str) -> None:
    whole = json.dumps(whole_reply(path)).encode()
    events = b"".join(streamed(path, *WORDS))
    bare = zlib.compressobj(wbits=-15)
    wholes = {
        "gzip": reply(gzip.compress(whole), headers={"content-encoding": "gzip"}),
        "deflate": reply(zlib.compress(whole), headers={"content-encoding": "deflate"}),
        "bare deflate": reply(bare.compress(whole) + bare.flush(), headers={"content-encoding": "deflate"}),
        "called a page": reply(whole, content_type="text/html"),
        "after white space": reply(b"\n" * 500 + whole),
    }
    streams = {
        "gzip": as_stream(gzip.compress(events), "gzip"),
        "deflate": as_stream(zlib.compress(events), "deflate"),
        "called JSON": reply(events),
    }
    async with open_upstream(silence) as upstream, house_at(database, upstream, path) as house:
        for what, step in wholes.items():
            upstream.will(step)
            got = await house.client().post(path, json=question(path))
            assert (got.status_code, json.loads(got.content)) == (200, whole_reply(path)), what
            assert "content-encoding" not in got.headers
        for what, step in streams.items():
            upstream.will(step)
            got = await house.client().post(path, json=question(path, stream=True))
            assert got.status_code == 200, what
            assert "three" in got.text, what
            record = await record_of(house, got.headers["x-request-id"])
            assert (record["status"], record["estimated"]) == ("ok", False), what
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_a_stream_that_never_ends_is_bounded_by_its_size(database: Address, path: str) -> None:
    head = streamed(path, *WORDS)[:3]
    options = {"max_reply_bytes": "100000"}
    async with (
        open_upstream(stream([*head, *[b": still here\n\n" * 100] * 1000])) as upstream,
        house_at(database, upstream, path, options=None) as house,
    ):
        document = served(upstream, path)
        document["providers"][-1]["options"] = options
        await house.apply(document)
        got = await house.client().post(path, json=question(path, stream=True))
        assert got.status_code == 200
        assert len(got.content) < 400_000
        error = checked_error(path, got.content.removesuffix(b"\n\n").rpartition(b"data: ")[2])
        assert error["code"] == "provider_response_unreadable"
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["status"], record["estimated"]) == ("failed", True)
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_a_stream_that_never_ends_is_bounded_by_its_time(database: Address, path: str) -> None:
    clock = ManualClock()
    head = streamed(path, *WORDS)[:3]
    options = HouseOptions(clock=clock)
    limits = {"total": "20s", "between_bytes": "20s"}
    async with (
        open_upstream(as_endless(head)) as upstream,
        house_at(database, upstream, path, options=options, timeout=limits) as house,
    ):
        got = await driven(clock, house.client().post(path, json=question(path, stream=True)))
        error = checked_error(path, got.content.removesuffix(b"\n\n").rpartition(b"data: ")[2])
        assert error["code"] == "provider_timeout"
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["status"], record["latency_ms"] >= 19_000) == ("failed", True)
        await assert_nothing_held(house)


def as_endless(head: list[bytes]) -> Step:
    """A stream that goes on with comments until the gateway leaves."""

    async def chunks(_seen: Any, wire: Any) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
        for chunk in head:
            await wire.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        while not wire.writer.is_closing():
            await wire.send(b"3\r\n:\n\n\r\n")
            try:
                async with asyncio.timeout(0.005):
                    await wire.until_left()
            except TimeoutError:
                continue
            return

    return chunks


MEGABYTE = json.dumps({"text": "é" * 300_000 + "x" * 400_000})


def with_call(path: str, arguments: str) -> dict[str, Any]:
    """A reply that asks for a tool with these arguments."""
    if path == MESSAGES:
        block = {"type": "tool_use", "id": "toolu_1", "name": "save", "input": json.loads(arguments)}
        return whole_reply(path) | {"content": [block], "stop_reason": "tool_use"}
    call = {"id": "call_1", "type": "function", "function": {"name": "save", "arguments": arguments}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    return whole_reply(path) | {"choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}]}


def streamed_call(path: str, arguments: str) -> list[bytes]:
    """The same as a stream, its arguments in one piece."""
    if path == MESSAGES:
        start, *_, stop = streamed(path)
        block = {"type": "tool_use", "id": "toolu_1", "name": "save", "input": {}}
        delta = {"type": "input_json_delta", "partial_json": arguments}
        return [
            start,
            *sse(
                {"type": "content_block_start", "index": 0, "content_block": block},
                {"type": "content_block_delta", "index": 0, "delta": delta},
                {"type": "content_block_stop", "index": 0},
                {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 3}},
                named=True,
            ),
            stop,
        ]
    call = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "save", "arguments": arguments}}
    chunk = chat_chunk(None)
    chunk["choices"][0]["delta"] = {"tool_calls": [call]}
    last = chat_chunk(None) | {"choices": [], "usage": CHAT_USAGE}
    return [chat_stream()[0], *sse(chunk, chat_chunk(None, "tool_calls"), last, "[DONE]")]


@pytest.mark.parametrize("path", STREAMING)
async def test_a_tool_argument_of_a_megabyte_passes_in_both_directions(database: Address, path: str) -> None:
    options = HouseOptions(max_body_bytes=4_000_000)
    async with open_upstream(silence) as upstream, house_at(database, upstream, path, options=options) as house:
        asked = question(path, messages=tool_loop(path, MEGABYTE), tools=[tool(path)])
        upstream.will(reply(with_call(path, MEGABYTE)))
        got = await house.client().post(path, json=asked)
        assert got.status_code == 200, got.text[:500]
        assert got.json() == with_call(path, MEGABYTE)
        assert upstream.seen[-1].json["messages"] == asked["messages"]
        events = streamed_call(path, MEGABYTE)
        upstream.will(stream([b"".join(events)[at : at + 50_000] for at in range(0, len(b"".join(events)), 50_000)]))
        got = await house.client().post(path, json=asked | {"stream": True})
        assert got.status_code == 200
        assert json.dumps(MEGABYTE).encode() in got.content
        record = await record_of(house, got.headers["x-request-id"])
        assert (record["status"], record["estimated"]) == ("ok", False)
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_a_conversation_of_two_thousand_messages_passes(database: Address, path: str) -> None:
    messages = [{"role": ("user", "assistant")[turn % 2], "content": f"Turn {turn}"} for turn in range(1999)]
    async with open_upstream(silence) as upstream, house_at(database, upstream, path) as house:
        for is_stream in (False, True):
            upstream.will(stream(streamed(path, *WORDS)) if is_stream else reply(whole_reply(path)))
            got = await house.client().post(path, json=question(path, messages=messages, stream=is_stream))
            assert got.status_code == 200, got.text[:500]
            assert upstream.seen[-1].json["messages"] == messages
            assert (await record_of(house, got.headers["x-request-id"]))["status"] == "ok"
        await assert_nothing_held(house)


def tool(path: str) -> dict[str, Any]:
    """The declaration of a tool."""
    schema = {"type": "object", "properties": {"text": {"type": "string"}}}
    if path == MESSAGES:
        return {"name": "save", "input_schema": schema}
    return {"type": "function", "function": {"name": "save", "parameters": schema}}


def tool_loop(path: str, arguments: str) -> list[dict[str, Any]]:
    """A conversation in which a tool was used."""
    user = {"role": "user", "content": "Save it"}
    if path == MESSAGES:
        call = {"type": "tool_use", "id": "toolu_0", "name": "save", "input": json.loads(arguments)}
        result = {"type": "tool_result", "tool_use_id": "toolu_0", "content": "Saved"}
        return [user, {"role": "assistant", "content": [call]}, {"role": "user", "content": [result]}]
    call = {"id": "call_0", "type": "function", "function": {"name": "save", "arguments": arguments}}
    return [
        user,
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_0", "content": "Saved"},
    ]
