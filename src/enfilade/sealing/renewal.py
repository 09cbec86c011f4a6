"""Wrapping and sealing anew, beside the requests: after a rotation of a master key or of a tenant's key.

Each step commits by itself, so that it can be stopped and resumed anywhere; what is left is seen from the rows
themselves. Calls go on meanwhile: what is old opens as well as what is new. One process at a time does it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any

import structlog

from enfilade.core.clock import to_datetime
from enfilade.core.errors import EnfiladeError
from enfilade.core.ids import PLATFORM_ID
from enfilade.sealing import store
from enfilade.sealing.errors import KeyDestroyed
from enfilade.sealing.parts import KeyParts
from enfilade.sealing.places import Place
from enfilade.sealing.tenant_keys import context_of

EVERY_S = 15.0
KEYS_AT_ONCE = 50
TENANTS_AT_ONCE = 200
SUBJECTS_AT_ONCE = 200
SETTLES_AFTER_S = 10.0
"""By then no process seals under a retired version any more: each heard of the new one within a second."""
FIRST = "00000000-0000-0000-0000-000000000000"
OLD_FORM = "old-form"

log = structlog.get_logger("enfilade.sealing")


@dataclass(frozen=True, slots=True)
class Places:
    """Everything that is sealed directly under a tenant's key."""

    of_platform: Sequence[Place] = ()
    """Under the platform's key, in the platform's own tables."""
    in_cells: Sequence[Place] = ()
    """Under the platform's key, in the cells of tenants."""
    of_tenants: Sequence[Place] = ()
    """Under tenants' or their subjects' keys; only the old form is ever renewed there."""


class Renewal:
    """See the module."""

    def __init__(self, parts: KeyParts) -> None:
        """Renew what stands in the installation's database and in all cells."""
        self._home = parts.home
        self._keepers = parts.keepers
        self._envelope = parts.envelope
        self._tenant_keys = parts.tenant_keys
        self._subject_keys = parts.subject_keys
        self._acts = parts.acts
        self._clock = parts.clock
        self.places = Places()

    async def run(self) -> None:
        """Renew what is to be renewed, now and then, until cancelled."""
        while True:
            try:
                await self.work()
            except EnfiladeError as error:
                log.warning("renewal_postponed", error=error.message)
            await self._clock.sleep(EVERY_S)

    async def work(self) -> int:
        """Do all that is to be done now; how many keys and secrets it were. Raises what storage and key services raise."""
        if not self._envelope.has_key:
            return 0
        async with self._home.owner() as connection:
            if not await connection.fetchval(store.TAKE_RENEWAL):
                return 0  # Another process is at it.
            await self._acts.tell(None)
            done = await self._rewrap(connection)
            done += await self._renew_old_form(connection)
            done += await self._renew_retired(connection)
        if done:
            log.info("keys_renewed", count=done)
        return done

    async def _rewrap(self, connection: Any) -> int:
        """Wrap tenants' keys under the master key that is theirs now."""
        current = self._keepers.require()
        done, after = 0, FIRST
        while rows := await connection.fetch(store.KEYS_TO_REWRAP, current.name, after, KEYS_AT_ONCE):
            for row in rows:
                after = row["id"]
                try:
                    done += await self._rewrap_one(connection, row)
                except EnfiladeError as error:
                    # A tenant's own master key that is not to be had must not keep the others waiting.
                    log.warning("key_not_rewrapped", tenant=str(row["tenant_id"]), error=error.message)
        return done

    async def _rewrap_one(self, connection: Any, row: Any) -> int:
        tenant, identifier = str(row["tenant_id"]), str(row["id"])
        master, master_id = await self._tenant_keys.master_of(connection, tenant)
        secret = await self._tenant_keys.unwrap(row)
        wrapped = await master.wrap(secret, context_of(tenant, identifier, row["version"]))
        return int(await connection.fetchval(store.REWRAP, identifier, row["wrapped"], wrapped, master_id) is not None)

    async def _renew_retired(self, connection: Any) -> int:
        """Move everything under the newest versions of tenants' keys."""
        done, after = 0, FIRST
        if await connection.fetchval(store.PLATFORM_IS_RETIRED, PLATFORM_ID):
            more, whole = await self._renew_platform(connection)
            done += more
            if whole:
                await self._mark(connection, PLATFORM_ID)
        while rows := await connection.fetch(store.TENANTS_WITH_RETIRED, after, TENANTS_AT_ONCE):
            for row in rows:
                after = str(row["tenant_id"])
                try:
                    done += await self._renew_subjects(after)
                    await self._mark(connection, after)
                except EnfiladeError as error:
                    # One whose cell is away, or whose key is withdrawn, must not keep the others waiting.
                    log.warning("tenant_not_renewed", tenant=after, error=error.message)
        return done

    async def _renew_subjects(self, tenant: str) -> int:
        keys = await self._tenant_keys.get(tenant)
        return await _until_none(lambda: self._subject_keys.rewrap(keys, SUBJECTS_AT_ONCE))

    async def _renew_platform(self, connection: Any) -> tuple[int, bool]:
        """Seal the platform's secrets anew, wherever they are; how many, and whether nothing was left out."""
        done, whole = await self._renew_places(self.places.of_platform, PLATFORM_ID)
        more, rest_whole = await self._renew_in(connection, self.places.in_cells)
        return done + more, whole and rest_whole

    async def _renew_old_form(self, connection: Any) -> int:
        """Seal anew what earlier versions sealed directly under the master key; looked for until all of it was found."""
        if await connection.fetchval(store.FIND_MARK, OLD_FORM):
            return 0
        done, whole = await self._renew_platform(connection)
        more, contents_whole = await self._renew_in(connection, self.places.of_tenants)
        if whole and contents_whole:
            await connection.execute(store.SET_MARK, OLD_FORM)
        return done + more

    async def _renew_in(self, connection: Any, places: Sequence[Place]) -> tuple[int, bool]:
        """Renew these places of all tenants."""
        done, whole, after = 0, True, FIRST
        while rows := await connection.fetch(store.LIVE_TENANTS, after, TENANTS_AT_ONCE):
            for row in rows:
                after = str(row["id"])
                more, tenant_whole = await self._renew_places(places, after)
                done, whole = done + more, whole and tenant_whole
        return done, whole

    async def _renew_places(self, places: Sequence[Place], tenant: str) -> tuple[int, bool]:
        done, whole = 0, True
        for place in places:
            try:
                done += await _until_none(partial(place.renew, tenant))
            except KeyDestroyed:
                continue  # What nobody can read any more need not be sealed anew.
            except EnfiladeError as error:
                # One whose cell is away, or in which something was altered, must not keep the others waiting.
                log.warning("place_not_renewed", name=place.name, tenant=tenant, error=error.message)
                whole = False
        return done, whole

    async def _mark(self, connection: Any, tenant: str) -> None:
        settled = to_datetime(self._clock.now_ns()) - timedelta(seconds=SETTLES_AFTER_S)
        await connection.execute(store.MARK_RENEWED, tenant, settled)


async def _until_none(step: Callable[[], Any]) -> int:
    done = 0
    while count := await step():
        done += count
    return done
