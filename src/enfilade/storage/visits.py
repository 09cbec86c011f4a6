"""Jobs that concern all tenants: in every cell, or for every tenant, and one that is away keeps the others from nothing.

What could not be done is put off: whoever comes by the next time tries again.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

import structlog

from enfilade.core.errors import EnfiladeError
from enfilade.core.scope import Scope
from enfilade.storage.cells import Cell
from enfilade.storage.unit_of_work import Storage

T = TypeVar("T")

log = structlog.get_logger("enfilade.storage.visits")


async def in_cells(
    storage: Storage, work: Callable[[Cell], Awaitable[T]], *, postponed: str, cells: Iterable[Cell] | None = None
) -> list[T]:
    """What comes of the work in each of these cells, or in all; `postponed` is the log's word for one that failed.

    Raises what the work in the installation's own cell raised, such as DatabaseUnavailable, after the others' turns.
    """
    done, own = [], None
    for cell in storage.cells.all() if cells is None else cells:
        try:
            done.append(await work(cell))
        except EnfiladeError as error:
            log.warning(postponed, cell=cell.name, error=error.message)
            own = error if cell is storage.cells.shared else own
    if own is not None:
        raise own
    return done


async def fetch_in_cells(
    storage: Storage, scope: Scope, statement: str, *values: object, postponed: str = "cell_left_out"
) -> list[Any]:
    """The rows that a statement finds in all cells; the scope is the platform's. See `in_cells`."""

    async def fetch(cell: Cell) -> list[Any]:
        async with storage.unit_of_work(scope, readonly=True, alone=False, cell=cell) as unit:
            return await unit.fetch(statement, *values)

    return [row for rows in await in_cells(storage, fetch, postponed=postponed) for row in rows]


async def for_tenants(tenants: Iterable[str], work: Callable[[str], Awaitable[T]], *, postponed: str) -> list[T]:
    """What comes of the work for each tenant; `postponed` is the log's word for one whose turn failed."""
    done = []
    for tenant in dict.fromkeys(tenants):
        try:
            done.append(await work(tenant))
        except EnfiladeError as error:
            log.warning(postponed, tenant=tenant, error=error.message)
    return done
