"""Streams: as they were sent, at the pace at which they were sent, and paid for however they end."""

import asyncio
import json
from collections.abc import Iterable
from decimal import Decimal

import httpx2
import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    MESSAGES,
    STREAMING,
    UP_KEY,
    answers_well,
    assert_nothing_held,
    chat_chunk,
    chat_stream,
    checked_error,
    cost_of,
    error_of,
    events_of,
    house_at,
    only_record,
    question,
    record_of,
    sse,
    streamed,
)
from tests.support.house import House, HouseOptions
from tests.support.upstream import HangUp, Seen, Step, Wire, open_upstream, raw, silence, stream
from tests.support.waiting import eventually

WORDS = ("One", " two", " three")
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"


def until_left(chunks: Iterable[bytes]) -> Step:
    """Begin a stream, and wait in its middle until the gateway leaves."""

    async def step(_seen: Seen, wire: Wire) -> None:
        await wire.send(HEAD + b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in chunks))
        await wire.until_left()
        raise HangUp

    return step


def unfinished(path: str) -> list[bytes]:
    """The events of a stream up to its last word."""
    whole = chat_stream(*WORDS, usage=None) if path == CHAT else streamed(path, *WORDS)
    return whole[: 1 + len(WORDS)] if path == CHAT else whole[: 2 + len(WORDS)]


def last_error(path: str, body: bytes) -> dict[str, object]:
    """The error with which a stream ends, in its dialect, after which nothing comes."""
    assert b"[DONE]" not in body
    assert b"message_stop" not in body
    last = body.removesuffix(b"\n\n").split(b"\n\n")[-1]
    if path == MESSAGES:
        name, last = last.split(b"\n")
        assert name == b"event: error"
    return checked_error(path, last.removeprefix(b"data: "))


@pytest.mark.parametrize("path", STREAMING)
async def test_each_chunk_arrives_before_the_next_is_sent_and_as_it_was_sent(database: Address, path: str) -> None:
    chunks = chat_stream(*WORDS, usage=None) if path == CHAT else streamed(path, *WORDS)
    gate = asyncio.Semaphore(1)
    async with open_upstream(stream(chunks, gate=gate)) as upstream, house_at(database, upstream, path) as house:
        async with house.client().stream("POST", path, json=question(path, stream=True)) as reply:
            assert reply.status_code == 200
            assert reply.headers["content-type"].startswith("text/event-stream")
            parts = reply.aiter_raw()
            got = b""
            for number, chunk in enumerate(chunks[:-1]):
                if number:
                    gate.release()
                upto = len(got) + len(chunk)
                while len(got) < upto:
                    got += await anext(parts)
                assert got == b"".join(chunks[: number + 1])
            gate.release()  # The end waits for its record.
            got += b"".join([part async for part in parts])
        assert got == b"".join(chunks)
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["stream"]) == ("ok", True)
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_a_stream_cut_into_single_bytes_arrives_whole(database: Address, path: str) -> None:
    whole = b"".join(streamed(path, "Grüße", " 世界"))
    asked = question(path, stream=True) | ({"stream_options": {"include_usage": True}} if path == CHAT else {})
    step = stream([whole[at : at + 1] for at in range(len(whole))])
    async with open_upstream(step) as upstream, house_at(database, upstream, path) as house:
        reply = await house.client().post(path, json=asked)
        record = await record_of(house, reply.headers["x-request-id"])
    got, sent = events_of(reply.content), events_of(whole)
    if path == CHAT:
        assert got[-1].pop("enfilade") == {"cost_usd": record["cost_usd"]}
    assert got == sent
    assert (record["usage"]["input_tokens"], record["usage"]["output_tokens"]) == (12, 3)
    assert not record["estimated"]


@pytest.mark.parametrize("path", STREAMING)
async def test_a_caller_who_leaves_ends_the_upstream_request_and_pays_for_what_came(
    database: Address, path: str
) -> None:
    # The clock stands still: what ends the upstream's request is the caller's leaving, and no timer.
    options = HouseOptions(clock=ManualClock())
    begun = unfinished(path)
    async with (
        open_upstream(until_left(begun)) as upstream,
        house_at(database, upstream, path, options=options) as house,
    ):
        async with house.client().stream("POST", path, json=question(path, stream=True)) as reply:
            got = b""
            parts = reply.aiter_raw()
            while len(got) < len(b"".join(begun)):
                got += await anext(parts)
        await eventually(upstream.wires[0].left.is_set)
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["http_status"]) == ("abandoned", 499)
        assert record["estimated"]
        assert record["usage"]["output_tokens"] == len(WORDS)
        assert record["usage"]["input_tokens"] > 0
        assert Decimal(record["cost_usd"]) == cost_of(record)
        await assert_nothing_held(house)
        await answers_well(house, path)


