"""What administrators do with keys: look, rotate, withdraw, restore, destroy, bring their own, erase a person."""

import fnmatch
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from enfilade.core.clock import to_datetime
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.sealing import store
from enfilade.sealing.errors import InvalidMasterKeyService, KeyStateConflict, NoMasterKey, WithdrawnByPlatform
from enfilade.sealing.parts import KeyParts
from enfilade.sealing.renewal import OLD_FORM, Renewal
from enfilade.sealing.statuses import InstallationStatus, MasterKeyUse, TenantStatus, version_of
from enfilade.sealing.tenant_keys import closed
from enfilade.storage.unit_of_work import UnitOfWork

TENANT, PLATFORM = "tenant", "platform"
"""Who withdrew a key."""
Change = Callable[[Any, Sequence[Any]], Awaitable[dict[str, Any]]]
"""Changes a tenant's keys on a connection of the owner's, given their rows, and returns what the event says."""


class Encryption:
    """See the module. Who may do what is the caller's to check; scopes are already confined to the tenant."""

    def __init__(self, parts: KeyParts, renewal: Renewal, own_services: Sequence[str] = ()) -> None:
        """Tenants may bring master keys whose names are like `own_services`; the platform's operator any."""
        self._home = parts.home
        self._keepers = parts.keepers
        self._registry = parts.registry
        self._envelope = parts.envelope
        self._tenant_keys = parts.tenant_keys
        self._subject_keys = parts.subject_keys
        self._acts = parts.acts
        self._clock = parts.clock
        self._renewal = renewal
        self._own_services = own_services

    async def status(self) -> InstallationStatus:
        """How the installation's things are sealed, and how far rotations have come."""
        if not self._envelope.has_key:
            return InstallationStatus(has_master_key=False)
        async with self._home.owner() as connection:
            uses = await connection.fetch(store.STATUS_BY_MASTER_KEY)
            counts = await connection.fetchrow(store.COUNT_STATES)
            versions = await connection.fetch(store.TENANT_KEYS_SHOWN, PLATFORM_ID)
            old_form_done = bool(await connection.fetchval(store.FIND_MARK, OLD_FORM))
        outdated = 0
        for place in self._renewal.places.of_platform:
            outdated += await place.outdated(PLATFORM_ID)
        current = self._keepers.require().name
        return InstallationStatus(
            has_master_key=True,
            master_keys=tuple(
                MasterKeyUse(
                    name=row["name"],
                    tenants=row["tenants"],
                    keys=row["keys"],
                    is_current=row["name"] == current and row["for_tenant"] is None,
                    may_be_removed=not row["keys"] and old_form_done and row["name"] != current,
                    own_of_tenant=row["for_tenant"] is not None,
                )
                for row in uses
            ),
            active=counts["active"],
            retired=counts["retired"],
            renewing=counts["renewing"],
            withdrawn=counts["withdrawn"],
            destroyed=counts["destroyed"],
            secrets_outdated=outdated,
            old_form_done=old_form_done,
            platform=tuple(version_of(row) for row in versions),
        )

    async def status_of(self, tenant: str) -> TenantStatus:
        """How a tenant's things are sealed."""
        async with self._home.owner() as connection:
            rows = await connection.fetch(store.TENANT_KEYS_SHOWN, tenant)
        versions = tuple(version_of(row) for row in rows)
        active = next((one for one in versions if one.state == "active"), None)
        if active is None:
            states = {one.state for one in versions}
            state = "withdrawn" if "withdrawn" in states else "destroyed" if states else "none"
            return TenantStatus(tenant, state, versions, _withdrawn_by(rows))
        counts = await self._subject_keys.count(tenant, active.id)
        return TenantStatus(tenant, "active", versions, None, counts["live"], counts["erased"], counts["outdated"])

    async def rotate(self, scope: Scope) -> None:
        """Give the scope's tenant a new version of its key; what is under older ones is moved in the background.

        Raises KeyWithdrawn, KeyDestroyed, NoMasterKey, MasterKeyUnavailable, MasterKeyRefused.
        """
        await self._tenant_keys.get(scope.tenant)

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            if not any(row["state"] == "active" for row in rows):
                raise closed(withdrawn=any(row["state"] == "withdrawn" for row in rows))
            version = rows[-1]["version"] + 1
            await connection.execute(store.RETIRE_ACTIVE, scope.tenant, to_datetime(self._clock.now_ns()))
            master, master_id = await self._tenant_keys.master_of(connection, scope.tenant)
            made = await self._tenant_keys.add(connection, scope.tenant, version, master, master_id)
            return {"version": version, "key": made, "master_key": master.name}

        await self._act(scope, "TenantKeyRotated", change)

    async def withdraw(self, scope: Scope, *, by_platform: bool) -> None:
        """Let nothing of the scope's tenant be read, until its key is restored.

        What the tenant withdrew, the platform may withdraw once more, and nobody else gives it back then. No service is
        asked for the key: one that is away must not keep it in use. Raises KeyWithdrawn, KeyDestroyed, KeyStateConflict.
        """
        self._require_tenant(scope)

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            versions = [row["version"] for row in rows if row["state"] != "destroyed"]
            former = _withdrawn_by(rows)
            if (rows and not versions) or (former and not (by_platform and former == TENANT)):
                raise closed(withdrawn=former is not None)
            if not rows:
                versions = await self._first(connection, scope.tenant)
            by = PLATFORM if by_platform else TENANT
            await connection.execute(store.WITHDRAW, scope.tenant, by)
            return {"versions": versions, "withdrawn_by": by}

        await self._act(scope, "TenantKeyWithdrawn", change)

    async def restore(self, scope: Scope, *, by_platform: bool) -> None:
        """Give a withdrawn key back. Raises KeyStateConflict when it is not withdrawn, WithdrawnByPlatform."""

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            versions = [row["version"] for row in rows if row["state"] == "withdrawn"]
            if not versions:
                message = "The tenant's key is not withdrawn."
                raise KeyStateConflict(message)
            _require_above(rows, by_platform=by_platform)
            await connection.execute(store.RESTORE, scope.tenant)
            return {"versions": versions}

        await self._act(scope, "TenantKeyRestored", change)

    async def destroy(self, scope: Scope, *, by_platform: bool) -> None:
        """Destroy all versions of a tenant's key: what was sealed under them is gone.

        Raises KeyStateConflict, WithdrawnByPlatform: what the platform withdrew may be evidence.
        """
        self._require_tenant(scope)

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            versions = [row["version"] for row in rows if row["state"] != "destroyed"]
            if rows and not versions:
                message = "The tenant's key was destroyed before."
                raise KeyStateConflict(message)
            _require_above(rows, by_platform=by_platform)
            if not rows:
                versions = await self._first(connection, scope.tenant)
            await connection.execute(store.DESTROY, scope.tenant)
            return {"versions": versions}

        await self._act(scope, "TenantKeyDestroyed", change)

    async def declare(self, scope: Scope, service: str | None, tenant_name: str, *, by_platform: bool) -> None:
        """Wrap a tenant's key under a master key of the tenant's own, or (None) under the installation's again.

        The key is tried before anything is changed. Raises InvalidMasterKeyService, MasterKeyRefused,
        MasterKeyUnavailable, MasterKeyFault, KeyWithdrawn, KeyDestroyed.
        """
        self._require_tenant(scope)
        if service is not None and not by_platform:
            self._check_allowed(service, tenant_name)
        await self._tenant_keys.get(scope.tenant)

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            del rows
            if service is None:
                await connection.execute(store.FORGET_TENANT_MASTER_KEY, scope.tenant)
                return {"master_key": self._keepers.require().name}
            key = self._keepers.service(service)
            identifier = await self._registry.register(connection, key, scope.tenant)
            await connection.execute(store.DECLARE_TENANT_MASTER_KEY, scope.tenant, identifier)
            return {"master_key": key.name}

        await self._act(scope, "TenantMasterKeyDeclared", change)
        await self._renewal.work()

    async def erase_subject(self, unit: UnitOfWork, subject: str) -> None:
        """Destroy the keys of a person, or an application, of the unit's tenant; with the unit, or not at all.

        Raises KeyWithdrawn, KeyDestroyed, NoMasterKey: whoever cannot seal has nothing to erase.
        """
        at = to_datetime(self._clock.now_ns())
        tenant_key = PLATFORM_ID
        if self._envelope.has_key:
            tenant_key = (await self._envelope.prepare(unit.tenant)).sealing.id
        keys = await self._subject_keys.erase(unit, subject, tenant_key, at)
        unit.record("SubjectKeyDestroyed", subject=subject, keys=keys)
        unit.changed()

    async def renew(self) -> int:
        """Do what is to be renewed now rather than soon; how many keys and secrets it were."""
        return await self._renewal.work()

    async def _act(self, scope: Scope, event: str, change: Change) -> None:
        async with self._home.owner() as connection, connection.transaction():
            rows = await connection.fetch(store.LOCK_TENANT_KEYS, scope.tenant)
            data = await change(connection, rows)
            act = await self._acts.note(connection, scope.tenant, event, scope, data)
        await self._acts.tell(act, scope)

    async def _first(self, connection: Any, tenant: str) -> list[int]:
        """A tenant for which nothing was sealed yet, and for which nothing is to be, gets a key that says so."""
        master, master_id = await self._tenant_keys.master_of(connection, tenant)
        await self._tenant_keys.add(connection, tenant, 1, master, master_id)
        return [1]

    def _require_tenant(self, scope: Scope) -> None:
        if not self._envelope.has_key:
            message = "There is no master key, so there are no tenants' keys."
            raise NoMasterKey(message)
        if scope.tenant == PLATFORM_ID:
            message = "The platform's own key can be rotated, and nothing else: nobody could undo it."
            raise KeyStateConflict(message, param="tenant")

    def _check_allowed(self, service: str, tenant_name: str) -> None:
        patterns = [pattern.replace("{tenant}", tenant_name) for pattern in self._own_services]
        if not any(fnmatch.fnmatchcase(service, pattern) for pattern in patterns):
            message = "This installation does not let tenants name this master key; the platform's operator may."
            raise InvalidMasterKeyService(message, param="service")


def _withdrawn_by(rows: Sequence[Any]) -> str | None:
    """Who withdrew a tenant's key: the platform where it did, whoever did so before."""
    found = {row["withdrawn_by"] for row in rows}
    return PLATFORM if PLATFORM in found else TENANT if TENANT in found else None


def _require_above(rows: Sequence[Any], *, by_platform: bool) -> None:
    if _withdrawn_by(rows) == PLATFORM and not by_platform:
        message = "The platform withdrew the tenant's key."
        raise WithdrawnByPlatform(message)
