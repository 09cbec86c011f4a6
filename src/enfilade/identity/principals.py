"""Who may come in: every key, user and application, found by a digest, an id or an address, without SQL."""

import hashlib
import ipaddress
from collections.abc import AsyncIterator, Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from enfilade.core.clock import to_ns
from enfilade.core.ids import PLATFORM_ID
from enfilade.core.scope import Scope
from enfilade.identity import store
from enfilade.identity.directory import Install
from enfilade.identity.errors import AddressRefused, ExpiredKey, InvalidKey, UnknownUser
from enfilade.identity.roles.effective import Rights, role_table
from enfilade.identity.roles.narrowing import UNBOUND, Narrowing, narrowing_of
from enfilade.identity.roles.standing import Standing, key_rights, load_standing, place_of_key
from enfilade.identity.roles.temporary import NEVER_NS, NoTemporaryRights, TemporaryRights
from enfilade.identity.roles.types import BrokenGlass, SecuritySettings
from enfilade.identity.rows import application_of, department_of, tenant_of, text_id, user_of
from enfilade.identity.scopes import application_scope, person_scope, rights_scope, with_user
from enfilade.identity.types import Application, Department, Tenant, User
from enfilade.storage.unit_of_work import UnitOfWork

CHUNK_ROWS = 1000
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(slots=True, eq=False)
class Principal:
    """What a valid key stands for, ready for the request path."""

    scope: Scope
    tenant: Tenant
    key_name: str
    application: Application | None
    expires_ns: int
    networks: tuple[Network, ...]
    users: dict[str, User]
    """The tenant's users by address, shared by all of its keys."""
    named: dict[str, Scope] = field(default_factory=dict)
    """Scopes of this key for end users that it named before."""
    narrowing: Narrowing = UNBOUND
    """What the key's scopes leave of its calls."""
    widened: "Callable[[frozenset[str]], Principal] | None" = None
    """The same key with further scopes for a time; None for one that has no scopes, and so cannot have more."""
    log_prefix: str | None = None
    """The beginning of this key's log lines, made when the first is written."""

    @property
    def is_strict(self) -> bool:
        """Whether nothing of a call may be left out when it is translated."""
        return self.application is not None and self.application.spec.settings.strict

    def check(self, address: str | None, now_ns: int) -> None:
        """Raise ExpiredKey or AddressRefused when the key may not be used now, or from there."""
        if now_ns >= self.expires_ns:
            message = "The key has expired."
            raise ExpiredKey(message)
        if self.networks and not self._is_allowed(address):
            message = "The key may not be used from this network address."
            raise AddressRefused(message)

    def _is_allowed(self, address: str | None) -> bool:
        try:
            client = ipaddress.ip_address(address or "")
        except ValueError:
            return False
        if isinstance(client, ipaddress.IPv6Address) and client.ipv4_mapped:
            client = client.ipv4_mapped
        return any(client.version == network.version and client in network for network in self.networks)

    def for_user(self, email: str) -> Scope:
        """The scope with the end user that the request names. Raises UnknownUser."""
        email = email.lower()
        scope = self.named.get(email)
        if scope is None:
            user = self.users.get(email)
            if user is None or self.scope.application is None:
                # One answer for both: whether an address is known is nobody's business who may not name users.
                message = "The key may not name this end user, or the tenant has no such user."
                raise UnknownUser(message, param="x-enfilade-user")
            scope = self.named[email] = with_user(self.scope, user.id, user.department_id)
        return scope


@dataclass(slots=True)
class _TenantEntry:
    """Everything of one tenant, replaced as a whole."""

    tenant: Tenant
    standing: Standing
    departments: dict[str, Department] = field(default_factory=dict)
    applications: dict[str, Application] = field(default_factory=dict)
    users: dict[str, User] = field(default_factory=dict)
    users_by_email: dict[str, User] = field(default_factory=dict)
    inactive_emails: dict[str, str] = field(default_factory=dict)
    """The addresses by id of users who may not come in: reports name them still, and nothing else finds them."""
    principals: dict[bytes, Principal] = field(default_factory=dict)
    key_names: dict[str, str] = field(default_factory=dict)
    key_places: dict[str, tuple[str | None, str | None]] = field(default_factory=dict)
    """The department and the application to which each key belongs."""

    def add_user(self, user: User) -> None:
        """Let a user be found, unless they may not come in."""
        if user.spec.active:
            self.users[user.id] = self.users_by_email[user.spec.email] = user
        else:
            self.inactive_emails[user.id] = user.spec.email