@pytest.mark.parametrize("is_stream", [True, False])
@pytest.mark.parametrize("path", STREAMING)
async def test_a_caller_who_leaves_before_the_answer_ends_the_upstream_request(
    database: Address, path: str, is_stream: bool
) -> None:
    options = HouseOptions(clock=ManualClock())
    async with open_upstream(silence) as upstream, house_at(database, upstream, path, options=options) as house:
        call = asyncio.ensure_future(house.client().post(path, json=question(path, stream=is_stream)))
        await upstream.was_asked()
        call.cancel()
        await eventually(upstream.wires[0].left.is_set)
        record = await only_record(house)
        assert record["status"] == "abandoned"
        assert record["estimated"]
        # Nobody knows what the provider did: the worst case is charged.
        assert record["usage"]["output_tokens"] == 100
        assert Decimal(record["cost_usd"]) == cost_of(record)
        await assert_nothing_held(house)


async def test_a_caller_with_a_large_body_who_leaves_is_noticed_too(database: Address) -> None:
    options = HouseOptions(clock=ManualClock(), max_body_bytes=8_000_000)
    async with open_upstream(silence) as upstream, house_at(database, upstream, options=options) as house:
        asked = question(CHAT, messages=[{"role": "user", "content": "x" * 5_000_000}])
        call = asyncio.ensure_future(house.client().post(CHAT, json=asked))
        await upstream.was_asked()
        call.cancel()
        await eventually(upstream.wires[0].left.is_set)
        assert (await only_record(house))["status"] == "abandoned"
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_an_upstream_cut_gives_an_error_event_and_a_bill_for_what_came(database: Address, path: str) -> None:
    begun = unfinished(path)
    async with (
        open_upstream(stream(begun, ends=False)) as upstream,
        house_at(database, upstream, path) as house,
    ):
        reply = await house.client().post(path, json=question(path, stream=True))
        assert reply.status_code == 200
        assert reply.content.startswith(b"".join(begun))
        error = last_error(path, reply.content)
        assert error["code"] == "provider_connection_broken"
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["error"]) == ("failed", "provider_connection_broken")
        assert record["estimated"]
        assert record["usage"]["output_tokens"] == len(WORDS)
        assert Decimal(record["cost_usd"]) == cost_of(record)
        await assert_nothing_held(house)
        await answers_well(house, path)


@pytest.mark.parametrize("path", STREAMING)
async def test_an_upstream_cut_before_the_first_event_is_a_plain_error(database: Address, path: str) -> None:
    async with open_upstream(stream([], ends=False)) as upstream, house_at(database, upstream, path) as house:
        reply = await house.client().post(path, json=question(path, stream=True))
        assert reply.status_code == 502
        assert error_of(path, reply)["code"] == "provider_connection_broken"
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_a_stream_that_ends_without_its_end_is_an_error(database: Address, path: str) -> None:
    """The reply is whole as HTTP knows it, but the provider's last events are missing."""
    async with open_upstream(stream(unfinished(path))) as upstream, house_at(database, upstream, path) as house:
        reply = await house.client().post(path, json=question(path, stream=True))
        assert last_error(path, reply.content)["code"] == "provider_connection_broken"
        assert (await record_of(house, reply.headers["x-request-id"]))["status"] == "failed"
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_an_error_that_the_provider_reports_inside_its_stream_is_told_in_our_words(
    database: Address, path: str
) -> None:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": f"key {UP_KEY} at 127.0.0.1 is tired"}}
    chunks = unfinished(path) + sse(said, named=path == MESSAGES)
    async with open_upstream(stream(chunks)) as upstream, house_at(database, upstream, path) as house:
        reply = await house.client().post(path, json=question(path, stream=True))
        assert last_error(path, reply.content)["code"] == "provider_overloaded"
        assert UP_KEY not in reply.text
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["error"]) == ("failed", "provider_overloaded")
        assert record["usage"]["output_tokens"] == len(WORDS)
        await assert_nothing_held(house)
        assert UP_KEY not in house.log_lines()


@pytest.mark.parametrize("path", STREAMING)
async def test_a_stream_that_begins_with_an_error_is_tried_again(database: Address, path: str) -> None:
    said = {"type": "error", "error": {"type": "overloaded_error", "message": "tired"}}
    tired, well = stream(sse(said, named=path == MESSAGES)), stream(streamed(path, *WORDS))
    async with open_upstream(tired, well) as upstream, house_at(database, upstream, path) as house:
        reply = await house.client().post(path, json=question(path, stream=True))
        assert reply.status_code == 200
        assert b"overloaded" not in reply.content
        assert WORDS[-1].encode() in reply.content
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["attempts"]) == ("ok", 2)
        assert record["usage"]["output_tokens"] == len(WORDS)
        await assert_nothing_held(house)


