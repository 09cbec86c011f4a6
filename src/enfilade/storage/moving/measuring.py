"""How much a tenant has, where it lives."""

from dataclasses import dataclass
from datetime import datetime

from enfilade.storage.cells import Cell
from enfilade.storage.moving.copying import ADMIT_OWNER
from enfilade.storage.moving.places import place_in
from enfilade.storage.moving.tables import read_tables

LAST_EVENT = "SELECT max(at) FROM events WHERE tenant_id = $1"
# Of a schema of the tenant's own, or a database: everything in it, with its indexes.
SCHEMA_BYTES = """
SELECT coalesce(sum(pg_total_relation_size(c.oid)), 0)::bigint FROM pg_class c
WHERE c.relnamespace = to_regnamespace($1) AND c.relkind = 'r'
"""


@dataclass(frozen=True, slots=True)
class Size:
    """What there is of a tenant."""

    tables: dict[str, int]
    """Rows of each table that has any."""
    bytes: int
    """In a cell of its own what that takes; among others what its rows take, without indexes."""
    last_event_at: datetime | None

    @property
    def rows(self) -> int:
        """All of them."""
        return sum(self.tables.values())


async def measure(cell: Cell, tenant: str) -> Size:
    """Count a tenant's rows: this reads all of them. Raises DatabaseUnavailable."""
    async with place_in(cell, tenant) as place:
        await place.connection.execute(ADMIT_OWNER)
        tables, taken = {}, 0
        for table in await read_tables(place.connection, cell.schema):
            row = await place.connection.fetchrow(
                f"SELECT count(*) AS rows, coalesce(sum(pg_column_size(t.*)), 0)::bigint AS bytes "
                f"FROM {place.table(table.name)} t WHERE t.tenant_id = {place.whose}"
            )
            if row["rows"]:
                tables[table.name] = row["rows"]
                taken += row["bytes"]
        if cell.tenant is not None:
            taken = await place.connection.fetchval(SCHEMA_BYTES, cell.schema)
        return Size(tables, taken, await place.connection.fetchval(LAST_EVENT, tenant))
