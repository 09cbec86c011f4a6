"""What a crash leaves behind: calls that were admitted and never settled. They are settled at their worst case, once.

An intent belongs to the process that wrote it. While that process lives (it holds an advisory lock), its intents are
its own business; when it is gone, whoever looks next settles them.
"""

from collections.abc import Callable, Sequence

import structlog

from enfilade.core.clock import Clock
from enfilade.costs import store
from enfilade.identity.scopes import system_scope
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.group_commit import GroupCommit
from enfilade.storage.replicas import IS_ALIVE
from enfilade.storage.unit_of_work import Storage, UnitOfWork

CHUNK = 500
LOOK_EVERY_S = 30.0

Render = Callable[[str, int], str]
"""From an intent's text, and the time, to the text of the event that settles its call."""

log = structlog.get_logger("enfilade.costs.recovery")


class Recovery:
    """Settles what dead processes left."""

    def __init__(self, storage: Storage, writer: GroupCommit, clock: Clock, replica: str, render: Render) -> None:
        """Work for the process `replica`, whose own intents are left alone; `render` makes events of the others'."""
        self._render = render
        self._storage = storage
        self._writer = writer
        self._clock = clock
        self._replica = replica

    async def settle_orphans(self) -> int:
        """Settle every intent whose process is gone; return how many there were. Raises DatabaseUnavailable."""
        recovered = 0
        while True:
            async with self._storage.unit_of_work(system_scope("recovery"), readonly=True) as unit:
                alive = await self._alive(unit)
                rows = await unit.fetch(store.LIST_ORPHANED_INTENTS, alive, CHUNK)
            if not rows:
                break
            written = [
                self._writer.settle(str(row["call_id"]), self._render(row["body"], self._clock.now_ns()))
                for row in rows
            ]
            for future in written:
                await future
            recovered += len(rows)
        if recovered:
            log.warning("calls_recovered", recovered=recovered)
        return recovered

    async def _alive(self, unit: UnitOfWork) -> Sequence[str]:
        alive = [self._replica]
        for row in await unit.fetch(store.LIST_INTENT_REPLICAS):
            replica = str(row["replica_id"])
            if await unit.fetch_value(IS_ALIVE, replica):
                alive.append(replica)
        return alive

    async def run(self) -> None:
        """Look again now and then, for other processes that died, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                await self.settle_orphans()
            except DatabaseUnavailable as error:
                log.warning("recovery_postponed", error=error.message)
