"""Erasing a tenant: its key first, so that nothing of it can be read any more, then its rows, its cell and its name.

Each step can be repeated: whoever is interrupted goes on with the step that is noted.
"""

import asyncio
import hashlib
from typing import Any

import msgspec

from enfilade.core.clock import Clock
from enfilade.storage.announcing import announce
from enfilade.storage.cells import ROW, Cell, CellDirectory, Placement
from enfilade.storage.errors import CellUnavailable
from enfilade.storage.making import CellMaker
from enfilade.storage.moving.clearing import clear_rows, forget_mirror
from enfilade.storage.moving.copying import ADMIT_OWNER, Mark
from enfilade.storage.moving.measuring import measure
from enfilade.storage.moving.places import place_in
from enfilade.storage.moving.switch import DEPART, END_HEAD, SHUT_GATE
from enfilade.storage.moving.tables import read_tables
from enfilade.storage.replicas import list_replicas

ADD_ERASURE = """
INSERT INTO enfilade.tenant_erasures (id, erased, name, isolation, cell, actor) VALUES ($1, $2, $3, $4, $5, $6)
"""
_COLUMNS = """id, erased, name, isolation, cell, actor, step, revision, counts::text, head::text, record, signature,
    started_at, ended_at"""
FIND_ERASURE = (
    f"SELECT {_COLUMNS} FROM enfilade.tenant_erasures WHERE id::text = $1 OR name = $1 ORDER BY id DESC LIMIT 1"
)
LIST_ERASURES = f"SELECT {_COLUMNS} FROM enfilade.tenant_erasures WHERE id < $1 ORDER BY id DESC LIMIT $2"
LIST_OPEN_ERASURES = "SELECT id FROM enfilade.tenant_erasures WHERE step <> 'done' ORDER BY id"
NOTE_COUNTS = """
UPDATE enfilade.tenant_erasures SET counts = $2::text::jsonb, head = $3::text::jsonb, step = 'destroying' WHERE id = $1
"""
NOTE_STEP = "UPDATE enfilade.tenant_erasures SET step = $2 WHERE id = $1"
END_ERASURE = (
    "UPDATE enfilade.tenant_erasures SET step = 'done', record = $2, signature = $3, ended_at = $4 WHERE id = $1"
)
HOLD_ERASURE = "SELECT pg_try_advisory_lock(hashtextextended('erasure ' || $1, 0))"
READ_REVISION = "SELECT coalesce((SELECT revision FROM enfilade.tenant_revisions WHERE tenant_id = $1), 0)"
LAST_LEAF = "SELECT seq, leaf FROM events WHERE tenant_id = $1 ORDER BY seq DESC LIMIT 1"
COUNT_INTENTS = "SELECT count(*) FROM intents WHERE tenant_id = $1"
DESTROY_KEYS = "UPDATE enfilade.tenant_keys SET state = 'destroyed', wrapped = NULL WHERE tenant_id = $1"
# What else the installation's own schema knows of a tenant, also by tables of later migrations.
PLATFORM_COLUMNS = """
SELECT c.relname::text AS name, a.attname::text AS of FROM pg_class c
JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname IN ('tenant_id', 'for_tenant') AND NOT a.attisdropped
WHERE c.relnamespace = 'enfilade'::regnamespace AND c.relkind = 'r' AND c.relname <> 'tenant_revisions'
ORDER BY a.attname = 'for_tenant', c.relname
"""
FORGET_TENANT = "DELETE FROM enfilade.tenants WHERE id = $1"
FORGET_DEPARTURE = "DELETE FROM departures WHERE tenant_id = $1"
GRACE_S = 30.0
LOOK_S = 0.1


async def _no_mark(_name: str) -> None:
    return


