"""Moving a tenant, step by step. Whoever is interrupted anywhere goes on from what is noted and from what is there.

preparing   the target is made; it is written there that the tenant is elsewhere
capturing   from now on every change in the source is written down
copying     tables, and months of the big ones, each in one piece
verifying   changes are brought until few are left; counts and hashes are the same; roll-ups are made
switching   the tenant's writes wait; the rest is brought; the source lets go of the tenant, the registry says where it is
arriving    the target takes the tenant
clearing    once every process looks in the right place, the source's rows go
"""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import asyncpg
import structlog

from enfilade.core.clock import Clock
from enfilade.storage.cells import ROW, Cell, CellDirectory, Placement
from enfilade.storage.errors import CellUnavailable
from enfilade.storage.making import CellMaker
from enfilade.storage.moving import registry
from enfilade.storage.moving.capture import stop_capture
from enfilade.storage.moving.clearing import clear_rows, forget_mirror
from enfilade.storage.moving.copying import Mark, Way, catch_up, copy, prepare
from enfilade.storage.moving.places import Place, place_in
from enfilade.storage.moving.registry import Move, register_arrival
from enfilade.storage.moving.switch import SwitchPostponed, has_departed, switch
from enfilade.storage.moving.tables import read_tables
from enfilade.storage.moving.transport import Carried
from enfilade.storage.replicas import list_replicas

LET_IN = "UPDATE departures SET returned_at = now() WHERE tenant_id = $1"
READ_STEP = "SELECT step FROM enfilade.tenant_moves WHERE id = $1 FOR UPDATE"
HAS_CELL = "SELECT to_regclass(quote_ident($1) || '.intents') IS NOT NULL"
TAKE_INTENTS = "DELETE FROM intents WHERE tenant_id = $1 RETURNING call_id, replica_id, body"
# What a process that did not know yet wrote to the source; its call may have been settled in the target meanwhile.
PUT_INTENT = """
INSERT INTO intents (call_id, tenant_id, replica_id, body) SELECT $1, $2, $3, $4::text
WHERE NOT EXISTS (SELECT FROM ledger l WHERE l.tenant_id = $2 AND l.call_id = $1
                  AND l.started_at = ($4::text::json ->> 'started_at')::timestamptz)
ON CONFLICT DO NOTHING
"""
READ_TENANT_ROW = "SELECT to_jsonb(t)::text FROM enfilade.tenants t WHERE id = $1"
MIRROR_ROW = """
INSERT INTO enfilade.tenants SELECT * FROM jsonb_populate_record(NULL::enfilade.tenants, $1::text::jsonb)
"""
DROP_MIRROR = "DELETE FROM enfilade.tenants WHERE id = $1"

FEW_CHANGES = 400
ROUNDS = 8
"""How often changes are brought before the switch is tried anyway."""
GRACE_S = 30.0
"""How long a process may take to look for the tenant in its new cell, before it is not waited for any more."""
LOOK_S = 0.1

log = structlog.get_logger("enfilade.storage.moving")


class MoveIsFinal(Exception):
    """The source has let go of the tenant: the move can only be brought to its end."""


async def _no_mark(_name: str) -> None:
    return


