"""The few words of ASGI that the data plane uses, without a framework."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from enfilade.core.errors import BodyTooLarge

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
HeaderList = list[tuple[bytes, bytes]]


class AsgiApp(Protocol):
    """Anything that speaks ASGI."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        ...


class CallerLeft(Exception):
    """The caller closed the connection before it had sent everything."""


async def read_body(receive: Receive, declared: bytes | None, most: int) -> bytes:
    """The whole body. Raises BodyTooLarge, as early as its length is known, and CallerLeft."""
    if declared is not None and declared.isdigit() and int(declared) > most:
        raise _too_large(most)
    message = await receive()
    if message["type"] == "http.disconnect":
        raise CallerLeft
    body: bytes = message.get("body", b"")
    if not message.get("more_body"):
        if len(body) > most:
            raise _too_large(most)
        return body
    parts, size = [body], len(body)
    while message.get("more_body"):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise CallerLeft
        part: bytes = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > most:
            raise _too_large(most)
    return b"".join(parts)


def _too_large(most: int) -> BodyTooLarge:
    message = f"The body is larger than {most} bytes."
    return BodyTooLarge(message)


async def send_reply(send: Send, status: int, headers: HeaderList, body: bytes) -> None:
    """A whole reply."""
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [*headers, (b"content-length", b"%d" % len(body))],
        }
    )
    await send({"type": "http.response.body", "body": body})


class AsgiOutlet:
    """See `gateway.relay.Outlet`."""

    __slots__ = ("_send", "as_array", "started", "written")

    def __init__(self, send: Send) -> None:
        """Answer through `send`."""
        self._send = send
        self.started = False
        self.written = False
        """Whether a part of a stream has been sent."""
        self.as_array = False
        """Whether a stream is one JSON array; see `Request.as_array`."""

    async def reply(self, status: int, headers: HeaderList, body: bytes) -> None:
        """See `Outlet.reply`."""
        self.started = True
        await send_reply(self._send, status, headers, body)

    async def start(self, status: int, headers: HeaderList) -> None:
        """See `Outlet.start`."""
        self.started = True
        headers.append((b"cache-control", b"no-store"))
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """See `Outlet.write`."""
        self.written = True
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self, data: bytes) -> None:
        """See `Outlet.finish`."""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})
