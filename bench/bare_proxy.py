"""A proxy that does nothing but pass on: `python -m bench.bare_proxy UPSTREAM_PORT` prints its port.

The yardstick: what the same language, loop and parser cost without any governance. It keeps upstream connections, and
writes what arrives as it arrives; only the end of a reply is looked for.
"""

import asyncio
import sys
from collections import deque

import httptools
import uvloop

from bench.wire import RequestReader, announce


class Upstream(asyncio.Protocol):
    """A connection to the provider."""

    def __init__(self) -> None:
        self.client: asyncio.Transport | None = None
        self.idle: deque[Upstream] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        if self.client is not None:
            self.client.close()
        elif self.idle is not None and self in self.idle:
            self.idle.remove(self)

    def send(self, client: asyncio.Transport, idle: "deque[Upstream]", request: bytes) -> None:
        """Pass a request on; the reply goes to `client`, and this connection to `idle` when it is whole."""
        self.client, self.idle = client, idle
        self._parser = httptools.HttpResponseParser(self)
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        client = self.client
        if client is None:
            return
        client.write(data)
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        self.client = None
        if self.idle is not None:
            self.idle.append(self)


class Client(asyncio.Protocol):
    """A caller's connection."""

    def __init__(self, port: int, idle: deque[Upstream]) -> None:
        self._port = port
        self._idle = idle
        self._requests = RequestReader()
        self._upstream: Upstream | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        upstream = self._upstream
        if upstream is not None and upstream.client is self._transport:
            upstream.transport.abort()

    def data_received(self, data: bytes) -> None:
        for request in self._requests.feed(data):
            if self._idle:
                self._send(self._idle.pop(), request)
            else:
                task = asyncio.get_running_loop().create_task(self._connect_and_send(request))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)

    async def _connect_and_send(self, request: bytes) -> None:
        _, upstream = await asyncio.get_running_loop().create_connection(Upstream, "127.0.0.1", self._port)
        self._send(upstream, request)

    def _send(self, upstream: Upstream, request: bytes) -> None:
        self._upstream = upstream
        upstream.send(self._transport, self._idle, request)


async def serve(port: int) -> None:
    """Listen until the process is ended."""
    idle: deque[Upstream] = deque()
    server = await asyncio.get_running_loop().create_server(lambda: Client(port, idle), "127.0.0.1", 0, backlog=2048)
    announce(server)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
