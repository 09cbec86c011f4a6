"""Cells: the databases in which, and next to which, tenants live."""

from typing import Annotated

from fastapi import APIRouter, Depends, Response

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, IfMatch, Limit, Page, expected_version, page_of, tag
from enfilade.configuration.cells import Cell, cell_fields, cell_spec
from enfilade.core.errors import InvalidRequest
from enfilade.identity.errors import AlreadyExists
from enfilade.identity.permissions import CELLS_READ, CELLS_WRITE
from enfilade.identity.types import CellHost
from enfilade.storage.cells import CellDirectory


class CellView(Cell):
    """A cell."""

    id: str
    version: int
    tenants: int
    """How many live there."""
    fault: str | None = None
    """Why the process that answers cannot use it, if so."""


def show(host: CellHost, cells: CellDirectory) -> CellView:
    """A cell as it is shown."""
    known = cells.host(host.spec.name)
    fault = "its address leads nowhere" if known is None else cells.unreached.get(known.shared.name)
    return CellView(**cell_fields(host.spec), id=host.id, version=host.version, tenants=host.tenants, fault=fault)


ROUTER = APIRouter(prefix="/cells", tags=["tenants"])
Reader = Annotated[Actor, Depends(Needs(CELLS_READ, "platform"))]
Writer = Annotated[Actor, Depends(Needs(CELLS_WRITE, "platform"))]


@ROUTER.get("")
async def page(context: Context, actor: Reader, limit: Limit = 50, cursor: Cursor = None) -> Page[CellView]:
    """List the declared cells. The installation's own database is the cell `home`, whether it is declared or not."""
    cells = context.storage.cells
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        return await page_of(
            lambda after, count: context.rooms.identity.cells.page(unit, after, count),
            cursor,
            limit,
            lambda host: show(host, cells),
        )


@ROUTER.post("", status_code=201)
async def create(context: Context, body: Cell, actor: Writer, response: Response) -> CellView:
    """Declare a cell. Its database is prepared by `enfilade migrate`, or when the next process starts."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        if await context.rooms.identity.cells.find(unit, body.name) is not None:
            message = f"There is a cell {body.name!r} already."
            raise AlreadyExists(message)
        host, _ = await context.rooms.identity.cells.put(unit, cell_spec(body))
    tag(response, host.version)
    return show(host, context.storage.cells)


@ROUTER.get("/{name}")
async def read(context: Context, name: str, actor: Reader, response: Response) -> CellView:
    """Show a cell."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        host = await context.rooms.identity.cells.get(unit, name)
    tag(response, host.version)
    return show(host, context.storage.cells)


@ROUTER.put("/{name}")
async def change(
    context: Context, name: str, body: Cell, actor: Writer, response: Response, if_match: IfMatch = None
) -> CellView:
    """Change a cell. Tenants stay where they are."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        present = await context.rooms.identity.cells.get(unit, name)
        if body.name != present.spec.name:
            message = "A cell cannot be renamed."
            raise InvalidRequest(message, param="name")
        host, _ = await context.rooms.identity.cells.put(unit, cell_spec(body), expected_version(if_match))
    tag(response, host.version)
    return show(host, context.storage.cells)


@ROUTER.delete("/{name}", status_code=204)
async def remove(context: Context, name: str, actor: Writer, if_match: IfMatch = None) -> None:
    """Remove a cell in which nobody lives."""
    async with context.storage.unit_of_work(actor.scope) as unit:
        await context.rooms.identity.cells.remove(unit, name, expected_version(if_match))
