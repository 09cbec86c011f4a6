"""What a crash leaves behind: calls that were admitted and never settled. They are settled at their worst case, once.

An intent belongs to the process that wrote it. While that process lives, its intents are its own business; when it is
gone, whoever looks next settles them.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import structlog

from enfilade.core.clock import Clock
from enfilade.costs.ledger import store
from enfilade.identity.rows import START
from enfilade.identity.scopes import system_scope
from enfilade.storage.cells import Cell
from enfilade.storage.errors import DatabaseUnavailable, StorageFault
from enfilade.storage.replicas import is_alive
from enfilade.storage.unit_of_work import Storage
from enfilade.storage.visits import in_cells
from enfilade.storage.writers import Writers

CHUNK = 500
LOOK_EVERY_S = 10.0

Render = Callable[[str, int], str]
"""From an intent's text, and the time, to the text of the event that settles its call."""

log = structlog.get_logger("enfilade.costs.ledger.recovery")


class Recovery:
    """Settles what dead processes left."""

    def __init__(
        self,
        storage: Storage,
        writers: Writers,
        clock: Clock,
        replica: str,
        render: Render,
        *,
        has_company: bool,
    ) -> None:
        """Work for the process `replica`, whose own intents are left alone; `render` makes events of the others'.

        `has_company` says whether other processes can serve the same database.
        """
        self._has_company = has_company
        self._render = render
        self._storage = storage
        self._writers = writers
        self._clock = clock
        self._replica = replica

    async def settle_orphans(self) -> int:
        """Settle every intent whose process is gone; return how many could be. Raises DatabaseUnavailable.

        One that cannot be settled is reported and stays: it must not keep the others, or a process's start, from it.
        """
        recovered = sum(await in_cells(self._storage, self._settle_in, postponed="recovery_postponed"))
        if recovered:
            log.warning("calls_recovered", recovered=recovered)
        return recovered

    async def _settle_in(self, cell: Cell) -> int:
        recovered = 0
        position = START
        while True:
            # Whose intents there are, and the intents, in one snapshot: nobody who started meanwhile is among them.
            async with self._storage.unit_of_work(system_scope("recovery"), readonly=True, cell=cell) as unit:
                replicas = [str(row["replica_id"]) for row in await unit.fetch(store.LIST_INTENT_REPLICAS)]
                alive = await self._alive(replicas)
                rows = await unit.fetch(store.LIST_ORPHANED_INTENTS, alive, position, CHUNK)
            if not rows:
                return recovered
            recovered += await self._settle(rows)
            position = rows[-1]["call_id"]

    async def _settle(self, rows: Sequence[Any]) -> int:
        written = {}
        for row in rows:
            call_id = str(row["call_id"])
            try:
                writer = self._writers.of(str(row["tenant_id"]))
                written[call_id] = writer.settle(call_id, self._render(row["body"], self._clock.now_ns()))
            except msgspec.DecodeError as error:
                log.error("call_not_recovered", call_id=call_id, error=str(error))  # noqa: TRY400
        refused = 0
        for call_id, future in written.items():
            try:
                await future
            except StorageFault as error:
                refused += 1
                log.error("call_not_recovered", call_id=call_id, error=error.message)  # noqa: TRY400
        return len(written) - refused

    async def _alive(self, replicas: Sequence[str]) -> list[str]:
        alive = [self._replica]
        others = [replica for replica in replicas if replica != self._replica]
        if others:
            # Processes hold their signs of life in the installation's own database.
            async with self._storage.unit_of_work(system_scope("recovery"), readonly=True) as home:
                alive += [one for one in others if await is_alive(home, one, may_return=self._has_company)]
        return alive

    async def run(self) -> None:
        """Look again now and then, for other processes that died, until cancelled."""
        while True:
            await self._clock.sleep(LOOK_EVERY_S)
            try:
                await self.settle_orphans()
            except DatabaseUnavailable as error:
                log.warning("recovery_postponed", error=error.message)
