"""Keys: issued, changed, rotated with a grace period, revoked."""

import hashlib
import secrets
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity import store
from enfilade.identity.applications import Applications
from enfilade.identity.errors import AlreadyExists, InvalidSpecification, RightsExceeded, UnknownKey
from enfilade.identity.people import Users
from enfilade.identity.permissions import PLATFORM_ROLES, TENANT_ROLES, permissions_of
from enfilade.identity.rows import START, check_name, check_version, key_of, normal_networks
from enfilade.identity.types import IssuedKey, Key, KeySpec, Outcome
from enfilade.storage.unit_of_work import UnitOfWork

PREFIX = "enf_"
MIN_SECRET_LENGTH = 32
MAX_SECRET_LENGTH = 512
DEFAULT_GRACE = timedelta(hours=24)
MAX_GRACE = timedelta(days=90)


def secret_digest(secret: str | bytes) -> bytes:
    """What is stored and looked up instead of a secret. The whole credential is hashed, never a part of it.

    A fast hash is right here: the secrets that we make have 256 bits, so there is nothing to guess.
    """
    return hashlib.sha256(secret if isinstance(secret, bytes) else secret.encode()).digest()


def new_secret() -> tuple[str, str]:
    """A new credential and its public beginning."""
    hint = PREFIX + secrets.token_hex(5)
    return f"{hint}_{secrets.token_hex(32)}", hint


@dataclass(frozen=True, slots=True)
class _Subject:
    application_id: str | None
    user_id: str | None


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
        return [key_of(row) for row in await unit.fetch(store.LIST_KEYS, after or START, limit, tenant)]

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

    async def hints(self, unit: UnitOfWork, key: Key) -> list[str]:
        """The public beginnings of the key's valid secrets."""
        rows = await unit.fetch(store.LIST_SECRETS, key.tenant, key.id)
        return [row["hint"] for row in rows if row["hint"]]

    async def issue(self, unit: UnitOfWork, spec: KeySpec, secret: str | None = None) -> IssuedKey:
        """Make a key, with a secret of the caller's or a new one that is shown this once.

        Raises AlreadyExists, InvalidSpecification, RightsExceeded, UnknownApplication, UnknownPerson.
        """
        spec = self._checked(unit, spec)
        if await self.find(unit, spec.name) is not None:
            message = f"There is a key {spec.name!r} already."
            raise AlreadyExists(message)
        subject = await self._subject(unit, spec)
        identifier = self._ids.new_id()
        await unit.execute(
            store.INSERT_KEY,
            *(unit.tenant, identifier, spec.name, subject.application_id, subject.user_id),
            *(list(spec.roles), spec.expires_at, list(spec.allowed_ips)),
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
        spec = self._checked(unit, spec)
        check_version(expected, present.version)
        outcome = Outcome.UNCHANGED
        if present.spec != spec:
            subject = await self._subject(unit, spec)
            await unit.execute(
                store.UPDATE_KEY,
                *(unit.tenant, present.id, subject.application_id, subject.user_id),
                *(list(spec.roles), spec.expires_at, list(spec.allowed_ips)),
            )
            unit.record("KeyChanged", **_described(present.id, spec, subject))
            outcome = Outcome.CHANGED
        if secret is not None and await self._replace_secret(unit, present, secret):
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
        self._check_rights(unit, key.spec)
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
        await unit.execute(store.REVOKE_KEY, unit.tenant, key.id)
        unit.record("KeyRevoked", id=key.id, name=key.spec.name, because="asked")
        unit.changed()

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())

    def _checked(self, unit: UnitOfWork, spec: KeySpec) -> KeySpec:
        check_name(spec.name)
        table = PLATFORM_ROLES if unit.tenant == PLATFORM_ID else TENANT_ROLES
        for role in spec.roles:
            if role not in table:
                message = f"{role!r} is no role here; the roles are {', '.join(table)}"
                raise InvalidSpecification(message, param="roles")
        if spec.application and spec.user:
            message = "a key stands for an application or for a user, not for both"
            raise InvalidSpecification(message, param="user")
        if not (spec.application or spec.user or spec.roles):
            message = "a key needs an application, a user or roles; it could do nothing otherwise"
            raise InvalidSpecification(message, param="application")
        self._check_rights(unit, spec)
        expires = spec.expires_at
        if expires is not None:
            expires = (expires if expires.tzinfo else expires.replace(tzinfo=UTC)).astimezone(UTC)
        email = spec.user.lower() if spec.user else None
        return replace(
            spec,
            user=email,
            roles=tuple(sorted(set(spec.roles))),
            expires_at=expires,
            allowed_ips=normal_networks(spec.allowed_ips),
        )

    def _check_rights(self, unit: UnitOfWork, spec: KeySpec) -> None:
        granted = permissions_of(spec.roles, platform=unit.tenant == PLATFORM_ID)
        if not granted <= unit.scope.permissions:
            message = "Nobody can grant roles that include more than their own rights."
            raise RightsExceeded(message, param="roles")

    async def _subject(self, unit: UnitOfWork, spec: KeySpec) -> _Subject:
        application = await self._applications.get(unit, spec.application) if spec.application else None
        user = await self._users.get(unit, spec.user) if spec.user else None
        return _Subject(application.id if application else None, user.id if user else None)

    async def _add_secret(self, unit: UnitOfWork, key: str, secret: str | None) -> str | None:
        if secret is None:
            made, hint = new_secret()
            await unit.execute(store.INSERT_SECRET, unit.tenant, key, secret_digest(made), hint)
            return made
        _check_secret(secret)
        await unit.execute(store.INSERT_SECRET, unit.tenant, key, secret_digest(secret), None)
        return None

    async def _replace_secret(self, unit: UnitOfWork, key: Key, secret: str) -> bool:
        _check_secret(secret)
        digest = secret_digest(secret)
        present = {bytes(row["digest"]) for row in await unit.fetch(store.LIST_SECRETS, unit.tenant, key.id)}
        if present == {digest}:
            return False
        if digest not in present:
            await unit.execute(store.INSERT_SECRET, unit.tenant, key.id, digest, None)
        await unit.execute(store.END_SECRETS, unit.tenant, key.id, self._now(), digest)
        unit.record("KeyRotated", id=key.id, name=key.spec.name, grace_s=0)
        return True


def _check_secret(secret: str) -> None:
    if not MIN_SECRET_LENGTH <= len(secret) <= MAX_SECRET_LENGTH or not secret.isascii() or not secret.isprintable():
        message = f"a secret must have {MIN_SECRET_LENGTH} to {MAX_SECRET_LENGTH} printable ASCII characters"
        raise InvalidSpecification(message, param="secret")


def _described(identifier: str, spec: KeySpec, subject: _Subject) -> dict[str, object]:
    return {
        "id": identifier,
        "name": spec.name,
        "application": subject.application_id,
        "user": subject.user_id,
        "roles": list(spec.roles),
        "expires_at": spec.expires_at.isoformat() if spec.expires_at else None,
        "allowed_ips": list(spec.allowed_ips),
    }
