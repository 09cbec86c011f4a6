"""Connections to one PostgreSQL database, by role. No other module opens one."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import asyncpg

from enfilade.storage.address import APP, OPERATOR, Address
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.watching import watched

CONNECT_TIMEOUT_S = 10.0
POOL_SIZES = {APP: 8, OPERATOR: 6}
SCHEMAS_A_CONNECTION = 32
"""A server process keeps what it has seen of each schema, and that is megabytes: after so many, another one goes on."""
SESSION_SETTINGS = {
    "application_name": "enfilade",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "60s",
    "jit": "off",
}

UNREACHABLE = (
    OSError,
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.InternalClientError,
    asyncpg.ObjectNotInPrerequisiteStateError,
)
"""What the driver raises when the server is away, starting, stopping or full, rather than unwilling. The last is what
it says of a database that takes no connections for now, as during maintenance.

`InterfaceError` is not among them: it also tells of mistakes in our own code, see `is_connection_fault`.
"""


def is_connection_fault(error: BaseException) -> bool:
    """Whether trying again later may help: the connection or the server failed, not the statement."""
    if isinstance(error, UNREACHABLE):
        return True
    return isinstance(error, asyncpg.InterfaceError) and "clos" in str(error).lower()


@asynccontextmanager
async def translated_faults() -> AsyncIterator[None]:
    """Turn the driver's connection faults into `DatabaseUnavailable`; everything else passes."""
    try:
        yield
    except (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError) as error:
        if is_connection_fault(error):
            message = "The database cannot be reached at the moment."
            raise DatabaseUnavailable(message, retry_after=1) from error
        raise


class Database:
    """One database: pools for the roles that serve requests, single connections for the others."""

    def __init__(
        self, address: Address, pool_sizes: Mapping[str, int] = POOL_SIZES, *, opens_itself: bool = False
    ) -> None:
        """Remember where it is; `open` connects, or with `opens_itself` the first use."""
        self.address = address
        self._sizes = pool_sizes
        self._opens_itself = opens_itself
        self._pools: dict[str, asyncpg.Pool] = {}
        self._schemas: dict[int, set[str]] = {}
        """The schemas of tenants' own that connections have seen, by their server processes."""
        self._keeps_owner = False
        self._spare_owner: asyncpg.Connection | None = None

    async def open(self) -> None:
        """Make the pools; the first connections are made when they are asked for. Raises DatabaseUnavailable."""
        async with translated_faults():
            for role, size in self._sizes.items():
                user, password = self.address.login(role)
                self._pools[role] = await asyncpg.create_pool(
                    self.address.url,
                    user=user,
                    password=password,
                    min_size=0,
                    max_size=size,
                    timeout=CONNECT_TIMEOUT_S,
                    max_inactive_connection_lifetime=300,
                    server_settings=SESSION_SETTINGS,
                )

    async def close(self) -> None:
        """Close the pools, waiting for what still uses them."""
        pools, self._pools = self._pools, {}
        for pool in pools.values():
            await pool.close()

    @asynccontextmanager
    async def transaction(self, role: str, *, readonly: bool = False) -> AsyncIterator[asyncpg.Connection]:
        """A transaction as `app` or `operator`; read-only ones see one consistent snapshot."""
        if not self._pools and self._opens_itself:
            await self.open()
        pool = self._pools.get(role)
        if pool is None:
            message = "The database is not open."
            raise DatabaseUnavailable(message, retry_after=1)
        isolation = "repeatable_read" if readonly else None
        async with translated_faults(), pool.acquire(timeout=CONNECT_TIMEOUT_S) as connection:
            async with connection.transaction(isolation=isolation, readonly=readonly):
                with watched(connection):
                    yield connection
            await self._renew(connection)

    def goes_to(self, connection: asyncpg.Connection, schema: str) -> None:
        """Note that a transaction's connection works in a schema of a tenant's own."""
        process = connection.get_server_pid()
        seen = self._schemas.get(process)
        if seen is None:
            seen = self._schemas[process] = set()
            # However it ends: the server may give the number to another process.
            connection.add_termination_listener(lambda _: self._schemas.pop(process, None))
        seen.add(schema)

    async def _renew(self, connection: asyncpg.Connection) -> None:
        """Let go of a connection that has seen many schemas; the pool makes another."""
        process = connection.get_server_pid()
        if len(self._schemas.get(process, ())) >= SCHEMAS_A_CONNECTION:
            await connection.close()

    async def connect(self, role: str) -> asyncpg.Connection:
        """A connection of one's own as one of the sign-in roles. Raises what the driver raises."""
        user, password = self.address.login(role)
        return await asyncpg.connect(
            self.address.url, user=user, password=password, timeout=CONNECT_TIMEOUT_S, server_settings=SESSION_SETTINGS
        )

    @asynccontextmanager
    async def owner(self) -> AsyncIterator[asyncpg.Connection]:
        """A connection as the owner: migrations, partitions and sealed secrets. Raises DatabaseUnavailable."""
        async with translated_faults():
            connection, self._spare_owner = self._spare_owner, None
            if connection is None or connection.is_closed():
                connection = await asyncpg.connect(
                    self.address.url, timeout=CONNECT_TIMEOUT_S, server_settings=SESSION_SETTINGS
                )
            kept = False
            try:
                with watched(connection):
                    yield connection
                if self._keeps_owner and self._spare_owner is None:
                    await connection.reset()
                    self._spare_owner, kept = connection, True
            finally:
                if not kept:
                    await connection.close()

    @asynccontextmanager
    async def owner_kept(self) -> AsyncIterator[None]:
        """Within the block one connection serves owners who come one after the other.

        A start has many such turns, and a connection costs the server more than most of what is done with it.
        """
        self._keeps_owner = True
        try:
            yield
        finally:
            self._keeps_owner = False
            spare, self._spare_owner = self._spare_owner, None
            if spare is not None:
                await spare.close()
