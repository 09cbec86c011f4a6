"""Tenants leave as one file: everything of one snapshot, signed by the installation, its keys under a passphrase."""

import base64
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import msgspec
import structlog

from enfilade import __version__
from enfilade.core.clock import to_datetime
from enfilade.core.scope import Scope
from enfilade.identity.archive_means import MOST_AT_ONCE, ArchiveMeans
from enfilade.identity.errors import InvalidSpecification, TooManyArchives
from enfilade.identity.types import Tenant
from enfilade.sealing.carrying import seal_keys
from enfilade.sealing.signing import key_name
from enfilade.storage.moving.archive import FORMAT, KIND, Header, Put, schema_now, write_archive
from enfilade.storage.moving.mover import READ_TENANT_ROW

SHORTEST, LONGEST = 12, 1000

log = structlog.get_logger("enfilade.identity.tenant_archives")


@dataclass(frozen=True, slots=True)
class SigningKey:
    """The public half of the key by which the installation signs."""

    name: str
    public_key: str
    """In base64."""


class TenantArchives:
    """Exports of tenants."""

    def __init__(self, means: ArchiveMeans) -> None:
        """Write with `means`."""
        self._storage = means.storage
        self._cells = means.storage.cells
        self._keys = means.keys
        self._signatures = means.signatures
        self._ids = means.ids
        self._clock = means.clock
        self.running = 0

    async def signing_key(self) -> SigningKey | None:
        """Whom others are to trust; None where there is no master key, and nothing is signed."""
        public = await self._signatures.public_key()
        return None if public is None else SigningKey(key_name(public), base64.b64encode(public).decode())

    async def write(self, scope: Scope, tenant: Tenant, passphrase: str, put: Put) -> None:
        """Give `put` the bytes of an archive. What can go wrong hardly ever goes wrong after the first of them.

        Raises InvalidSpecification, TooManyArchives, KeyWithdrawn, CellUnavailable, DatabaseUnavailable.
        """
        check_passphrase(passphrase)
        if self.running >= MOST_AT_ONCE:
            message = f"{MOST_AT_ONCE} archives are being written here already."
            raise TooManyArchives(message, retry_after=5)
        self.running += 1
        try:
            await self._note(scope, tenant)
            header = partial(self._header, tenant.id, passphrase)
            await write_archive(self._cells, tenant.id, header, self._sign, put)
        finally:
            self.running -= 1
        log.info("tenant_exported", tenant=tenant.id)

    async def _note(self, scope: Scope, tenant: Tenant) -> None:
        """In both logs, before anything is given away; the tenant's own event is in the archive, too."""
        archive = self._ids.new_id()
        async with self._storage.unit_of_work(scope) as unit:
            unit.record("TenantExported", tenant=tenant.id, name=tenant.name, archive=archive)
            await unit.act_in(tenant.id)
            unit.record("TenantExported", tenant=tenant.id, name=tenant.name, archive=archive)

    async def _header(self, tenant: str, passphrase: str) -> Header:
        salt, carried = await seal_keys(self._keys, tenant, passphrase)
        async with self._cells.home.database.owner() as home:
            row: dict[str, Any] = msgspec.json.decode(await home.fetchval(READ_TENANT_ROW, tenant))
        return Header(
            kind=KIND,
            format=FORMAT,
            enfilade=__version__,
            written_at=to_datetime(self._clock.now_ns()),
            schema=schema_now(),
            tenant=row,
            salt=salt,
            keys=[asdict(key) for key in carried],
        )

    async def _sign(self, said: bytes) -> str | None:
        signature = await self._signatures.sign(said)
        return None if signature is None else signature.text()


def check_passphrase(passphrase: str) -> None:
    """Raises InvalidSpecification for one that could be guessed."""
    if not SHORTEST <= len(passphrase) <= LONGEST:
        message = f"the passphrase of an archive has {SHORTEST} to {LONGEST} characters"
        raise InvalidSpecification(message, param="passphrase")
