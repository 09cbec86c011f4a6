"""Tenants' keys: read, unwrapped, made. Only here is a wrapped tenant key ever read."""

import asyncio
import os
from collections.abc import Iterable, Sequence
from typing import Any

from enfilade.core.ids import IdFactory
from enfilade.sealing import store
from enfilade.sealing.cipher import KEY_BYTES
from enfilade.sealing.errors import KeyDestroyed, KeyWithdrawn, MasterKeyFault, MasterKeyRefused, NoMasterKey
from enfilade.sealing.keepers import Keepers
from enfilade.sealing.keyring import Key, TenantKeys
from enfilade.sealing.master_key import MasterKey
from enfilade.storage.database import Database

USABLE = frozenset({"active", "retired"})
AT_ONCE = 8
"""How many keys a service is asked to unwrap at the same time."""


class TenantKeyStore:
    """See the module."""

    def __init__(self, home: Database, keepers: Keepers, ids: IdFactory) -> None:
        """Keep them in the installation's own database."""
        self._home = home
        self._keepers = keepers
        self._ids = ids

    async def get(self, tenant: str) -> TenantKeys:
        """The tenant's keys, made if it has none yet.

        Raises KeyWithdrawn, KeyDestroyed, NoMasterKey, MasterKeyUnavailable, DatabaseUnavailable.
        """
        if self._keepers.current is None:
            message = "Contents and secrets are sealed under a master key, and there is none."
            raise NoMasterKey(message)
        async with self._home.owner() as connection:
            rows = await connection.fetch(store.LOAD_KEYS_OF, [tenant])
            if not rows:
                master, master_id = await self.master_of(connection, tenant)
                await self.add(connection, tenant, 1, master, master_id)
                rows = await connection.fetch(store.LOAD_KEYS_OF, [tenant])
        return await self.unwrapped(tenant, rows)

    async def every(self, most: int) -> list[TenantKeys]:
        """The keys of all tenants whose master key is in this process, as far as `most` versions go."""
        here = {key.name for key in (self._keepers.current, self._keepers.previous) if key is not None and key.direct}
        if not here:
            return []
        async with self._home.owner() as connection:
            rows = await connection.fetch(store.LOAD_ALL_KEYS, most)
        by_tenant: dict[str, list[Any]] = {}
        for row in rows:
            by_tenant.setdefault(str(row["tenant_id"]), []).append(row)
        if len(rows) == most and by_tenant:
            by_tenant.popitem()  # Perhaps not whole.
        return [
            await self.unwrapped(tenant, found)
            for tenant, found in by_tenant.items()
            if all(row["master_key"] in here for row in found)
        ]

    async def master_of(self, connection: Any, tenant: str) -> tuple[MasterKey, str]:
        """The master key under which the tenant's keys belong, and its id."""
        row = await connection.fetchrow(store.FIND_TENANT_MASTER_KEY, tenant)
        if row is not None:
            return self._keepers.named(row["name"]), str(row["id"])
        current = self._keepers.require()
        return current, str(await connection.fetchval(store.FIND_MASTER_KEY, current.name, None))

    async def add(self, connection: Any, tenant: str, version: int, master: MasterKey, master_id: str) -> str | None:
        """Make a version of the tenant's key; its id, or None when somebody else just made that version."""
        identifier = self._ids.new_id()
        wrapped = await master.wrap(os.urandom(KEY_BYTES), context_of(tenant, identifier, version))
        made = await connection.fetchval(store.ADD_TENANT_KEY, tenant, version, identifier, master_id, wrapped)
        return None if made is None else str(made)

    async def unwrapped(self, tenant: str, rows: Sequence[Any]) -> TenantKeys:
        """Keys from their rows. Raises as `get` does."""
        usable = [row for row in rows if row["state"] in USABLE]
        if not usable:
            raise closed(withdrawn=any(row["state"] == "withdrawn" for row in rows))
        secrets = await self._unwrap_all(usable)
        keys = {
            str(row["id"]): Key(tenant, None, str(row["id"]), row["version"], secret)
            for row, secret in zip(usable, secrets, strict=True)
        }
        own = any(row["for_tenant"] is not None for row in usable)
        return TenantKeys(tenant, next(reversed(keys.values())), keys, own)

    async def unwrap(self, row: Any) -> bytes:
        """The secret of one row. Raises MasterKeyUnavailable, MasterKeyFault, KeyWithdrawn."""
        context = context_of(str(row["tenant_id"]), str(row["id"]), row["version"])
        try:
            return await self._keepers.named(row["master_key"]).unwrap(row["wrapped"], context)
        except MasterKeyRefused as error:
            if row["for_tenant"] is None:
                raise MasterKeyFault(error.message) from error
            message = f"The tenant's own master key cannot be used: {error.message}"
            raise KeyWithdrawn(message) from error

    async def _unwrap_all(self, rows: Iterable[Any]) -> list[bytes]:
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(row: Any) -> bytes:
            async with turns:
                return await self.unwrap(row)

        listed = list(rows)
        if len(listed) == 1:
            return [await self.unwrap(listed[0])]
        return await asyncio.gather(*(one(row) for row in listed))


def context_of(tenant: str, identifier: str, version: int) -> dict[str, str]:
    """What a tenant's key is bound to while it is wrapped."""
    return {"enfilade": "tenant-key", "tenant": tenant, "key": identifier, "version": str(version)}


def closed(*, withdrawn: bool) -> KeyWithdrawn | KeyDestroyed:
    """The error for a tenant without a usable key."""
    if withdrawn:
        return KeyWithdrawn("The tenant's encryption key is withdrawn, so nothing of it can be read or served.")
    return KeyDestroyed("The tenant's encryption key was destroyed, so nothing of it can be read or served.")
