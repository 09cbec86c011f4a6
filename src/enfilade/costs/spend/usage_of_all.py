"""Usage of all tenants, where these live in several cells: each has a place of its own in the reader's cursor.

Commits in several databases have no order among themselves, and a tenant that moves takes its entries along. What counts
from a tenant's own beginning stays right through both, and through the absence of a cell: its tenants keep their places.
"""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any
from uuid import UUID

from enfilade.core.cursors import read_cursor, write_cursor
from enfilade.core.ids import PLATFORM_ID
from enfilade.costs.spend.exports import store
from enfilade.costs.spend.usage_events import BEFORE_ALL, MAX_XACT, NOBODY, Position, read_usage
from enfilade.storage.rounds import ask_cells
from enfilade.storage.unit_of_work import UnitOfWork

MOST_TENANTS = 200
"""Their places make a cursor that fits into an address of 8 KB, as proxies mostly allow."""
FORM = b"\xa1"
"""How a cursor of all tenants begins; that of one database begins with a digit."""
PLACE = struct.Struct(">16sqh")


@dataclass(frozen=True, slots=True)
class Positions:
    """Up to where a reader has read of each tenant."""

    of: Mapping[str, Position] = field(default_factory=dict)
    turn: str = PLATFORM_ID
    """The tenant with which the next page begins: a busy one does not keep the others from their turn."""

    def cursor(self) -> str:
        """As text for the reader to keep."""
        written = FORM + UUID(self.turn).bytes
        for tenant, position in sorted(self.of.items()):
            written += PLACE.pack(UUID(tenant).bytes, position.xact, position.line)
            # Mostly all of a transaction was read.
            if position.line != BEFORE_ALL:
                written += UUID(position.call_id).bytes
        return write_cursor(written)

    @classmethod
    def of_cursor(cls, cursor: str) -> "Positions | None":
        """The positions that `cursor` gave out; None for a cursor of one database. Raises ValueError for nonsense."""
        data = read_cursor(cursor)
        if not data.startswith(FORM):
            return None
        message = "This is no cursor of usage events."
        try:
            turn, at, places = str(UUID(bytes=data[1:17])), 17, {}
            while at < len(data):
                tenant, xact, line = PLACE.unpack_from(data, at)
                at += PLACE.size
                call_id = NOBODY
                if line != BEFORE_ALL:
                    call_id = str(UUID(bytes=data[at : at + 16]))
                    at += 16
                places[str(UUID(bytes=tenant))] = Position(xact, call_id, line)
        except (struct.error, ValueError):
            raise ValueError(message) from None
        found = cls(places, turn)
        if found.cursor() != cursor or any(
            not 0 <= place.xact <= MAX_XACT or place.line < BEFORE_ALL for place in places.values()
        ):
            raise ValueError(message)
        return found


@dataclass(frozen=True, slots=True)
class UsageOfAll:
    """Some entries, and where to go on."""

    entries: list[Any]
    next: Positions
    more: bool
    """Whether there is more to read now, of what can be reached."""


async def has_one_order(unit: UnitOfWork) -> bool:
    """Whether the commits of all tenants have one order: they live together, and nobody came from elsewhere."""
    return len(unit.places(None)) == 1 and not await unit.fetch_value(store.HAS_ARRIVALS)


async def read_usage_of_all(unit: UnitOfWork, after: Positions, limit: int, tenants: Sequence[str]) -> UsageOfAll:
    """The entries of these tenants after those places: by tenant, and of each in the order of their commits.

    The unit is the platform's, and only reads. Raises ValueError for a place that a tenant's ledger has not reached.
    """
    homes = {tenant: unit.places(tenant)[0] for tenant in tenants}
    order = sorted(tenants, key=lambda tenant: (homes[tenant].name, tenant))
    begin = order.index(after.turn) if after.turn in homes else 0
    turns = [*order[begin:], *order[:begin]]
    reader = _Reader(unit, {tenant: after.of[tenant] for tenant in order if tenant in after.of}, limit)
    for cell, group in groupby(turns, homes.__getitem__):
        residents = list(group)
        if reader.room:
            await ask_cells(unit, None, partial(reader.read, residents), cells=[cell])
        else:
            reader.stop_before(residents[0])
    return UsageOfAll(reader.entries, Positions(reader.places, reader.turn or PLATFORM_ID), reader.more)


class _Reader:
    """Reads tenant by tenant until the page is full. What was read of one stays, whatever happens to the next."""

    def __init__(self, unit: UnitOfWork, places: dict[str, Position], limit: int) -> None:
        self._unit = unit
        self.places = places
        self._limit = limit
        self.entries: list[Any] = []
        self.more = False
        self.turn: str | None = None

    @property
    def room(self) -> int:
        """How many entries more the page takes."""
        return self._limit - len(self.entries)

    def stop_before(self, tenant: str) -> None:
        """The next page goes on with this tenant, unless it is known already with whom."""
        self.turn = self.turn or tenant
        self.more = True

    async def read(self, tenants: Sequence[str]) -> None:
        """The tenants of the cell where the unit is."""
        # Whoever is just coming, or has just gone, is read where they live, as soon as this process knows where.
        absent = {str(row["tenant_id"]) for row in await self._unit.fetch(store.ABSENT, list(tenants))}
        for tenant in tenants:
            if not self.room:
                self.stop_before(tenant)
                return
            if tenant in absent:
                continue
            found = await read_usage(self._unit, self.places.get(tenant, Position()), self.room, tenant)
            self.entries += found.entries
            self.places[tenant] = found.next
            self.more = self.more or found.more