class Mover:
    """Moves tenants between cells."""

    def __init__(self, cells: CellDirectory, maker: CellMaker, clock: Clock, grace_s: float = GRACE_S) -> None:
        """Move among `cells`, which `maker` makes and unmakes."""
        self._grace_s = grace_s
        self._cells = cells
        self._maker = maker
        self._clock = clock
        self.mark: Mark = _no_mark
        """See `Way.mark`."""

    async def advance(self, move: Move, home: Any) -> None:
        """Bring a move to its end, whatever step it is at; `home` holds its lock. That it has ended is for the caller to note.

        Raises what keeps it from going on.
        """
        if move.step != "clearing":
            async with AsyncExitStack() as stack:
                source = await stack.enter_async_context(place_in(self._cell(move, move.origin), move.tenant))
                if move.step == "preparing":
                    await self._maker.make(move.tenant, move.goal)
                target = await stack.enter_async_context(place_in(self._cell(move, move.goal), move.tenant))
                carried = Carried(move.rows, move.bytes)
                way = Way(move, source, target, home, self._clock, self.mark, carried=carried)
                if not await has_departed(source):
                    await prepare(way)
                    await copy(way)
                    await self._hand_over(way)
                await self._arrive(way)
        await self._clear(move, home)

    def _cell(self, move: Move, placement: Placement) -> Cell:
        cell = self._cells.cell_at(move.tenant, placement)
        if cell is None:
            message = f"The cell host {placement.host!r} is not known to this process, or its address leads nowhere."
            raise CellUnavailable(message, retry_after=2)
        return cell

    async def _hand_over(self, way: Way) -> None:
        await way.step("verifying")
        await catch_up(way, verifies=True)
        await way.step("switching")
        at_home = self._cells.is_at_home(way.source.cell)
        while True:
            for _ in range(ROUNDS):
                if await catch_up(way, verifies=False) <= FEW_CHANGES:
                    break
            await way.check_abort()
            way.began = self._clock.monotonic()
            try:
                await switch(way.source, way.target, way.copied, way.move, way.rolled, at_home=at_home)
            except SwitchPostponed:
                log.info("switch_postponed", tenant=way.move.tenant)
                await asyncio.sleep(LOOK_S)
                continue
            await self.mark("departed")
            return

    async def _arrive(self, way: Way) -> None:
        """The source has let go: say where the tenant is, and let it in there."""
        move, home, target = way.move, way.home, way.target
        async with home.transaction():
            if await home.fetchval(READ_STEP, move.id) != "arriving":
                await register_arrival(home, move)
        await self.mark("arriving")
        async with target.connection.transaction():
            if not self._cells.is_at_home(target.cell):
                await target.connection.execute(DROP_MIRROR, target.tenant)
                await target.connection.execute(MIRROR_ROW, await home.fetchval(READ_TENANT_ROW, move.tenant))
            await target.connection.execute(LET_IN, target.tenant)
        if way.began is not None:
            waited = round((self._clock.monotonic() - way.began) * 1e6)
            await home.execute(registry.NOTE_WAIT, move.id, waited)
        self._cells.place(move.tenant, move.goal)
        await self.mark("arrived")
        await home.execute(registry.NOTE_STEP, move.id, "clearing")

    async def _clear(self, move: Move, home: Any) -> None:
        """Remove what is left in the source, once nobody looks there any more."""
        await self._wait_for_everybody(move, home)
        await self.mark("clearing")
        try:
            async with place_in(self._cell(move, move.origin), move.tenant) as source:
                if await source.connection.fetchval(HAS_CELL, source.cell.schema):
                    await self._empty(move, source)
        except asyncpg.InvalidCatalogNameError:
            log.info("cell_gone_already", tenant=move.tenant)
        await self._maker.drop(move.tenant, move.origin)
        await forget_mirror(self._cells, move.tenant, move.origin, move.goal)
        await self.mark("cleared")

    async def _empty(self, move: Move, source: Place) -> None:
        async with place_in(self._cell(move, move.goal), move.tenant) as target, source.connection.transaction():
            for row in await source.connection.fetch(TAKE_INTENTS, move.tenant):
                await target.connection.execute(PUT_INTENT, row["call_id"], move.tenant, row["replica_id"], row["body"])
        if move.origin.isolation != ROW:
            return
        await stop_capture(source)
        await clear_rows(source, await read_tables(source.connection, source.cell.schema))

    async def _wait_for_everybody(self, move: Move, home: Any) -> None:
        row = await home.fetchrow(registry.FIND_MOVE, move.id)
        given_up = self._clock.monotonic() + self._grace_s
        while self._clock.monotonic() < given_up:
            replicas = await list_replicas(self._cells.home.database)
            if all(replica.applied_revision >= row["revision"] for replica in replicas):
                return
            await asyncio.sleep(LOOK_S)
        log.warning("processes_not_waited_for", tenant=move.tenant)

    async def abort(self, move: Move, home: Any) -> None:
        """Take a move back: everything goes on in the source as if it had never begun.

        Raises MoveIsFinal when the source has let go of the tenant.
        """
        async with place_in(self._cell(move, move.origin), move.tenant) as source:
            if await has_departed(source):
                raise MoveIsFinal
            await home.execute(registry.NOTE_STEP, move.id, "aborting")
            await self.mark("aborting")
            await stop_capture(source)
        if move.goal.isolation == ROW:
            async with place_in(self._cell(move, move.goal), move.tenant) as target:
                await clear_rows(target, await read_tables(target.connection, target.cell.schema))
        else:
            await self._maker.drop(move.tenant, move.goal)