class Principals:
    """The identity section of the directory."""

    def __init__(self) -> None:
        """Start empty: nobody may come in."""
        self._tenants: dict[str, _TenantEntry] = {}
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
        rights = entry.standing.of_user(user.id, (*user.spec.roles, *roles), temporary)
        scope = person_scope(tenant, user.id, rights, department=user.department_id)
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

    def user_scope(self, tenant: str, identifier: str) -> Scope | None:
        """The scope of a user with the rights that they have now; None for nobody."""
        user, rights = self.person(tenant, identifier), self.rights(tenant, identifier)
        return person_scope(tenant, identifier, rights, department=user.department_id) if user and rights else None

    def settings(self, tenant: str) -> SecuritySettings:
        """What the tenant's owners demand."""
        entry = self._tenants.get(tenant)
        return entry.standing.settings if entry else SecuritySettings()

    def closed(self) -> bool:
        """Whether any tenant lets the platform's people in by breaking the glass only."""
        return any(e.standing.settings.operator_access == "break_glass" for e in self._tenants.values())

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
        entry = self._tenants.get(name)
        if entry is not None:
            return entry.tenant
        return next((e.tenant for e in self._tenants.values() if e.tenant.name == name), None)

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
        entries: dict[str, _TenantEntry] = {}
        for row in await unit.fetch(store.LOAD_TENANTS, wanted):
            tenant = tenant_of(row)
            entries[tenant.id] = _TenantEntry(tenant, standings.get(tenant.id) or usual[tenant.id == PLATFORM_ID])
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
        async for row in _rows(unit, store.LOAD_KEYS, wanted):
            if entry := entries.get(str(row["tenant_id"])):
                _add_principal(entry, row)
        return lambda: self._install(entries, tenants)

    def _install(self, entries: dict[str, _TenantEntry], tenants: Collection[str] | None) -> None:
        if tenants is None:
            self._tenants = entries
            self._by_digest = {
                digest: principal for entry in entries.values() for digest, principal in entry.principals.items()
            }
            return
        for identifier in tenants:
            if former := self._tenants.pop(identifier, None):
                for digest in former.principals:
                    self._by_digest.pop(digest, None)
            if entry := entries.get(identifier):
                self._tenants[identifier] = entry
                self._by_digest.update(entry.principals)


async def _rows(unit: UnitOfWork, statement: str, wanted: list[str] | None) -> AsyncIterator[Any]:
    """The rows of some tenants at once; those of all in parts, between which the loop does other things."""
    if wanted is not None:
        for row in await unit.fetch(statement, wanted):
            yield row
        return
    async for row in unit.rows(statement, None, chunk=CHUNK_ROWS):
        yield row


def _add_principal(entry: _TenantEntry, row: "object") -> None:
    fields = dict(row)  # type: ignore[call-overload]
    key, application_id, user_id = str(fields["id"]), text_id(fields["application_id"]), text_id(fields["user_id"])
    application = entry.applications.get(application_id) if application_id else None
    user = entry.users.get(user_id) if user_id else None
    if (application_id and application is None) or (user_id and user is None):
        return  # What the key stands for was removed; its keys were revoked with it.
    department = application.department_id if application else user.department_id if user else None
    only = place_of_key(fields)
    held = entry.standing.of_user(user.id, user.spec.roles) if user else None
    scopes, roles = frozenset(fields["scopes"]), tuple(fields["roles"])

    def scope_with(scopes: frozenset[str]) -> Scope:
        rights = key_rights(entry.standing, roles, scopes, only, held)
        return rights_scope(
            entry.tenant.id, key, rights, department=department, application=application_id, user=user_id
        )

    def widened(further: frozenset[str]) -> Principal:
        return replace(
            principal, scope=scope_with(scopes | further), narrowing=narrowing_of(scopes | further), named={}
        )

    ends = [to_ns(moment) for moment in (fields["expires_at"], fields["valid_until"]) if moment is not None]
    networks = tuple(ipaddress.ip_network(network) for network in fields["allowed_ips"])
    entry.key_names[key] = fields["name"]
    entry.key_places[key] = (department, application_id)
    if only is not None and not (application_id or user_id):
        within = entry.applications.get(only[1])
        entry.key_places[key] = (only[1], None) if within is None else (within.department_id, only[1])
    principal = entry.principals[bytes(fields["digest"])] = Principal(
        scope=scope_with(scopes),
        tenant=entry.tenant,
        key_name=fields["name"],
        application=application,
        expires_ns=min(ends, default=NEVER_NS),
        networks=networks,
        users=entry.users_by_email,
        narrowing=narrowing_of(scopes),
        widened=widened if scopes else None,
    )
