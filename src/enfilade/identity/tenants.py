"""Tenants: made, changed and removed by the platform's operators."""

from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity import store
from enfilade.identity.errors import InvalidSpecification, UnknownTenant
from enfilade.identity.rows import (
    START,
    TENANT_NAME,
    check_models,
    check_name,
    check_time_zone,
    check_version,
    tenant_of,
)
from enfilade.identity.types import Outcome, Tenant, TenantSpec
from enfilade.storage.unit_of_work import UnitOfWork


class Tenants:
    """The use cases of tenants."""

    def __init__(self, ids: IdFactory) -> None:
        """Name new tenants with `ids`."""
        self._ids = ids

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
        _check(spec)
        present = await self.find(unit, spec.name)
        if present is None:
            identifier = self._ids.new_id()
            await unit.execute(
                store.INSERT_TENANT,
                *(identifier, spec.name, spec.isolation, spec.region, spec.security_level, spec.time_zone),
                *(list(spec.allowed_models), spec.max_tokens_per_request),
            )
            outcome = Outcome.CREATED
        else:
            identifier = present.id
            check_version(expected, present.version)
            if present.spec == spec:
                return present, Outcome.UNCHANGED
            _check_change(present.spec, spec)
            await unit.execute(
                store.UPDATE_TENANT,
                *(identifier, spec.region, spec.security_level, spec.time_zone),
                *(list(spec.allowed_models), spec.max_tokens_per_request),
            )
            outcome = Outcome.CHANGED
        await unit.act_in(identifier)
        unit.record("TenantCreated" if outcome is Outcome.CREATED else "TenantChanged", name=spec.name)
        unit.changed()
        return await self.get(unit, spec.name), outcome

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove a tenant: its keys die at once, its records stay until retention or erasure takes them."""
        tenant = await self.get(unit, name)
        check_version(expected, tenant.version)
        await unit.execute(store.REMOVE_TENANT, tenant.id)
        await unit.act_in(tenant.id)
        unit.record("TenantRemoved", name=tenant.name)
        unit.changed()


def _check(spec: TenantSpec) -> None:
    check_name(spec.name, TENANT_NAME)
    if spec.name == "platform":
        message = "the name 'platform' stands for the installation itself"
        raise InvalidSpecification(message, param="name")
    check_models(spec.allowed_models)
    check_time_zone(spec.time_zone)
    if spec.isolation != "row":
        message = f"isolation {spec.isolation!r} is not offered by this version, which keeps tenants apart by 'row'"
        raise InvalidSpecification(message, param="isolation")
    if spec.max_tokens_per_request is not None and spec.max_tokens_per_request < 1:
        message = "max_tokens_per_request must be at least 1"
        raise InvalidSpecification(message, param="max_tokens_per_request")


def _check_change(present: TenantSpec, wanted: TenantSpec) -> None:
    if present.isolation != wanted.isolation:
        message = "the isolation of a tenant cannot be changed in place"
        raise InvalidSpecification(message, param="isolation")
