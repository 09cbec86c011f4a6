"""Listening, and letting go of connections."""

import asyncio
import socket
import ssl
from collections.abc import Coroutine
from typing import Any

from enfilade.api.asgi import AsgiApp
from enfilade.api.protocol import HttpProtocol
from enfilade.core.deadlines import DeadlineSweeper

BACKLOG = 2048
CLOSE_DEADLINE_S = 5.0


class HttpServer:
    """Serves one application on one listening socket."""

    def __init__(self, app: AsgiApp, sweeper: DeadlineSweeper) -> None:
        """Serve `app`."""
        self._app = app
        self._sweeper = sweeper
        self._connections: set[HttpProtocol] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    @property
    def connections(self) -> int:
        """How many connections there are."""
        return len(self._connections)

    async def start(self, listener: socket.socket, tls: ssl.SSLContext | None = None) -> None:
        """Take connections from `listener`."""
        loop = asyncio.get_running_loop()

        def spawn(answer: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
            # Not in a task group: one answer that fails must not end the others, and each is a caller's own.
            task = loop.create_task(answer)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return task

        def connect() -> HttpProtocol:
            return HttpProtocol(self._app, self._sweeper, self._connections, spawn)

        self._server = await loop.create_server(connect, sock=listener, ssl=tls, backlog=BACKLOG)

    async def stop(self) -> None:
        """Take no more connections, let running answers finish for a moment, and close the rest."""
        if self._server is not None:
            self._server.close()
        for connection in list(self._connections):
            connection.shutdown()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=CLOSE_DEADLINE_S)
            for task in late:
                task.cancel()
            if late:
                await asyncio.wait(late, timeout=CLOSE_DEADLINE_S)


def server_context(certificate: str, key: str | None) -> ssl.SSLContext:
    """TLS for the server, 1.2 or newer. Raises OSError or ssl.SSLError when the files cannot be read."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key)
    return context
