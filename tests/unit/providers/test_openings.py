"""How replies of status 200 begin: what is no answer is this attempt's failure, before anything reaches the caller."""

import asyncio

import pytest

from enfilade.providers.errors import (
    ContentRefused,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    ProviderRateLimited,
    RequestRefused,
    UnreadableResponse,
    UpstreamModelMissing,
)
from tests.support.outbound import Outbound
from tests.support.upstream import HangUp, Seen, Step, Wire, open_upstream, reply, stream
from tests.support.waiting import eventually

OVERLOADED = b'{"error":{"message":"Busy","type":"overloaded_error"}}'
CHUNK = b'data: {"choices":[{"delta":{"content":"error"}}],"error":null}\n\n'


def pieces(*parts: bytes, ends: bool = True, content_type: str = "text/event-stream") -> Step:
    """A reply in exactly these pieces."""

    async def answer(_seen: Seen, wire: Wire) -> None:
        head = f"HTTP/1.1 200 OK\r\ncontent-type: {content_type}\r\ntransfer-encoding: chunked\r\n\r\n"
        await wire.send(head.encode())
        for part in parts:
            await wire.send(f"{len(part):x}\r\n".encode() + part + b"\r\n")
            await asyncio.sleep(0)
        if not ends:
            raise HangUp
        await wire.send(b"0\r\n\r\n")

    return answer


async def send(outbound: Outbound, step: Step, *, streamed: bool, dialect: str = "openai_chat") -> bytes:
    """All that a call reads, or its failure."""
    kind = "anthropic" if dialect == "anthropic_messages" else "openai_compatible"
    async with open_upstream(step) as upstream:
        try:
            incoming = await outbound.provider(upstream.url, kind=kind).send(outbound.ask(dialect, stream=streamed))
            if not streamed:
                return await incoming.read()
            got = []
            while piece := await incoming.next_chunk():
                got.append(piece)
            return b"".join(got)
        finally:
            outbound.close()
            await eventually(lambda: outbound.client.open_connections() == 0)


FIRST_EVENTS: list[tuple[str, bytes, type[ProviderError]]] = [
    ("OpenAI's form", b"data: " + OVERLOADED + b"\n\n", ProviderOverloaded),
    ("Anthropic's form", b'event: error\ndata: {"type":"error","error":{"type":"api_error"}}\n\n', ProviderFault),
    ("after comments", b": PROCESSING\n\n: PROCESSING\n\ndata: " + OVERLOADED + b"\n\n", ProviderOverloaded),
    ("after a ping", b'event: ping\ndata: {"type": "ping"}\n\ndata: ' + OVERLOADED + b"\n\n", ProviderOverloaded),
    ("after a byte order mark", b"\xef\xbb\xbfdata: " + OVERLOADED + b"\n\n", ProviderOverloaded),
    ("with CRLF", b"data: " + OVERLOADED + b"\r\n\r\ndata: [DONE]\r\n\r\n", ProviderOverloaded),
    ("in several data lines", b'data: {"error":\ndata: {"code":429}}\n\n', ProviderRateLimited),
    ("beside choices", b'data: {"id":"1","choices":[],"error":{"code":503,"message":"x"}}\n\n', ProviderOverloaded),
    ("without an end", b"data: " + OVERLOADED + b"\n\ndata: ", ProviderOverloaded),
    ("Responses' form", b'event: error\ndata: {"type":"error","code":"rate_limit_exceeded"}\n\n', ProviderRateLimited),
    (
        "Responses' end",
        b'data: {"type":"response.failed","response":{"error":{"code":"server_error","message":"x"}}}\n\n',
        ProviderFault,
    ),
    ("an array, as Google writes it", b'[{"error":{"code":503,"status":"UNAVAILABLE"}}]', ProviderOverloaded),
    ("no stream at all", OVERLOADED, ProviderOverloaded),
]


@pytest.mark.parametrize("step", [0, 1, 5])
@pytest.mark.parametrize(("data", "kind"), [case[1:] for case in FIRST_EVENTS], ids=[case[0] for case in FIRST_EVENTS])
async def test_a_stream_that_begins_with_an_error_is_a_failed_attempt(
    outbound: Outbound, data: bytes, kind: type[ProviderError], step: int
) -> None:
    parts = [data[at : at + step] for at in range(0, len(data), step)] if step else [data]
    with pytest.raises(kind) as failure:
        await send(outbound, pieces(*parts), streamed=True)
    assert type(failure.value) is kind


