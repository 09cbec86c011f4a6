"""HTTP/1.1 for the server: asyncio and httptools, speaking ASGI to the application.

Every phase that depends on the caller has a deadline; waiting for our own answer has none. Requests that are sent
ahead (pipelining) are answered one after the other.
"""

import asyncio
from collections import deque
from collections.abc import Callable
from typing import Any, cast
from urllib.parse import unquote

import httptools
import structlog

from enfilade.api.asgi import AsgiApp
from enfilade.api.cycle import Cycle
from enfilade.api.plain_errors import render_plain_error
from enfilade.core.deadlines import NEVER, DeadlineSweeper
from enfilade.core.errors import EnfiladeError, HeadersTooLarge, InternalError, MalformedBody, RequestTimeout

MAX_HEADER_BYTES = 64_000
MAX_HEADERS = 200
MAX_WAITING_REQUESTS = 16
HEADER_DEADLINE_S = 10.0
BODY_DEADLINE_S = 30.0
"""How long a caller may pause while it sends its body."""
BODY_TOTAL_S = 300.0
"""How long it may take to send all of it, so that nobody holds a connection with a byte now and then."""
SEND_DEADLINE_S = 60.0
"""How long a caller may leave an answer lying when it has stopped reading."""
KEEP_ALIVE_S = 75.0
LINGER_S = 5.0
"""How long a refused caller may go on sending before the connection is ended all the same."""
ASGI = {"version": "3.0", "spec_version": "2.3"}

log = structlog.get_logger("enfilade.api.protocol")


