"""Cell hosts: the databases in which, and next to which, tenants can live. Declared by the platform's operators."""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec
import structlog

from enfilade.core.canonical import canonical_text
from enfilade.core.errors import EnfiladeError, StillInUse
from enfilade.core.ids import IdFactory
from enfilade.identity import store
from enfilade.identity.errors import InvalidSpecification, NoPlace, UnknownCell
from enfilade.identity.rows import START, TENANT_NAME, check_name, check_version
from enfilade.identity.types import CellHost, CellSpec, Outcome, TenantSpec
from enfilade.storage.address import external_address
from enfilade.storage.cells import HOME, ISOLATIONS, CellDirectory, Placement
from enfilade.storage.unit_of_work import UnitOfWork

log = structlog.get_logger("enfilade.identity.cell_hosts")


class AddressSource(Protocol):
    """Follows references to addresses, which hold passwords."""

    def check(self, reference: Mapping[str, str], param: str) -> None:
        """Refuse, with InvalidSpecification, a reference that the operator's settings do not allow."""
        ...

    async def read(self, reference: Mapping[str, str]) -> str | None:
        """What the reference leads to; None when that is nothing."""
        ...


class CellHosts:
    """The use cases of cell hosts."""

    def __init__(self, ids: IdFactory, cells: CellDirectory, addresses: AddressSource, role_secret: str | None) -> None:
        """Let tenants' cells be found on hosts in `cells`; role passwords there derive from `role_secret`, if given."""
        self._ids = ids
        self._cells = cells
        self._addresses = addresses
        self._role_secret = role_secret

    async def page(self, unit: UnitOfWork, after: str | None, limit: int) -> list[CellHost]:
        """Hosts in the order of their making."""
        return [_host_of(row) for row in await unit.fetch(store.LIST_CELL_HOSTS, after or START, limit)]

    async def find(self, unit: UnitOfWork, name: str) -> CellHost | None:
        """The host of that name or id."""
        row = await unit.fetch_row(store.FIND_CELL_HOST, name)
        return None if row is None else _host_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> CellHost:
        """Like `find`; raises UnknownCell."""
        host = await self.find(unit, name)
        if host is None:
            message = f"There is no cell {name!r}."
            raise UnknownCell(message, param="cell")
        return host

    async def put(self, unit: UnitOfWork, spec: CellSpec, expected: int | None = None) -> tuple[CellHost, Outcome]:
        """Declare a host, or change it. Raises InvalidSpecification, VersionMismatch."""
        self._check(spec)
        present = await self.find(unit, spec.name)
        if present is None:
            await unit.execute(store.INSERT_CELL_HOST, self._ids.new_id(), spec.name, canonical_text(spec))
            outcome = Outcome.CREATED
        else:
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
            await unit.execute(store.UPDATE_CELL_HOST, present.id, canonical_text(spec))
            outcome = Outcome.CHANGED
        event = "CellDeclared" if outcome is Outcome.CREATED else "CellChanged"
        unit.record(event, name=spec.name, region=spec.region, capacity=spec.capacity, isolation=list(spec.isolation))
        unit.changed()
        return await self.get(unit, spec.name), outcome

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a host on which nobody lives. Raises StillInUse."""
        host = await self.get(unit, name)
        check_version(expected, host.version)
        if host.spec.name != HOME and host.tenants:
            message = f"{host.tenants} tenants live in the cell {host.spec.name!r}; move them first."
            raise StillInUse(message)
        await unit.execute(store.REMOVE_CELL_HOST, host.id)
        unit.record("CellRemoved", name=host.spec.name)
        unit.changed()

    async def place(self, unit: UnitOfWork, spec: TenantSpec) -> Placement:
        """Where a new tenant, or one that moves, is to live. Raises NoPlace, UnknownCell.

        The cell that the specification names; else one in the tenant's region, where cells have regions; of several the
        one with the most room. The installation's own database is the cell `home`, and takes whom no other is meant for.
        """
        rows = await unit.fetch(store.LIST_CELL_HOSTS, START, 1000)
        hosts = {host.spec.name: host for host in map(_host_of, rows)}
        if HOME not in hosts:
            count = await unit.fetch_value(store.COUNT_IN_CELL, HOME)
            hosts[HOME] = CellHost("", CellSpec(HOME), 0, count)
        if spec.cell is not None:
            if spec.cell not in hosts:
                message = f"There is no cell {spec.cell!r}."
                raise UnknownCell(message, param="cell")
            if why := _why_not(hosts[spec.cell], spec):
                message = f"The cell {spec.cell!r} {why}."
                raise NoPlace(message, param="cell")
            return Placement(spec.isolation, spec.cell)
        fitting = [host for host in hosts.values() if not _why_not(host, spec)]
        near = [host for host in fitting if spec.region is None or host.spec.region in {None, spec.region}]
        # A cell in the very region comes before one that is said to be nowhere in particular.
        exact = [host for host in near if host.spec.region is not None and host.spec.region == spec.region]
        chosen = max(exact or near, key=_room, default=None)
        if chosen is None:
            where = f" in the region {spec.region!r}" if fitting else ""
            message = f"No cell{where} has room for a tenant with isolation {spec.isolation!r}."
            raise NoPlace(message, param="region" if fitting else "isolation")
        return Placement(spec.isolation, chosen.spec.name)

    async def open(self, unit: UnitOfWork) -> None:
        """Make the declared hosts known to this process. One whose address leads nowhere is logged and left out."""
        for row in await unit.fetch(store.LIST_CELL_HOSTS, START, 1000):
            spec = _host_of(row).spec
            if spec.name == HOME or spec.address is None:
                continue
            try:
                url = await self._addresses.read(spec.address)
                if url is None:
                    log.error("cell_address_missing", name=spec.name)
                    continue
                await self._cells.put_host(spec.name, external_address(url, self._role_secret))
            except EnfiladeError as error:
                log.error("cell_unusable", cell=spec.name, error=error.message)  # noqa: TRY400

    def _check(self, spec: CellSpec) -> None:
        check_name(spec.name, TENANT_NAME)
        if not spec.isolation or set(spec.isolation) - set(ISOLATIONS):
            message = f"isolation lists some of {', '.join(ISOLATIONS)}"
            raise InvalidSpecification(message, param="isolation")
        if spec.capacity is not None and spec.capacity < 0:
            message = "capacity is a number of tenants, 0 or more"
            raise InvalidSpecification(message, param="capacity")
        if (spec.name == HOME) != (spec.address is None):
            message = (
                "the cell 'home' is the installation's own database, whose address is a setting"
                if spec.name == HOME
                else "a cell needs the address of its database, as a reference: {env: NAME}, {file: PATH} or {vault: …}"
            )
            raise InvalidSpecification(message, param="address")
        if spec.address is not None:
            self._addresses.check(spec.address, "address")


def _why_not(host: CellHost, spec: TenantSpec) -> str | None:
    if spec.isolation not in host.spec.isolation:
        return f"does not offer isolation {spec.isolation!r}"
    if host.spec.capacity is not None and host.tenants >= host.spec.capacity:
        return f"is full: it has room for {host.spec.capacity} tenants"
    return None


def _room(host: CellHost) -> tuple[bool, float]:
    """Other cells than `home` first, then the one with the most room."""
    room = float("inf") if host.spec.capacity is None else host.spec.capacity - host.tenants
    return host.spec.name != HOME and host.spec.region is not None, room


def _host_of(row: Any) -> CellHost:
    return CellHost(str(row["id"]), msgspec.json.decode(row["spec"], type=CellSpec), row["version"], row["tenants"])
