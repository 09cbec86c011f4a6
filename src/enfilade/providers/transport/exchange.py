"""One request and its reply on a connection."""

import asyncio
from collections import deque
from typing import Protocol

from enfilade.core.clock import Clock
from enfilade.core.deadlines import NEVER, DeadlineSweeper
from enfilade.providers.errors import ConnectionBroken, ProviderError, ProviderTimeout, UnreadableResponse
from enfilade.providers.transport.types import Timeouts

HIGH_WATER = 256_000


class Wire(Protocol):
    """What an exchange needs of its connection."""

    def pause(self) -> None:
        """Stop reading from the network."""
        ...

    def resume(self) -> None:
        """Go on reading."""
        ...

    def abort(self) -> None:
        """End the connection at once: the provider must notice that nobody listens any more."""
        ...


class Exchange:
    """A reply that is arriving. It has one reader."""

    __slots__ = (
        "_between",
        "_buffered",
        "_chunks",
        "_clock",
        "_error",
        "_last",
        "_paused",
        "_received",
        "_sweeper",
        "_waiter",
        "_wants_all",
        "_wire",
        "complete",
        "deadline",
        "headers",
        "max_body",
        "received_any",
        "status",
    )

    def __init__(self, wire: Wire, timeouts: Timeouts, max_body: int, clock: Clock, sweeper: DeadlineSweeper) -> None:
        """Begin to wait for a reply."""
        self._wire = wire
        self._clock = clock
        self._sweeper = sweeper
        now = clock.monotonic()
        self._between = timeouts.between_bytes
        self._last = now + timeouts.total
        self.deadline = min(now + timeouts.first_byte, self._last)
        self.max_body = max_body
        self.status = 0
        self.headers: list[tuple[bytes, bytes]] = []
        self.complete = False
        self.received_any = False
        self._chunks: deque[bytes] = deque()
        self._buffered = 0
        self._received = 0
        self._paused = False
        self._wants_all = False
        self._error: ProviderError | None = None
        self._waiter: asyncio.Future[None] | None = None
        sweeper.watch(self)

    # From the connection.

    def on_headers(self, status: int) -> None:
        """Status and headers have come."""
        self.status = status
        self._moved()
        if not self._wants_all:
            self._wake()

    def on_body(self, data: bytes) -> None:
        """Some of the body has come."""
        self._moved()
        self._chunks.append(data)
        self._buffered += len(data)
        self._received += len(data)
        if self._received > self.max_body:
            self.fail(UnreadableResponse("The provider's reply is larger than this installation accepts."))
            self._wire.abort()
        elif self._wants_all:
            return
        else:
            if self._buffered > HIGH_WATER and not self._paused:
                self._paused = True
                self._wire.pause()
                self.deadline = self._last  # Until we go on reading, the provider's silence is ours.
            self._wake()

    def on_complete(self) -> None:
        """The reply is whole."""
        if self._error is not None:
            return  # It was given up before, for its size or by its reader.
        self.complete = True
        self.deadline = NEVER
        self._sweeper.forget(self)
        self._wake()

    def fail(self, error: ProviderError) -> None:
        """The reply will never be whole."""
        if self.complete or self._error is not None:
            return
        self._error = error
        self.deadline = NEVER
        self._sweeper.forget(self)
        self._wake()

    def expire(self) -> None:
        """See `Waiting.expire`."""
        what = "answer" if not self.status else "go on"
        self.fail(ProviderTimeout(f"The provider did not {what} in time."))
        self._wire.abort()

    def _moved(self) -> None:
        self.deadline = min(self._clock.monotonic() + self._between, self._last)

    def _wake(self) -> None:
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # For the reader.

    async def wait_for_headers(self) -> None:
        """Return once status and headers are known. Raises ProviderError."""
        while not self.status:
            if self._error is not None:
                raise self._error
            await self._wait()

    async def read(self) -> bytes:
        """The whole body. Raises ProviderError."""
        self._wants_all = True
        if self._paused:
            self._resume()
        while not self.complete:
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._drain()

    async def next_chunk(self) -> bytes:
        """What has come since the last time, as soon as there is something; empty at the end. Raises ProviderError."""
        while not self._chunks:
            if self.complete:
                return b""
            if self._error is not None:
                raise self._error
            await self._wait()
        return self._drain()

    async def peek(self, least: int) -> bytes:
        """What has come, and stays to be read: at least so many bytes, unless it ends before. Raises ProviderError.

        `least` must be below the high-water mark.
        """
        while self._buffered < least and not self.complete:
            if self._error is not None:
                raise self._error
            await self._wait()
        chunks = self._chunks
        if len(chunks) > 1:
            joined = b"".join(chunks)
            chunks.clear()
            chunks.append(joined)
        return chunks[0] if chunks else b""

    def abort(self) -> None:
        """Nobody will read the rest."""
        if not self.complete:
            self.fail(ConnectionBroken("The call was given up."))
            self._wire.abort()

    def _drain(self) -> bytes:
        chunks = self._chunks
        data = chunks[0] if len(chunks) == 1 else b"".join(chunks)
        chunks.clear()
        self._buffered = 0
        if self._paused:
            self._resume()
        return data

    def _resume(self) -> None:
        self._paused = False
        if not self.complete and self._error is None:
            self._moved()
            self._wire.resume()

    async def _wait(self) -> None:
        waiter = self._waiter = asyncio.get_running_loop().create_future()
        try:
            await waiter
        finally:
            self._waiter = None
