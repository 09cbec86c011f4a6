"""Tenants come from a file: all of it, or nothing, also where whoever works on it is killed.

An import is noted before anything is made, and its lock is held by the connection of whoever works on it. What the tenant
is made of stands in its cell before the registry knows it: nobody sees it until then. What somebody left behind in
between, the next server or the next import of the same tenant clears away.
"""

import asyncio
from dataclasses import dataclass, field
from typing import IO, Any

import msgspec
import structlog

from enfilade.core.canonical import canonical_text
from enfilade.core.errors import EnfiladeError
from enfilade.core.scope import Scope
from enfilade.identity import store
from enfilade.identity.archive_means import MOST_AT_ONCE, ArchiveMeans
from enfilade.identity.archive_trust import Trust, Vouched, vouched_for
from enfilade.identity.cell_hosts import CellHosts
from enfilade.identity.errors import AlreadyExists, InvalidSpecification, TooManyArchives
from enfilade.identity.rows import tenant_of
from enfilade.identity.scopes import system_scope
from enfilade.identity.tenants import check_spec
from enfilade.identity.types import Tenant, TenantSpec
from enfilade.sealing.carrying import CarriedKey, open_keys, put_keys
from enfilade.storage.announcing import announce
from enfilade.storage.cells import Placement
from enfilade.storage.errors import ArchiveFault
from enfilade.storage.making import CellMaker
from enfilade.storage.moving import imports
from enfilade.storage.moving.arrivals import clear_arrival, put_tenant
from enfilade.storage.moving.places import place_in
from enfilade.storage.moving.restoring import RowsTaken, explained, restore
from enfilade.storage.moving.unpacking import Archive, open_archive

LOOK_EVERY_S = 5.0
PART = "imports"

log = structlog.get_logger("enfilade.identity.tenant_imports")


@dataclass(frozen=True, slots=True)
class ImportOrder:
    """How an archive is to be restored."""

    passphrase: str = field(repr=False)
    name: str | None = None
    """Another name."""
    isolation: str | None = None
    """As it was, if left out."""
    cell: str | None = None
    """One with room, if left out."""
    trust: Trust = field(default_factory=Trust)


@dataclass(frozen=True, slots=True)
class Imported:
    """A tenant that came, and who vouched for its archive."""

    tenant: Tenant
    rows: int
    vouched: Vouched


@dataclass(frozen=True, slots=True)
class _Arrival:
    """An archive that can be restored, and where it goes."""

    id: str
    archive: Archive
    row: dict[str, Any]
    """The tenant's row, as it is going to be here."""
    keys: list[CarriedKey]
    secrets: dict[str, bytes] = field(repr=False)
    placement: Placement
    vouched: Vouched

    @property
    def tenant(self) -> str:
        """The tenant's id."""
        return self.archive.tenant


