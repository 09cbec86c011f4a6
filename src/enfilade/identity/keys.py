"""Keys: issued, changed, rotated with a grace period, revoked."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity import store
from enfilade.identity.applications import Applications
from enfilade.identity.errors import AlreadyExists, InvalidSpecification, RightsExceeded, UnknownKey
from enfilade.identity.people import Users
from enfilade.identity.permissions import ALL_PERMISSIONS, KEYS_WRITE, PEOPLE_WRITE, SECURITY_WRITE, TENANT_PERMISSIONS
from enfilade.identity.roles.effective import permissions_in
from enfilade.identity.roles.granting import (
    check_given,
    check_grant,
    check_power_over,
    check_roles,
    check_standing,
    find_place,
    table_of,
)
from enfilade.identity.roles.narrowing import SCIM, checked_scopes, narrowing_of
from enfilade.identity.rows import START, check_name, check_version, duration_text, key_of, normal_networks
from enfilade.identity.secrets import check_secret, new_secret, secret_digest
from enfilade.identity.types import IssuedKey, Key, KeySpec, Outcome, User
from enfilade.storage.unit_of_work import UnitOfWork

DEFAULT_GRACE = timedelta(hours=24)
MAX_GRACE = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class _Subject:
    """What a key stands for, and where its roles hold."""

    application_id: str | None
    user: User | None
    department_id: str | None
    """The department of the application or user."""
    only: tuple[str, str, str | None] | None = None
    """Kind, id and department of the place to which its roles are confined."""

    @property
    def user_id(self) -> str | None:
        """The user's id."""
        return None if self.user is None else self.user.id

    @property
    def only_ids(self) -> tuple[str | None, str | None]:
        """Ids of the department and of the application to which its roles are confined."""
        if self.only is None:
            return None, None
        kind, identifier, _ = self.only
        return (identifier, None) if kind == "department" else (None, identifier)

    @property
    def only_place(self) -> tuple[str | None, str | None]:
        """The department and the application in which its roles hold; neither is the whole tenant."""
        if self.only is None:
            return None, None
        kind, identifier, department = self.only
        return (identifier, None) if kind == "department" else (department, identifier)

    @property
    def place(self) -> tuple[str | None, str | None]:
        """The department and the application to which the key belongs."""
        if self.application_id or self.user_id:
            return self.department_id, self.application_id
        return self.only_place


