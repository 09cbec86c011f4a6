"""The job that keeps the roll-ups: what was posted since it last looked is added to them, exactly once.

A batch and the watermark behind it are one transaction, so a process may die anywhere. Reports are right whether the job
runs or not: they read what is not rolled up yet from the ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from enfilade.core.clock import Clock, to_datetime, to_ns
from enfilade.costs.spend import store
from enfilade.identity.scopes import system_scope
from enfilade.storage.cells import Cell
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.rounds import ask_cells
from enfilade.storage.turns import Turns
from enfilade.storage.unit_of_work import Storage, UnitOfWork
from enfilade.storage.visits import in_cells

ROLL_UP_EVERY_S = 5.0
ENTRIES_AT_ONCE = 100_000
VALUES_A_DAY = 10_000
"""Of metadata, in a tenant; what goes beyond is counted together."""
PATIENCE_MS = 1_800_000
"""For one batch. A tenant whose time zone changes is made anew in one."""

log = structlog.get_logger("enfilade.costs.spend.rollups")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the roll-ups are."""

    caught_up_at: datetime | None
    """When they last held everything that was posted; None where they never did."""
    rebuilding: int
    """Tenants whose roll-ups wait to be made anew."""


class RollUps:
    """Rolls up what is posted."""

    def __init__(
        self,
        storage: Storage,
        clock: Clock,
        turns: Turns,
        zones: Callable[[], dict[str, str]],
        entries_at_once: int = ENTRIES_AT_ONCE,
        values_a_day: int = VALUES_A_DAY,
    ) -> None:
        """Work on `storage`, cell by cell; `zones` gives the time zone of each tenant, by its id."""
        self._storage = storage
        self._turns = turns
        self._clock = clock
        self._zones = zones
        self._entries_at_once = entries_at_once
        self._values_a_day = values_a_day
        self._caught_up_ns = clock.now_ns()
        self._behind: dict[Cell, int] = {}
        """Cells whose turn has not come to its end, and since when."""

    @property
    def lag_s(self) -> float:
        """How long ago the roll-ups last held everything, as far as this process knows.

        Cells that cannot be reached do not count: nothing is posted there meanwhile.
        """
        cells = self._storage.cells
        behind = [since for cell, since in self._behind.items() if cell.name not in cells.unreached]
        return max(0, self._clock.now_ns() - min([self._caught_up_ns, *behind])) / 1e9

    async def catch_up(self) -> int:
        """Roll up all that can be, and make anew what waits for it; return how many entries were added.

        Where another process is at it, nothing is done. Raises DatabaseUnavailable; finished batches stay.
        """
        due = self._turns.due()
        self._behind = {cell: since for cell, since in self._behind.items() if cell in self._storage.cells.all()}
        return sum(await in_cells(self._storage, self._catch_up_in, postponed="roll_up_postponed", cells=due))

    async def _catch_up_in(self, cell: Cell) -> int:
        added, behind, is_ours = 0, True, True
        self._behind.setdefault(cell, self._clock.now_ns())
        await self._follow_time_zones(cell)
        while behind:
            batch = await self._batch(cell)
            if batch is None:
                is_ours = False
                break
            added += batch[0]
            behind = batch[1]
        while await self.rebuild_month(cell):
            pass
        if cell is self._storage.cells.shared:
            async with self._storage.unit_of_work(system_scope("spend"), readonly=True) as unit:
                progress = await unit.fetch_row(store.PROGRESS)
            if progress is not None and progress["caught_up_at"] is not None:
                self._caught_up_ns = to_ns(progress["caught_up_at"])
        self._behind.pop(cell, None)
        if is_ours:
            self._turns.done(cell)
        return added

    async def _follow_time_zones(self, cell: Cell) -> None:
        async with self._storage.unit_of_work(system_scope("spend"), readonly=True, cell=cell) as unit:
            known = {str(row["tenant_id"]): row["time_zone"] for row in await unit.fetch(store.TENANT_ZONES)}
        for tenant, zone in self._turns.tenants_in(cell, self._zones()).items():
            if known.get(tenant, zone) != zone:
                async with self._storage.unit_of_work(system_scope("spend"), alone=False, cell=cell) as unit:
                    await unit.execute(store.PATIENCE, str(PATIENCE_MS))
                    if await unit.fetch_value(store.MOVE, tenant, zone, self._values_a_day):
                        log.info("spend_moved", tenant=tenant, name=zone)

    async def _batch(self, cell: Cell) -> tuple[int, bool] | None:
        """How much was added, and whether there is more; None while somebody else is at it in the same database."""
        zones = self._turns.tenants_in(cell, self._zones())
        async with self._storage.unit_of_work(system_scope("spend"), alone=False, cell=cell) as unit:
            await unit.execute(store.PATIENCE, str(PATIENCE_MS))
            row = await unit.fetch_row(
                store.ROLL_UP,
                to_datetime(self._clock.now_ns()),
                list(zones),
                list(zones.values()),
                self._entries_at_once,
                self._values_a_day,
            )
        return (row["entries"], row["behind"]) if row else None

    async def rebuild_month(self, cell: Cell | None = None) -> bool:
        """Make the roll-ups of one month of one tenant anew, if any wait for it; return whether there was one."""
        async with self._storage.unit_of_work(system_scope("spend"), alone=False, cell=cell) as unit:
            await unit.execute(store.PATIENCE, str(PATIENCE_MS))
            return bool(await unit.fetch_value(store.REBUILD_MONTH, self._values_a_day))

    async def run(self) -> None:
        """Catch up every few seconds, until cancelled."""
        while True:
            await self._clock.sleep(ROLL_UP_EVERY_S)
            try:
                await self.catch_up()
            except DatabaseUnavailable as error:
                log.warning("roll_up_postponed", error=error.message)
            except Exception as error:  # noqa: BLE001 - calls must not end for want of roll-ups, which reports can do without
                log.error("roll_up_failed", error=f"{type(error).__name__}: {error}")  # noqa: TRY400


async def read_progress(unit: UnitOfWork, tenant: str | None = None) -> Progress:
    """How far the roll-ups are where a tenant lives; with None, for the platform, in all cells together."""
    rows = await ask_cells(unit, tenant, lambda: unit.fetch_row(store.PROGRESS))
    moments = [row["caught_up_at"] for row in rows if row is not None]
    caught_up_at = None if None in moments else min(moments)
    return Progress(caught_up_at, sum(row["rebuilding"] for row in rows if row is not None))


async def request_rebuild(unit: UnitOfWork, tenant: str | None) -> int:
    """Have the roll-ups of one tenant, or of all, made anew from the ledger; return for how many tenants."""
    waiting: int = sum(await ask_cells(unit, tenant, lambda: unit.fetch_value(store.REQUEST_REBUILD, tenant)))
    unit.record("SpendRebuildRequested", tenant=tenant, tenants=waiting)
    return waiting
