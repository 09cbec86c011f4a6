"""Issuers: declared, changed, removed."""

import re
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity.errors import InvalidSpecification, RightsExceeded
from enfilade.identity.permissions import PLATFORM_ROLES, TENANT_ROLES, permissions_of
from enfilade.identity.rows import START, check_name, check_version
from enfilade.identity.tokens import store
from enfilade.identity.tokens.book import IssuerBook
from enfilade.identity.tokens.errors import UnknownIssuer
from enfilade.identity.tokens.keys import ALGORITHMS
from enfilade.identity.tokens.rows import issuer_of
from enfilade.identity.tokens.types import MAX_GROUP, Issuer, IssuerSettings, IssuerSpec
from enfilade.identity.tokens.vouched import VouchedRoles
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import UnitOfWork

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
DOMAIN = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?")
MAX_SKEW_S = 120


class SecretSealer(Protocol):
    """What keeps a secret at rest."""

    def seal(self, secret: str, purpose: str) -> bytes:
        """The sealed form."""
        ...

    def open(self, sealed: bytes, purpose: str) -> str:
        """The secret."""
        ...

    def fingerprint(self, secret: str, purpose: str) -> bytes:
        """A keyed hash of it."""
        ...

    def is_same(self, fingerprint: bytes | None, secret: str, purpose: str) -> bool:
        """Whether the hash, made under any version of the key, is of this secret."""
        ...


class Issuers:
    """The use cases of issuers."""

    def __init__(
        self, ids: IdFactory, clock: Clock, book: IssuerBook, sealer: SecretSealer, vouched: VouchedRoles
    ) -> None:
        """Tell declarations apart by `book`; keep client secrets with `sealer`; change people's roles by `vouched`."""
        self._ids = ids
        self._clock = clock
        self._book = book
        self._sealer = sealer
        self._vouched = vouched

    async def page(self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None) -> list[Issuer]:
        """Issuers in the order of their making."""
        return [issuer_of(row) for row in await unit.fetch_listed(store.LIST_ISSUERS, after or START, limit, tenant)]

    async def find(self, unit: UnitOfWork, name: str) -> Issuer | None:
        """The current tenant's issuer of that name or id."""
        row = await unit.fetch_row(store.FIND_ISSUER, name, unit.tenant)
        return None if row is None else issuer_of(row)

    async def get(self, unit: UnitOfWork, name: str) -> Issuer:
        """Like `find`; raises UnknownIssuer."""
        issuer = await self.find(unit, name)
        if issuer is None:
            message = f"There is no issuer {name!r} in this tenant."
            raise UnknownIssuer(message)
        return issuer

    async def put(
        self, unit: UnitOfWork, spec: IssuerSpec, secret: str | None = None, expected: int | None = None
    ) -> tuple[Issuer, Outcome]:
        """Make the issuer as specified, or change it to be so; without a secret it keeps the one that it has.

        Raises InvalidSpecification, RightsExceeded, AmbiguousIssuer, VersionMismatch.
        """
        spec = checked_issuer(spec)
        await _check_rights(unit, spec.settings)
        present = await self.find(unit, spec.name)
        # In memory are all tenants' declarations; in the transaction those that this document made.
        near = [issuer_of(row) for row in await unit.fetch(store.LIST_SAME_URL, spec.url)]
        self._book.require_distinct(unit.tenant, spec, near)
        settings = msgspec.json.encode(spec.settings).decode()
        outcome = Outcome.UNCHANGED
        if present is None:
            identifier = self._ids.new_id()
            now = to_datetime(self._clock.now_ns())
            await unit.execute(store.INSERT_ISSUER, unit.tenant, identifier, spec.name, spec.url, settings, now)
            outcome = Outcome.CREATED
        else:
            identifier = present.id
            check_version(expected, present.version)
            if present.spec != spec:
                await unit.execute(store.UPDATE_ISSUER, unit.tenant, identifier, spec.url, settings)
                outcome = Outcome.CHANGED
        if secret is not None and await self._set_secret(unit, identifier, secret) and outcome is Outcome.UNCHANGED:
            outcome = Outcome.CHANGED
        if outcome is not Outcome.UNCHANGED:
            event = "IssuerDeclared" if outcome is Outcome.CREATED else "IssuerChanged"
            unit.record(event, id=identifier, name=spec.name, url=spec.url, secret_changed=secret is not None)
            unit.changed()
        issuer = await self.get(unit, spec.name)
        if present is not None and present.settings.roles != spec.settings.roles:
            await self._vouched.settle(unit, issuer)
        return issuer, outcome

    async def remove(self, unit: UnitOfWork, name: str, expected: int | None = None) -> None:
        """Remove an issuer: its tokens are refused from now on, and the sessions that it vouched for end."""
        issuer = await self.get(unit, name)
        check_version(expected, issuer.version)
        now = to_datetime(self._clock.now_ns())
        for row in await unit.fetch(store.END_ISSUERS_SESSIONS, unit.tenant, issuer.id, now):
            unit.record("SessionRevoked", id=str(row["id"]), because="issuer_removed")
        await self._vouched.end(unit, issuer)
        await unit.execute(store.REMOVE_ISSUER, unit.tenant, issuer.id)
        unit.record("IssuerRemoved", id=issuer.id, name=issuer.name)
        unit.changed()

    def client_secret(self, issuer: Issuer) -> str | None:
        """The secret by which the issuer knows us. Raises StorageFault without the master key."""
        sealed = self._book.sealed_secret(issuer)
        return None if sealed is None else self._sealer.open(sealed, _purpose(issuer.id))

    async def _set_secret(self, unit: UnitOfWork, identifier: str, secret: str) -> bool:
        if not 1 <= len(secret) <= 4096 or not secret.isprintable():
            message = "a client secret is a printable text"
            raise InvalidSpecification(message, param="client_secret")
        known = await unit.fetch_value(store.READ_SECRET_PRINT, unit.tenant, identifier)
        if self._sealer.is_same(known, secret, _purpose(identifier)):
            return False
        print_ = self._sealer.fingerprint(secret, _purpose(identifier))
        sealed = self._sealer.seal(secret, _purpose(identifier))
        await unit.execute(store.SET_CLIENT_SECRET, unit.tenant, identifier, sealed, print_)
        return True


