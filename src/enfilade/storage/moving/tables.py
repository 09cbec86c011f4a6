"""Which tables hold rows of tenants, as the catalogue has them, and how their rows travel."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from enfilade.storage.errors import StorageFault

NOT_COPIED: Mapping[str, str] = {
    "departures": "says where a tenant is not",
    "event_heads": "goes last, with the right to append",
    "ledger_bases": "counts moves, and grows by one",
    "move_changes": "is what a move itself writes down",
    "spend_hours": "is summed up anew",
    "spend_days": "is summed up anew",
    "spend_months": "is summed up anew",
    "spend_metadata": "is summed up anew",
    "spend_tenants": "begins with the tenant's time zone",
}
"""Tables with tenants' rows that do not travel as they are, and why. All others do, also those that come later."""
STEP_BACK = 1 << 48
"""How far the places of ledger entries go back when they come to another server: below all that it will ever post."""
SHIFTED = {"posted_xact": f"posted_xact - {STEP_BACK}"}

READ_TABLES = """
SELECT c.relname::text AS name, c.relkind = 'p' AS is_partitioned,
    ARRAY(SELECT a.attname::text FROM pg_attribute a
          WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
          ORDER BY a.attname COLLATE "C") AS columns,
    ARRAY(SELECT a.attname::text FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
          WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key,
    ARRAY(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_index i
          CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k (number, place)
          JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = k.number
          WHERE i.indrelid = c.oid AND i.indisprimary ORDER BY k.place) AS key_types,
    ARRAY(SELECT DISTINCT r.relname::text FROM pg_constraint f JOIN pg_class r ON r.oid = f.confrelid
          WHERE f.conrelid = c.oid AND f.contype = 'f' AND f.confrelid <> c.oid) AS parents,
    (SELECT a.attname::text FROM pg_partitioned_table p JOIN pg_attribute a
         ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0] WHERE p.partrelid = c.oid) AS divided_by,
    EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attidentity <> '' AND NOT a.attisdropped) AS has_identity
FROM pg_class c
WHERE c.relnamespace = to_regnamespace($1) AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped)
ORDER BY c.relname COLLATE "C"
"""


@dataclass(frozen=True, slots=True)
class Table:
    """A table with tenants' rows."""

    name: str
    columns: tuple[str, ...]
    key: tuple[str, ...]
    key_types: tuple[str, ...]
    parents: tuple[str, ...]
    divided_by: str | None
    """The column by whose months it is partitioned."""

    @property
    def is_copied(self) -> bool:
        """Whether its rows travel as they are."""
        return self.name not in NOT_COPIED

    def listed(self) -> str:
        """Its columns, for an INSERT or a SELECT."""
        return ", ".join(f'"{column}"' for column in self.columns)

    def travelling(self, alias: str = "t", *, shifts: bool = True) -> str:
        """Its columns as they arrive, from rows as they are."""
        return ", ".join(
            f"{alias}.{SHIFTED[column]}" if shifts and column in SHIFTED else f'{alias}."{column}"'
            for column in self.columns
        )

    def keyed(self, alias: str = "t") -> str:
        """Its primary key."""
        return ", ".join(f'{alias}."{column}"' for column in self.key)

    def key_of_json(self) -> str:
        """The columns of the key, as `jsonb_to_record` wants them."""
        return ", ".join(f'"{name}" {kind}' for name, kind in zip(self.key, self.key_types, strict=True))


@dataclass(frozen=True, slots=True)
class Unit:
    """What is copied in one piece: a table, or one month of a partitioned one."""

    table: Table
    month: date | None = None

    @property
    def name(self) -> str:
        """As it is noted."""
        return self.table.name if self.month is None else f"{self.table.name}/{self.month:%Y-%m}"

    def condition(self, tenant: str, alias: str = "t") -> str:
        """Which rows it is."""
        whose = f"{alias}.tenant_id = '{UUID(tenant)}'"
        if self.month is None:
            return whose
        following = date(self.month.year + self.month.month // 12, self.month.month % 12 + 1, 1)
        column = f'{alias}."{self.table.divided_by}"'
        return f"{whose} AND {column} >= '{self.month} 00:00:00+00' AND {column} < '{following} 00:00:00+00'"


async def read_tables(connection: Any, schema: str) -> list[Table]:
    """The tables of a cell that hold rows of tenants: what others refer to comes before them.

    Raises StorageFault for a table whose rows could not be told apart, or that could not be put in order.
    """
    rows = await connection.fetch(READ_TABLES, schema)
    found = {}
    for row in rows:
        if not row["key"] or (row["has_identity"] and row["name"] not in NOT_COPIED):
            message = (
                f"The table {row['name']} has no primary key, or one that counts by itself, so it cannot be moved."
            )
            raise StorageFault(message)
        found[row["name"]] = Table(
            row["name"],
            tuple(row["columns"]),
            tuple(row["key"]),
            tuple(row["key_types"]),
            tuple(row["parents"]),
            row["divided_by"] if row["is_partitioned"] else None,
        )
    return _in_order(found)


def _in_order(tables: Mapping[str, Table]) -> list[Table]:
    placed: dict[str, Table] = {}
    while len(placed) < len(tables):
        ready = [
            table
            for name, table in tables.items()
            if name not in placed and all(parent in placed or parent not in tables for parent in table.parents)
        ]
        if not ready:
            message = (
                f"These tables refer to one another in a circle: {', '.join(sorted(tables.keys() - placed.keys()))}."
            )
            raise StorageFault(message)
        placed |= {table.name: table for table in ready}
    return list(placed.values())


def copied(tables: Sequence[Table]) -> list[Table]:
    """Those whose rows travel as they are, in the same order."""
    return [table for table in tables if table.is_copied]
