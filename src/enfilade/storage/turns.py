"""Which cells a job visits: those where something happened, often; all of them, now and then.

There may be a thousand cells of tenants' own, most of them quiet. What a process itself has settled tells it where work
waits; what other ways lead to work, or other processes, is come upon when all are visited.
"""

from enfilade.core.clock import Clock
from enfilade.storage.cells import Cell, CellDirectory
from enfilade.storage.writers import Writers

ALL_EVERY_S = 120.0


class Turns:
    """The turns of one job."""

    def __init__(self, cells: CellDirectory, writers: Writers, clock: Clock) -> None:
        """Visit `cells`, guided by what `writers` wrote."""
        self._cells = cells
        self._writers = writers
        self._clock = clock
        self._visited_all_at = float("-inf")
        self._offered: dict[Cell, int] = {}
        self._seen: dict[Cell, int] = {}

    def due(self) -> list[Cell]:
        """The cells to visit now, the shared one first; those that cannot be reached are left out.

        One whose turn does not come to its end (see `done`) is due again the next time.
        """
        now = self._clock.monotonic()
        everywhere = now - self._visited_all_at >= ALL_EVERY_S
        if everywhere:
            self._visited_all_at = now
        due = []
        for cell in self._cells.all():
            written = self._writers.written.get(cell, 0)
            if cell.name in self._cells.unreached:
                continue
            if everywhere or cell.tenant is None or written != self._seen.get(cell):
                due.append(cell)
                self._offered[cell] = written
        return due

    def done(self, cell: Cell) -> None:
        """The work in a cell that was due is done, not only tried."""
        self._seen[cell] = self._offered.pop(cell, self._seen.get(cell, 0))

    def tenants_in(self, cell: Cell, tenants: dict[str, str]) -> dict[str, str]:
        """Of these tenants, with whatever belongs to each, those that live in the cell."""
        return {tenant: value for tenant, value in tenants.items() if self._cells.of(tenant) is cell}
