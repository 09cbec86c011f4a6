"""What one tenant may take of the connections that tenants share."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from enfilade.storage.address import APP
from enfilade.storage.database import CONNECT_TIMEOUT_S, POOL_SIZES
from enfilade.storage.errors import DatabaseUnavailable

LEFT_FOR_OTHERS = 2
CONNECTIONS_OF_A_TENANT = POOL_SIZES[APP] - LEFT_FOR_OTHERS


class ConnectionShares:
    """Who has how many connections. A tenant that has its share waits for itself, and for nobody else."""

    def __init__(self, each: int = CONNECTIONS_OF_A_TENANT) -> None:
        """Let each tenant have so many at a time."""
        self._each = each
        self._used: dict[str, tuple[asyncio.Semaphore, int]] = {}

    @asynccontextmanager
    async def of(self, tenant: str) -> AsyncIterator[None]:
        """One connection of a tenant's share. Raises DatabaseUnavailable when it takes too long to come free."""
        semaphore, users = self._used.get(tenant) or (asyncio.Semaphore(self._each), 0)
        self._used[tenant] = semaphore, users + 1
        try:
            try:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    await semaphore.acquire()
            except TimeoutError:
                message = "This organisation uses all the database connections that it may have at the same time."
                raise DatabaseUnavailable(message, retry_after=1) from None
            try:
                yield
            finally:
                semaphore.release()
        finally:
            semaphore, users = self._used[tenant]
            if users == 1:
                del self._used[tenant]
            else:
                self._used[tenant] = semaphore, users - 1
