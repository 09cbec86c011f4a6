"""Whether the cells that there are, and those that the registry names, are the same."""

import asyncpg

from enfilade.core.errors import EnfiladeError
from enfilade.storage.cells import DATABASE, HOME, ROW, SCHEMA, own_name
from enfilade.storage.diagnosis import Row
from enfilade.storage.fleet import Fleet

SHOWN = 5
OWN_SCHEMAS = "SELECT nspname AS name FROM pg_namespace WHERE nspname ~ '^enf_[0-9a-f]{32}$' ORDER BY 1"
OWN_DATABASES = "SELECT datname AS name FROM pg_database WHERE datname ~ '^enf_[0-9a-f]{32}$' ORDER BY 1"
PLACES = "SELECT id::text, isolation, cell FROM enfilade.tenants"
MOVES_UNDER_WAY = "SELECT tenant_id::text AS id FROM enfilade.tenant_moves WHERE ended_at IS NULL"


async def diagnose_cells(fleet: Fleet) -> list[Row]:
    """Cells that cannot be used, places without a tenant, and tenants without a place. Changes nothing."""
    found: list[Row] = []
    cells = fleet.cells
    for state in await fleet.inspect():
        if state.fault is None and not state.steps:
            continue
        text = state.fault or f"{len(state.steps)} migrations are missing"
        remedy = "Is the server up, and its address right?" if state.fault else "Run `enfilade migrate`."
        found.append(("fault", f"cell {state.cell.name}", text, remedy))
    async with cells.home.database.owner() as owner:
        rows = await owner.fetch(PLACES)
        moving = {own_name(row["id"]) for row in await owner.fetch(MOVES_UNDER_WAY)}
    for host in cells.hosts():
        try:
            async with host.database.owner() as owner:
                schemas = {row["name"] for row in await owner.fetch(OWN_SCHEMAS)}
                databases = {row["name"] for row in await owner.fetch(OWN_DATABASES)}
        except (EnfiladeError, asyncpg.PostgresError, OSError):
            continue  # It is among the cells that cannot be used.
        for kind, present in ((SCHEMA, schemas), (DATABASE, databases)):
            wanted = {own_name(row["id"]) for row in rows if (row["isolation"], row["cell"]) == (kind, host.name)}
            elsewhere = {own_name(row["id"]) for row in rows if row["isolation"] == kind} if kind == DATABASE else set()
            found += _compare(host.name, kind, wanted, present, moving | elsewhere)
    hosts = {host.name for host in cells.hosts()}
    for row in rows:
        if row["cell"] not in hosts and row["cell"] != HOME:
            text = f"the tenant {row['id']} lives on the host {row['cell']!r}, which is not known"
            found.append(("fault", "cells", text, "Declare the cell again, or mend its address."))
    if not found:
        apart = sum(1 for row in rows if row["isolation"] != ROW)
        found.append(("ok", "cells", f"{len(hosts)} databases, {apart} tenants with a cell of their own", None))
    return found


def _compare(host: str, kind: str, wanted: set[str], present: set[str], known: set[str]) -> list[Row]:
    found: list[Row] = []
    if missing := sorted(wanted - present):
        text = f"the {kind} of {len(missing)} tenants on {host} is not there: {', '.join(missing[:SHOWN])}"
        found.append(("fault", "cells", text, "Bring it back from a backup; its tenants read 503 until then."))
    if orphans := sorted(present - wanted - known):
        text = (
            f"on {host}, {len(orphans)} {kind}s belong to no tenant of this installation: {', '.join(orphans[:SHOWN])}"
        )
        remedy = "Left by a tenant that is gone, or another installation's. Remove what you know to be nobody's."
        found.append(("warning", "cells", text, remedy))
    return found
