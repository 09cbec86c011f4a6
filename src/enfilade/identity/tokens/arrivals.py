"""From what an issuer says about somebody to a user: known by their subject, linked by a verified address, or made."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from enfilade.core.clock import Clock, to_datetime
from enfilade.identity.errors import InvalidSpecification
from enfilade.identity.people import Users
from enfilade.identity.rows import EMAIL, check_name
from enfilade.identity.tokens import store
from enfilade.identity.tokens.jws import claim_at, refused
from enfilade.identity.tokens.types import MAX_GROUP, Issuer
from enfilade.identity.tokens.vouched import VouchedRoles
from enfilade.identity.types import Origin, UserSpec
from enfilade.storage.unit_of_work import UnitOfWork

MAX_SUBJECT = 255
MAX_GROUPS = 500


@dataclass(frozen=True, slots=True)
class Person:
    """What an issuer says about somebody."""

    subject: str
    email: str | None
    """Only when it may be relied on."""
    name: str | None
    groups: tuple[str, ...]


def person_in(issuer: Issuer, claims: dict[str, Any]) -> Person:
    """The person whom the claims are about. Raises InvalidToken."""
    names = issuer.settings.claims
    subject = claim_at(claims, names.subject)
    if not isinstance(subject, str) or not 1 <= len(subject) <= MAX_SUBJECT or "\x00" in subject:
        raise refused("subject")
    name = claim_at(claims, names.name)
    return Person(
        subject,
        _email(issuer, claims),
        name if isinstance(name, str) and 0 < len(name) <= 200 and name.isprintable() else None,
        groups_in(issuer, claims),
    )


def groups_in(issuer: Issuer, claims: dict[str, Any]) -> tuple[str, ...]:
    """The groups that the claims name and that give a role: no others are of interest, nor kept."""
    found = claim_at(claims, issuer.settings.claims.groups)
    listed = found if isinstance(found, list) else [found]
    named = {group for group in listed[:MAX_GROUPS] if isinstance(group, str) and len(group) <= MAX_GROUP}
    return tuple(sorted(named & issuer.settings.roles.keys()))


class Arrivals:
    """Finds or makes the user behind a person."""

    def __init__(
        self, users: Users, vouched: VouchedRoles, clock: Clock, refresh: Callable[[], Awaitable[object]]
    ) -> None:
        """After a change, `refresh` lets this process know of it at once."""
        self._users = users
        self._vouched = vouched
        self._clock = clock
        self.refresh = refresh

    async def sign_in(self, unit: UnitOfWork, issuer: Issuer, person: Person) -> str:
        """Like `arrive`, and the user has the roles that the person's groups give, and no others of the issuer's."""
        user = await self.arrive(unit, issuer, person)
        await self._vouched.arrive(unit, issuer, user, person.groups)
        return user

    async def arrive(self, unit: UnitOfWork, issuer: Issuer, person: Person) -> str:
        """The id of the user. Raises InvalidToken for somebody who is no user and may not become one."""
        known = await unit.fetch_value(store.FIND_IDENTITY, unit.tenant, issuer.id, person.subject)
        if known is not None:
            user = await self._users.find(unit, str(known))
            if user is not None and user.spec.active:
                return user.id
            if user is not None:
                raise refused("inactive")
        if person.email is None:
            raise refused("no_verified_email")
        user = await self._users.find(unit, person.email)
        if user is None:
            if not issuer.settings.create_users:
                raise refused("unknown_user")
            source = f"oidc:{issuer.name}"
            spec = UserSpec(person.email, display_name=person.name)
            user, _ = await self._users.put(unit, spec, origin=Origin(source, person.subject))
        elif not user.spec.active:
            raise refused("inactive")
        else:
            # An address that another person had before: whoever has it now is not therefore that person.
            other = await unit.fetch_value(store.FIND_SUBJECT, unit.tenant, issuer.id, user.id)
            if other is not None and other != person.subject:
                raise refused("address_of_another")
        now = to_datetime(self._clock.now_ns())
        await unit.execute(store.INSERT_IDENTITY, unit.tenant, issuer.id, person.subject, user.id, now)
        unit.record("IdentityLinked", user=user.id, issuer=issuer.id)
        unit.changed()
        return user.id


def _email(issuer: Issuer, claims: dict[str, Any]) -> str | None:
    """The address, if the issuer vouches for it and may."""
    settings = issuer.settings
    email = claim_at(claims, settings.claims.email)
    verified = claims.get("email_verified") is True or claims.get("email_verified") == "true" or settings.trust_email
    if not isinstance(email, str) or not verified or claims.get("email_verified") is False:
        return None
    email = email.lower()
    domain = email.rpartition("@")[2]
    if settings.email_domains and domain not in settings.email_domains:
        return None
    try:
        check_name(email, EMAIL, "email")
    except InvalidSpecification:
        return None
    return email
