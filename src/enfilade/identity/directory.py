"""The configuration in memory: a snapshot per tenant, replaced when a revision says so.

Each room contributes a section: what it needs on the request path. A change is loaded for all sections from one
database snapshot and installed between two requests, so no call sees half of it.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from typing import Protocol

import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity import store
from enfilade.identity.scopes import system_scope
from enfilade.storage.replicas import ReplicaPresence
from enfilade.storage.unit_of_work import Storage, UnitOfWork

STALE_AFTER_S = 5.0
"""A process that could not ask for changes this long says that it is not ready."""

log = structlog.get_logger("enfilade.identity.directory")

Install = Callable[[], None]


class Section(Protocol):
    """What one room keeps in memory of the configuration."""

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """Read the section of these tenants, or of all (None), and return how to install it.

        Installing must not wait and must not fail: everything that can go wrong happens while loading.
        """
        ...


class Directory:
    """Keeps the sections at the newest revision."""

    def __init__(self, storage: Storage, presence: ReplicaPresence, clock: Clock, sections: Sequence[Section]) -> None:
        """Look after `sections`, in the order in which they are to be installed."""
        self._storage = storage
        self._presence = presence
        self._clock = clock
        self._sections = sections
        self._checked_at = float("-inf")
        self._loading = asyncio.Lock()
        self.revision = -1

    @property
    def is_fresh(self) -> bool:
        """Whether this process asked for changes recently, and got an answer."""
        return self._clock.monotonic() - self._checked_at < STALE_AFTER_S

    async def load(self) -> None:
        """Load everything. Raises what storage raises."""
        async with self._storage.unit_of_work(system_scope("directory"), readonly=True) as unit:
            revision = await unit.fetch_value(store.READ_REVISION)
            installs = [await section.load(unit, None) for section in self._sections]
        self._install(installs, revision)

    async def refresh(self) -> bool:
        """Load what changed since the last time; tell whether anything did."""
        # One at a time: of two that overlapped, the older could be installed last.
        async with self._loading:
            async with self._storage.unit_of_work(system_scope("directory"), readonly=True) as unit:
                rows = await unit.fetch(store.READ_REVISIONS, self.revision)
                if not rows:
                    self._checked_at = self._clock.monotonic()
                    return False
                # The platform's own revision stands for the catalogue, which concerns everybody's sections.
                changed = {str(row["tenant_id"]) for row in rows}
                tenants = None if PLATFORM_ID in changed else changed
                installs = [await section.load(unit, tenants) for section in self._sections]
            self._install(installs, max(row["revision"] for row in rows))
        return True

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
