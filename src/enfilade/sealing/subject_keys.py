"""Subjects' keys: one for each person whose contents are kept, or application where there is no person.

They stand in the tenant's cell, wrapped under the tenant's key. Without that key they open nothing; without them the
contents cannot be read, so that destroying one erases its subject's contents.
"""

import os
from collections.abc import Callable, Collection
from datetime import datetime
from typing import Any

from enfilade.core.ids import IdFactory
from enfilade.core.scope import Scope
from enfilade.sealing import store
from enfilade.sealing.cipher import KEY_BYTES
from enfilade.sealing.errors import ContentErased
from enfilade.sealing.forms import altered
from enfilade.sealing.keyring import Key, TenantKeys
from enfilade.storage.unit_of_work import Storage, UnitOfWork

ScopeOf = Callable[[str], Scope]
"""The scope in which this part of the program works for a tenant. Only identity makes scopes."""


class SubjectKeyStore:
    """See the module."""

    def __init__(self, storage: Storage, scope_of: ScopeOf, ids: IdFactory) -> None:
        """Keep them where the tenant's rows are."""
        self._storage = storage
        self._scope_of = scope_of
        self._ids = ids

    async def get(self, keys: TenantKeys, subject: str) -> Key:
        """The subject's key, made if it has none yet. Raises ContentErased, DatabaseUnavailable, CannotOpen."""
        scope = self._scope_of(keys.tenant)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            row = await unit.fetch_row(store.FIND_SUBJECT_KEYS, subject)
        if row is None:
            # Nobody waits for the tenant's lock here: whoever comes second takes the first one's key.
            async with self._storage.unit_of_work(scope, alone=False) as unit:
                identifier = self._ids.new_id()
                wrapped = wrap(keys.active, subject, identifier, 1, os.urandom(KEY_BYTES))
                await unit.execute(store.ADD_SUBJECT_KEY, keys.tenant, identifier, subject, 1, keys.active.id, wrapped)
                row = await unit.fetch_row(store.FIND_SUBJECT_KEYS, subject)
        assert row is not None
        if row["wrapped"] is None:
            message = "What was kept of this person was erased, and nothing new is kept."
            raise ContentErased(message)
        return unwrap(keys, row)

    async def load(self, keys: TenantKeys, identifiers: Collection[str]) -> tuple[list[Key], set[str]]:
        """The keys with these ids, and which of the ids were erased. One that is neither does not exist."""
        async with self._storage.unit_of_work(self._scope_of(keys.tenant), readonly=True) as unit:
            rows = await unit.fetch(store.LOAD_SUBJECT_KEYS, list(identifiers))
        erased = {str(row["id"]) for row in rows if row["wrapped"] is None}
        return [unwrap(keys, row) for row in rows if row["wrapped"] is not None], erased

    async def erase(self, unit: UnitOfWork, subject: str, tenant_key: str, at: datetime) -> list[str]:
        """Destroy a subject's keys, and see to it that none is made again; the ids of those that there were."""
        rows = await unit.fetch(store.ERASE_SUBJECT, subject, at)
        await unit.execute(store.ADD_ERASED_SUBJECT, unit.tenant, self._ids.new_id(), subject, tenant_key, at)
        return [str(row["id"]) for row in rows]

    async def rewrap(self, keys: TenantKeys, most: int) -> int:
        """Wrap up to `most` keys under the newest version of the tenant's key; how many it were."""
        async with self._storage.unit_of_work(self._scope_of(keys.tenant), alone=False) as unit:
            rows = await unit.fetch(store.SUBJECT_KEYS_NOT_UNDER, keys.active.id, most)
            for row in rows:
                identifier, subject = str(row["id"]), str(row["subject_id"])
                secret = unwrap_secret(keys, row)
                wrapped = wrap(keys.active, subject, identifier, row["version"], secret)
                await unit.execute(store.REWRAP_SUBJECT_KEY, identifier, wrapped, keys.active.id)
        return len(rows)

    async def count(self, tenant: str, active: str) -> Any:
        """How many keys are live, erased, and wrapped under an older version."""
        async with self._storage.unit_of_work(self._scope_of(tenant), readonly=True) as unit:
            return await unit.fetch_row(store.COUNT_SUBJECT_KEYS, active)


def wrap(key: Key, subject: str, identifier: str, version: int, secret: bytes) -> bytes:
    """A subject's key under its tenant's."""
    return key.seal(_purpose(subject, identifier, version), secret)


def unwrap_secret(keys: TenantKeys, row: Any) -> bytes:
    """A subject's key itself. Raises CannotOpen."""
    purpose = _purpose(str(row["subject_id"]), str(row["id"]), row["version"])
    key = keys.versions.get(str(row["tenant_key"]))
    if key is None:
        raise altered(purpose)
    return key.open(purpose, row["wrapped"])


def unwrap(keys: TenantKeys, row: Any) -> Key:
    """A subject's key, ready for use. Raises CannotOpen."""
    return Key(keys.tenant, str(row["subject_id"]), str(row["id"]), row["version"], unwrap_secret(keys, row))


def _purpose(subject: str, identifier: str, version: int) -> str:
    return f"subject-key:{subject}:{identifier}:{version}"
