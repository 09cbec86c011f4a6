"""Reconciliations as they are kept, and as they are reported."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time
from typing import Any

import msgspec

from enfilade.costs.reconciliation.causes import CAUSES, Tolerance
from enfilade.costs.reconciliation.matching import Group

Difference = tuple[date, str, str, str]
"""Day, provider, the model's key, cause."""


@dataclass(frozen=True, slots=True)
class Record:
    """One imported export."""

    id: str
    provider: str
    providers: list[str]
    formats: list[str]
    files: list[str]
    digest: bytes
    first_day: date
    end_day: date
    rows: int
    rounded_rows: int
    outside_rows: int
    unit_nano: int
    tolerance_nano: int
    total_nano: int | None
    left_out: Mapping[str, tuple[int, int]]
    keys: Mapping[str, int]
    options: Mapping[str, Any]
    imported_at: datetime
    imported_by: str
    superseded_by: str | None

    @property
    def tolerance(self) -> Tolerance:
        """What is too little to be a difference."""
        return Tolerance(self.unit_nano, self.tolerance_nano)

    @property
    def span(self) -> tuple[datetime, datetime]:
        """The period as moments; its end is not in it."""
        return midnight(self.first_day), midnight(self.end_day)

    @property
    def source(self) -> str:
        """How the ledger names what was booked from it."""
        return f"reconciliation:{self.id}"


def midnight(day: date) -> datetime:
    """The beginning of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def record_of(row: Any) -> Record:
    """From a row of the table."""
    fields = dict(row)
    for name in ("left_out", "keys", "options"):
        fields[name] = msgspec.json.decode(fields[name])
    fields["left_out"] = {what: (rows, nano) for what, (rows, nano) in fields["left_out"].items()}
    fields |= {"id": str(row["id"]), "digest": bytes(row["digest"])}
    fields["superseded_by"] = str(row["superseded_by"]) if row["superseded_by"] else None
    return Record(**fields)


@dataclass(frozen=True, slots=True)
class Report:
    """An export beside the ledger as it is now."""

    record: Record
    groups: list[Group]
    booked: Mapping[Difference, int] = field(default_factory=dict)
    """What was booked of each difference, in the provider's nano-dollars."""
    is_whole: bool = True
    """Whether all cells could be asked: of one that could not, the ledger's side lacks everything."""

    @property
    def differing(self) -> list[Group]:
        """The groups beyond their tolerance."""
        return [group for group in self.groups if not group.verdict.matches]

    def by_cause(self) -> dict[str, int]:
        """What each cause comes to; together they are the whole difference."""
        sums = dict.fromkeys(CAUSES, 0)
        for group in self.groups:
            for cause, nano in group.verdict.causes.items():
                sums[cause] += nano
        return {cause: nano for cause, nano in sums.items() if nano}

    def open_of(self, group: Group, cause: str) -> int:
        """What of a difference is not booked yet."""
        booked = self.booked.get((group.day, group.provider, group.key, cause), 0)
        return group.verdict.causes.get(cause, 0) - booked
