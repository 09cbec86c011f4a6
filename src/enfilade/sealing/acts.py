"""What was done to keys, until the tenant's log tells of it.

A key's state is in the installation's database, a tenant's log perhaps in another: one transaction cannot hold both.
The act is written down with the change that it is, and its event is written after it; should the process die between
them, another one writes it. An event's `act` tells a repetition apart.
"""

from typing import Any

import msgspec

from enfilade.core.canonical import canonical_text
from enfilade.core.ids import IdFactory
from enfilade.core.scope import Scope
from enfilade.sealing import store
from enfilade.sealing.subject_keys import ScopeOf
from enfilade.storage.database import Database
from enfilade.storage.unit_of_work import Storage


class Acts:
    """See the module."""

    def __init__(self, home: Database, storage: Storage, scope_of: ScopeOf, ids: IdFactory) -> None:
        """Note acts in the installation's database, and their events where the tenants are."""
        self._home = home
        self._storage = storage
        self._scope_of = scope_of
        self._ids = ids

    async def note(self, connection: Any, tenant: str, event: str, scope: Scope, data: dict[str, Any]) -> str:
        """Note an act in the transaction that does it; returns its id, for `tell`."""
        identifier = self._ids.new_id()
        text = canonical_text({**data, "by": scope.actor})
        await connection.execute(store.ADD_ACT, identifier, tenant, event, text)
        return identifier

    async def tell(self, identifier: str | None, scope: Scope | None = None) -> int:
        """Write the events of one act (as whoever did it), or of all that were left behind (None); how many it were."""
        async with self._home.owner() as connection:
            rows = await connection.fetch(store.OPEN_ACTS, identifier)
            for row in rows:
                tenant = str(row["tenant_id"])
                async with self._storage.unit_of_work(scope or self._scope_of(tenant)) as unit:
                    unit.record(row["type"], act=str(row["id"]), **msgspec.json.decode(row["data"]))
                    unit.changed()
                await connection.execute(store.CLOSE_ACT, row["id"])
        return len(rows)