class HttpProtocol(asyncio.Protocol):
    """One connection."""

    def __init__(
        self,
        app: AsgiApp,
        sweeper: DeadlineSweeper,
        connections: "set[HttpProtocol]",
        spawn: Callable[[Any], "asyncio.Task[None]"],
    ) -> None:
        """Serve `app`; `spawn` starts the task that answers a request."""
        self._app = app
        self._sweeper = sweeper
        self._connections = connections
        self._spawn = spawn
        self._transport: asyncio.Transport = cast("asyncio.Transport", None)
        self._parser = httptools.HttpRequestParser(self)
        self._cycle: Cycle | None = None
        """The request that is being answered."""
        self._arriving: Cycle | None = None
        """The request whose body is arriving: the same one, or one that was sent ahead."""
        self._waiting: deque[Cycle] = deque()
        self._url = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._header_bytes = 0
        self._hosts = 0
        self._expects_continue = False
        self._in_headers = False
        self._reading = True
        self._drained: asyncio.Future[None] | None = None
        self._refused = False
        """Nothing more is read from this caller."""
        self._refusal: EnfiladeError | None = None
        """What the caller must be told after the answers that are still due."""
        self._closing = False
        self._client: tuple[str, int] | None = None
        self._server: tuple[str, int] | None = None
        self._scheme = "http"
        self._body_until = NEVER
        self.deadline = NEVER

    # asyncio

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See asyncio."""
        self._transport = cast("asyncio.Transport", transport)
        self._connections.add(self)
        peer, own = transport.get_extra_info("peername"), transport.get_extra_info("sockname")
        self._client = (str(peer[0]), int(peer[1])) if isinstance(peer, tuple) else None
        self._server = (str(own[0]), int(own[1])) if isinstance(own, tuple) else None
        self._scheme = "https" if transport.get_extra_info("sslcontext") is not None else "http"
        self.deadline = self._sweeper.now() + HEADER_DEADLINE_S
        self._sweeper.watch(self)

    def data_received(self, data: bytes) -> None:
        """See asyncio."""
        while data and not self._refused:
            try:
                self._parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                data = self._without_offer() + data[offer.args[0] :]
            except httptools.HttpParserError:
                self._refuse(MalformedBody("This is not a valid HTTP/1.1 request."))
            else:
                return

    def _without_offer(self) -> bytes:
        """The head that was just read, without the other protocol that it offers, to be read again.

        An offer may be ignored (RFC 9110, section 7.8), but the parser takes all that follows it for that protocol.
        """
        parser = self._parser
        self._parser = httptools.HttpRequestParser(self)
        if parser.get_method() == b"CONNECT":
            self._refuse(MalformedBody("This server is no proxy."))
            return b""
        lines = [b"%b %b HTTP/%b\r\n" % (parser.get_method(), self._url, parser.get_http_version().encode())]
        lines += [b"%b: %b\r\n" % header for header in self._headers if header[0] != b"upgrade"]
        return b"".join([*lines, b"\r\n"])

    def eof_received(self) -> bool:
        """See asyncio."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See asyncio: whoever works for this caller alone may stop."""
        del exc
        self._connections.discard(self)
        self._sweeper.forget(self)
        self._wake_drained()
        for cycle in {self._cycle, self._arriving, *self._waiting}:
            if cycle is not None:
                cycle.lose()

    def pause_writing(self) -> None:
        """See asyncio: the caller has stopped reading."""
        self._drained = asyncio.get_running_loop().create_future()
        self._set_deadline(SEND_DEADLINE_S)

    def resume_writing(self) -> None:
        """See asyncio."""
        if not self._refused:
            self.deadline = NEVER
        self._wake_drained()

    def _wake_drained(self) -> None:
        drained, self._drained = self._drained, None
        if drained is not None and not drained.done():
            drained.set_result(None)

    def _set_deadline(self, seconds: float) -> None:
        self.deadline = self._sweeper.now() + seconds
        self._sweeper.watch(self)

    # Waiting

    def expire(self) -> None:
        """The caller is too slow."""
        cycle = self._cycle
        if self._drained is not None:
            self._transport.abort()  # It does not read: no answer would reach it.
        elif self._refused:
            self._transport.abort()  # It was told, and goes on sending.
        elif self._in_headers:
            self._refuse(RequestTimeout("The request's headers did not arrive in time."))
        elif cycle is None:
            self._transport.close()  # An idle connection.
        elif cycle.more_body and not cycle.started:
            self._end_with(RequestTimeout("The request's body did not arrive in time."))
        else:
            self._transport.abort()

    # httptools

    def on_message_begin(self) -> None:
        """See httptools."""
        self._url = b""
        self._headers = []
        self._header_bytes = 0
        self._hosts = 0
        self._expects_continue = False
        self._in_headers = True
        self._set_deadline(HEADER_DEADLINE_S)

    def on_url(self, url: bytes) -> None:
        """See httptools."""
        self._url += url
        self._header_bytes += len(url)
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse_headers()

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        headers = self._headers
        name = name.lower()
        if name == b"host":
            self._hosts += 1
        elif name == b"expect":
            self._expects_continue = value.lower() == b"100-continue"
        headers.append((name, value))
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MAX_HEADER_BYTES or len(headers) > MAX_HEADERS:
            self._refuse_headers()

    def on_headers_complete(self) -> None:
        """See httptools."""
        if self._refused or self._parser.should_upgrade():
            return
        self._in_headers = False
        now = self._sweeper.now()
        self._body_until = now + BODY_TOTAL_S
        self.deadline = now + BODY_DEADLINE_S
        parser = self._parser
        version = parser.get_http_version()
        if self._hosts != 1 and (self._hosts or version != "1.0"):
            self._refuse(MalformedBody("A request must have exactly one `host` header."))
            return
        path, query = self._split_url()
        scope: dict[str, Any] = {
            "type": "http",
            "asgi": ASGI,
            "http_version": version,
            "method": parser.get_method().decode("ascii"),
            "scheme": self._scheme,
            "path": unquote(path.decode("ascii", "replace")) if b"%" in path else path.decode("ascii", "replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self._headers,
            "client": self._client,
            "server": self._server,
            "state": {},
        }
        cycle = Cycle(
            self,
            scope,
            keep_alive=version != "1.0" and parser.should_keep_alive(),
            expects_continue=self._expects_continue and version != "1.0",
        )
        scope["enfilade.cycle"] = cycle
        self._arriving = cycle
        if self._cycle is None:
            self._begin(cycle)
        else:
            self._waiting.append(cycle)
            if len(self._waiting) >= MAX_WAITING_REQUESTS:
                self.pause_reading()

    def _split_url(self) -> tuple[bytes, bytes]:
        """Path and query of the request's target; an absolute target is cut down to them."""
        url = self._url
        if not url.startswith(b"/"):
            try:
                parsed = httptools.parse_url(url)
            except httptools.HttpParserInvalidURLError:
                return b"/", b""
            return parsed.path or b"/", parsed.query or b""
        path, _, query = url.partition(b"?")
        return path, query

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        if not self._refused and self._arriving is not None:
            until = NEVER if self._arriving.may_take_long else self._body_until
            self.deadline = min(self._sweeper.now() + BODY_DEADLINE_S, until)
            self._arriving.add(body)

    def on_message_complete(self) -> None:
        """See httptools: what follows takes as long as it takes."""
        if not self._refused and not self._in_headers and self._arriving is not None:
            self.deadline = NEVER
            self._arriving.end()

    # Answering

    def _begin(self, cycle: Cycle) -> None:
        self._cycle = cycle
        _ = self._spawn(self._answer(cycle))

    async def _answer(self, cycle: Cycle) -> None:
        try:
            await self._app(cycle.scope, cycle.receive, cycle.send)
        except asyncio.CancelledError:
            if not cycle.complete:
                self._transport.abort()
            raise
        except Exception:
            log.exception("request_failed", path=cycle.scope["path"], method=cycle.scope["method"])
            await self._fail(cycle)
        else:
            if not cycle.complete and not cycle.disconnected:
                log.error("response_incomplete", path=cycle.scope["path"])
                await self._fail(cycle)
        finally:
            # Each holds the other: without this the whole request would stay in memory until a garbage collection.
            cycle.scope.pop("enfilade.cycle", None)

    async def _fail(self, cycle: Cycle) -> None:
        """Say that something went wrong, if the caller can still be told."""
        if cycle.started or cycle.disconnected:
            self._transport.abort()
            return
        self._end_with(InternalError("Something went wrong inside Enfilade."))

    def finished(self, cycle: Cycle) -> None:
        """See `Wire.finished`."""
        if cycle.more_body:
            # A body that nobody read cannot be told from the next request: the connection ends here.
            self._linger()
        elif not cycle.keep_alive or self._closing:
            self._cycle = None
            self._transport.close()
        elif self._waiting:
            following = self._waiting.popleft()
            self.resume_reading()
            self._begin(following)
        elif self._refusal is not None:
            self._cycle = None
            self._end_with(self._refusal)
        else:
            self._cycle = None
            self._arriving = None
            if not self._in_headers:
                self._set_deadline(KEEP_ALIVE_S)

    def shutdown(self) -> None:
        """End the connection now if it is idle, else after its current answer."""
        self._closing = True
        if self._cycle is None:
            self._transport.close()

    # Wire

    def write(self, data: bytes) -> None:
        """See `Wire.write`."""
        self._transport.write(data)

    def writelines(self, parts: list[bytes]) -> None:
        """See `Wire.writelines`."""
        self._transport.writelines(parts)

    async def drain(self) -> None:
        """See `Wire.drain`."""
        if self._drained is not None:
            await asyncio.shield(self._drained)

    def pause_reading(self) -> None:
        """See `Wire.pause_reading`."""
        if self._reading and not self._transport.is_closing():
            self._reading = False
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """See `Wire.resume_reading`."""
        if not self._reading and not self._transport.is_closing():
            self._reading = True
            self._transport.resume_reading()

    # Refusing

    def _refuse_headers(self) -> None:
        self._refuse(
            HeadersTooLarge(f"A request may have up to {MAX_HEADERS} header fields of {MAX_HEADER_BYTES} bytes in all.")
        )

    def _refuse(self, error: EnfiladeError) -> None:
        """Nothing more can be read: say so, after the answers to the requests that came before."""
        if self._refused or self._transport.is_closing():
            return
        arriving, cycle = self._arriving, self._cycle
        if arriving is not None and arriving.more_body and self._waiting and self._waiting[-1] is arriving:
            self._waiting.pop()  # It will never be whole.
        if cycle is None or (cycle is arriving and cycle.more_body):
            self._end_with(error)
        else:
            self._refused = True
            self._refusal = error

    def _end_with(self, error: EnfiladeError) -> None:
        """Answer without the application, and end the connection."""
        if self._transport.is_closing():
            return
        cycle = self._cycle
        if cycle is None or not cycle.started:
            self._transport.write(render_plain_error(error))
        self._linger()

    def _linger(self) -> None:
        """End our side now, and the connection when the caller has ended its own, or soon.

        A connection that is closed with unread data in it is reset, and the reset can overtake the answer (RFC 9112,
        section 9.6).
        """
        cycle, self._cycle = self._cycle, None
        self._refused = True
        self._waiting.clear()
        if cycle is not None:
            cycle.lose()
        if self._closing or not self._transport.can_write_eof():
            self._transport.close()
            return
        self._transport.write_eof()
        self.resume_reading()
        self._set_deadline(LINGER_S)
