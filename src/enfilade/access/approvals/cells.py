"""Which tenants have something to do, over all cells."""

import structlog

from enfilade.identity.scopes import system_scope
from enfilade.storage.errors import CellUnavailable
from enfilade.storage.unit_of_work import Storage

log = structlog.get_logger("enfilade.access.approvals")


async def tenants_with(storage: Storage, statement: str, *values: object) -> list[str]:
    """The tenants that a statement finds. A cell that is away is left out: its tenants wait for the next time.

    Raises DatabaseUnavailable when the installation's own database is away.
    """
    found: list[str] = []
    for cell in storage.cells.all():
        try:
            async with storage.unit_of_work(system_scope("approvals"), readonly=True, cell=cell) as unit:
                found += [str(row["tenant_id"]) for row in await unit.fetch(statement, *values)]
        except CellUnavailable as error:
            log.warning("approvals_cell_left_out", cell=cell.name, error=error.message)
    return found
