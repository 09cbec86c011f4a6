"""What has expired is deleted, a little at a time. It is not shown to anybody meanwhile."""

from typing import Any

import structlog

from enfilade.core.clock import Clock, to_datetime
from enfilade.gateway.stored import store
from enfilade.gateway.stored.types import CONVERSATION, RESPONSE, public_id
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.unit_of_work import Storage
from enfilade.storage.visits import fetch_in_cells, for_tenants

SWEEP_EVERY_S = 600.0
TENANTS_AT_ONCE = 500
RESPONSES_AT_ONCE = 200
CONVERSATIONS_AT_ONCE = 20
"""Fewer, because their items are deleted with them."""

log = structlog.get_logger("enfilade.gateway.retention")


class Retention:
    """Deletes stored responses and conversations whose time is over."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        """Delete from `storage`."""
        self._storage = storage
        self._clock = clock

    async def sweep(self) -> int:
        """Delete everything that has expired; return how many responses and conversations it was.

        Raises DatabaseUnavailable; what was deleted before stays deleted.
        """
        deleted, before = 0, -1
        while deleted > before and (tenants := await self._tenants()):
            before = deleted
            deleted += sum(await for_tenants(tenants, self._sweep_tenant, postponed="retention_postponed"))
        return deleted

    async def _tenants(self) -> list[str]:
        now, scope = to_datetime(self._clock.now_ns()), system_scope("retention")
        rows = await fetch_in_cells(
            self._storage, scope, store.TENANTS_WITH_EXPIRED, now, TENANTS_AT_ONCE, postponed="retention_postponed"
        )
        return [str(row["tenant_id"]) for row in rows]

    async def _sweep_tenant(self, tenant: str) -> int:
        now, deleted = to_datetime(self._clock.now_ns()), 0
        for kind, statement, event, most in (
            (RESPONSE, store.DELETE_EXPIRED_RESPONSES, "ResponsesExpired", RESPONSES_AT_ONCE),
            (CONVERSATION, store.DELETE_EXPIRED_CONVERSATIONS, "ConversationsExpired", CONVERSATIONS_AT_ONCE),
        ):
            gone: list[Any] | None = None
            while gone is None or len(gone) == most:
                async with self._storage.unit_of_work(tenant_scope(tenant, "retention")) as unit:
                    gone = await unit.fetch(statement, now, most)
                    if gone:
                        unit.record(event, ids=[public_id(kind, str(row["id"])) for row in gone])
                deleted += len(gone)
        return deleted

    async def run(self) -> None:
        """Sweep now and then, until cancelled."""
        while True:
            await self._clock.sleep(SWEEP_EVERY_S)
            try:
                if deleted := await self.sweep():
                    log.info("expired_deleted", count=deleted)
            except DatabaseUnavailable as error:
                log.warning("retention_postponed", error=error.message)
