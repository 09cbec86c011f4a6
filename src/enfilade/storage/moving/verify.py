"""Whether a tenant's rows are the same in two cells."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from enfilade.core.errors import EnfiladeError
from enfilade.storage.moving.places import Place
from enfilade.storage.moving.tables import Table


class RowsDiffer(EnfiladeError):
    """What arrived in the other cell is not what was sent."""

    code = "rows_differ"
    remedy = "Nothing was switched: the tenant stays where it is. Start the move again, and report this if it persists."


@dataclass(frozen=True, slots=True)
class Sum:
    """How many rows a table holds of a tenant, and a hash of all of them that does not depend on their order."""

    rows: int
    hash: str


async def sum_up(place: Place, table: Table, *, shifts: bool, origin: str | None = None) -> Sum:
    """Count and hash the tenant's rows, as they are or as they would arrive."""
    found = origin or f"FROM {place.table(table.name)} t"
    row = await place.connection.fetchrow(
        f"SELECT count(*) AS rows, coalesce(sum(hashtextextended(ROW({table.travelling(shifts=shifts)})::text, 0)), 0)::text "
        f"AS hash {found} WHERE t.tenant_id = {place.whose}"
    )
    return Sum(row["rows"], row["hash"])


async def compare(source: Place, target: Place, tables: Sequence[Table]) -> dict[str, Sum]:
    """The sums of all tables, each read in both cells at the same time. Raises RowsDiffer."""
    sums: dict[str, Sum] = {}
    different = []
    for table in tables:
        there, here = await asyncio.gather(sum_up(source, table, shifts=True), sum_up(target, table, shifts=False))
        sums[table.name] = here
        if there != here:
            different.append(f"{table.name} ({there.rows} rows there, {here.rows} here)")
    if different:
        message = f"These tables differ after the copy: {', '.join(different)}."
        raise RowsDiffer(message)
    return sums