class TenantImports:
    """Imports of tenants."""

    def __init__(self, means: ArchiveMeans, maker: CellMaker, hosts: CellHosts) -> None:
        """Read with `means`, and restore into cells on `hosts`, which `maker` makes."""
        self._storage = means.storage
        self._cells = means.storage.cells
        self._home = means.storage.cells.home.database
        self._maker = maker
        self._hosts = hosts
        self._keys = means.keys
        self._signatures = means.signatures
        self._ids = means.ids
        self._clock = means.clock
        self.running = 0

    async def read(self, scope: Scope, file: IO[bytes], order: ImportOrder) -> Imported:
        """Restore a tenant from a file, with its ids and its keys.

        Raises ArchiveFault, UntrustedArchive, WrongPassphrase, AlreadyExists, NoMasterKey, NoPlace, UnknownCell,
        InvalidSpecification, TooManyArchives, DatabaseUnavailable.
        """
        if self.running >= MOST_AT_ONCE:
            message = f"{MOST_AT_ONCE} archives are being read here already."
            raise TooManyArchives(message, retry_after=5)
        self.running += 1
        try:
            archive = await asyncio.to_thread(open_archive, file)
            vouched = await vouched_for(archive, order.trust, self._signatures)
            keys = _keys_of(archive)
            header = archive.header
            secrets = await asyncio.to_thread(open_keys, archive.tenant, header.salt, keys, order.passphrase)
            placement, row = await self._placed(scope, archive, order)
            await asyncio.to_thread(archive.check)
            arrival = _Arrival(self._ids.new_id(), archive, row, keys, secrets, placement, vouched)
            async with self._home.owner() as home:
                await self._claim(scope, home, arrival)
                tenant = await self._arrive(home, arrival)
                await self._record(scope, arrival.id)
        finally:
            self.running -= 1
        log.info("tenant_imported", tenant=tenant.id)
        return Imported(tenant, archive.manifest.rows, vouched)

    async def _placed(self, scope: Scope, archive: Archive, order: ImportOrder) -> tuple[Placement, dict[str, Any]]:
        """Where the tenant is to live, and its row."""
        said = archive.header.tenant
        spec = _spec_of(said, order)
        check_spec(spec)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            placement = await self._hosts.place(unit, spec)
        changes = {"name": spec.name, "isolation": placement.isolation, "cell": placement.host, "removed_at": None}
        return placement, said | changes

    async def _claim(self, scope: Scope, home: Any, arrival: _Arrival) -> None:
        """Note the import. Raises AlreadyExists."""
        name, tenant = arrival.row["name"], arrival.tenant
        await _refuse_taken(home, tenant, name)
        about = {"rows": arrival.archive.manifest.rows, "signed_by": arrival.vouched.key}
        await home.fetchval(imports.HOLD_IMPORT, arrival.id)
        values = (arrival.id, tenant, name, arrival.placement.isolation, arrival.placement.host, scope.actor)
        while await home.fetchval(imports.ADD_IMPORT, *values, canonical_text(about)) is None:
            other = await home.fetchrow(imports.FIND_IMPORT_OF, tenant)
            if other is not None and not await self.tidy(str(other["id"])):
                message = f"The tenant {other['name']!r} is being imported at this moment."
                raise AlreadyExists(message)
            await _refuse_taken(home, tenant, name)

    async def _arrive(self, home: Any, arrival: _Arrival) -> Tenant:
        tenant, placement = arrival.tenant, arrival.placement
        try:
            cell = await self._maker.make(tenant, placement)
            mirror = None if self._cells.is_at_home(cell) else arrival.row
            async with place_in(cell, tenant) as place:
                await restore(place, arrival.archive, mirror)
            async with explained(), home.transaction():
                # By the connection that holds the lock: were it lost, somebody else may have cleared everything by now.
                await home.execute(imports.NOTE_ARRIVAL, arrival.id)
                await put_tenant(home, arrival.row)
                await put_keys(self._keys, home, tenant, arrival.keys, arrival.secrets)
                await announce(home, [tenant])
        except BaseException as error:
            try:
                await self.tidy(arrival.id, home)
            except Exception as left:  # noqa: BLE001 - it must not hide why the import failed; a server clears it
                log.warning("import_not_cleared", error=f"{type(left).__name__}: {left}")
            if isinstance(error, RowsTaken):
                message = f"Something of the archive is here already, under another tenant: {error}"
                raise AlreadyExists(message) from error
            raise
        self._cells.place(tenant, placement)
        return tenant_of(await home.fetchrow(store.FIND_TENANT_AS_OWNER, tenant))

    async def tidy(self, identifier: str, home: Any = None) -> bool:
        """Clear away what an import left, or write its event, unless somebody is at it; whether it is gone now.

        `home` is a connection that holds the import's lock already. Raises CellUnavailable, DatabaseUnavailable.
        """
        if home is None:
            async with self._home.owner() as connection:
                held = await connection.fetchval(imports.HOLD_IMPORT, identifier)
                return held and await self.tidy(identifier, connection)
        row = await home.fetchrow(imports.FIND_IMPORT, identifier)
        if row is None:
            return True
        if row["step"] == "recording":
            self._cells.place(str(row["imported"]), Placement(row["isolation"], row["cell"]))
            await self._record(system_scope(PART), identifier)
            return True
        placement = Placement(row["isolation"], row["cell"])
        await clear_arrival(self._cells, self._maker, str(row["imported"]), placement)
        await home.execute(imports.END_IMPORT, identifier)
        log.warning("import_cleared", tenant=str(row["imported"]))
        return True

    async def _record(self, scope: Scope, identifier: str) -> None:
        """Say in both logs that a tenant came. With that the import has ended."""
        async with self._storage.unit_of_work(scope) as unit:
            row = await unit.fetch_row(imports.FIND_IMPORT, identifier)
            if row is None:
                return
            tenant = str(row["imported"])
            told = {"tenant": tenant, "name": row["name"], "by": row["actor"]} | msgspec.json.decode(row["about"])
            await unit.execute(imports.END_IMPORT, identifier)
            unit.record("TenantImported", **told)
            await unit.act_in(tenant)
            unit.record("TenantImported", **told)

    async def run(self) -> None:
        """Clear away, now and then, what imports left whose process died, until cancelled."""
        while True:
            try:
                async with self._storage.unit_of_work(system_scope(PART), readonly=True) as unit:
                    waiting = [str(row["id"]) for row in await unit.fetch(imports.LIST_IMPORTS)]
                for identifier in waiting:
                    await self.tidy(identifier)
            except EnfiladeError as error:
                log.warning("import_not_cleared", error=error.message)
            except Exception as error:  # noqa: BLE001 - what cannot be cleared must not end the process; it is tried again
                log.error("import_not_cleared", error=f"{type(error).__name__}: {error}")  # noqa: TRY400
            await self._clock.sleep(LOOK_EVERY_S)


def _keys_of(archive: Archive) -> list[CarriedKey]:
    try:
        return [msgspec.convert(key, CarriedKey) for key in archive.header.keys]
    except msgspec.ValidationError as error:
        message = f"The archive was altered: its keys cannot be understood: {error}"
        raise ArchiveFault(message) from None


def _spec_of(said: dict[str, Any], order: ImportOrder) -> TenantSpec:
    try:
        spec = msgspec.convert(said, _Said, strict=False)
    except msgspec.ValidationError as error:
        message = f"The archive was altered: its tenant cannot be understood: {error}"
        raise ArchiveFault(message) from None
    if order.name is not None and not order.name:
        message = "the name is empty"
        raise InvalidSpecification(message, param="name")
    return TenantSpec(
        order.name or spec.name,
        order.isolation or spec.isolation,
        spec.region,
        spec.security_level,
        spec.time_zone,
        spec.allowed_models,
        spec.max_tokens_per_request,
        order.cell,
    )


class _Said(msgspec.Struct):
    """What a tenant's row says of what can be checked."""

    name: str
    isolation: str
    time_zone: str
    allowed_models: tuple[str, ...]
    region: str | None = None
    security_level: str | None = None
    max_tokens_per_request: int | None = None


async def _refuse_taken(home: Any, tenant: str, name: str) -> None:
    taken = await home.fetchrow(store.FIND_TAKEN, tenant, name)
    if taken is not None:
        what = f"the id {tenant}" if str(taken["id"]) == tenant else f"the name {name!r}; --as gives it another"
        message = f"There is a tenant with {what}."
        raise AlreadyExists(message)