@pytest.mark.parametrize("path", STREAMING)
async def test_a_stream_that_stops_moving_is_ended_with_an_error_event(database: Address, path: str) -> None:
    clock = ManualClock()
    begun = unfinished(path)
    async with (
        open_upstream(until_left(begun)) as upstream,
        house_at(database, upstream, path, options=HouseOptions(clock=clock), timeout={"between_bytes": "5s"}) as house,
        house.client().stream("POST", path, json=question(path, stream=True)) as reply,
    ):
        parts = reply.aiter_raw()
        got = b""
        while len(got) < len(b"".join(begun)):
            got += await anext(parts)
        clock.advance(4.5)
        await answers_well(house, path)
        assert not upstream.wires[0].left.is_set()
        clock.advance(1)
        got += b"".join([part async for part in parts])
        assert last_error(path, got)["code"] == "provider_timeout"
        await eventually(upstream.wires[0].left.is_set)
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["error"]) == ("failed", "provider_timeout")
        assert record["usage"]["output_tokens"] == len(WORDS)
        await assert_nothing_held(house)


def spaced(chunks: Iterable[bytes]) -> list[bytes]:
    """The same events as a server writes them that puts blanks into its JSON."""
    texts = [chunk.removeprefix(b"data: ").strip() for chunk in chunks]
    return [
        b"data: " + (text if text == b"[DONE]" else json.dumps(json.loads(text)).encode()) + b"\n\n" for text in texts
    ]


USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}
USAGE_FORMS = {
    "a chunk of its own": chat_stream(*WORDS),
    "with blanks": spaced(chat_stream(*WORDS)),
    "in the last chunk": sse(*map(chat_chunk, WORDS), chat_chunk(None, "stop", usage=USAGE), "[DONE]"),
    "in every chunk": sse(
        chat_chunk("One", usage=USAGE | {"completion_tokens": 1}),
        chat_chunk(" two", "stop", usage=USAGE),
        "[DONE]",
    ),
    "with carriage returns": [chunk.replace(b"\n", b"\r\n") for chunk in chat_stream(*WORDS)],
}


@pytest.mark.parametrize("form", USAGE_FORMS)
async def test_usage_is_asked_for_and_hidden_from_a_caller_who_did_not_ask(database: Address, form: str) -> None:
    async with open_upstream(stream(USAGE_FORMS[form])) as upstream, house_at(database, upstream) as house:
        reply = await house.client().post(CHAT, json=question(CHAT, stream=True))
        assert (await upstream.was_asked()).json["stream_options"] == {"include_usage": True}
        events = events_of(reply.content.replace(b"\r\n", b"\n"))
        assert all(event["choices"] for event in events)
        assert not any(event.get("usage") for event in events)
        assert "prompt_tokens" not in reply.text
        assert "cost_usd" not in reply.text
        assert reply.content.rstrip().endswith(b"data: [DONE]")
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["usage"]["input_tokens"], record["usage"]["output_tokens"]) == (12, 3)
        assert (record["cost_usd"], record["estimated"]) == ("0.000018000", False)
        await assert_nothing_held(house)


@pytest.mark.parametrize(
    "options", [{"include_usage": False, "include_obfuscation": False}, {"include_usage": None}, {}]
)
async def test_other_stream_options_of_the_caller_go_upstream(database: Address, options: dict[str, object]) -> None:
    async with open_upstream(stream(chat_stream(*WORDS))) as upstream, house_at(database, upstream) as house:
        reply = await house.client().post(CHAT, json=question(CHAT, stream=True, stream_options=options))
        assert (await upstream.was_asked()).json["stream_options"] == options | {"include_usage": True}
        assert "prompt_tokens" not in reply.text


async def test_usage_is_shown_to_a_caller_who_asked_with_what_it_cost(database: Address) -> None:
    async with open_upstream(stream(chat_stream(*WORDS))) as upstream, house_at(database, upstream) as house:
        asked = question(CHAT, stream=True, stream_options={"include_usage": True})
        reply = await house.client().post(CHAT, json=asked)
        *chunks, last = events_of(reply.content)
        assert last["choices"] == []
        assert last["usage"] == USAGE
        assert last["enfilade"] == {"cost_usd": "0.000018000"}
        assert all(chunk["usage"] is None for chunk in chunks)
        assert reply.content.endswith(b"data: [DONE]\n\n")


