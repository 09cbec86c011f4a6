"""Moves of tenants from cell to cell: asked for, watched, taken back. `MoveRunner` does the work."""

import asyncio
from dataclasses import replace

import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError, Unavailable
from enfilade.core.ids import IdFactory
from enfilade.identity import store
from enfilade.identity.cell_hosts import CellHosts
from enfilade.identity.errors import InvalidSpecification, MoveNotOpen, MoveUnderWay, UnknownMove
from enfilade.identity.scopes import system_scope
from enfilade.identity.types import Tenant
from enfilade.storage.cells import Placement
from enfilade.storage.database import Database, is_connection_fault
from enfilade.storage.moving import registry
from enfilade.storage.moving.copying import MoveAborted
from enfilade.storage.moving.mover import MoveIsFinal, Mover
from enfilade.storage.moving.registry import REVOCABLE, Move, move_of
from enfilade.storage.unit_of_work import Storage, UnitOfWork

LAST = "ffffffff-ffff-ffff-ffff-ffffffffffff"
LOOK_EVERY_S = 2.0

log = structlog.get_logger("enfilade.identity.moves")


class Moves:
    """The use cases of moves. All need a platform scope."""

    def __init__(self, ids: IdFactory, hosts: CellHosts) -> None:
        """Name moves with `ids`; where there is room is known to `hosts`."""
        self._ids = ids
        self._hosts = hosts
        self.news = asyncio.Event()
        """Set when there may be something to do."""

    async def start(self, unit: UnitOfWork, tenant: Tenant, isolation: str | None, cell: str | None) -> Move:
        """Have a tenant moved. Raises InvalidSpecification, MoveUnderWay, NoPlace, UnknownCell."""
        goal = await self._goal(unit, tenant, isolation or tenant.spec.isolation, cell or tenant.cell)
        if await unit.fetch_row(registry.FIND_OPEN_MOVE, tenant.id) is not None:
            message = f"The tenant {tenant.name!r} is being moved already."
            raise MoveUnderWay(message)
        if await unit.fetch_value(store.IS_BEING_ERASED, tenant.id):
            message = f"The tenant {tenant.name!r} is being erased."
            raise MoveUnderWay(message)
        identifier = self._ids.new_id()
        origin = (tenant.spec.isolation, tenant.cell)
        await unit.execute(
            registry.ADD_MOVE, tenant.id, identifier, *origin, goal.isolation, goal.host, unit.scope.actor
        )
        move = await self.get(unit, identifier)
        await unit.act_in(tenant.id)
        unit.record("TenantMoveStarted", move=identifier, **_ends(move))
        return move

    async def _goal(self, unit: UnitOfWork, tenant: Tenant, isolation: str, cell: str) -> Placement:
        if (isolation, cell) == (tenant.spec.isolation, tenant.cell):
            message = f"The tenant {tenant.name!r} lives there already."
            raise InvalidSpecification(message, param="isolation")
        if cell == tenant.cell:
            host = await self._hosts.find(unit, cell)
            if host is None or isolation in host.spec.isolation:
                return Placement(isolation, cell)
        return await self._hosts.place(unit, replace(tenant.spec, isolation=isolation, cell=cell))

    async def page(self, unit: UnitOfWork, tenant: str | None, before: str | None, limit: int) -> list[Move]:
        """Moves, the newest first."""
        return [move_of(row) for row in await unit.fetch(registry.LIST_MOVES, before or LAST, limit, tenant)]

    async def get(self, unit: UnitOfWork, identifier: str) -> Move:
        """The move with that id. Raises UnknownMove."""
        row = await unit.fetch_row(registry.FIND_MOVE, identifier)
        if row is None:
            message = f"There is no move {identifier!r}."
            raise UnknownMove(message)
        return move_of(row)

    async def abort(self, unit: UnitOfWork, identifier: str) -> Move:
        """Ask for a move to be taken back. Raises UnknownMove, MoveNotOpen when it has gone too far, or has ended."""
        move = await self.get(unit, identifier)
        if not await unit.fetch_value(registry.ASK_TO_ABORT, identifier, list(REVOCABLE)):
            message = (
                "The move has ended."
                if move.ended_at
                else "The tenant has left its former cell: the move will be ended."
            )
            raise MoveNotOpen(message)
        return await self.get(unit, identifier)


