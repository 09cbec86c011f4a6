"""Tenants that come from archives: how they are registered, and what is left of one that did not arrive."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec

from enfilade.storage.cells import DATABASE, ROW, CellDirectory, Placement
from enfilade.storage.errors import CellUnavailable
from enfilade.storage.making import CellMaker
from enfilade.storage.moving.bridging import remove_bridge
from enfilade.storage.moving.clearing import clear_rows, forget_mirror
from enfilade.storage.moving.copying import ADMIT_OWNER
from enfilade.storage.moving.places import patiently, place_in
from enfilade.storage.moving.tables import read_tables

COLUMNS = """
SELECT array_agg(quote_ident(attname) ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'enfilade.tenants'::regclass AND attnum > 0 AND NOT attisdropped AND attname = ANY($1)
"""


async def put_tenant(connection: Any, row: Mapping[str, Any]) -> None:
    """Write a tenant's row. What an older version does not say is as it is for a new tenant."""
    columns = ", ".join(await connection.fetchval(COLUMNS, list(row)))
    await connection.execute(
        f"INSERT INTO enfilade.tenants ({columns}) "
        f"SELECT {columns} FROM jsonb_populate_record(NULL::enfilade.tenants, $1::text::jsonb)",
        msgspec.json.encode(row).decode(),
    )


async def clear_arrival(cells: CellDirectory, maker: CellMaker, tenant: str, placement: Placement) -> None:
    """Remove what an import made of a tenant that nobody knows. A repetition does no harm. Raises CellUnavailable."""
    cell = cells.cell_at(tenant, placement)
    host = cells.host(placement.host)
    if cell is None or host is None:
        message = f"The cell host {placement.host!r} is not known to this process, or its address leads nowhere."
        raise CellUnavailable(message, retry_after=2)
    if placement.isolation == DATABASE:
        await maker.drop(tenant, placement)
        return
    async with place_in(host.shared, tenant) as place:
        await remove_bridge(place.connection, tenant)
        if placement.isolation == ROW:
            await patiently(place.connection, partial(place.connection.execute, ADMIT_OWNER))
            await clear_rows(place, await read_tables(place.connection, cell.schema))
    await maker.drop(tenant, placement)
    await forget_mirror(cells, tenant, placement)
