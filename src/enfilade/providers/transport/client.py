"""The HTTP client: a pool of connections for each origin."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable

from enfilade.core.clock import Clock
from enfilade.core.deadlines import DeadlineSweeper
from enfilade.providers.errors import (
    ConnectFailed,
    ConnectionBroken,
    ConnectTimeout,
    ProviderBusy,
)
from enfilade.providers.transport.addresses import resolve
from enfilade.providers.transport.connection import Connection
from enfilade.providers.transport.exchange import Exchange
from enfilade.providers.transport.proxy import open_tunnel
from enfilade.providers.transport.types import HttpRequest, Origin, Timeouts

MAX_IDLE_S = 45.0
"""Servers commonly close idle connections after a minute; ours are given up before."""
MAX_BODY_BYTES = 64_000_000


class Pool:
    """The connections to one origin."""

    __slots__ = ("connected", "idle", "opening")

    def __init__(self) -> None:
        """Start empty."""
        self.idle: deque[Connection] = deque()
        self.connected: set[Connection] = set()
        self.opening = 0

    @property
    def open(self) -> int:
        """How many connections there are, with those that are being made."""
        return len(self.connected) + self.opening


class HttpClient:
    """Sends requests to origins. One per process."""

    def __init__(self, clock: Clock, sweeper: DeadlineSweeper) -> None:
        """Measure deadlines by `clock`, through `sweeper`."""
        self._clock = clock
        self._sweeper = sweeper
        self._pools: dict[Origin, Pool] = {}
        self.opened = 0
        self.reused = 0

    async def send(
        self, origin: Origin, request: HttpRequest, timeouts: Timeouts, max_body: int = MAX_BODY_BYTES
    ) -> Exchange:
        """Send a request and return when the reply's status and headers are known.

        A kept connection that turns out to be dead is replaced once, if nothing of a reply was read. Raises
        ProviderError. Whoever stops waiting (by cancellation) ends the exchange.
        """
        head = request.rendered_head()
        connection = self._take(origin)
        if connection is not None:
            exchange = self._start(connection, head, request, timeouts, max_body)
            try:
                await _headers(exchange)
            except ConnectionBroken:
                if exchange.received_any:
                    raise
            else:
                self.reused += 1
                return exchange
        connection = await self._open(origin, timeouts)
        exchange = self._start(connection, head, request, timeouts, max_body)
        await _headers(exchange)
        return exchange

    def forget(self, origin: Origin) -> None:
        """Close the idle connections of an origin whose provider was changed or removed; busy ones finish."""
        pool = self._pools.pop(origin, None)
        for connection in pool.idle if pool else ():
            connection.close()

    def close(self) -> None:
        """Close all idle connections."""
        for origin in list(self._pools):
            self.forget(origin)

    def open_connections(self) -> int:
        """How many connections there are."""
        return sum(pool.open for pool in self._pools.values())

    def _start(
        self, connection: Connection, head: bytes, request: HttpRequest, timeouts: Timeouts, max_body: int
    ) -> Exchange:
        exchange = Exchange(connection, timeouts, max_body, self._clock, self._sweeper)
        if request.on_sent is not None:
            request.on_sent()
        connection.send(exchange, head, request.body)
        return exchange

    def _take(self, origin: Origin) -> Connection | None:
        pool = self._pools.get(origin)
        if pool is None:
            return None
        oldest = self._clock.monotonic() - MAX_IDLE_S
        while pool.idle:
            connection = pool.idle.pop()  # The one used last is the likeliest to live.
            if not connection.is_closed:
                if connection.idle_since > oldest:
                    return connection
                pool.connected.discard(connection)  # It makes room now, however long its farewell takes.
                connection.close()
        return None

    async def _open(self, origin: Origin, timeouts: Timeouts) -> Connection:
        pool = self._pools.setdefault(origin, Pool())
        if origin.max_connections is not None and pool.open >= origin.max_connections:
            message = "All connections that the provider's configuration allows are in use."
            raise ProviderBusy(message, retry_after=1)
        pool.opening += 1
        try:
            async with asyncio.timeout(timeouts.connect):
                connection = await self._connect(origin, pool)
        except TimeoutError:
            message = "The connection to the provider was not made in time."
            raise ConnectTimeout(message) from None
        finally:
            pool.opening -= 1
        if not connection.is_closed:
            pool.connected.add(connection)
        self.opened += 1
        return connection

    async def _connect(self, origin: Origin, pool: Pool) -> Connection:
        def idle(connection: Connection) -> None:
            if self._pools.get(origin) is pool:
                pool.idle.append(connection)
            else:
                connection.close()

        def lost(connection: Connection) -> None:
            pool.connected.discard(connection)
            if connection in pool.idle:
                pool.idle.remove(connection)

        def factory() -> Connection:
            return Connection(self._clock, idle, lost)

        if origin.proxy is not None:
            return await open_tunnel(origin, origin.proxy, factory)
        return await _connect_directly(origin, factory)


async def _connect_directly(origin: Origin, factory: Callable[[], Connection]) -> Connection:
    """Connect to the first address that answers."""
    addresses = await resolve(origin.host, origin.port, allow_private=origin.allow_private)
    loop = asyncio.get_running_loop()
    failure: OSError | None = None
    name = origin.host if origin.tls else None
    for family, address in addresses:
        try:
            _, connection = await loop.create_connection(
                factory, address, origin.port, family=family, ssl=origin.tls, server_hostname=name
            )
        except ssl.SSLError as error:
            message = "A secure connection to the provider could not be made."
            raise ConnectFailed(message) from error
        except OSError as error:
            failure = error
        else:
            return connection
    message = "The provider cannot be reached."
    raise ConnectFailed(message) from failure


async def _headers(exchange: Exchange) -> None:
    try:
        await exchange.wait_for_headers()
    except BaseException:
        exchange.abort()
        raise
