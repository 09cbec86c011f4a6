"""Contents that an earlier version sealed directly under the master key are sealed anew under their subjects' keys."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from enfilade.core.scope import Scope
from enfilade.gateway.stored import store
from enfilade.gateway.stored.contents import for_input, for_item, for_metadata, for_reply
from enfilade.sealing.envelope import Envelope
from enfilade.sealing.errors import ContentErased
from enfilade.storage.unit_of_work import Storage

ROWS_AT_ONCE = 20


@dataclass(frozen=True, slots=True)
class _Kind:
    find: str
    replace: str
    purposes: Callable[[str, Any], Sequence[str]]
    columns: Sequence[str]
    """The sealed ones, in the order of the purposes."""


def _of_response(tenant: str, row: Any) -> Sequence[str]:
    return for_input(tenant, str(row["id"])), for_reply(tenant, str(row["id"]))


def _of_conversation(tenant: str, row: Any) -> Sequence[str]:
    return (for_metadata(tenant, str(row["id"])),)


def _of_item(tenant: str, row: Any) -> Sequence[str]:
    return (for_item(tenant, str(row["id"]), row["item_id"]),)


KINDS = (
    _Kind(store.OLD_RESPONSES, store.RESEAL_RESPONSE, _of_response, ("input", "reply")),
    _Kind(store.OLD_CONVERSATIONS, store.RESEAL_CONVERSATION, _of_conversation, ("metadata",)),
    _Kind(store.OLD_ITEMS, store.RESEAL_ITEM, _of_item, ("content",)),
)


class OldContents:
    """A `Place` for the renewal of keys. Whose a content is, is seen from its row."""

    name = "contents"

    def __init__(self, storage: Storage, scope_of: Callable[[str], Scope], envelope: Envelope) -> None:
        """Renew what stands in the cells of tenants."""
        self._storage = storage
        self._scope_of = scope_of
        self._envelope = envelope

    async def renew(self, tenant: str) -> int:
        """See `Place.renew`."""
        for kind in KINDS:
            if done := await self._renew(kind, tenant):
                return done
        return 0

    async def outdated(self, tenant: str) -> int:
        """See `Place.outdated`."""
        async with self._storage.unit_of_work(self._scope_of(tenant), readonly=True) as unit:
            return int(await unit.fetch_value(store.COUNT_OLD_CONTENTS))

    async def _renew(self, kind: _Kind, tenant: str) -> int:
        scope = self._scope_of(tenant)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            rows = await unit.fetch(kind.find, ROWS_AT_ONCE)
        renewed = [(row, await self._reseal(kind, tenant, row)) for row in rows]
        if renewed:
            async with self._storage.unit_of_work(scope, alone=False) as unit:
                for row, sealed in renewed:
                    await unit.execute(kind.replace, *row["place"], *sealed)
        return len(rows)

    async def _reseal(self, kind: _Kind, tenant: str, row: Any) -> list[bytes]:
        try:
            keys = await self._envelope.prepare(tenant, str(row["subject"]))
        except ContentErased:
            return [b"" for _ in kind.columns]  # Whose it was is erased, and so is this.
        pairs = zip(kind.columns, kind.purposes(tenant, row), strict=True)
        return [keys.seal(purpose, keys.open(purpose, row[column])) for column, purpose in pairs]
