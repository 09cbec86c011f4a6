"""Telling every process that a tenant's configuration changed.

Revisions are counted in the installation's own database. A change there announces itself in its own transaction. A change
in another database cannot: it is noted beforehand as pending, and announced after it was committed. Who dies in between
leaves the note, and after a while the change counts as announced, whether it was made or not: loading a tenant once too
often harms nobody.
"""

from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from typing import Any, Protocol

import structlog

from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.storage.address import OPERATOR
from enfilade.storage.database import Database
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.migrations import PLATFORM_SCHEMA

REVISION_CHANNEL = "enfilade_revision"
ADOPT_AFTER = "5 seconds"

SET_PLACE = "SELECT set_config('enfilade.tenant', $1, true), set_config('search_path', $2, true)"
BUMP_REVISION = "UPDATE enfilade.revision_counter SET revision = revision + 1 RETURNING revision"
MARK_TENANT = """
INSERT INTO enfilade.tenant_revisions (tenant_id, revision) VALUES ($1, $2)
ON CONFLICT (tenant_id) DO UPDATE SET revision = excluded.revision
"""
NOTIFY_REVISION = "SELECT pg_notify($1, $2)"
NOTE_PENDING = "INSERT INTO enfilade.pending_changes (tenant_id, id) VALUES ($1, $2)"
END_PENDING = "DELETE FROM enfilade.pending_changes WHERE id = $1"
LIST_OVERDUE = f"""
SELECT id, array_agg(tenant_id::text) AS tenants FROM enfilade.pending_changes
WHERE since < now() - interval '{ADOPT_AFTER}' GROUP BY id ORDER BY id
"""


log = structlog.get_logger("enfilade.storage.announcing")


class Statements(Protocol):
    """What runs statements: a connection."""

    async def execute(self, query: str, *values: Any) -> Any:
        """Run one for its effect."""

    async def fetchval(self, query: str, *values: Any) -> Any:
        """The first column of the first row."""


async def announce(home: Statements, tenants: Collection[str]) -> int:
    """Have every process load these tenants anew, once the caller's transaction in `home` is committed.

    Returns the revision. Others wait for that row, so this comes last in the transaction.
    """
    revision: int = await home.fetchval(BUMP_REVISION)
    for tenant in sorted(tenants):
        await home.execute(SET_PLACE, tenant, PLATFORM_SCHEMA)
        await home.execute(MARK_TENANT, tenant, revision)
    await home.execute(NOTIFY_REVISION, REVISION_CHANNEL, str(revision))
    return revision


class Announcer:
    """Announces changes that are made in other databases than the installation's own."""

    def __init__(self, home: Database, clock: Clock) -> None:
        """Announce in `home`, where every process listens."""
        self._home = home
        self._ids = IdFactory(clock)

    @asynccontextmanager
    async def announced_after(self, tenants: Collection[str]) -> AsyncIterator[None]:
        """Note the change before the block, announce it after.

        Raises DatabaseUnavailable before the block only: what is committed in it stays, and if it cannot be announced
        at once it is later, by whoever comes upon the note.
        """
        change = self._ids.new_id()
        async with self._home.transaction(OPERATOR) as connection:
            for tenant in sorted(tenants):
                await connection.execute(SET_PLACE, tenant, PLATFORM_SCHEMA)
                await connection.execute(NOTE_PENDING, tenant, change)
        yield
        try:
            await self._announce(change, tenants)
        except DatabaseUnavailable as error:
            log.warning("change_announced_late", error=error.message)

    async def _announce(self, change: str, tenants: Collection[str]) -> None:
        async with self._home.transaction(OPERATOR) as connection:
            await connection.execute(END_PENDING, change)
            await announce(connection, tenants)

    async def adopt(self) -> int:
        """Announce what others noted, and did not live to announce; return how much. Raises DatabaseUnavailable."""
        async with self._home.transaction(OPERATOR, readonly=True) as connection:
            overdue = await connection.fetch(LIST_OVERDUE)
        for row in overdue:
            await self._announce(str(row["id"]), row["tenants"])
        return len(overdue)