class MoveRunner:
    """Brings moves to their end, also those that another process left."""

    def __init__(self, moves: Moves, mover: Mover, storage: Storage, home: Database, clock: Clock) -> None:
        """Move with `mover`; each move's lock is held in `home`."""
        self._moves = moves
        self._mover = mover
        self._storage = storage
        self._home = home
        self._clock = clock
        self._running: set[str] = set()

    async def run(self) -> None:
        """Look for open moves when there is news, and now and then, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                for identifier in await self._open():
                    if identifier not in self._running:
                        self._running.add(identifier)
                        group.create_task(self._drive(identifier))
                try:
                    async with asyncio.timeout(LOOK_EVERY_S):
                        await self._moves.news.wait()
                except TimeoutError:
                    continue
                self._moves.news.clear()

    async def _open(self) -> list[str]:
        try:
            async with self._storage.unit_of_work(system_scope("moves"), readonly=True) as unit:
                return [str(row["id"]) for row in await unit.fetch(registry.LIST_OPEN_MOVES)]
        except EnfiladeError as error:
            log.warning("moves_not_looked_for", error=error.message)
            return []

    async def _drive(self, identifier: str) -> None:
        try:
            await self.drive(identifier)
        except Exception as error:  # noqa: BLE001 - one move that fails must not end the others, nor the process
            log.error("move_interrupted", move=identifier, error=f"{type(error).__name__}: {error}")  # noqa: TRY400
        finally:
            self._running.discard(identifier)

    async def drive(self, identifier: str) -> None:
        """Bring one move as far as it goes. Does nothing while another process is at it."""
        async with self._home.owner() as home:
            if not await home.fetchval(registry.HOLD, identifier):
                return
            move = move_of(await home.fetchrow(registry.FIND_MOVE, identifier))
            if move.ended_at is not None:
                return
            if move.step == "aborting" or (move.abort_asked and move.is_revocable):
                await self._take_back(move, home, move.error)
                return
            try:
                await self._mover.advance(move, home)
            except MoveAborted:
                await self._take_back(move, home, None)
            except Exception as error:  # noqa: BLE001 - told apart there: what may pass, and what is taken back
                await self._falter(move, home, error)
            else:
                await self._end(move, "done")

    async def _falter(self, move: Move, home: object, error: Exception) -> None:
        """What may pass is tried again; of what will not, everything is taken back, if that is still possible."""
        reason = error.message if isinstance(error, EnfiladeError) else f"{type(error).__name__}: {error}"
        await home.execute(registry.NOTE_ERROR, move.id, reason)  # type: ignore[attr-defined]
        log.error("move_failed", move=move.id, tenant=move.tenant, error=reason)
        if not (isinstance(error, Unavailable) or is_connection_fault(error)):
            await self._take_back(move, home, reason)

    async def _take_back(self, move: Move, home: object, reason: str | None) -> None:
        try:
            await self._mover.abort(move, home)
        except MoveIsFinal:
            log.warning("move_is_final", move=move.id, tenant=move.tenant)
            return
        await self._end(move, "aborted", reason)

    async def _end(self, move: Move, step: str, reason: str | None = None) -> None:
        async with self._storage.unit_of_work(system_scope("moves")) as unit:
            await unit.execute(registry.END_MOVE, move.id, step)
            if reason is not None:
                await unit.execute(registry.NOTE_ERROR, move.id, reason)
            ended = await self._moves.get(unit, move.id)
            await unit.act_in(move.tenant)
            facts = {"move": move.id, **_ends(ended)}
            if step == "done":
                unit.record("TenantMoveCompleted", **facts, rows=ended.rows, waited_us=ended.waited_us)
            else:
                unit.record("TenantMoveAborted", **facts, error=reason)
        log.info("move_ended", move=move.id, tenant=move.tenant, step=step)


def _ends(move: Move) -> dict[str, str]:
    return {
        "from_isolation": move.origin.isolation,
        "from_cell": move.origin.host,
        "to_isolation": move.goal.isolation,
        "to_cell": move.goal.host,
    }
