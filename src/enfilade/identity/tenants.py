"""Tenants: made, changed and removed by the platform's operators."""

import asyncio
from dataclasses import replace

from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity import store
from enfilade.identity.cell_hosts import CellHosts
from enfilade.identity.errors import InvalidSpecification, MoveUnderWay, UnknownTenant
from enfilade.identity.rows import (
    START,
    TENANT_NAME,
    check_models,
    check_name,
    check_time_zone,
    check_version,
    tenant_of,
)
from enfilade.identity.types import ACTIVE, AS_IT_IS, SUSPENDED, Outcome, Tenant, TenantSpec
from enfilade.storage.cells import ISOLATIONS, ROW
from enfilade.storage.making import CellMaker
from enfilade.storage.unit_of_work import UnitOfWork


class Tenants:
    """The use cases of tenants."""

    def __init__(self, ids: IdFactory, maker: CellMaker, hosts: CellHosts) -> None:
        """Name new tenants with `ids`, and have their cells made by `maker` where `hosts` has room."""
        self._ids = ids
        self._maker = maker
        self._hosts = hosts
        self.turn = asyncio.Lock()
        """Held while one is made on request. The database makes one at a time anyhow, but each that waits there has a
        connection that everybody else needs too, and making a cell takes a while."""

    async def page(self, unit: UnitOfWork, after: str | None, limit: int) -> list[Tenant]:
        """Tenants in the order of their making, after the one with the id `after`."""
        rows = await unit.fetch(store.LIST_TENANTS, after or START, limit)
        return [tenant_of(row) for row in rows]

    async def find(self, unit: UnitOfWork, name: str) -> Tenant | None:
        """The tenant of that name or id, if the scope may see it."""
        row = await unit.fetch_row(store.FIND_TENANT, name)
        return None if row is None or str(row["id"]) == PLATFORM_ID else tenant_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> Tenant:
        """Like `find`; raises UnknownTenant."""
        tenant = await self.find(unit, name)
        if tenant is None:
            message = f"There is no tenant {name!r}."
            raise UnknownTenant(message)
        return tenant

    async def put(self, unit: UnitOfWork, spec: TenantSpec, expected: int | None = None) -> tuple[Tenant, Outcome]:
        """Make the tenant as specified, or change it to be so.

        Raises InvalidSpecification, VersionMismatch. Needs a platform scope.
        """
        present = await self.find(unit, spec.name)
        if spec.isolation == AS_IT_IS:
            spec = replace(spec, isolation=ROW if present is None else present.spec.isolation)
        check_spec(spec)
        if present is None:
            identifier = await self._make(unit, spec)
            outcome = Outcome.CREATED
        else:
            identifier = present.id
            check_version(expected, present.version)
            _check_change(present, spec)
            if present.spec == replace(spec, cell=None):
                return present, Outcome.UNCHANGED
            await unit.execute(
                store.UPDATE_TENANT,
                *(identifier, spec.region, spec.security_level, spec.time_zone),
                *(list(spec.allowed_models), spec.max_tokens_per_request),
            )
            outcome = Outcome.CHANGED
        await self.enter(unit, identifier)
        unit.record("TenantCreated" if outcome is Outcome.CREATED else "TenantChanged", name=spec.name)
        unit.changed()
        return await self.get(unit, spec.name), outcome

    async def _make(self, unit: UnitOfWork, spec: TenantSpec) -> str:
        identifier = self._ids.new_id()
        placement = await self._hosts.place(unit, spec)
        if not unit.rehearses:
            # Outside of this transaction: should it fail, an empty cell is left, which `enfilade doctor` names.
            await self._maker.make(identifier, placement)
            self._maker.cells.place(identifier, placement)
        await unit.execute(
            store.INSERT_TENANT,
            *(identifier, spec.name, spec.isolation, placement.host, spec.region, spec.security_level, spec.time_zone),
            *(list(spec.allowed_models), spec.max_tokens_per_request),
        )
        return identifier

    async def enter(self, unit: UnitOfWork, identifier: str) -> None:
        """Act in a tenant whose row has changed; where it lives in another database, the copy there changes too."""
        row = await unit.fetch_row(store.READ_TENANT, identifier)
        assert row is not None, "the row was written just now"
        await unit.act_in(identifier)
        if unit.is_away:
            await unit.execute(store.MIRROR_TENANT, *row.values())

    async def suspend(self, unit: UnitOfWork, name: str, reason: str, expected: int | None = None) -> Tenant:
        """Refuse everything to a tenant from now on; its rows stay, and the platform goes on reading them."""
        return await self._set_state(unit, name, SUSPENDED, reason, expected)

    async def resume(self, unit: UnitOfWork, name: str, expected: int | None = None) -> Tenant:
        """Let a suspended tenant in again."""
        return await self._set_state(unit, name, ACTIVE, None, expected)

    async def _set_state(
        self, unit: UnitOfWork, name: str, state: str, reason: str | None, expected: int | None
    ) -> Tenant:
        tenant = await self.get(unit, name)
        check_version(expected, tenant.version)
        if (tenant.state, tenant.state_reason) == (state, reason):
            return tenant
        if state == ACTIVE and await unit.fetch_value(store.IS_BEING_ERASED, tenant.id):
            message = f"The tenant {name!r} is being erased."
            raise MoveUnderWay(message)
        await unit.execute(store.SET_STATE, tenant.id, state, reason)
        changed = await self.get(unit, tenant.id)
        await self.enter(unit, tenant.id)
        if state == SUSPENDED:
            unit.record("TenantSuspended", name=tenant.name, reason=reason)
        else:
            unit.record("TenantResumed", name=tenant.name)
        unit.changed()
        return changed

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a tenant: its keys die at once, its records stay until retention or erasure takes them."""
        tenant = await self.get(unit, name)
        check_version(expected, tenant.version)
        await unit.execute(store.REMOVE_TENANT, tenant.id)
        await self.enter(unit, tenant.id)
        unit.record("TenantRemoved", name=tenant.name)
        unit.changed()


def check_spec(spec: TenantSpec) -> None:
    """Raises InvalidSpecification."""
    check_name(spec.name, TENANT_NAME)
    if spec.name == "platform":
        message = "the name 'platform' stands for the installation itself"
        raise InvalidSpecification(message, param="name")
    check_models(spec.allowed_models)
    check_time_zone(spec.time_zone)
    if spec.isolation not in ISOLATIONS:
        message = f"isolation must be one of {', '.join(ISOLATIONS)}, not {spec.isolation!r}"
        raise InvalidSpecification(message, param="isolation")
    if spec.max_tokens_per_request is not None and spec.max_tokens_per_request < 1:
        message = "max_tokens_per_request must be at least 1"
        raise InvalidSpecification(message, param="max_tokens_per_request")


def _check_change(present: Tenant, wanted: TenantSpec) -> None:
    for name, here, there in (
        ("isolation", present.spec.isolation, wanted.isolation),
        ("cell", present.cell, wanted.cell or present.cell),
    ):
        if here != there:
            message = f"a tenant changes its {name} by moving: see `enfilade tenant move`"
            raise InvalidSpecification(message, param=name)