class Eraser:
    """Erases tenants."""

    def __init__(self, cells: CellDirectory, maker: CellMaker, clock: Clock, grace_s: float = GRACE_S) -> None:
        """Erase from `cells`."""
        self._cells = cells
        self._maker = maker
        self._clock = clock
        self._grace_s = grace_s
        self.mark: Mark = _no_mark

    async def erase(self, erasure: Any, home: Any) -> None:
        """Bring an erasure to where only its record is to be written. `home` holds its lock."""
        identifier, tenant = str(erasure["id"]), str(erasure["erased"])
        placement = Placement(erasure["isolation"], erasure["cell"])
        cell = self._cells.cell_at(tenant, placement)
        if cell is None:
            message = f"The cell host {placement.host!r} is not known to this process, or its address leads nowhere."
            raise CellUnavailable(message, retry_after=2)
        step = erasure["step"]
        if step in {"closing", "counting"}:
            await self._wait_for_quiet(tenant, cell, home)
            await self._count(identifier, tenant, cell, home)
            step = "destroying"
        if step == "destroying":
            await self.mark("destroying")
            await home.execute(DESTROY_KEYS, tenant)
            await home.execute(NOTE_STEP, identifier, "clearing")
            step = "clearing"
        if step == "clearing":
            await self.mark("clearing")
            await self._clear(tenant, placement, cell)
            await home.execute(NOTE_STEP, identifier, "freeing")
        await self.mark("freeing")
        await self._free(tenant, home)
        self._cells.place_all({}, [tenant])

    async def _wait_for_quiet(self, tenant: str, cell: Cell, home: Any) -> None:
        """Until every process refuses the tenant and its calls have ended, or for so long."""
        revision = await home.fetchval(READ_REVISION, tenant)
        given_up = self._clock.monotonic() + self._grace_s
        async with place_in(cell, tenant) as place:
            while self._clock.monotonic() < given_up:
                replicas = await list_replicas(self._cells.home.database)
                behind = any(replica.applied_revision < revision for replica in replicas)
                if not behind and not await place.connection.fetchval(COUNT_INTENTS, tenant):
                    return
                await asyncio.sleep(LOOK_S)

    async def _count(self, identifier: str, tenant: str, cell: Cell, home: Any) -> None:
        """Shut the tenant's log for good, and note what there is."""
        async with place_in(cell, tenant) as place:
            await place.connection.execute(ADMIT_OWNER)
            async with place.connection.transaction():
                await place.connection.fetchval(SHUT_GATE, tenant)
                await place.connection.execute(DEPART, tenant)
                last = await place.connection.fetchrow(LAST_LEAF, tenant)
                await place.connection.execute(END_HEAD, tenant)
        await self.mark("counting")
        size = await measure(cell, tenant)
        head = None if last is None else {"seq": last["seq"], "leaf": bytes(last["leaf"]).hex()}
        await home.execute(
            NOTE_COUNTS, identifier, msgspec.json.encode(size.tables).decode(), msgspec.json.encode(head).decode()
        )

    async def _clear(self, tenant: str, placement: Placement, cell: Cell) -> None:
        if placement.isolation == ROW:
            async with place_in(cell, tenant) as place:
                await clear_rows(place, await read_tables(place.connection, cell.schema))
                await place.connection.execute(FORGET_DEPARTURE, tenant)
        else:
            await self._maker.drop(tenant, placement)
        await forget_mirror(self._cells, tenant, placement)

    async def _free(self, tenant: str, home: Any) -> None:
        """Let the installation forget the tenant, and its name be free."""
        shared = self._cells.shared
        async with place_in(shared, tenant) as place:
            # Where it once lived, it may stand yet that it went away.
            await place.connection.execute(FORGET_DEPARTURE, tenant)
        async with home.transaction():
            for row in await home.fetch(PLATFORM_COLUMNS):
                await home.execute(f'DELETE FROM enfilade."{row["name"]}" WHERE "{row["of"]}" = $1', tenant)
            await home.execute(FORGET_TENANT, tenant)
            await announce(home, [tenant])


def digest(text: str) -> str:
    """SHA-256, as hexadecimal digits."""
    return hashlib.sha256(text.encode()).hexdigest()
