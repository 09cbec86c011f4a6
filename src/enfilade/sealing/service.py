"""What administrators do with keys: look, rotate, withdraw, restore, destroy, bring their own, erase a person."""

import fnmatch
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from enfilade.core.clock import to_datetime
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.sealing import store
from enfilade.sealing.errors import InvalidMasterKeyService, KeyStateConflict, NoMasterKey
from enfilade.sealing.parts import KeyParts
from enfilade.sealing.renewal import OLD_FORM, Renewal
from enfilade.sealing.tenant_keys import closed
from enfilade.storage.unit_of_work import UnitOfWork

Change = Callable[[Any, Sequence[Any]], Awaitable[dict[str, Any]]]
"""Changes a tenant's keys on a connection of the owner's, given their rows, and returns what the event says."""


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """One version of a tenant's key, without the key."""

    version: int
    id: str
    state: str
    master_key: str
    own_master_key: bool
    created_at: datetime
    renewed_at: datetime | None


@dataclass(frozen=True, slots=True)
class TenantStatus:
    """How a tenant's things are sealed."""

    tenant: str
    state: str
    """`active`, `withdrawn`, `destroyed`, or `none` when nothing was sealed yet."""
    versions: tuple[KeyVersion, ...] = ()
    subjects: int = 0
    erased_subjects: int = 0
    outdated_subjects: int = 0
    """Subjects' keys that are not wrapped under the newest version yet."""


@dataclass(frozen=True, slots=True)
class MasterKeyUse:
    """A master key, and how many tenants' keys are wrapped under it."""

    name: str
    tenants: int
    keys: int
    is_current: bool
    may_be_removed: bool
    own_of_tenant: bool


@dataclass(frozen=True, slots=True)
class InstallationStatus:
    """How everything is sealed."""

    has_master_key: bool
    master_keys: tuple[MasterKeyUse, ...] = ()
    active: int = 0
    retired: int = 0
    renewing: int = 0
    """Retired versions under which something may still be sealed."""
    withdrawn: int = 0
    destroyed: int = 0
    secrets_outdated: int = 0
    old_form_done: bool = False
    platform: tuple[KeyVersion, ...] = field(default=())


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
            platform=tuple(_version(row) for row in versions),
        )

    async def status_of(self, tenant: str) -> TenantStatus:
        """How a tenant's things are sealed."""
        async with self._home.owner() as connection:
            rows = await connection.fetch(store.TENANT_KEYS_SHOWN, tenant)
        versions = tuple(_version(row) for row in rows)
        active = next((one for one in versions if one.state == "active"), None)
        if active is None:
            states = {one.state for one in versions}
            state = "withdrawn" if "withdrawn" in states else "destroyed" if states else "none"
            return TenantStatus(tenant, state, versions)
        counts = await self._subject_keys.count(tenant, active.id)
        return TenantStatus(tenant, "active", versions, counts["live"], counts["erased"], counts["outdated"])

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

    async def withdraw(self, scope: Scope) -> None:
        """Let nothing of the scope's tenant be read, until its key is restored. Raises KeyStateConflict."""
        self._require_tenant(scope)
        await self._tenant_keys.get(scope.tenant)

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            await connection.execute(store.WITHDRAW, scope.tenant)
            return {"versions": [row["version"] for row in rows if row["state"] in {"active", "retired"}]}

        await self._act(scope, "TenantKeyWithdrawn", change)

    async def restore(self, scope: Scope) -> None:
        """Give a withdrawn key back. Raises KeyStateConflict when it is not withdrawn."""

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            versions = [row["version"] for row in rows if row["state"] == "withdrawn"]
            if not versions:
                message = "The tenant's key is not withdrawn."
                raise KeyStateConflict(message)
            await connection.execute(store.RESTORE, scope.tenant)
            return {"versions": versions}

        await self._act(scope, "TenantKeyRestored", change)

    async def destroy(self, scope: Scope) -> None:
        """Destroy all versions of a tenant's key: what was sealed under them is gone. Raises KeyStateConflict."""
        self._require_tenant(scope)

        async def change(connection: Any, rows: Sequence[Any]) -> dict[str, Any]:
            versions = [row["version"] for row in rows if row["state"] != "destroyed"]
            if rows and not versions:
                message = "The tenant's key was destroyed before."
                raise KeyStateConflict(message)
            if not rows:
                # Nothing was sealed yet; nothing is to be.
                master, master_id = await self._tenant_keys.master_of(connection, scope.tenant)
                await self._tenant_keys.add(connection, scope.tenant, 1, master, master_id)
                versions = [1]
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


def _version(row: Any) -> KeyVersion:
    return KeyVersion(
        version=row["version"],
        id=str(row["id"]),
        state=row["state"],
        master_key=row["master_key"],
        own_master_key=row["for_tenant"] is not None,
        created_at=row["created_at"],
        renewed_at=row["renewed_at"],
    )
