"""Why a call cost what it cost: its entries in the ledger, line by line."""

from dataclasses import dataclass
from datetime import datetime

from enfilade.costs.ledger import store
from enfilade.storage.unit_of_work import UnitOfWork


@dataclass(frozen=True, slots=True)
class Line:
    """So many units of a kind, at a rate in nano-dollars per million, come to an amount."""

    kind: str
    quantity: int
    rate: int
    amount_nano: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A settlement, a lost attempt, or a correction."""

    line: int
    attempt: int
    posted_at: datetime
    model: str | None
    deployment: str | None
    price: str | None
    lines: tuple[Line, ...]
    amount_nano: int
    provider_nano: int
    list_nano: int
    saved_nano: int
    could_save_nano: int
    overrun_nano: int
    flags: tuple[str, ...]
    corrects: int | None
    source: str | None
    reason: str | None


async def entries_of(unit: UnitOfWork, call_id: str, started_at: datetime) -> list[Entry]:
    """The entries of a call, in the order of their posting."""
    entries = []
    for row in await unit.fetch(store.LIST_ENTRIES, started_at, call_id):
        parts = zip(row["kinds"], row["quantities"], row["rates"], row["amounts"], strict=True)
        shared = {name: row[name] for name in Entry.__slots__ if name not in {"lines", "flags"}}
        entries.append(Entry(lines=tuple(Line(*part) for part in parts), flags=tuple(row["flags"]), **shared))
    return entries