HARMLESS: list[tuple[str, bytes]] = [
    ("a chunk", CHUNK),
    ("an error that is null", b'data: {"error":null,"choices":[]}\n\n' + CHUNK),
    ("an error that is empty", b'data: {"error":{},"choices":[]}\n\n' + CHUNK),
    ("an error that comes later", CHUNK + b"data: " + OVERLOADED + b"\n\n"),
    ("an error that is not known", b'data: {"error":{"type":"mystery"}}\n\n'),
    ("an event that is no JSON", b"data: error\n\n"),
    ("a ping, then words", b'event: ping\ndata: {"type":"ping"}\n\n' + CHUNK),
    ("pings alone", b'event: ping\ndata: {"type":"ping"}\n\n' * 3),
    ("comments alone", b": error\n\n"),
    ("an event without its end", b"data: " + OVERLOADED),
    ("a first event that never ends", b"data: " + b"x" * 200_000),
    ("no events", b"error error"),
]


@pytest.mark.parametrize("data", [case[1] for case in HARMLESS], ids=[case[0] for case in HARMLESS])
async def test_what_else_comes_first_is_the_readers_to_judge(outbound: Outbound, data: bytes) -> None:
    assert await send(outbound, pieces(data), streamed=True) == data


async def test_the_first_event_is_passed_on_as_soon_as_it_is_there(outbound: Outbound) -> None:
    gate = asyncio.Semaphore(1)
    async with open_upstream(stream([CHUNK, CHUNK], gate=gate)) as upstream:
        incoming = await outbound.provider(upstream.url).send(outbound.ask(stream=True))
        assert await incoming.next_chunk() == CHUNK
        gate.release()
        assert await incoming.next_chunk() == CHUNK
        assert await incoming.next_chunk() == b""
        outbound.close()


WHOLE: list[tuple[str, bytes, type[ProviderError]]] = [
    ("an error", OVERLOADED, ProviderOverloaded),
    ("a code", b'{"error":{"code":429,"message":"x"},"user_id":"u"}', ProviderRateLimited),
    ("a code as text", b'{"error":{"code":"503"}}', ProviderOverloaded),
    ("Anthropic's form", b'{"type":"error","error":{"type":"not_found_error"}}', UpstreamModelMissing),
    ("an old server's form", b'{"object":"error","message":"x","type":"BadRequestError","code":400}', RequestRefused),
    ("a filter", b'{"error":{"code":"content_filter","message":"x"}}', ContentRefused),
    ("after white space", b"\n\n  \n" * 40 + OVERLOADED, ProviderOverloaded),
    ("nothing", b"", UnreadableResponse),
    ("white space", b"\n \n", UnreadableResponse),
    ("a page", b"<!DOCTYPE html><html><body>Sign in</body></html>", UnreadableResponse),
    ("a page after white space", b"\r\n\r\n<html>", UnreadableResponse),
    ("events", CHUNK, UnreadableResponse),
    ("named events", b"event: message_start\ndata: {}\n\n", UnreadableResponse),
]


@pytest.mark.parametrize("content_type", ["application/json", "text/html", "text/event-stream"])
@pytest.mark.parametrize(("data", "kind"), [case[1:] for case in WHOLE], ids=[case[0] for case in WHOLE])
async def test_a_whole_reply_that_is_none_is_a_failed_attempt(
    outbound: Outbound, data: bytes, kind: type[ProviderError], content_type: str
) -> None:
    with pytest.raises(kind) as failure:
        await send(outbound, reply(data, content_type=content_type), streamed=False)
    assert type(failure.value) is kind


@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "application/octet-stream", "application/json"])
async def test_what_can_be_read_is_read_whatever_it_is_called(outbound: Outbound, content_type: str) -> None:
    whole = b'{"choices":[{"message":{"content":"an error, \\"error\\""}}],"error":null}'
    assert await send(outbound, reply(whole, content_type=content_type), streamed=False) == whole
    assert await send(outbound, pieces(CHUNK, content_type=content_type), streamed=True) == CHUNK


async def test_headers_about_waiting_mean_nothing_on_a_success(outbound: Outbound) -> None:
    step = reply({"choices": []}, headers={"retry-after": "30", "x-should-retry": "true"})
    assert await send(outbound, step, streamed=False) == b'{"choices": []}'


async def test_a_whole_reply_to_a_call_that_asked_for_a_stream_is_refused(outbound: Outbound) -> None:
    with pytest.raises(UnreadableResponse, match="in one piece"):
        await send(outbound, reply({"choices": []}), streamed=True)


async def test_an_error_that_comes_late_in_a_large_reply_is_the_readers_to_judge(outbound: Outbound) -> None:
    body = b'{"x":"' + b"y" * 100_000 + b'","error":{"code":503}}'
    assert await send(outbound, reply(body), streamed=False) == body


async def test_a_reply_that_breaks_off_within_its_first_event_is_broken(outbound: Outbound) -> None:
    for streamed in (True, False):
        with pytest.raises(ProviderError) as failure:
            await send(outbound, pieces(b'{"err' if not streamed else b'data: {"err', ends=False), streamed=streamed)
        assert failure.value.code == "provider_connection_broken"