async def test_a_stream_without_usage_is_estimated(database: Address) -> None:
    async with (
        open_upstream(stream(chat_stream(*WORDS, usage=None))) as upstream,
        house_at(database, upstream) as house,
    ):
        reply = await house.client().post(CHAT, json=question(CHAT, stream=True))
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["estimated"]) == ("ok", True)
        assert record["usage"]["output_tokens"] == len(WORDS)
        assert 0 < record["usage"]["input_tokens"] < 100
        assert Decimal(record["cost_usd"]) == cost_of(record)
        await assert_nothing_held(house)


GARBAGE = {
    "no events": b"HTTP/1.1 200 OK\r\ncontent-length: 12\r\n\r\n\x00\xff\xfe<html>!\r\n",
    "broken chunk sizes": HEAD + b"zz\r\nnothing\r\n",
    "an event without end": HEAD + b"989680\r\n" + b"x" * 10_000_000 + b"\r\n0\r\n\r\n",
    "not HTTP": b"\x16\x03\x01\x02\x00\x01\x00",
}


@pytest.mark.parametrize("path", STREAMING)
@pytest.mark.parametrize("garbage", GARBAGE)
async def test_garbage_instead_of_a_stream_is_the_providers_fault(database: Address, garbage: str, path: str) -> None:
    async with open_upstream(raw(GARBAGE[garbage])) as upstream, house_at(database, upstream, path) as house:
        reply = await house.client().post(path, json=question(path, stream=True))
        assert reply.status_code == 502
        assert error_of(path, reply)["code"] in {
            "provider_connection_broken",
            "provider_response_unreadable",
            "unreadable_reply",
        }
        assert (await record_of(house, reply.headers["x-request-id"]))["status"] == "failed"
        await assert_nothing_held(house)
        await answers_well(house, path)


@pytest.mark.parametrize("path", STREAMING)
async def test_garbage_inside_a_stream_ends_it_with_an_error_event(database: Address, path: str) -> None:
    begun = unfinished(path)
    framed = b"".join(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n" for chunk in begun)
    async with (
        open_upstream(raw(HEAD + framed + b"not a size\r\n")) as upstream,
        house_at(database, upstream, path) as house,
    ):
        reply = await house.client().post(path, json=question(path, stream=True))
        assert reply.content.startswith(b"".join(begun))
        assert last_error(path, reply.content)["code"] == "provider_response_unreadable"
        record = await record_of(house, reply.headers["x-request-id"])
        assert record["usage"]["output_tokens"] == len(WORDS)
        await assert_nothing_held(house)


async def test_an_event_that_is_no_json_passes_as_it_is(database: Address) -> None:
    odd = [b": keep-alive\n\n", b"data: {not json\n\n", b"data: [1, 2]\n\n", b"event: ping\ndata: {}\n\n"]
    chunks = [*chat_stream("One", usage=None)[:2], *odd, *chat_stream(usage=None)[1:]]
    async with open_upstream(stream(chunks)) as upstream, house_at(database, upstream) as house:
        reply = await house.client().post(CHAT, json=question(CHAT, stream=True))
        assert reply.content == b"".join(chunks)


async def test_a_caller_who_does_not_read_holds_the_upstream_back(database: Address) -> None:
    size, count = 100_000, 400
    chunk = sse(chat_chunk("x" * size))[0]
    sent = 0

    async def flood(_seen: Seen, wire: Wire) -> None:
        nonlocal sent
        await wire.send(HEAD)
        for _ in range(count):
            await wire.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
            sent += 1
        end = b"".join(chat_stream(usage=None)[-2:])
        await wire.send(f"{len(end):x}\r\n".encode() + end + b"\r\n0\r\n\r\n")

    async with open_upstream(flood) as upstream, house_at(database, upstream) as house:
        async with house.client().stream("POST", CHAT, json=question(CHAT, stream=True)) as reply:
            parts = reply.aiter_raw()
            got = len(await anext(parts))
            for _ in range(20):
                await answers_well(house)  # Others are served meanwhile.
            assert sent < count
            got += sum([len(part) async for part in parts])
        assert got > count * size
        assert sent == count
        await assert_nothing_held(house)


async def test_streams_side_by_side_do_not_mix(house: House) -> None:
    async def one(number: int) -> httpx2.Response:
        asked = question(CHAT, "simulated/echo", stream=True)
        asked["messages"][0]["content"] = " ".join([f"caller-{number}"] * 20)
        return await client.post(CHAT, json=asked)

    client = house.client()
    replies = await asyncio.gather(*(one(number) for number in range(20)))
    for number, reply in enumerate(replies):
        text = "".join(event["choices"][0]["delta"].get("content", "") for event in events_of(reply.content))
        assert text == " ".join([f"caller-{number}"] * 20)
    assert len({reply.headers["x-request-id"] for reply in replies}) == len(replies)
    await assert_nothing_held(house)
