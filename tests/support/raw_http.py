"""HTTP as bytes: for requests that no client library would send."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.support.house import House
from tests.support.world import ACME_KEY

PATIENCE_S = 20.0


@dataclass(frozen=True, slots=True)
class RawReply:
    """A reply as it came."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The decoded body."""
        return json.loads(self.body)


class RawConnection:
    """A TCP connection to the server."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Wrap it."""
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        """Write, and wait until it is on its way."""
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, bodiless: bool = False) -> RawReply:
        """The next reply; `bodiless` after HEAD."""
        async with asyncio.timeout(PATIENCE_S):
            head = await self.reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")[:-2]
            headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
            assert len(headers) == len(lines), "a header came twice"
            status = int(first.split(" ")[1])
            if bodiless or status < 200:
                return RawReply(status, headers, b"")
            return RawReply(status, headers, await self._body(headers))

    async def _body(self, headers: Mapping[str, str]) -> bytes:
        if "content-length" in headers:
            assert "transfer-encoding" not in headers
            return await self.reader.readexactly(int(headers["content-length"]))
        if headers.get("transfer-encoding") != "chunked":
            return await self.reader.read()
        body = b""
        while size := int(await self.reader.readline(), 16):
            body += await self.reader.readexactly(size)
            assert await self.reader.readexactly(2) == b"\r\n"
        assert await self.reader.readexactly(2) == b"\r\n"
        return body

    async def is_closed(self) -> bool:
        """Wait for the server to end the connection, with nothing more to say."""
        async with asyncio.timeout(PATIENCE_S):
            return await self.reader.read(1) == b""


@asynccontextmanager
async def connected(house: House) -> AsyncIterator[RawConnection]:
    """A connection to the house."""
    reader, writer = await asyncio.open_connection(house.host, house.port)
    try:
        yield RawConnection(reader, writer)
    finally:
        writer.close()


def request(
    path: str,
    body: bytes | Mapping[str, Any] = b"",
    *,
    method: str = "POST",
    version: str = "1.1",
    headers: Mapping[str, str | None] | None = None,
    extra: bytes = b"",
) -> bytes:
    """A request; `headers` change the usual ones (None leaves one out), `extra` is added to them as it is."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields: dict[str, str | None] = {
        "host": "enfilade.example",
        "authorization": f"Bearer {ACME_KEY}",
        "content-type": "application/json",
        "content-length": str(len(content)),
    }
    fields |= headers or {}
    lines = [f"{method} {path} HTTP/{version}"]
    lines += [f"{name}: {value}" for name, value in fields.items() if value is not None]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n" + extra + b"\r\n" + content


def chunked(*parts: bytes) -> bytes:
    """A body in the chunked transfer coding."""
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts) + b"0\r\n\r\n"
