"""Where things are sealed directly under a tenant's key, so that they can be sealed anew after a rotation."""

from dataclasses import dataclass
from typing import Any, Protocol

from enfilade.core.ids import PLATFORM_ID
from enfilade.sealing.envelope import Envelope
from enfilade.sealing.subject_keys import ScopeOf
from enfilade.storage.unit_of_work import Storage

ROWS_AT_ONCE = 50


class Place(Protocol):
    """A place whose room seals there, and can do so again."""

    name: str

    async def renew(self, tenant: str) -> int:
        """Seal up to some dozens of things anew that are not under the current key; how many it were."""
        ...

    async def outdated(self, tenant: str) -> int:
        """How many things are not sealed under the current key."""
        ...


@dataclass(frozen=True, slots=True)
class Column:
    """A column that holds what `Sealer` sealed, in a table of tenants' rows.

    The statements speak of one tenant's rows. `find` has $1: the key id's 16 bytes, and $2: how many rows; it yields
    `key` (a text), `purpose` and `sealed` of those that do not begin with 02 and these bytes. `replace` has $1: `key`,
    $2: what was sealed and $3: what is instead. `count` has $1 as `find`.
    """

    name: str
    find: str
    replace: str
    count: str


class SealedColumn:
    """A `Place` that is one column in the cells of tenants, sealed under the platform's key.

    It is read as the operator: of some of these columns the request path's role sees nothing.
    """

    def __init__(self, column: Column, storage: Storage, scope_of: ScopeOf, envelope: Envelope) -> None:
        """Renew what stands in `column`."""
        self.name = column.name
        self._column = column
        self._storage = storage
        self._scope_of = scope_of
        self._envelope = envelope

    async def renew(self, tenant: str) -> int:
        """See `Place.renew`."""
        async with self._storage.unit_of_work(self._scope_of(PLATFORM_ID)) as unit:
            await unit.act_in(tenant)
            rows = await unit.fetch(self._column.find, self._current(), ROWS_AT_ONCE)
            for row in rows:
                await unit.execute(self._column.replace, row["key"], row["sealed"], resealed(self._envelope, row))
        return len(rows)

    async def outdated(self, tenant: str) -> int:
        """See `Place.outdated`."""
        async with self._storage.unit_of_work(self._scope_of(PLATFORM_ID)) as unit:
            await unit.act_in(tenant)
            return int(await unit.fetch_value(self._column.count, self._current()))

    def _current(self) -> bytes:
        return current_key(self._envelope)


def current_key(envelope: Envelope) -> bytes:
    """The id of the platform's current key, as it stands in what is sealed under it."""
    return envelope.keys_of_platform().active.mark


def resealed(envelope: Envelope, row: Any) -> bytes:
    """What stands in a row, sealed under the platform's current key."""
    plaintext = envelope.open(PLATFORM_ID, row["purpose"], row["sealed"])
    return envelope.seal(PLATFORM_ID, row["purpose"], plaintext)
