"""Moves of tenants from cell to cell."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel, ConfigDict, Field

from enfilade.api.admin.security import Actor, Context, Needs
from enfilade.api.admin.views import Cursor, Limit, Page, View, page_of
from enfilade.configuration.values import Label
from enfilade.identity.errors import UnknownMove
from enfilade.identity.permissions import TENANTS_MANAGE
from enfilade.storage.cells import Placement
from enfilade.storage.moving.registry import Move
from enfilade.storage.unit_of_work import UnitOfWork

Isolation = Literal["row", "schema", "database"]


class MoveOrder(BaseModel):
    """Where a tenant is to live."""

    model_config = ConfigDict(extra="forbid")

    isolation: Annotated[Isolation | None, Field(description="How its rows are kept apart; as now if left out.")] = None
    cell: Annotated[Label | None, Field(description="The cell; the present one if left out.")] = None


class PlaceView(View):
    """A place in which a tenant lives."""

    isolation: Isolation
    cell: str


class MoveView(View):
    """A move, and how far it is."""

    id: str
    tenant_id: str
    from_: Annotated[PlaceView, Field(serialization_alias="from")]
    to: PlaceView
    step: str
    """preparing, capturing, copying, verifying, switching, arriving, clearing, aborting, done or aborted."""
    rows: int
    """Rows that were copied or brought."""
    rows_expected: int
    """About how many there are."""
    bytes: int
    waited_ms: float | None
    """For how long the tenant's writes waited at the switch."""
    tables: dict[str, int]
    """Rows of each table, as they were found to be the same in both cells."""
    revocable: bool
    """Whether it can still be taken back."""
    error: str | None
    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None


def show(move: Move) -> MoveView:
    """A move as it is shown."""
    return MoveView(
        id=move.id,
        tenant_id=move.tenant,
        from_=_place(move.origin),
        to=_place(move.goal),
        step=move.step,
        rows=move.rows,
        rows_expected=move.rows_expected,
        bytes=move.bytes,
        waited_ms=None if move.waited_us is None else move.waited_us / 1000,
        tables={name: found["rows"] for name, found in move.tables.items()},
        revocable=move.is_revocable,
        error=move.error,
        started_at=move.started_at,
        heartbeat_at=move.heartbeat_at,
        ended_at=move.ended_at,
    )


def _place(placement: Placement) -> PlaceView:
    return PlaceView.model_validate({"isolation": placement.isolation, "cell": placement.host})


ROUTER = APIRouter(prefix="/tenants/{name}/moves", tags=["tenants"])
Manager = Annotated[Actor, Depends(Needs(TENANTS_MANAGE, "platform"))]


@ROUTER.post("", status_code=202)
async def start(context: Context, name: str, body: MoveOrder, actor: Manager) -> MoveView:
    """Move a tenant to another cell, or to another strength of isolation. It goes on working meanwhile."""
    identity = context.rooms.identity
    async with context.storage.unit_of_work(actor.scope) as unit:
        tenant = await identity.tenants.get(unit, name)
        move = await identity.moves.start(unit, tenant, body.isolation, body.cell)
    identity.moves.news.set()
    return show(move)


@ROUTER.get("")
async def page(context: Context, name: str, actor: Manager, limit: Limit = 50, cursor: Cursor = None) -> Page[MoveView]:
    """List the moves of a tenant, the newest first."""
    identity = context.rooms.identity
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        tenant = await identity.tenants.get(unit, name)
        return await page_of(
            lambda before, count: identity.moves.page(unit, tenant.id, before, count), cursor, limit, show
        )


@ROUTER.get("/{move}")
async def read(context: Context, name: str, move: str, actor: Manager) -> MoveView:
    """Show a move."""
    async with context.storage.unit_of_work(actor.scope, readonly=True) as unit:
        tenant = await context.rooms.identity.tenants.get(unit, name)
        return show(await _of(context, unit, tenant.id, move))


@ROUTER.post("/{move}/abort", status_code=202)
async def abort(context: Context, name: str, move: str, actor: Manager) -> MoveView:
    """Take a move back: the tenant stays where it was. Impossible once it has left its former cell."""
    moves = context.rooms.identity.moves
    async with context.storage.unit_of_work(actor.scope) as unit:
        tenant = await context.rooms.identity.tenants.get(unit, name)
        await _of(context, unit, tenant.id, move)
        asked = await moves.abort(unit, move)
    moves.news.set()
    return show(asked)


async def _of(context: Context, unit: UnitOfWork, tenant: str, move: str) -> Move:
    """A move of that tenant. Raises UnknownMove."""
    found = await context.rooms.identity.moves.get(unit, move)
    if found.tenant != tenant:
        message = f"There is no move {move!r}."
        raise UnknownMove(message)
    return found
