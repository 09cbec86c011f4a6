"""One connection to a provider, speaking HTTP/1.1."""

import asyncio
from collections.abc import Callable
from typing import cast

import httptools

from enfilade.core.clock import Clock
from enfilade.providers.errors import ConnectionBroken, UnreadableResponse
from enfilade.providers.transport.exchange import Exchange

MAX_HEADER_BYTES = 64_000


class Connection(asyncio.Protocol):
    """A protocol object that asyncio drives. It is idle, or it has one exchange."""

    def __init__(
        self, clock: Clock, on_idle: "Callable[[Connection], None]", on_lost: "Callable[[Connection], None]"
    ) -> None:
        """Tell the pool through the callbacks when this connection is free, and when it is gone."""
        self._clock = clock
        self._on_idle = on_idle
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._exchange: Exchange | None = None
        self._header_bytes = 0
        self._unheaded_bytes = 0
        self._ends_by_close = False
        self.is_closed = False
        self.idle_since = 0.0
        self.uses = 0

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """See `asyncio.Protocol`."""
        self._transport = cast("asyncio.Transport", transport)  # uvloop's do not derive from asyncio's

    def data_received(self, data: bytes) -> None:
        """See `asyncio.Protocol`."""
        exchange = self._exchange
        if exchange is None:
            self.abort()  # Nobody asked for anything: this server is not to be trusted with the next request.
            return
        exchange.received_any = True
        assert self._parser is not None
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            exchange.fail(UnreadableResponse("The provider's reply is not HTTP."))
            self.abort()
            return
        if not exchange.status:
            # The parser keeps a field until its end, however far that is.
            self._unheaded_bytes += len(data)
            if self._unheaded_bytes > MAX_HEADER_BYTES:
                self._refuse_headers(exchange)

    def _refuse_headers(self, exchange: Exchange) -> None:
        exchange.fail(UnreadableResponse("The provider's reply has too many header fields, or too long ones."))
        self.abort()

    def eof_received(self) -> bool:
        """See `asyncio.Protocol`."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """See `asyncio.Protocol`."""
        self.is_closed = True
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            if exc is None and self._ends_by_close and exchange.status:
                exchange.on_complete()
            else:
                exchange.fail(ConnectionBroken("The connection to the provider broke before its reply was whole."))
        self._on_lost(self)

    # For the pool.

    def send(self, exchange: Exchange, head: bytes, body: bytes) -> None:
        """Write a request; its reply goes to `exchange`."""
        assert self._transport is not None
        self._exchange = exchange
        self._parser = httptools.HttpResponseParser(self)
        self._header_bytes = self._unheaded_bytes = 0
        self.uses += 1
        if len(body) < 16_000:
            self._transport.write(head + body)
        else:
            self._transport.write(head)
            self._transport.write(body)

    # Wire

    def pause(self) -> None:
        """See `Wire.pause`."""
        if self._transport is not None and not self.is_closed:
            self._transport.pause_reading()

    def resume(self) -> None:
        """See `Wire.resume`."""
        if self._transport is not None and not self.is_closed:
            self._transport.resume_reading()

    def abort(self) -> None:
        """See `Wire.abort`."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.abort()

    def close(self) -> None:
        """End an idle connection."""
        self.is_closed = True
        if self._transport is not None:
            self._transport.close()

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """See httptools."""
        assert self._exchange is not None
        self._header_bytes += len(name) + len(value)
        self._exchange.headers.append((name.lower(), value))
        if self._header_bytes > MAX_HEADER_BYTES:
            self._refuse_headers(self._exchange)

    def on_headers_complete(self) -> None:
        """See httptools."""
        exchange = self._exchange
        assert exchange is not None
        assert self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:
            exchange.headers.clear()  # Informational: the reply proper follows.
            return
        names = {name for name, _ in exchange.headers}
        self._ends_by_close = b"content-length" not in names and b"transfer-encoding" not in names
        exchange.on_headers(status)

    def on_body(self, body: bytes) -> None:
        """See httptools."""
        if self._exchange is not None:
            self._exchange.on_body(body)

    def on_message_complete(self) -> None:
        """See httptools."""
        exchange = self._exchange
        assert self._parser is not None
        if exchange is None or not exchange.status:
            return  # The end of an informational reply.
        reusable = self._parser.should_keep_alive()
        self._exchange = None
        exchange.on_complete()
        if reusable and not self.is_closed:
            self.idle_since = self._clock.monotonic()
            self._on_idle(self)
        else:
            self.close()
