"""The configuration in memory: a snapshot per tenant, replaced when a revision says so.

Each room contributes a section: what it needs on the request path. A change is loaded for all sections from one
database snapshot and installed between two requests, so no call sees half of it.

What belongs to tenants is loaded from the cells where they live. A cell that cannot be reached keeps nobody waiting but its
own tenants: they go on as they were known, or are not known yet, and it is tried again until it answers.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Protocol

import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity import store
from enfilade.identity.cell_hosts import CellHosts
from enfilade.identity.scopes import system_scope
from enfilade.storage.cells import Cell, Placement
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.fleet import Fleet
from enfilade.storage.replicas import ReplicaPresence
from enfilade.storage.unit_of_work import Storage, UnitOfWork

STALE_AFTER_S = 5.0
"""A process that could not ask for changes this long says that it is not ready."""
CELLS_AT_ONCE = 4
RETRY_CELLS_S = 2.0
ADOPT_EVERY_S = 3.0

UNREACHED = "The database in which this tenant's data lives cannot be reached at the moment."

log = structlog.get_logger("enfilade.identity.directory")

Install = Callable[[], None]


class Section(Protocol):
    """What one room keeps in memory of the configuration.

    A section whose `of_platform` is true reads the installation's own schema. All others read tenants' cells, and are
    loaded from each of them: the shared one with all tenants that it holds, one of a tenant's own with that tenant.
    """

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """Read the section of these tenants, or of all (None), and return how to install it.

        Installing must not wait and must not fail: everything that can go wrong happens while loading.
        """
        ...


class Directory:
    """Keeps the sections at the newest revision."""

    def __init__(
        self,
        storage: Storage,
        presence: ReplicaPresence,
        clock: Clock,
        hosts: CellHosts,
        sections: Sequence[Section],
    ) -> None:
        """Look after `sections`, in the order in which they are to be installed."""
        self._hosts = hosts
        self._recheck = Fleet(storage.cells).recheck
        self._storage = storage
        self._cells = storage.cells
        self._presence = presence
        self._clock = clock
        self._sections = sections
        self._checked_at = float("-inf")
        self._adopted_at = float("-inf")
        self._loading = asyncio.Lock()
        self._owed: dict[Cell, set[str]] = {}
        """Cells that could not be read, with the tenants whose rows have yet to be."""
        self._tried_at = float("-inf")
        self._cells.look_up = self.placement_of
        self.revision = -1

    @property
    def is_fresh(self) -> bool:
        """Whether this process asked for changes recently, and got an answer."""
        return self._clock.monotonic() - self._checked_at < STALE_AFTER_S

    async def placement_of(self, tenant: str) -> Placement | None:
        """Where the registry says that a tenant lives now. Raises DatabaseUnavailable."""
        async with self._storage.unit_of_work(system_scope("directory"), readonly=True) as unit:
            return (await _placements(unit, [tenant])).get(tenant)

    async def load(self) -> None:
        """Load everything. Raises what storage raises, of the installation's own database."""
        async with self._storage.unit_of_work(system_scope("directory"), readonly=True) as unit:
            revision = await unit.fetch_value(store.READ_REVISION)
            await self._hosts.open(unit)
            placements = await _placements(unit, None)
            self._place(placements, ())
            installs = [await section.load(unit, None) for section in self._sections]
        installs += await self._load_cells(self._by_cell(placements))
        self._install(installs, revision)

    async def refresh(self) -> bool:
        """Load what changed since the last time; tell whether anything did."""
        # One at a time: of two that overlapped, the older could be installed last.
        async with self._loading:
            await self._adopt()
            async with self._storage.unit_of_work(system_scope("directory"), readonly=True) as unit:
                rows = await unit.fetch(store.READ_REVISIONS, self.revision)
                changed = {str(row["tenant_id"]) for row in rows}
                installs = await self._load_home(unit, changed) if changed else []
            wanted = self._by_cell(changed)
            if self._clock.monotonic() - self._tried_at > RETRY_CELLS_S:
                for cell, tenants in self._owed.items():
                    wanted.setdefault(cell, set()).update(tenants)
            installs += await self._load_cells(wanted)
            if not rows and not installs:
                self._checked_at = self._clock.monotonic()
                return False
            self._install(installs, max((row["revision"] for row in rows), default=self.revision))
        return bool(rows)

    async def _load_home(self, unit: UnitOfWork, changed: set[str]) -> list[Install]:
        if PLATFORM_ID in changed:
            await self._hosts.open(unit)
        placements = await _placements(unit, list(changed))
        self._place(placements, changed - placements.keys())
        # The platform's own revision stands for the catalogue, which concerns everybody.
        of_platform = None if PLATFORM_ID in changed else changed
        return [
            await section.load(unit, of_platform if getattr(section, "of_platform", False) else changed)
            for section in self._sections
        ]

    def _place(self, placements: dict[str, Placement], removed: Iterable[str]) -> None:
        for tenant in self._cells.place_all(placements, removed):
            log.error("cell_host_unknown", tenant=tenant, host=placements[tenant].host)

    def _by_cell(self, tenants: Iterable[str]) -> dict[Cell, set[str]]:
        """The tenants that do not live in the shared cell of `home`, by where they do."""
        away: dict[Cell, set[str]] = {}
        for tenant in tenants:
            cell = self._cells.of(tenant)
            if cell is not self._cells.shared:
                away.setdefault(cell, set()).add(tenant)
        return away

    async def _load_cells(self, wanted: dict[Cell, set[str]]) -> list[Install]:
        if not wanted:
            return []
        self._tried_at = self._clock.monotonic()
        at_once = asyncio.Semaphore(CELLS_AT_ONCE)

        async def load(cell: Cell, tenants: set[str]) -> list[Install]:
            async with at_once:
                return await self._load_cell(cell, tenants)

        loaded = await asyncio.gather(*(load(cell, tenants) for cell, tenants in wanted.items()))
        return [install for installs in loaded for install in installs]

    async def _load_cell(self, cell: Cell, tenants: set[str]) -> list[Install]:
        former = self._cells.unreached.get(cell.name)
        if former is not None and (reason := await self._recheck(cell)):
            self._cells.unreached[cell.name] = reason
            self._owed.setdefault(cell, set()).update(tenants)
            return []
        self._cells.unreached.pop(cell.name, None)
        try:
            async with self._storage.unit_of_work(system_scope("directory"), readonly=True, cell=cell) as unit:
                sections = [section for section in self._sections if not getattr(section, "of_platform", False)]
                installs = [await section.load(unit, sorted(tenants)) for section in sections]
        except DatabaseUnavailable as error:
            if former is None:
                log.error("cell_unreached", cell=cell.name, error=error.message, tenants=len(tenants))  # noqa: TRY400
            self._cells.unreached[cell.name] = former or UNREACHED
            self._owed.setdefault(cell, set()).update(tenants)
            return []
        if former is not None:
            log.warning("cell_reached_again", cell=cell.name)
        self._owed.pop(cell, None)
        return installs

    async def _adopt(self) -> None:
        if self._clock.monotonic() - self._adopted_at > ADOPT_EVERY_S:
            self._adopted_at = self._clock.monotonic()
            if count := await self._storage.announcer.adopt():
                log.warning("changes_announced_for_others", count=count)

    def _install(self, installs: list[Install], revision: int) -> None:
        for install in installs:
            install()
        self.revision = revision
        self._checked_at = self._clock.monotonic()
        self._presence.applied(revision)

    async def run(self) -> None:
        """Follow the changes until cancelled."""
        news = self._presence.news
        while True:
            await news.wait()
            news.clear()
            try:
                if await self.refresh():
                    log.info("directory_applied", revision=self.revision)
            except EnfiladeError as error:
                log.warning("directory_not_refreshed", error=error.message)


async def _placements(unit: UnitOfWork, tenants: list[str] | None) -> dict[str, Placement]:
    rows = await unit.fetch(store.LOAD_PLACEMENTS, tenants)
    return {str(row["id"]): Placement(row["isolation"], row["cell"]) for row in rows}
