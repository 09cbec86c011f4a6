"""What one tenant may take of a process, so that its neighbours do not feel it.

Two shares. Of the calls that a process answers at the same time a tenant has at most a part. And of the calls that begin in
one turn of the event loop, each tenant with calls waiting has as many as the others: a tenant that sends a thousand at once
has them begun a few in each turn, and the one call of another tenant goes before all but a few of them.
"""

import asyncio
from collections import deque

from enfilade.core.errors import Unavailable

BEGUN_IN_A_TURN = 16
"""Beginning a call takes some fifty microseconds, so a turn stays below a millisecond."""


class ShareTaken(Unavailable):
    """The tenant has as many calls running in this process as it may have."""

    code = "tenant_share_taken"
    remedy = "Try again after `retry-after`, with fewer calls at the same time; `ENFILADE_TENANT_CALLS` sets the share."


class Shares:
    """The shares of one process."""

    def __init__(self, calls_of_a_tenant: int, begun_in_a_turn: int = BEGUN_IN_A_TURN) -> None:
        """Let a tenant have so many calls running."""
        self._most = calls_of_a_tenant
        self._begun_in_a_turn = begun_in_a_turn
        self._running: dict[str, int] = {}
        self._begun = 0
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._turn_is_set = False

    def running(self, tenant: str) -> int:
        """How many calls of a tenant there are, those that wait for their turn among them."""
        return self._running.get(tenant, 0)

    def enter(self, tenant: str) -> "asyncio.Future[None] | None":
        """Begin a call now (None), or when the returned future is done. Raises ShareTaken. See `leave`."""
        running = self._running.get(tenant, 0)
        if running >= self._most:
            message = "This organisation has as many calls running here as it may have at the same time."
            raise ShareTaken(message, retry_after=1)
        self._running[tenant] = running + 1
        if not self._turn_is_set:
            self._turn_is_set = True
            asyncio.get_running_loop().call_soon(self._turn)
        if self._begun < self._begun_in_a_turn and not self._waiting:
            self._begun += 1
            return None
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(tenant, deque()).append(waiter)
        return waiter

    def leave(self, tenant: str) -> None:
        """The call has ended; once for each `enter` that raised nothing."""
        running = self._running[tenant] - 1
        if running:
            self._running[tenant] = running
        else:
            del self._running[tenant]

    def _turn(self) -> None:
        self._begun = 0
        waiting = self._waiting
        while waiting and self._begun < self._begun_in_a_turn:
            # Whoever comes first in the dictionary has waited longest for a turn; having had one, it goes last.
            tenant = next(iter(waiting))
            queue = waiting.pop(tenant)
            waiter = queue.popleft()
            if queue:
                waiting[tenant] = queue
            if not waiter.done():
                waiter.set_result(None)
                self._begun += 1
        if waiting or self._begun:
            asyncio.get_running_loop().call_soon(self._turn)
        else:
            self._turn_is_set = False