def _purpose(identifier: str) -> str:
    return f"issuer:{identifier}"


def checked_issuer(spec: IssuerSpec) -> IssuerSpec:
    """In its normal form. Raises InvalidSpecification."""
    check_name(spec.name, NAME)
    settings = spec.settings
    for name, url in (("url", spec.url), ("jwks_url", settings.jwks_url)):
        if url is not None:
            _check_url(url, name, private=settings.allow_private_network)
    unknown = [algorithm for algorithm in settings.algorithms if algorithm not in ALGORITHMS]
    rules = (
        (not unknown, "algorithms", f"accepted are {', '.join(ALGORITHMS)}, and not {', '.join(unknown)}"),
        (settings.algorithms, "algorithms", "an issuer without algorithms could sign nothing"),
        (
            settings.audiences or settings.client_id,
            "audiences",
            "an issuer needs audiences, for access tokens, or a client id, for signing in",
        ),
        (
            all(1 <= len(group) <= MAX_GROUP for group in settings.roles),
            "roles",
            f"a group's name has at most {MAX_GROUP} characters",
        ),
        (0 <= settings.clock_skew_s <= MAX_SKEW_S, "clock_skew_s", f"clock_skew_s is at most {MAX_SKEW_S}"),
        (settings.client_id is None or "openid" in settings.scopes, "scopes", "signing in needs the scope openid"),
        (
            not settings.trust_email or settings.email_domains,
            "email_domains",
            "trust_email needs email_domains: otherwise the issuer could speak for anybody's address",
        ),
    )
    for holds, param, message in rules:
        if not holds:
            raise InvalidSpecification(message, param=param)
    for domain in settings.email_domains:
        check_name(domain, DOMAIN, "email_domains")
    return spec


async def _check_rights(unit: UnitOfWork, settings: IssuerSettings) -> None:
    """An issuer speaks for everybody in the tenant: only who has all of a tenant's rights may declare one."""
    platform = unit.tenant == PLATFORM_ID
    table = PLATFORM_ROLES if platform else TENANT_ROLES
    if not permissions_of(table, platform=platform) <= unit.scope.for_good.permissions:
        message = (
            "An issuer speaks for everybody in its tenant: only who has all of their rights for good can declare one."
        )
        raise RightsExceeded(message)
    wanted = {role for roles in settings.roles.values() for role in roles} - table.keys()
    known = {row["name"] for row in await unit.fetch(store.KNOWN_ROLES, unit.tenant, sorted(wanted))}
    for role in sorted(wanted - known):
        message = f"{role!r} is no role here; those that every tenant has are {', '.join(table)}"
        raise InvalidSpecification(message, param="roles")


def _check_url(url: str, name: str, *, private: bool) -> None:
    parts = urlsplit(url)
    try:
        plain = parts.port is None or parts.port > 0
    except ValueError:
        plain = False
    fits = (
        plain
        and parts.scheme in {"https", "http"}
        and parts.hostname
        and not (parts.username or parts.password or parts.query or parts.fragment)
        and url.isascii()
        and url.isprintable()
        and len(url) <= 500
    )
    if not fits:
        message = f"{url[:200]!r} is no address of an issuer, such as https://login.example.com/realms/staff"
        raise InvalidSpecification(message, param=name)
    if parts.scheme == "http" and not private:
        message = "an issuer is asked over https; http is for private networks (allow_private_network: true)"
        raise InvalidSpecification(message, param=name)
