"""Removing a tenant's rows from a cell."""

from collections.abc import Sequence

from enfilade.storage.cells import DATABASE, HOME, CellDirectory, Placement
from enfilade.storage.moving.places import Place, place_in
from enfilade.storage.moving.tables import Table

SPEND_IS_OURS = "SELECT pg_advisory_xact_lock(hashtextextended('enfilade.spend', 0))"
FORGET_MIRROR = "DELETE FROM enfilade.tenants WHERE id = $1"
KEPT = ("departures",)
"""That the tenant is not here stays written: somebody may still look for it."""


async def clear_rows(place: Place, tables: Sequence[Table]) -> dict[str, int]:
    """Remove all that the cell holds of the tenant; returns how many rows of each table. A repetition does no harm."""
    removed = {}
    for table in reversed(tables):
        if table.name in KEPT:
            continue
        async with place.connection.transaction():
            if table.name.startswith("spend_"):
                # A batch of roll-ups that is under way would add to them once more.
                await place.connection.fetchval(SPEND_IS_OURS)
            done = await place.connection.execute(
                f"DELETE FROM {place.table(table.name)} t WHERE t.tenant_id = {place.whose}"
            )
        removed[table.name] = int(done.split()[-1])
    return removed


async def forget_mirror(cells: CellDirectory, tenant: str, origin: Placement, goal: Placement | None = None) -> None:
    """Remove the copy of the tenant's row from a database that is not the installation's own, unless the tenant stays there."""
    stays = goal is not None and goal.host == origin.host and goal.isolation != DATABASE
    host = cells.host(origin.host)
    if origin.host == HOME or origin.isolation == DATABASE or stays or host is None:
        return
    async with place_in(host.shared, tenant) as place:
        await place.connection.execute(FORGET_MIRROR, tenant)
