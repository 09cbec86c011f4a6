"""Which cell a tenant lives in.

A cell is a place in a database: the shared schema, a schema of the tenant's own, or a database of its own.
Callers never learn which: they ask for a unit of work, and it asks here.
"""

from dataclasses import dataclass

from enfilade.storage.database import Database
from enfilade.storage.migrations import SHARED_SCHEMA


@dataclass(frozen=True, slots=True)
class Cell:
    """A place where tenants' rows are."""

    name: str
    schema: str
    database: Database


class CellDirectory:
    """Finds the cell of a tenant."""

    def __init__(self, home: Database) -> None:
        """Start with the shared cell, in the installation's own database."""
        self.shared = Cell("shared", SHARED_SCHEMA, home)
        self._own: dict[str, Cell] = {}

    def of(self, tenant: str) -> Cell:
        """The cell of a tenant: its own if it has one, else the shared one."""
        return self._own.get(tenant, self.shared)

    def all(self) -> list[Cell]:
        """Every cell, the shared one first."""
        return [self.shared, *self._own.values()]
