"""Who may come in: every key, user and application, found by a digest, an id or an address, without SQL."""

import hashlib
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Any

from enfilade.core.clock import Clock, SystemClock, to_datetime
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity import store
from enfilade.identity.directory import Install
from enfilade.identity.errors import InvalidKey
from enfilade.identity.principal import Principal
from enfilade.identity.roles.effective import Rights, role_table
from enfilade.identity.roles.standing import Standing, load_standing
from enfilade.identity.roles.temporary import NoTemporaryRights, TemporaryRights
from enfilade.identity.roles.types import BrokenGlass, SecuritySettings
from enfilade.identity.rows import application_of, department_of, tenant_of, user_of
from enfilade.identity.scopes import application_scope, person_scope
from enfilade.identity.tenant_entry import TenantEntry
from enfilade.identity.types import Application, Tenant, User
from enfilade.storage.unit_of_work import UnitOfWork

CHUNK_ROWS = 1000


class Principals:
    """The identity section of the directory."""

    def __init__(self, clock: Clock | None = None) -> None:
        """Start empty: nobody may come in. By `clock` the secrets are left out that are over."""
        self._clock = clock or SystemClock()
        self._tenants: dict[str, TenantEntry] = {}
        self._ids: dict[str, str] = {}
        """Of live tenants, by name."""
        self._closed: set[str] = set()
        """The tenants that let the platform's people in by breaking the glass only."""
        self._by_digest: dict[bytes, Principal] = {}
        self.temporary: TemporaryRights = NoTemporaryRights()
        self.used: dict[Principal, int] = {}
        """When each key was used last, since whoever writes it down took this away."""

    def authenticate(self, credential: bytes, address: str | None, now_ns: int) -> Principal:
        """The principal behind a credential.

        Raises InvalidKey, ExpiredKey, AddressRefused.
        """
        principal = self._by_digest.get(hashlib.sha256(credential).digest())
        if principal is None:
            message = "The key is unknown or was revoked."
            raise InvalidKey(message)
        if principal.networks or principal.expires_ns <= now_ns:
            principal.check(address, now_ns)
        self.used[principal] = now_ns
        if principal.widened is not None and principal.scope.key is not None:
            further = self.temporary.key_scopes(principal.scope.tenant, principal.scope.key)
            return principal.widened(further) if further else principal
        return principal

    def person(self, tenant: str, identifier: str) -> User | None:
        """A user by id."""
        entry = self._tenants.get(tenant)
        return entry.users.get(identifier) if entry else None

    def of_person(
        self,
        tenant: str,
        identifier: str,
        *,
        name: str,
        expires_ns: int,
        roles: Iterable[str] = (),
        source: str | None = None,
    ) -> Principal | None:
        """A person with the rights that they have now, and those of further `roles`; None for nobody of the tenant.

        With a `source`, of the roles those only that are assigned to them by it at this moment.
        """
        entry = self._tenants.get(tenant)
        user = entry.users.get(identifier) if entry else None
        if entry is None or user is None:
            return None
        temporary = self.temporary.roles(tenant, identifier)
        if source is not None:
            roles = entry.standing.vouched_roles(user.id, source).intersection(roles)
        held = (*user.spec.roles, *roles)
        rights = entry.standing.of_user(user.id, held, temporary)
        lasting = entry.standing.of_user(user.id, held) if temporary else None
        scope = person_scope(tenant, user.id, rights, department=user.department_id, lasting=lasting)
        # Whoever remembers this forgets it when a right for a time begins or ends.
        until_ns = min(expires_ns, self.temporary.hold_until(tenant))
        return Principal(scope, entry.tenant, name, None, until_ns, (), entry.users_by_email)

    def of_application(self, tenant: str, name: str, *, via: str, expires_ns: int) -> Principal | None:
        """An application of the tenant, for which an issuer called `via` vouches; None when there is none."""
        entry = self._tenants.get(tenant)
        found = next((a for a in entry.applications.values() if a.spec.name == name), None) if entry else None
        if entry is None or found is None:
            return None
        scope = application_scope(tenant, found.id, department=found.department_id)
        return Principal(scope, entry.tenant, via, found, expires_ns, (), entry.users_by_email)

    def rights(self, tenant: str, identifier: str) -> Rights | None:
        """What a user may do now: their own roles, assignments to them and to their groups; None for nobody."""
        entry = self._tenants.get(tenant)
        user = entry.users.get(identifier) if entry else None
        if entry is None or user is None:
            return None
        return entry.standing.of_person(user.id, user.spec.roles, self.temporary.roles(tenant, identifier))

    def settings(self, tenant: str) -> SecuritySettings:
        """What the tenant's owners demand."""
        entry = self._tenants.get(tenant)
        return entry.standing.settings if entry else SecuritySettings()

    def closed(self) -> frozenset[str]:
        """Ids of the tenants that let the platform's people in by breaking the glass only."""
        return frozenset(self._closed)

    def glass(self, tenant: str, actor: str, now_ns: int) -> BrokenGlass | None:
        """What one of the platform's people has open in the tenant."""
        entry = self._tenants.get(tenant)
        return entry.standing.glass_of(actor, now_ns) if entry else None

    def place_of(self, tenant: str, kind: str, identifier: str | None) -> tuple[str | None, str | None]:
        """The department and the application to which a department, application, user or key belongs."""
        entry = self._tenants.get(tenant)
        if entry is None or identifier is None:
            return None, None
        if kind == "department":
            return identifier, None
        if kind == "key":
            return entry.key_places.get(identifier, (None, None))
        if kind == "application":
            application = entry.applications.get(identifier)
            return application.department_id if application else None, identifier
        user = entry.users.get(identifier) if kind == "user" else None
        return user.department_id if user else None, None

    def belongings(self, tenant: str, departments: Collection[str]) -> tuple[frozenset[str], frozenset[str]]:
        """Ids of the applications and of the users of some departments."""
        entry = self._tenants.get(tenant)
        if entry is None:
            return frozenset(), frozenset()
        return (
            frozenset(found.id for found in entry.applications.values() if found.department_id in departments),
            frozenset(found.id for found in entry.users.values() if found.department_id in departments),
        )

    def tenant(self, identifier: str) -> Tenant | None:
        """The live tenant with that id."""
        entry = self._tenants.get(identifier)
        return entry.tenant if entry else None

    def tenants(self) -> list[Tenant]:
        """All live tenants but the platform itself."""
        return [entry.tenant for entry in self._tenants.values() if entry.tenant.id != PLATFORM_ID]

    def tenant_named(self, name: str) -> Tenant | None:
        """The live tenant of that name or id."""
        entry = self._tenants.get(name) or self._tenants.get(self._ids.get(name, ""))
        return entry.tenant if entry else None

    def application(self, tenant: str, identifier: str) -> Application | None:
        """An application by id."""
        entry = self._tenants.get(tenant)
        return entry.applications.get(identifier) if entry else None

    def subject_name(self, tenant: str, kind: str, identifier: str) -> str | None:
        """The name by which people know a department, application, user or key."""
        entry = self._tenants.get(tenant)
        if entry is None:
            return None
        if kind == "key":
            return entry.key_names.get(identifier)
        if kind == "user":
            user = entry.users.get(identifier)
            return user.spec.email if user else entry.inactive_emails.get(identifier)
        if kind == "department":
            department = entry.departments.get(identifier)
            return department.name if department else None
        application = entry.applications.get(identifier)
        return application.spec.name if application else None

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`."""
        wanted = None if tenants is None else list(tenants)
        standings = await load_standing(unit, tenants)
        # Most tenants have no roles of their own, and share what is worked out of the built-in ones.
        usual = {True: Standing(role_table(PLATFORM_ID)), False: Standing(role_table(""))}
        entries: dict[str, TenantEntry] = {}
        for row in await unit.fetch(store.LOAD_TENANTS, wanted):
            tenant = tenant_of(row)
            entries[tenant.id] = TenantEntry(tenant, standings.get(tenant.id) or usual[tenant.id == PLATFORM_ID])
        async for row in _rows(unit, store.LOAD_DEPARTMENTS, wanted):
            if entry := entries.get(str(row["tenant_id"])):
                department = department_of(row)
                entry.departments[department.id] = department
        async for row in _rows(unit, store.LOAD_APPLICATIONS, wanted):
            if entry := entries.get(str(row["tenant_id"])):
                application = application_of(row)
                entry.applications[application.id] = application
        async for row in _rows(unit, store.LOAD_USERS, wanted):
            if entry := entries.get(str(row["tenant_id"])):
                entry.add_user(user_of(row))
        async for row in _rows(unit, store.LOAD_KEYS, wanted, to_datetime(self._clock.now_ns())):
            if entry := entries.get(str(row["tenant_id"])):
                entry.add_key(row)
        return lambda: self._install(entries, tenants)

    def _install(self, entries: dict[str, TenantEntry], tenants: Collection[str] | None) -> None:
        if tenants is None:
            self._tenants, self._by_digest, self._ids, self._closed = {}, {}, {}, set()
        # First all that was there goes: a secret or a name may have gone over from one of these tenants to another.
        for identifier in tenants or ():
            if former := self._tenants.pop(identifier, None):
                self._ids.pop(former.tenant.name, None)
                self._closed.discard(identifier)
                for digest in former.principals:
                    self._by_digest.pop(digest, None)
        for identifier, entry in entries.items():
            self._tenants[identifier] = entry
            self._ids[entry.tenant.name] = identifier
            if entry.standing.settings.operator_access == "break_glass":
                self._closed.add(identifier)
            self._by_digest.update(entry.principals)


async def _rows(unit: UnitOfWork, statement: str, wanted: list[str] | None, *values: object) -> AsyncIterator[Any]:
    """The rows of some tenants at once; those of all in parts, between which the loop does other things."""
    if wanted is not None:
        for row in await unit.fetch(statement, wanted, *values):
            yield row
        return
    async for row in unit.rows(statement, None, *values, chunk=CHUNK_ROWS):
        yield row
