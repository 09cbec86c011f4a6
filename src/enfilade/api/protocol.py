"""The server's protocol: uvicorn's, with deadlines for slow callers, limits on headers, and news of callers who leave."""

import asyncio
from typing import Any

from uvicorn.config import Config
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from enfilade.api.plain_errors import render_plain_error
from enfilade.core.deadlines import NEVER, DeadlineSweeper
from enfilade.core.errors import EnfiladeError, HeadersTooLarge, MalformedBody, RequestTimeout

MAX_HEADER_BYTES = 64_000
MAX_HEADERS = 200
HEADER_DEADLINE_S = 10.0
BODY_DEADLINE_S = 30.0
"""How long a caller may pause while it sends its body."""
SEND_DEADLINE_S = 60.0
"""How long a caller may leave an answer lying when it has stopped reading."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection. The phases that depend on the caller have a deadline; waiting for our own answer has none."""

    sweeper: DeadlineSweeper
    """Set on the subclass that the server is configured with."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        """See uvicorn."""
        super().__init__(config, server_state, app_state, _loop)
        self.deadline = NEVER
        self.on_lost: asyncio.Task[None] | None = None
        """The task to cancel when the caller leaves; a route sets it for as long as it wants that."""
        self._header_bytes = 0
        self._in_headers = False
        self._refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """See asyncio."""
        super().connection_made(transport)
        self.deadline = self.sweeper.now() + HEADER_DEADLINE_S
        self.sweeper.watch(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio: whoever works for this caller alone may stop."""
        self.sweeper.forget(self)
        task, self.on_lost = self.on_lost, None
        super().connection_lost(exc)
        if task is not None and not task.done():
            task.cancel()

    def expire(self) -> None:
        """The caller is too slow."""
        if self.flow.write_paused:
            self.transport.abort()  # It does not read: no answer would reach it.
        elif self._in_headers or self._is_waiting():
            self._refuse(RequestTimeout("The request's headers did not arrive in time."))
        elif self.cycle.more_body and not self.cycle.response_started:
            self._refuse(RequestTimeout("The request's body did not arrive in time."))
        else:
            self.transport.abort()

    def _is_waiting(self) -> bool:
        """Whether no request is being answered. (uvicorn's annotations do not say that there may be no cycle.)"""
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is None or cycle.response_complete

    def on_message_begin(self) -> None:
        """See httptools."""
        super().on_message_begin()
        self._header_bytes = 0
        self._in_headers = True
        self.deadline = self.sweeper.now() + HEADER_DEADLINE_S

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._grow(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        self._grow(len(name) + len(value))
        if len(self.headers) < MAX_HEADERS:
            super().on_header(name, value)
        else:
            self._refuse(HeadersTooLarge(f"A request may have up to {MAX_HEADERS} header fields."))

    def _grow(self, size: int) -> None:
        self._header_bytes += size
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse(HeadersTooLarge(f"A request's headers may have up to {MAX_HEADER_BYTES} bytes."))

    def on_headers_complete(self) -> None:
        """See httptools."""
        if self._refused:
            return
        self._in_headers = False
        self.deadline = self.sweeper.now() + BODY_DEADLINE_S
        self.scope["enfilade.connection"] = self  # type: ignore[typeddict-unknown-key]
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        if self._refused:
            return
        self.deadline = self.sweeper.now() + BODY_DEADLINE_S
        super().on_body(body)

    def on_message_complete(self) -> None:
        """See httptools: what follows takes as long as it takes."""
        if self._refused:
            return
        self.deadline = NEVER
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """See uvicorn: an idle connection is uvicorn's to close, by its keep-alive timeout."""
        self.on_lost = None
        if not self._in_headers:
            self.deadline = NEVER
        super().on_response_complete()
        if not self.transport.is_closing():
            self.sweeper.watch(self)

    def pause_writing(self) -> None:
        """See asyncio: the caller has stopped reading."""
        self.deadline = self.sweeper.now() + SEND_DEADLINE_S
        self.sweeper.watch(self)
        super().pause_writing()

    def resume_writing(self) -> None:
        """See asyncio."""
        self.deadline = NEVER
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """See uvicorn: what is not HTTP is told so in JSON."""
        del msg
        self._refuse(MalformedBody("This is not a valid HTTP/1.1 request."))

    def _refuse(self, error: EnfiladeError) -> None:
        """Answer without any route, and end the connection."""
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is None or not cycle.response_started or cycle.response_complete:
            self.transport.write(render_plain_error(error))
        self.transport.close()
