"""One request and its response, as ASGI sees them."""

import asyncio
from collections.abc import MutableMapping
from http import HTTPStatus
from typing import Any, Protocol

Message = MutableMapping[str, Any]
DISCONNECT: Message = {"type": "http.disconnect"}
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
HIGH_WATER = 1_000_000
"""A body that arrives faster than it is read stops being read from the network beyond this many bytes."""


def _status_lines() -> dict[int, bytes]:
    lines = {status: b"HTTP/1.1 %d \r\n" % status for status in range(100, 600)}
    lines |= {status.value: b"HTTP/1.1 %d %b\r\n" % (status.value, status.phrase.encode()) for status in HTTPStatus}
    return lines


STATUS_LINES = _status_lines()


class Wire(Protocol):
    """What a cycle needs of its connection."""

    def write(self, data: bytes) -> None:
        """Send bytes."""
        ...

    def writelines(self, parts: list[bytes]) -> None:
        """Send bytes that need not be joined."""
        ...

    async def drain(self) -> None:
        """Return when the caller reads again."""
        ...

    def pause_reading(self) -> None:
        """Take nothing more from the network for now."""
        ...

    def resume_reading(self) -> None:
        """Go on taking."""
        ...

    def finished(self, cycle: "Cycle") -> None:
        """The response is complete."""
        ...


class ResponseError(RuntimeError):
    """The application sent something that is no valid response."""


class Cycle:
    """The application's two functions, `receive` and `send`, and what they share."""

    __slots__ = (
        "_chunked",
        "_delivered",
        "_head",
        "_is_head",
        "_left",
        "_waiter",
        "_wire",
        "body",
        "complete",
        "disconnected",
        "expects_continue",
        "keep_alive",
        "may_take_long",
        "more_body",
        "on_lost",
        "scope",
        "size",
        "started",
    )

    def __init__(self, wire: Wire, scope: dict[str, Any], *, keep_alive: bool, expects_continue: bool) -> None:
        """Begin with the headers read and no body yet."""
        self._wire = wire
        self.scope = scope
        self.keep_alive = keep_alive
        self.expects_continue = expects_continue
        self.body: list[bytes] = []
        self.size = 0
        self.more_body = True
        self.disconnected = False
        self.started = False
        self.complete = False
        self.may_take_long = False
        """Whether the body may take as long as it takes, while it goes on coming; for callers who are known."""
        self.on_lost: asyncio.Task[None] | None = None
        """A task to cancel when the caller leaves; the application sets it for as long as it wants that."""
        self._delivered = False
        self._waiter: asyncio.Future[None] | None = None
        self._head: list[bytes] | None = None
        self._chunked = False
        self._left: int | None = 0
        """How much of the body is due; None when it ends with the connection."""
        self._is_head = scope["method"] == "HEAD"

    # From the connection.

    def add(self, data: bytes) -> None:
        """A part of the body has come."""
        if self.complete:
            return
        self.body.append(data)
        self.size += len(data)
        if self.size > HIGH_WATER:
            self._wire.pause_reading()
        self._wake()

    def end(self) -> None:
        """The body is whole."""
        self.more_body = False
        self._wake()

    def lose(self) -> None:
        """The caller has gone."""
        self.disconnected = True
        self._wake()
        task, self.on_lost = self.on_lost, None
        if task is not None and not task.done():
            task.cancel()

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # For the application.

    async def receive(self) -> Message:
        """See ASGI. After the body it waits until the response is complete or the caller leaves."""
        if self.expects_continue and not self.started:
            self.expects_continue = False
            self._wire.write(CONTINUE)
        while not self.disconnected and not self.complete:
            if self.body or (not self.more_body and not self._delivered):
                return self._deliver()
            self._wire.resume_reading()
            waiter = self._waiter = asyncio.get_running_loop().create_future()
            try:
                await waiter
            finally:
                self._waiter = None
        return DISCONNECT

    def _deliver(self) -> Message:
        body = self.body[0] if len(self.body) == 1 else b"".join(self.body)
        self.body = []
        self.size = 0
        self._delivered = not self.more_body
        return {"type": "http.request", "body": body, "more_body": self.more_body}

    async def send(self, message: Message) -> None:
        """See ASGI. Raises ResponseError for what would break the protocol."""
        if self.disconnected:
            return
        kind = message["type"]
        if kind == "http.response.body":
            if self._head is None and not self.started:
                text = "a body came before the response was started"
                raise ResponseError(text)
            if self.complete:
                text = "a body came after the response was complete"
                raise ResponseError(text)
            self._send_body(message.get("body", b""), more=message.get("more_body", False))
            await self._wire.drain()
        elif kind == "http.response.start":
            if self.started or self._head is not None:
                text = "a response was started twice"
                raise ResponseError(text)
            self._start(message["status"], message.get("headers", ()))

    def _start(self, status: int, headers: "list[tuple[bytes, bytes]]") -> None:
        """Prepare the head; it is written together with the first part of the body."""
        lines = [STATUS_LINES[status]]
        length = None
        closes = False
        for name, value in headers:
            if name == b"content-length":
                length = int(value)
            elif name == b"connection" and value.lower() == b"close":
                closes = True
            lines += (name, b": ", value, b"\r\n")
        bodiless = status in {204, 304} or status < 200
        if length is None and not bodiless and self.scope["http_version"] != "1.0":
            self._chunked = True
            lines.append(b"transfer-encoding: chunked\r\n")
        self._left = 0 if bodiless or self._chunked else length
        if self.more_body:
            self.keep_alive = False  # The rest of the request will not be read.
        if closes:
            self.keep_alive = False
        elif not self.keep_alive:
            lines.append(b"connection: close\r\n")
        lines.append(b"\r\n")
        head = b"".join(lines)
        # A line break inside a value would let whoever chose it write headers of their own.
        if head.count(b"\n") != len(headers) + 2 + self._chunked + (not self.keep_alive and not closes):
            text = "a header of the response holds a line break"
            raise ResponseError(text)
        self._head = [head]

    def _send_body(self, body: bytes, *, more: bool) -> None:
        parts = self._head or []
        self._head = None
        self.started = True
        if self._is_head:
            body = b""
            self._chunked, self._left = False, 0
        if self._chunked:
            _add_chunk(parts, body, more=more)
        elif body:
            if self._left is not None:
                self._left -= len(body)
                if self._left < 0:
                    text = "the body is longer than its content-length"
                    raise ResponseError(text)
            parts.append(body)
        if len(body) < 16_000:
            if data := b"".join(parts):
                self._wire.write(data)
        else:
            self._wire.writelines(parts)
        if not more:
            self._finish()

    def _finish(self) -> None:
        if self._left:
            text = "the body is shorter than its content-length"
            raise ResponseError(text)
        self.complete = True
        self._wake()
        self._wire.finished(self)


def _add_chunk(parts: list[bytes], body: bytes, *, more: bool) -> None:
    """The chunked transfer coding (RFC 9112, section 7.1)."""
    if body:
        parts += (b"%x\r\n" % len(body), body, b"\r\n")
    if not more:
        parts.append(b"0\r\n\r\n")
