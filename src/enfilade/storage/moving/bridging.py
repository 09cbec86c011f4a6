"""Rows of an older version: they are put into a schema of that version, and the schema is brought up to date."""

from dataclasses import dataclass
from typing import Any

from enfilade.storage.cells import own_name
from enfilade.storage.migrations import PLATFORM_SCHEMA, migrate_cell
from enfilade.storage.moving.copying import ADMIT_OWNER
from enfilade.storage.moving.places import Place
from enfilade.storage.moving.tables import Table, copied, read_tables
from enfilade.storage.moving.unpacking import Archive

FORGET_SCHEMA = "DELETE FROM enfilade.migrations WHERE schema_name = $1"


def bridge_name(tenant: str) -> str:
    """The name of the schema in which the rows of a tenant are brought up to date."""
    return f"{own_name(tenant)}_import"


@dataclass(frozen=True, slots=True)
class Bridge:
    """A schema of an older version, in the database of the cell."""

    schema: str
    tenant: str
    tables: list[Table]
    """As they are in the older version."""

    def name(self, table: Table) -> str:
        """A table of it."""
        return f'"{self.schema}"."{table.name}"'

    async def fill(self, connection: Any) -> None:
        """Put what was staged into its tables, and bring them up to date. Raises MigrationFault."""
        async with connection.transaction():
            for table in self.tables:
                name = self.name(table)
                await connection.execute(
                    f"INSERT INTO {name} ({table.listed()}) SELECT {table.travelling(shifts=False)} "
                    f'FROM pg_temp."restored_{table.name}" s '
                    f"CROSS JOIN LATERAL jsonb_populate_record(NULL::{name}, s.row) AS t"
                )
        await migrate_cell(connection, self.schema)
        await _admit(connection, self.schema)

    async def remove(self, connection: Any) -> None:
        """It was of use."""
        await remove_bridge(connection, self.tenant)


async def bridged(place: Place, archive: Archive) -> Bridge:
    """A schema as it was when the archive was written. Raises MigrationFault."""
    schema, connection = bridge_name(place.tenant), place.connection
    await remove_bridge(connection, place.tenant)
    await migrate_cell(connection, schema, len(archive.header.schema))
    await _admit(connection, schema)
    return Bridge(schema, place.tenant, copied(await read_tables(connection, schema)))


async def remove_bridge(connection: Any, tenant: str) -> None:
    """Remove what an import left of its schema."""
    async with connection.transaction():
        await connection.execute(f'DROP SCHEMA IF EXISTS "{bridge_name(tenant)}" CASCADE')
        await connection.execute(FORGET_SCHEMA, bridge_name(tenant))


async def _admit(connection: Any, schema: str) -> None:
    async with connection.transaction():
        await connection.execute(f'SET LOCAL search_path = "{schema}", "{PLATFORM_SCHEMA}", pg_temp')
        await connection.execute(ADMIT_OWNER)
