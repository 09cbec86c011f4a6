"""A provider that costs next to nothing: HTTP/1.1 on an asyncio protocol, replies made beforehand.

What it answers is told by the request's model; see `bench.plan`. `python -m bench.mock_upstream` prints its port.
"""

import asyncio
import json
import re
from collections.abc import Iterator

import uvloop

from bench.plan import (
    CHUNKS,
    CHUNKS_BEFORE_HOLDING,
    HELD_MODEL,
    PACE_S,
    PACED_MODEL,
    REPLY_TEXT,
    SLOW_MODEL,
    SLOW_S,
    STREAM_MODEL,
)
from bench.wire import RequestReader, announce

USAGE = {"prompt_tokens": 200, "completion_tokens": CHUNKS, "total_tokens": 200 + CHUNKS}
STREAM_HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
LAST_CHUNK = b"0\r\n\r\n"
_MODEL = re.compile(rb'"model"\s*:\s*"([^"]*)"')


def whole_reply() -> bytes:
    """The reply of about 1 KB, with its head."""
    message = {"role": "assistant", "content": REPLY_TEXT}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "reply",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    content = json.dumps(body, separators=(",", ":")).encode()
    return b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(content) + content


def stream_chunks(count: int, *, usage: bool) -> list[bytes]:
    """A stream as OpenAI writes it, one event in each chunk of the transfer coding."""

    def event(**fields: object) -> bytes:
        head = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "stream"}
        body = head | {"service_tier": "default", "system_fingerprint": "fp_1"} | fields
        data = b"data: " + json.dumps(body, separators=(",", ":")).encode() + b"\n\n"
        return b"%x\r\n%b\r\n" % (len(data), data)

    def choice(delta: dict[str, str], finish: str | None = None) -> list[dict[str, object]]:
        return [{"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}]

    running: dict[str, object] = {"usage": None} if usage else {}
    chunks = [event(choices=choice({"content": f" word{number}"}), **running) for number in range(count)]
    chunks.append(event(choices=choice({}, "stop"), **running))
    if usage:
        chunks.append(event(choices=[], usage=USAGE))
    done = b"data: [DONE]\n\n"
    chunks.append(b"%x\r\n%b\r\n" % (len(done), done) + LAST_CHUNK)
    return chunks


REPLY = whole_reply()
STREAMS = {usage: stream_chunks(CHUNKS, usage=usage) for usage in (False, True)}


class Provider(asyncio.Protocol):
    """One connection."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._requests = RequestReader()
        self._open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._open = False

    def data_received(self, data: bytes) -> None:
        for request in self._requests.feed(data):
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        found = _MODEL.search(request)
        model = found[1].decode() if found else ""
        if model == SLOW_MODEL:
            self._loop.call_later(SLOW_S, self._reply)
            return
        if model not in {STREAM_MODEL, PACED_MODEL, HELD_MODEL}:
            self._transport.write(REPLY)
            return
        chunks = STREAMS[b'"include_usage":true' in request]
        if model == HELD_MODEL:
            chunks = chunks[:CHUNKS_BEFORE_HOLDING]
        self._transport.write(STREAM_HEAD)
        self._write(iter(chunks), PACE_S if model == PACED_MODEL else 0.0)

    def _reply(self) -> None:
        if self._open:
            self._transport.write(REPLY)

    def _write(self, chunks: Iterator[bytes], pause_s: float) -> None:
        """Write one chunk now and the others each in its turn of the loop, so that none is joined to another here."""
        chunk = next(chunks, None)
        if chunk is None or not self._open:
            return
        self._transport.write(chunk)
        if pause_s:
            self._loop.call_later(pause_s, self._write, chunks, pause_s)
        else:
            self._loop.call_soon(self._write, chunks, pause_s)


async def serve() -> None:
    """Listen until the process is ended."""
    server = await asyncio.get_running_loop().create_server(Provider, "127.0.0.1", 0, backlog=2048)
    announce(server)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve())
