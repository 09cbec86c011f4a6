"""Secrets that were given as values: kept sealed in the database, opened with the owner's rights when they are loaded."""

from collections.abc import Collection, Iterable

import structlog

from enfilade.core.errors import EnfiladeError
from enfilade.providers import store
from enfilade.providers.types import ProviderSpec, SecretReference
from enfilade.sealing.sealer import Sealer
from enfilade.storage.database import Database
from enfilade.storage.unit_of_work import UnitOfWork

PREVIOUS = "previous_api_key"
"""The name under which a key that was replaced is kept."""

ROWS_AT_ONCE = 50

log = structlog.get_logger("enfilade.providers")


class SealedSecrets:
    """The sealed secrets of providers; for the renewal of keys a `Place`."""

    name = "providers"

    def __init__(self, sealer: Sealer, home: Database) -> None:
        """Seal with `sealer`, read from `home`."""
        self._sealer = sealer
        self._home = home

    async def put(self, unit: UnitOfWork, purpose: str, secret: str) -> bool:
        """Keep the secret; tell whether it is another one than before. Raises StorageFault without a master key."""
        if self._sealer.is_same(await unit.fetch_value(store.READ_FINGERPRINT, purpose), secret, purpose):
            return False
        fingerprint = self._sealer.fingerprint(secret, purpose)
        await unit.execute(store.PUT_SECRET, purpose, self._sealer.seal(secret, purpose), fingerprint)
        return True

    async def forget(self, unit: UnitOfWork, name: str, kept: Iterable[SecretReference]) -> None:
        """Delete what was sealed for a provider, but for what is referred to still."""
        await unit.execute(store.FORGET_SECRETS, f"provider:{name}", [reference.sealed or "" for reference in kept])

    async def open(self, names: Collection[str]) -> dict[str, str]:
        """The secrets of these names; what cannot be opened is told in the log and left out."""
        if not names:
            return {}
        async with self._home.owner() as connection:
            rows = await connection.fetch(store.READ_SECRETS, list(names))
        opened = {}
        for row in rows:
            try:
                opened[row["name"]] = self._sealer.open(row["sealed"], row["name"])
            except EnfiladeError as error:
                log.error("secret_unusable", name=row["name"], error=error.message)  # noqa: TRY400
        return opened

    async def renew(self, tenant: str) -> int:
        """See `Place.renew`. What cannot be opened stays as it is."""
        del tenant
        done = 0
        async with self._home.owner() as connection:
            for row in await connection.fetch(store.OUTDATED_SECRETS, self._sealer.mark, ROWS_AT_ONCE):
                name, former = row["name"], row["sealed"]
                try:
                    secret = self._sealer.open(former, name)
                except EnfiladeError as error:
                    log.error("secret_unusable", name=name, error=error.message)  # noqa: TRY400
                    continue
                sealed, fingerprint = self._sealer.seal(secret, name), self._sealer.fingerprint(secret, name)
                # Whoever gave another secret meanwhile has sealed it already.
                await connection.execute(store.RESEAL_SECRET, name, former, sealed, fingerprint)
                done += 1
        return done

    async def outdated(self, tenant: str) -> int:
        """See `Place.outdated`."""
        del tenant
        async with self._home.owner() as connection:
            return int(await connection.fetchval(store.COUNT_OUTDATED_SECRETS, self._sealer.mark))


def purpose_of(provider: str, name: str) -> str:
    """What a secret is sealed for."""
    return f"provider:{provider}" if name == "api_key" else f"provider:{provider}:{name}"


def all_references(spec: ProviderSpec) -> dict[str, SecretReference]:
    """Where all secrets of a provider are, that of a key that was replaced included."""
    previous = spec.previous_key
    return spec.references() | ({} if previous is None else {PREVIOUS: previous.reference})
