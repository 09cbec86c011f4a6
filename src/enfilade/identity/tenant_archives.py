"""Tenants leave as one file, and come from one: to another installation, or back to this one."""

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from enfilade.identity import store
from enfilade.identity.errors import AlreadyExists, InvalidSpecification, UnknownTenant
from enfilade.identity.rows import TENANT_NAME, check_name, tenant_of
from enfilade.identity.types import Tenant
from enfilade.sealing.carrying import CarriedKey, open_keys, put_keys, seal_keys
from enfilade.sealing.parts import KeyParts
from enfilade.storage.announcing import BUMP_REVISION, NOTIFY_REVISION, REVISION_CHANNEL
from enfilade.storage.cells import HOME, ROW, CellDirectory, Placement
from enfilade.storage.making import CellMaker
from enfilade.storage.moving import archive
from enfilade.storage.moving.clearing import clear_rows
from enfilade.storage.moving.copying import ADMIT_OWNER
from enfilade.storage.moving.erasing import MARK_GONE
from enfilade.storage.moving.mover import MIRROR_ROW
from enfilade.storage.moving.places import place_in
from enfilade.storage.moving.tables import read_tables

MARK = MARK_GONE


class TenantArchives:
    """Exports and imports, beside a server or without one. They work as the owner of the databases."""

    def __init__(self, cells: CellDirectory, maker: CellMaker, keys: KeyParts) -> None:
        """Read from and write to `cells`; tenants' keys are among `keys`."""
        self._cells = cells
        self._maker = maker
        self._keys = keys

    async def write(self, name: str, passphrase: str, target: BinaryIO) -> archive.Manifest:
        """Write everything of a tenant into a file. Raises UnknownTenant, KeyWithdrawn."""
        async with self._cells.home.database.owner() as home:
            row = await home.fetchrow(store.FIND_TENANT_AS_OWNER, name)
            if row is None:
                message = f"There is no tenant {name!r}."
                raise UnknownTenant(message)
            tenant = tenant_of(row)
            self._cells.place(tenant.id, Placement(tenant.spec.isolation, tenant.cell))
            salt, carried = await seal_keys(self._keys, tenant.id, passphrase)
            keys = [asdict(key) for key in carried]
            return await archive.write_archive(self._cells.of(tenant.id), tenant.id, home, target, salt, keys)

    async def read(self, path: Path, passphrase: str, *, name: str | None, isolation: str | None) -> Tenant:
        """Restore a tenant from a file, with its ids and its keys. All of it, or nothing.

        Raises ArchiveFault, WrongPassphrase, AlreadyExists, NoMasterKey.
        """
        manifest = archive.read_manifest(path)
        archive.check_hashes(path, manifest)
        tenant = str(manifest.tenant["id"])
        carried = [msgspec.convert(key, CarriedKey) for key in manifest.keys]
        secrets = open_keys(tenant, manifest.salt, carried, passphrase)
        called = name or str(manifest.tenant["name"])
        check_name(called, TENANT_NAME)
        placement = Placement(isolation or str(manifest.tenant["isolation"]), HOME)
        row = manifest.tenant | {"name": called, "isolation": placement.isolation, "cell": placement.host}
        async with self._cells.home.database.owner() as home:
            await self._refuse_taken(home, tenant, called)
            await self._restore(path, manifest, placement)
            try:
                async with home.transaction():
                    await self._register(home, tenant, row)
                    await put_keys(self._keys, home, tenant, carried, secrets)
            except BaseException:
                await self._clear(tenant, placement)
                raise
            return tenant_of(await home.fetchrow(store.FIND_TENANT_AS_OWNER, tenant))

    async def _refuse_taken(self, home: Any, tenant: str, name: str) -> None:
        taken = await home.fetchrow(store.FIND_TAKEN, tenant, name)
        if taken is not None:
            what = f"the id {tenant}" if str(taken["id"]) == tenant else f"the name {name!r}; --as gives it another"
            message = f"There is a tenant with {what}."
            raise AlreadyExists(message)

    async def _restore(self, path: Path, manifest: archive.Manifest, placement: Placement) -> None:
        tenant = str(manifest.tenant["id"])
        # What an import left that did not come to its end is nobody's.
        await self._clear(tenant, placement)
        cell = await self._maker.make(tenant, placement)
        try:
            async with place_in(cell, tenant) as place:
                await place.connection.execute(ADMIT_OWNER)
                await archive.restore(place, path, manifest)
                if not self._cells.is_at_home(cell):
                    row: Mapping[str, Any] = manifest.tenant | {
                        "isolation": placement.isolation,
                        "cell": placement.host,
                    }
                    await place.connection.execute(MIRROR_ROW, msgspec.json.encode(row).decode())
        except BaseException as error:
            await self._clear(tenant, placement)
            if type(error).__name__ == "UniqueViolationError":
                message = f"Something of the archive is here already, under another tenant: {error}"
                raise AlreadyExists(message) from error
            raise

    async def _register(self, home: Any, tenant: str, row: Mapping[str, Any]) -> None:
        await home.execute(MIRROR_ROW, msgspec.json.encode(row).decode())
        revision = await home.fetchval(BUMP_REVISION)
        await home.execute(MARK, tenant, revision)
        await home.fetchval(NOTIFY_REVISION, REVISION_CHANNEL, str(revision))

    async def _clear(self, tenant: str, placement: Placement) -> None:
        if placement.isolation != ROW:
            await self._maker.drop(tenant, placement)
            return
        cell = self._cells.cell_at(tenant, placement)
        if cell is None:
            message = f"There is no cell {placement.host!r}."
            raise InvalidSpecification(message, param="cell")
        async with place_in(cell, tenant) as place:
            await place.connection.execute(ADMIT_OWNER)
            await clear_rows(place, await read_tables(place.connection, cell.schema))
