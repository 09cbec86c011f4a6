"""Tells once of each use case whose review is late."""

import structlog

from enfilade.access.service import Access
from enfilade.access.use_cases import UseCases
from enfilade.core.clock import Clock
from enfilade.core.errors import Conflict
from enfilade.identity.scopes import tenant_scope
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.unit_of_work import Storage
from enfilade.storage.visits import for_tenants

LOOK_EVERY_S = 3600.0

log = structlog.get_logger("enfilade.access.overdue")


class ReviewWatch:
    """Looks every hour. However many processes look, each late review is told of once."""

    def __init__(self, storage: Storage, clock: Clock, access: Access, use_cases: UseCases) -> None:
        """Look at what `access` has in memory, and tell in `storage`."""
        self._access = access
        self._looked_at: dict[str, frozenset[tuple[str, str | None]]] = {}
        self._storage = storage
        self._clock = clock
        self._use_cases = use_cases

    async def look(self) -> int:
        """Tell of what is late; return how many that were. A tenant whose cell is away waits for the next look."""
        late = self._access.late_reviews(self._use_cases.today())

        async def tell(tenant: str) -> int:
            async with self._storage.unit_of_work(tenant_scope(tenant, "reviews")) as unit:
                told = await self._use_cases.tell_overdue(unit)
            self._looked_at[tenant] = late[tenant]
            return told

        waiting = [tenant for tenant, reviews in late.items() if self._looked_at.get(tenant) != reviews]
        return sum(await for_tenants(waiting, tell, postponed="use_case_reviews_not_looked_at"))

    async def run(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            try:
                if told := await self.look():
                    log.info("use_case_reviews_overdue", count=told)
            except (DatabaseUnavailable, Conflict) as error:
                log.warning("use_case_reviews_not_looked_at", error=error.message)
            await self._clock.sleep(LOOK_EVERY_S)
