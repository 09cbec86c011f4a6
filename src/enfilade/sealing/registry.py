"""The registry of master keys: at start it tells whether the keys that were given are the installation's.

Whatever is wrong is found before anything is written: a key that is missing, another one, or of a rotation that is
not finished keeps the process from starting.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

from enfilade.core.ids import IdFactory
from enfilade.sealing import store
from enfilade.sealing.errors import CannotOpen, MasterKeyFault, MasterKeyRefused, MasterKeyUnavailable
from enfilade.sealing.keepers import Keepers
from enfilade.sealing.master_key import MasterKey
from enfilade.sealing.old_form import OldForm
from enfilade.storage.database import Database

KNOWN_VALUE = hashlib.sha256(b"enfilade master key check").digest()
GIVE_BACK = (
    "Give the right key (ENFILADE_MASTER_KEY, ENFILADE_MASTER_KEY_FILE or ENFILADE_MASTER_KEY_SERVICE); if you mean to "
    "rotate, give the former one as ENFILADE_PREVIOUS_MASTER_KEY, _FILE or _SERVICE until `enfilade encryption status` "
    "says that it may go. Nothing was changed."
)


class Registry:
    """See the module."""

    def __init__(self, home: Database, keepers: Keepers, ids: IdFactory) -> None:
        """Look into the installation's own database."""
        self._home = home
        self._keepers = keepers
        self._ids = ids

    async def start(self) -> None:
        """Check the declared master keys, and note a new one.

        Raises MasterKeyFault and MasterKeyUnavailable; nothing was changed then.
        """
        async with self._home.owner() as connection, connection.transaction():
            await connection.execute(store.LOCK_REGISTRY)
            known = {
                row["name"]: row for row in await connection.fetch(store.LIST_MASTER_KEYS) if not row["for_tenant"]
            }
            used = [row for row in await connection.fetch(store.MASTER_KEYS_IN_USE) if not row["for_tenant"]]
            old = await connection.fetchrow(store.OLD_SECRET)
            self._require_declared(used, old)
            self._keepers.open(makes_file=not known and old is None)
            current, previous = self._keepers.current, self._keepers.previous
            if current is None:
                return
            self._check_old(old)
            _require_all(used, [key for key in (current, previous) if key is not None])
            for key in (current, previous):
                if key is not None and (row := known.get(key.name)) is not None:
                    await check_value(key, row["check_value"])
            if current.name not in known:
                await self.register(connection, current, None)
            names = [key.name for key in (current, previous) if key is not None]
            await connection.execute(store.FORGET_MASTER_KEYS, names)

    async def register(self, connection: Any, key: MasterKey, tenant: str | None) -> str:
        """Note a master key and return its id. It wraps and unwraps a known value first, so it works."""
        wrapped = await key.wrap(KNOWN_VALUE, _context(key))
        await check_value(key, wrapped)
        await connection.execute(store.REGISTER_MASTER_KEY, self._ids.new_id(), key.name, tenant, wrapped)
        return str(await connection.fetchval(store.FIND_MASTER_KEY, key.name, tenant))

    def _require_declared(self, used: Sequence[Any], old: Any) -> None:
        if self._keepers.is_declared or not (used or old):
            return
        what = _named(used) if used else "secrets are sealed under a master key"
        message = f"There is no master key, and this installation needs it: {what}. {GIVE_BACK}"
        raise MasterKeyFault(message)

    def _check_old(self, old: Any) -> None:
        """A secret that was sealed directly must open, or the key is another one."""
        if old is None:
            return
        try:
            OldForm(self._keepers.direct()).open(old["sealed"], old["name"])
        except CannotOpen:
            message = (
                f"The master key does not open the secret {old['name']}, which an earlier version sealed. {GIVE_BACK}"
            )
            raise MasterKeyFault(message) from None


async def check_value(key: MasterKey, wrapped: bytes) -> None:
    """Have a master key open its check value. Raises MasterKeyFault, MasterKeyUnavailable."""
    try:
        value = await key.unwrap(wrapped, _context(key))
    except MasterKeyRefused as error:
        message = f"The master key {key.name} does not open its check value: {error.message} {GIVE_BACK}"
        raise MasterKeyFault(message) from error
    except MasterKeyUnavailable as error:
        raise MasterKeyUnavailable(f"{error.message} Without it nothing can be started.") from error
    if value != KNOWN_VALUE:
        message = f"The master key {key.name} opens its check value to something else. {GIVE_BACK}"
        raise MasterKeyFault(message)


def _require_all(used: Sequence[Any], given: Sequence[MasterKey]) -> None:
    names = {key.name for key in given}
    missing = [row for row in used if row["name"] not in names]
    if missing:
        have = ", ".join(sorted(names))
        message = f"{_named(missing)}; that was not given, but {have}. {GIVE_BACK}"
        raise MasterKeyFault(message)


def _named(rows: Sequence[Any]) -> str:
    return "; ".join(f"keys of {row['tenants']} tenants are wrapped under {row['name']}" for row in rows)


def _context(key: MasterKey) -> dict[str, str]:
    return {"enfilade": "master-key-check", "master_key": key.name}
