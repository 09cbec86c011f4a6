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
from enfilade.storage.errors import DatabaseUnavailable, StorageFault
from enfilade.storage.group_commit import GroupCommit
from enfilade.storage.replicas import is_alive
from enfilade.storage.unit_of_work import Storage, UnitOfWork

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
        writer: GroupCommit,
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
        self._writer = writer
        self._clock = clock
        self._replica = replica

    async def settle_orphans(self) -> int:
        """Settle every intent whose process is gone; return how many could be. Raises DatabaseUnavailable.

        One that cannot be settled is reported and stays: it must not keep the others, or a process's start, from it.
        """
        recovered = 0
        position = START
        while True:
            async with self._storage.unit_of_work(system_scope("recovery"), readonly=True) as unit:
                alive = await self._alive(unit)
                rows = await unit.fetch(store.LIST_ORPHANED_INTENTS, alive, position, CHUNK)
            if not rows:
                break
            recovered += await self._settle(rows)
            position = rows[-1]["call_id"]
        if recovered:
            log.warning("calls_recovered", recovered=recovered)
        return recovered

    async def _settle(self, rows: Sequence[Any]) -> int:
        written = {}
        for row in rows:
            call_id = str(row["call_id"])
            try:
                written[call_id] = self._writer.settle(call_id, self._render(row["body"], self._clock.now_ns()))
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

    async def _alive(self, unit: UnitOfWork) -> Sequence[str]:
        alive = [self._replica]
        for row in await unit.fetch(store.LIST_INTENT_REPLICAS):
            replica = str(row["replica_id"])
            if await is_alive(unit, replica, may_return=self._has_company):
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
