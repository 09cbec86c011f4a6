"""Use cases of price lists: imported whole or not at all, each import a version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from enfilade.core.clock import Clock, to_datetime
from enfilade.costs.errors import UnknownPriceList
from enfilade.costs.prices import store
from enfilade.costs.prices.diff import Difference, differences, of_entries
from enfilade.costs.prices.lists import ListEntry, list_version_of
from enfilade.costs.prices.timeline import ordered
from enfilade.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class StoredList:
    """One version of a price list, without its entries."""

    name: str
    version: int
    entries: int
    imported_by: str
    imported_at: datetime


@dataclass(frozen=True, slots=True)
class Import:
    """What an import did, or would do."""

    name: str
    version: int
    """The version that holds afterwards; 0 if there is none."""
    changed: bool
    differences: list[Difference]


class PriceListImports:
    """Versions are only ever added. One holds from its import on: nothing of the past is priced anew."""

    def __init__(self, clock: Clock) -> None:
        """Take now from `clock`."""
        self._clock = clock

    async def versions(self, unit: UnitOfWork, name: str | None = None) -> list[StoredList]:
        """All versions of all lists, or of one."""
        return [_stored(row) for row in await unit.fetch(store.LIST_LIST_VERSIONS, name)]

    async def read(self, unit: UnitOfWork, name: str, version: int | None = None) -> tuple[StoredList, list[ListEntry]]:
        """A version, or the newest one, with its entries. Raises UnknownPriceList."""
        row = await unit.fetch_row(store.READ_LIST, name, version)
        if row is None:
            message = f"There is no price list {name!r}" + ("." if version is None else f" of version {version}.")
            raise UnknownPriceList(message)
        found = list_version_of(row)
        stored = StoredList(name, found.version, len(found.entries), row["imported_by"], row["imported_at"])
        return stored, list(found.entries)

    async def put(
        self, unit: UnitOfWork, name: str, entries: Sequence[ListEntry], *, prune: bool, rehearse: bool = False
    ) -> Import:
        """Import a list whose entries are known to be sound.

        Models that the former version prices and this one does not name keep their entries, unless `prune` says
        otherwise. With `rehearse` nothing is written.
        """
        row = await unit.fetch_row(store.READ_LIST, name, None)
        version = row["version"] if row is not None else 0
        before = list(list_version_of(row).entries) if row is not None else []
        named = {entry.model for entry in entries}
        kept = [] if prune else [entry for entry in before if entry.model not in named]
        after = sorted([*kept, *ordered(entries)], key=lambda entry: (entry.model, entry.from_ns))
        changes = differences(of_entries(before), of_entries(after))
        if after == before:
            return Import(name, version, changed=False, differences=[])
        if not rehearse:
            version += 1
            body = msgspec.json.encode(after).decode()
            moment = to_datetime(self._clock.now_ns())
            await unit.execute(store.INSERT_LIST, name, version, body, unit.scope.actor, moment)
            unit.record("PriceListImported", name=name, version=version, entries=len(after), changes=len(changes))
            unit.changed()
        return Import(name, version, changed=True, differences=changes)


def _stored(row: Mapping[str, Any]) -> StoredList:
    return StoredList(row["name"], row["version"], row["entries"], row["imported_by"], row["imported_at"])