class Keys:
    """The use cases of keys."""

    def __init__(self, ids: IdFactory, clock: Clock, applications: Applications, users: Users) -> None:
        """Name new keys with `ids`."""
        self._ids = ids
        self._clock = clock
        self._applications = applications
        self._users = users

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[Key]:
        """Keys that are not revoked, in the order of their making."""
        return [key_of(row) for row in await unit.fetch_listed(store.LIST_KEYS, after or START, limit, tenant)]

    async def find(self, unit: UnitOfWork, name: str) -> Key | None:
        """The current tenant's key of that name or id."""
        row = await unit.fetch_row(store.FIND_KEY, name, unit.tenant)
        return None if row is None else key_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> Key:
        """Like `find`; raises UnknownKey."""
        key = await self.find(unit, name)
        if key is None:
            message = f"There is no key {name!r} in this tenant, or it was revoked."
            raise UnknownKey(message)
        return key

    async def with_hint(self, unit: UnitOfWork, hint: str) -> list[Key]:
        """The keys, revoked ones too, of which a secret began so."""
        return [key_of(row) for row in await unit.fetch(store.KEYS_WITH_HINT, hint, unit.tenant)]

    async def hints(self, unit: UnitOfWork, key: Key) -> list[str]:
        """The public beginnings of the key's valid secrets."""
        rows = await unit.fetch(store.LIST_SECRETS, key.tenant, key.id, self._now())
        return [row["hint"] for row in rows if row["hint"]]

    async def issue(self, unit: UnitOfWork, spec: KeySpec, secret: str | None = None) -> IssuedKey:
        """Make a key, with a secret of the caller's or a new one that is shown this once.

        Raises AlreadyExists, InvalidSpecification, RightsExceeded, UnknownApplication, UnknownPerson.
        """
        spec = await self._checked(unit, spec)
        if await self.find(unit, spec.name) is not None:
            message = f"There is a key {spec.name!r} already."
            raise AlreadyExists(message)
        subject = await self._admitted(unit, spec)
        identifier = self._ids.new_id()
        await unit.execute(
            store.INSERT_KEY,
            *(unit.tenant, identifier, spec.name, subject.application_id, subject.user_id),
            *(list(spec.roles), spec.expires_at, list(spec.allowed_ips), list(spec.scopes), *subject.only_ids),
        )
        shown = await self._add_secret(unit, identifier, secret)
        unit.record("KeyIssued", **_described(identifier, spec, subject))
        unit.changed()
        return IssuedKey(await self.get(unit, spec.name), shown)

    async def put(
        self, unit: UnitOfWork, spec: KeySpec, secret: str | None = None, expected: int | None = None
    ) -> tuple[IssuedKey, Outcome]:
        """Make the key as specified, or change it to be so.

        An existing key keeps its secret unless the caller sets another, which then replaces it at once.
        """
        present = await self.find(unit, spec.name)
        if present is None:
            return await self.issue(unit, spec, secret), Outcome.CREATED
        spec = await self._checked(unit, spec)
        check_version(expected, present.version)
        outcome = Outcome.UNCHANGED
        if present.spec != spec:
            await self._check_rights(unit, present.spec)
            subject = await self._admitted(unit, spec)
            await unit.execute(
                store.UPDATE_KEY,
                *(unit.tenant, present.id, subject.application_id, subject.user_id),
                *(list(spec.roles), spec.expires_at, list(spec.allowed_ips), list(spec.scopes), *subject.only_ids),
            )
            unit.record("KeyChanged", **_described(present.id, spec, subject))
            outcome = Outcome.CHANGED
        if secret is not None and await self._replace_secret(unit, present, spec, secret):
            outcome = Outcome.CHANGED
        if outcome is Outcome.CHANGED:
            unit.changed()
        return IssuedKey(await self.get(unit, spec.name), None), outcome

    async def rotate(self, unit: UnitOfWork, name: str, grace: timedelta = DEFAULT_GRACE) -> IssuedKey:
        """Give a key a new secret; the old ones stay valid for the grace period.

        Raises UnknownKey, RightsExceeded, InvalidSpecification.
        """
        if not timedelta() <= grace <= MAX_GRACE:
            message = f"the grace period must be between 0 and {MAX_GRACE.days} days"
            raise InvalidSpecification(message, param="grace")
        key = await self.get(unit, name)
        await self._check_rights(unit, key.spec)
        secret, hint = new_secret()
        digest = secret_digest(secret)
        await unit.execute(store.INSERT_SECRET, unit.tenant, key.id, digest, hint)
        await unit.execute(store.END_SECRETS, unit.tenant, key.id, self._now() + grace, digest)
        unit.record("KeyRotated", id=key.id, name=key.spec.name, grace_s=int(grace.total_seconds()))
        unit.changed()
        return IssuedKey(key, secret)

    async def revoke(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """End a key: every process refuses it within a second."""
        key = await self.get(unit, name)
        check_version(expected, key.version)
        _check_place(unit, await self._subject(unit, key.spec))
        await unit.execute(store.REVOKE_KEY, unit.tenant, key.id)
        unit.record("KeyRevoked", id=key.id, name=key.spec.name, because="asked")
        unit.changed()

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())

    async def _checked(self, unit: UnitOfWork, spec: KeySpec) -> KeySpec:
        check_name(spec.name)
        check_roles(await table_of(unit), spec.roles)
        if spec.application and spec.user:
            message = "a key stands for an application or for a user, not for both"
            raise InvalidSpecification(message, param="user")
        if not (spec.application or spec.user or spec.roles or SCIM in spec.scopes):
            message = "a key needs an application, a user or roles; it could do nothing otherwise"
            raise InvalidSpecification(message, param="application")
        permissions = ALL_PERMISSIONS if unit.tenant == PLATFORM_ID else TENANT_PERMISSIONS
        expires = spec.expires_at
        if expires is not None:
            expires = (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).astimezone(UTC)
        return replace(
            spec,
            user=spec.user.lower() if spec.user else None,
            roles=tuple(sorted(set(spec.roles))),
            scopes=checked_scopes(spec.scopes, permissions),
            expires_at=expires,
            allowed_ips=normal_networks(spec.allowed_ips),
        )

    async def _admitted(self, unit: UnitOfWork, spec: KeySpec) -> _Subject:
        """What a key that is made or changed stands for. Raises RightsExceeded, InvalidSpecification."""
        settings = await check_standing(unit)
        self._check_lifetime(spec, settings.max_key_lifetime_s)
        return await self._check_rights(unit, spec)

    def _check_lifetime(self, spec: KeySpec, most_s: int | None) -> None:
        if most_s is None:
            return
        if spec.expires_at is None or spec.expires_at > self._now() + timedelta(seconds=most_s):
            message = f"keys of this tenant live {duration_text(most_s)} at most: give an earlier `expires`"
            raise InvalidSpecification(message, param="expires")

    async def _check_rights(self, unit: UnitOfWork, spec: KeySpec) -> _Subject:
        subject = await self._subject(unit, spec)
        granted = permissions_in(await table_of(unit), spec.roles)
        if spec.scopes:
            granted &= narrowing_of(spec.scopes).permissions or frozenset()
        check_grant(unit, granted, *subject.only_place)
        check_given(unit, spec.roles, subject.only_place)
        if SCIM in spec.scopes:
            # Whoever provisions groups puts anybody into those that have rights: that is for owners to entrust.
            check_grant(unit, {PEOPLE_WRITE, SECURITY_WRITE}, param="scopes")
        if subject.user is not None and subject.user.id != unit.scope.user:
            # Whoever has a key of somebody's acts as them, without a role too: they decide about requests, for example.
            check_grant(unit, {PEOPLE_WRITE}, subject.department_id, param="user")
            await check_power_over(unit, subject.user.id, subject.user.spec.roles)
        _check_place(unit, subject)
        return subject

    async def _subject(self, unit: UnitOfWork, spec: KeySpec) -> _Subject:
        application = await self._applications.get(unit, spec.application) if spec.application else None
        user = await self._users.get(unit, spec.user) if spec.user else None
        department = application.department_id if application else user.department_id if user else None
        only = await find_place(unit, spec.confined_to) if spec.confined_to else None
        return _Subject(application.id if application else None, user, department, only)

    async def _add_secret(self, unit: UnitOfWork, key: str, secret: str | None) -> str | None:
        if secret is None:
            made, hint = new_secret()
            await unit.execute(store.INSERT_SECRET, unit.tenant, key, secret_digest(made), hint)
            return made
        check_secret(secret)
        await unit.execute(store.INSERT_SECRET, unit.tenant, key, secret_digest(secret), None)
        return None

    async def _replace_secret(self, unit: UnitOfWork, key: Key, spec: KeySpec, secret: str) -> bool:
        check_secret(secret)
        digest = secret_digest(secret)
        present = {
            bytes(row["digest"]) for row in await unit.fetch(store.LIST_SECRETS, unit.tenant, key.id, self._now())
        }
        if present == {digest}:
            return False
        await check_standing(unit)
        await self._check_rights(unit, spec)
        if digest not in present:
            await unit.execute(store.INSERT_SECRET, unit.tenant, key.id, digest, None)
        await unit.execute(store.END_SECRETS, unit.tenant, key.id, self._now(), digest)
        unit.record("KeyRotated", id=key.id, name=key.spec.name, grace_s=0)
        return True


def _check_place(unit: UnitOfWork, subject: _Subject) -> None:
    """Whose right to make keys is confined makes them there only. Raises RightsExceeded."""
    if unit.scope.confined and not unit.scope.may_in(KEYS_WRITE, *subject.place):
        message = "Your rights are confined to a part of the tenant, to which this key would not belong."
        raise RightsExceeded(message, param="confined_to")


def _described(identifier: str, spec: KeySpec, subject: _Subject) -> dict[str, object]:
    return {
        "id": identifier,
        "name": spec.name,
        "application": subject.application_id,
        "user": subject.user_id,
        "roles": list(spec.roles),
        "scopes": list(spec.scopes),
        "confined_to": None if subject.only is None else subject.only[1],
        "expires_at": spec.expires_at.isoformat() if spec.expires_at else None,
        "allowed_ips": list(spec.allowed_ips),
    }
