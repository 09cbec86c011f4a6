"""When keys were used last: noted in memory at each request, written down once a minute."""

from datetime import UTC, datetime

import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.identity.principals import Principals
from enfilade.identity.roles import store
from enfilade.identity.scopes import tenant_scope
from enfilade.storage.unit_of_work import Storage

EVERY_S = 60.0
MINUTE_NS = 60_000_000_000

log = structlog.get_logger("enfilade.identity.key_uses")


class KeyUses:
    """Writes down what `principals` noted."""

    def __init__(self, storage: Storage, principals: Principals, clock: Clock) -> None:
        """Write through `storage`."""
        self._storage = storage
        self._principals = principals
        self._clock = clock

    async def run(self) -> None:
        """Write every minute until cancelled, and what is left then."""
        try:
            while True:
                await self._clock.sleep(EVERY_S)
                await self.flush()
        finally:
            await self.flush()

    async def flush(self) -> None:
        """Write what was noted since the last time. What cannot be written now is kept for the next time."""
        used, self._principals.used = self._principals.used, {}
        by_tenant: dict[str, dict[str, int]] = {}
        for principal, at_ns in used.items():
            if (key := principal.scope.key) is not None:
                # After a rotation, or a change of the configuration, one key has several principals.
                noted = by_tenant.setdefault(principal.scope.tenant, {})
                noted[key] = max(at_ns // MINUTE_NS, noted.get(key, 0))
        failed: set[str] = set()
        for tenant, minutes in by_tenant.items():
            try:
                await self._write(tenant, minutes)
            except EnfiladeError as error:
                failed.add(tenant)
                log.warning("key_uses_not_written", tenant=tenant, error=error.message)
        for principal, at_ns in used.items():
            if principal.scope.tenant in failed:
                self._principals.used.setdefault(principal, at_ns)

    async def _write(self, tenant: str, minutes: dict[str, int]) -> None:
        moments = [datetime.fromtimestamp(minute * 60, UTC) for minute in minutes.values()]
        # No configuration is changed and nothing read is relied upon: administrators need not wait for this.
        async with self._storage.unit_of_work(tenant_scope(tenant, "key_uses"), alone=False) as unit:
            await unit.execute(store.NOTE_USES, tenant, list(minutes), moments)
