"""A connection of the load generator: one call after the other, each answer checked."""

import asyncio
import time
from collections.abc import Callable

from bench.plan import CHUNK_MARK, CHUNKS, REPLY_TEXT
from bench.wire import END_OF_HEAD, content_length, dechunked

END_OF_CHUNKS = b"0\r\n\r\n"
EXPECTED_TEXT = REPLY_TEXT.encode()
OnAnswer = Callable[["Caller", float], None]


class Caller(asyncio.Protocol):
    """Sends a request when told to, and reports its answer."""

    def __init__(self, request: bytes, on_answer: OnAnswer) -> None:
        self._request = request
        self._on_answer = on_answer
        self.wrong: str | None = None
        """What is wrong with the last answer, if anything is."""
        self.started = 0.0
        self.seen = 0
        """Chunks of text that have come, in all answers. One that a read has torn counts when its answer ends."""
        self._seen_before = 0
        self._reset()

    def _reset(self) -> None:
        self._head = b""
        self._in_head = True
        self._chunked = False
        self._missing = 0
        self._parts: list[bytes] = []
        self._tail = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        if self.started:
            self._end(f"the connection was lost: {exc}")

    def send(self) -> None:
        """Send the request."""
        self.wrong = None
        self.started = time.perf_counter()
        self.transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            data = self._head + data
            end = data.find(END_OF_HEAD)
            if end < 0:
                self._head = data
                return
            self._in_head = False
            self._head, data = data[:end], data[end + len(END_OF_HEAD) :]
            self._chunked = b"chunked" in self._head.lower()
            self._missing = content_length(self._head)
        self._parts.append(data)
        if self._chunked:
            self.seen += data.count(CHUNK_MARK)
            tail = self._tail = (self._tail + data)[-len(END_OF_CHUNKS) :]
            if tail == END_OF_CHUNKS:
                self._end(self._fault(b"".join(self._parts)))
        else:
            self._missing -= len(data)
            if self._missing <= 0:
                self._end(self._fault(b"".join(self._parts)))

    def _fault(self, body: bytes) -> str | None:
        if self._head[9:12] != b"200":
            return f"{self._head[9:12].decode()}: {body[:300].decode(errors='replace')}"
        if not self._chunked:
            return None if EXPECTED_TEXT in body else f"not the reply: {body[:300].decode(errors='replace')}"
        try:
            events = dechunked(body)
        except ValueError:
            return "the stream is not well formed"
        if events.count(CHUNK_MARK) != CHUNKS or not events.endswith(b"data: [DONE]\n\n"):
            return f"the stream has {events.count(CHUNK_MARK)} chunks and ends with {events[-200:]!r}"
        self.seen = self._seen_before = self._seen_before + CHUNKS
        return None

    def _end(self, fault: str | None) -> None:
        self.wrong = fault
        seconds = time.perf_counter() - self.started
        self.started = 0.0
        self._reset()
        self._on_answer(self, seconds)
