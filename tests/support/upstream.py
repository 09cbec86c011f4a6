"""A provider whose every byte the test decides: a real server on a loopback port."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from tests.support.waiting import eventually


@dataclass(slots=True)
class Seen:
    """A request as it arrived."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        return next((value for key, value in self.headers if key.lower() == name), None)

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


class Wire:
    """The connection on which a step answers."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wrap a connection."""
        self.reader = reader
        self.writer = writer
        self.left = asyncio.Event()
        """Set when the gateway has closed the connection."""

    async def send(self, data: bytes) -> None:
        """Write, and wait until it is on its way."""
        self.writer.write(data)
        await self.writer.drain()

    async def until_left(self) -> None:
        """Return when the gateway has closed its end."""
        while await self.reader.read(4096):
            pass
        self.left.set()


Step = Callable[[Seen, Wire], Awaitable[None]]
"""Answers one request. The connection is kept when it returns, and closed when it raises HangUp."""


class HangUp(Exception):
    """Ends the connection."""


def reply(
    body: Any = b"", status: int = 200, headers: Mapping[str, str] | None = None, content_type: str = "application/json"
) -> Step:
    """A whole answer."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    async def step(_seen: Seen, wire: Wire) -> None:
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase if status in _STATUSES else 'Unusual'}"]
        lines += [f"content-type: {content_type}", f"content-length: {len(content)}"]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        await wire.send("\r\n".join(lines).encode() + b"\r\n\r\n" + content)

    return step


def stream(chunks: Iterable[bytes], *, gate: asyncio.Semaphore | None = None, ends: bool = True) -> Step:
    """A chunked answer of server-sent events; with a gate, one chunk for each release of it. Unless it `ends`, the
    connection is closed in the middle.
    """

    async def step(_seen: Seen, wire: Wire) -> None:
        await wire.send(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        for chunk in chunks:
            if gate is not None:
                await gate.acquire()
            await wire.send(f"{len(chunk):x}\r\n".encode() + chunk + b"\r\n")
        if not ends:
            raise HangUp
        await wire.send(b"0\r\n\r\n")

    return step


def raw(data: bytes, *, hangs_up: bool = True) -> Step:
    """Exactly these bytes."""

    async def step(_seen: Seen, wire: Wire) -> None:
        await wire.send(data)
        if hangs_up:
            raise HangUp

    return step


async def silence(_seen: Seen, wire: Wire) -> None:
    """No answer at all, until the gateway gives up."""
    await wire.until_left()
    raise HangUp


async def hang_up(_seen: Seen, _wire: Wire) -> None:
    """The connection is closed without an answer."""
    raise HangUp


_STATUSES = {status.value for status in HTTPStatus}


@dataclass(slots=True)
class Upstream:
    """A scripted provider. Each request takes the next step; the last one serves for all further requests."""

    url: str = ""
    port: int = 0
    steps: list[Step] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    """The connection of each request in `seen`."""
    connections: int = 0
    faults: list[BaseException] = field(default_factory=list)

    def will(self, *steps: Step) -> None:
        """Answer the next requests so."""
        self.steps = list(steps)

    async def was_asked(self, times: int = 1) -> Seen:
        """Wait until so many requests have come; returns the latest."""
        await eventually(lambda: len(self.seen) >= times)
        return self.seen[-1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        wire = Wire(reader, writer)
        try:
            while (seen := await _read_request(reader)) is not None:
                self.seen.append(seen)
                self.wires.append(wire)
                step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
                await step(seen, wire)
        except (HangUp, ConnectionError, asyncio.IncompleteReadError):
            wire.left.set()
        except Exception as error:  # noqa: BLE001 - shown when the upstream is closed
            self.faults.append(error)
        finally:
            writer.close()


async def _read_request(reader: asyncio.StreamReader) -> Seen | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as end:
        if end.partial:
            raise
        return None
    first, *lines = head.decode("latin-1").split("\r\n")[:-2]
    method, path, _ = first.split(" ")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
    body = await reader.readexactly(lengths[0]) if lengths else b""
    return Seen(method, path, headers, body)


@asynccontextmanager
async def open_upstream(*steps: Step, tls: ssl.SSLContext | None = None) -> AsyncIterator[Upstream]:
    """A provider that answers with these steps."""
    upstream = Upstream(steps=list(steps))
    listener = await asyncio.start_server(upstream._serve, "127.0.0.1", 0, ssl=tls)
    upstream.port = listener.sockets[0].getsockname()[1]
    upstream.url = f"{'https' if tls else 'http'}://127.0.0.1:{upstream.port}/v1"
    try:
        yield upstream
    finally:
        listener.close()
        for wire in upstream.wires:
            wire.writer.close()
    assert not upstream.faults, upstream.faults
