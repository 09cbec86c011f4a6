"""What the platform's operators ask of all tenants at once, wherever these live: one cell after the other.

A cell that cannot be reached, or fails while it is asked, is left out and named: `left_out` collects the names for
whoever answers.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

import structlog

from enfilade.core.scope import Scope
from enfilade.storage.cells import Cell
from enfilade.storage.errors import DatabaseUnavailable

T = TypeVar("T")
_LEFT_OUT: ContextVar[list[str] | None] = ContextVar("left_out", default=None)

log = structlog.get_logger("enfilade.storage.rounds")


class Asking(Protocol):
    """A unit of work, as far as it goes from cell to cell."""

    scope: Scope
    tenant: str

    def places(self, tenant: str | None) -> list[Cell]:
        """The cells that a question about this tenant concerns; with None, about all."""

    async def come_to(self, cell: Cell) -> None:
        """Go on in another cell. Raises DatabaseUnavailable."""

    def visit(self, cell: Cell) -> AbstractAsyncContextManager[None]:
        """Go on in another cell for a while; what goes wrong there spoils nothing else. Raises DatabaseUnavailable."""

    @property
    def current(self) -> Cell:
        """The cell to which the statements go."""

    async def fetch(self, statement: str, *values: object) -> list[Any]:
        """All rows."""

    async def fetch_row(self, statement: str, *values: object) -> Any:
        """The first row, or None."""


def collect_left_out() -> list[str]:
    """Collect from now on, in this task, the names of cells that an answer has nothing of."""
    names: list[str] = []
    _LEFT_OUT.set(names)
    return names


def left_out() -> list[str]:
    """The cells that could not be asked since `collect_left_out`."""
    return list(_LEFT_OUT.get() or ())


def leave_out(cell: Cell, error: DatabaseUnavailable) -> None:
    """Note a cell that the answer has nothing of."""
    log.warning("cell_left_out", cell=cell.name, error=error.message)
    names = _LEFT_OUT.get()
    if names is not None and cell.name not in names:
        names.append(cell.name)


def _goes_around(unit: Asking) -> bool:
    """Whether it is the platform's, and has not gone to act in a tenant."""
    return unit.scope.is_platform and unit.tenant == unit.scope.tenant


def by_cell(unit: Asking, values: Mapping[str, T]) -> dict[Cell, dict[str, T]]:
    """What belongs to tenants, by the cell in which each lives."""
    found: dict[Cell, dict[str, T]] = {}
    for tenant, value in values.items():
        found.setdefault(unit.places(tenant)[0], {})[tenant] = value
    return found


async def ask_cells(
    unit: Asking,
    tenant: str | None,
    ask: Callable[[], Awaitable[T]],
    *,
    cells: Iterable[Cell] | None = None,
    whole: bool = False,
) -> list[T]:
    """What `ask` finds in each cell that a question about this tenant concerns, or in some of these `cells`.

    The unit's statements go there meanwhile. Of the answer about all tenants a cell that is away is left out, unless it
    has to be `whole`. Raises DatabaseUnavailable for one that may not be left out: the cell of the one tenant that is
    asked about, and the installation's own.
    """
    if not _goes_around(unit):
        return [await ask()]
    began_at = unit.current
    answers = []
    for cell in unit.places(tenant) if cells is None else cells:
        try:
            async with unit.visit(cell):
                answers.append(await ask())
        except DatabaseUnavailable as error:
            if whole or tenant is not None or cell is unit.places(None)[0]:
                raise
            leave_out(cell, error)
    await unit.come_to(began_at)
    return answers


async def rounds(unit: Asking, tenant: str | None, *, whole: bool = False) -> AsyncIterator[None]:
    """Come to each cell that a question about this tenant concerns, for what is to be streamed from there.

    With `whole`, a cell that cannot be reached is an error rather than left out; one that fails after it was reached
    always is. Raises DatabaseUnavailable.
    """
    if not _goes_around(unit):
        yield
        return
    began_at = unit.current
    for cell in unit.places(tenant):
        if await _come(unit, cell, whole=whole or tenant is not None):
            yield
    await unit.come_to(began_at)


async def fetch_merged(
    unit: Asking, tenant: str | None, key: Callable[[Any], Any], statement: str, *values: object
) -> list[Any]:
    """The rows of a statement from every cell that it concerns, in the order of `key`, which tells them apart.

    While somebody moves, their rows are in two cells: each is there once, as it is where its tenant lives.
    """

    async def ask() -> tuple[Cell, list[Any]]:
        return unit.current, await unit.fetch(statement, *values)

    merged: dict[Any, Any] = {}
    for cell, rows in await ask_cells(unit, tenant, ask):
        for row in rows:
            if merged.setdefault(key(row), row) is not row and unit.places(str(row["tenant_id"]))[0] is cell:
                merged[key(row)] = row
    return [merged[place] for place in sorted(merged)]


async def fetch_listed(
    unit: Asking, statement: str, after: object, limit: int, tenant: str | None, *values: object
) -> list[Any]:
    """A page of a list in the order of ids: of one tenant, or with None of all, wherever they live.

    The statement takes the id after which the page begins, the most rows, the tenant, and further values.
    """
    rows = await fetch_merged(unit, tenant, lambda row: row["id"], statement, after, limit, tenant, *values)
    return rows[:limit]


async def fetch_found(unit: Asking, statement: str, *values: object) -> Any:
    """The first row that some cell has. The unit stays in that cell: what belongs to the row is there, too."""
    if not _goes_around(unit):
        return await unit.fetch_row(statement, *values)
    began_at = unit.current
    for cell in unit.places(None):
        if await _come(unit, cell, whole=False):
            row = await unit.fetch_row(statement, *values)
            if row is not None:
                return row
    await unit.come_to(began_at)
    return None


async def _come(unit: Asking, cell: Cell, *, whole: bool) -> bool:
    try:
        await unit.come_to(cell)
    except DatabaseUnavailable as error:
        if whole or cell is unit.places(None)[0]:
            raise
        leave_out(cell, error)
        return False
    return True
