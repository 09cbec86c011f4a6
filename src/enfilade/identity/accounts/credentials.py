"""What an account signs in with, changed: passwords, links to set them, second factors that were lost."""

from datetime import timedelta

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.scope import Scope
from enfilade.identity.accounts import store
from enfilade.identity.accounts.challenges import LINK_PREFIX, digest_of, new_secret, tenant_in
from enfilade.identity.accounts.errors import InvalidLink, SecondFactorNeeded
from enfilade.identity.accounts.passwords import check_password
from enfilade.identity.accounts.signing_in import PART, AccountRooms, PasswordSignIn
from enfilade.identity.accounts.types import IssuedChallenge, IssuedLink, SignedIn
from enfilade.identity.errors import RightsExceeded, UnknownPerson
from enfilade.identity.permissions import PEOPLE_WRITE
from enfilade.identity.roles.granting import FOR_A_TIME
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.sign_in.types import ClientFacts
from enfilade.identity.types import User
from enfilade.storage.unit_of_work import UnitOfWork

LINK_LIFE = timedelta(hours=72)


class Credentials:
    """The use cases."""

    def __init__(self, rooms: AccountRooms, sign_in: PasswordSignIn, clock: Clock) -> None:
        """Work with these."""
        self._rooms = rooms
        self._sign_in = sign_in
        self._clock = clock

    async def issue_link(self, unit: UnitOfWork, user: User) -> IssuedLink:
        """The right to set a password once, for an administrator to hand over; the one before is void.

        Raises RightsExceeded.
        """
        self._require_rights(unit.scope, user, lets_in=True)
        secret, digest = new_secret(LINK_PREFIX, unit.tenant)
        ends = to_datetime(self._clock.now_ns()) + LINK_LIFE
        covers = sorted(unit.scope.permissions)
        await unit.execute(store.PUT_LINK, unit.tenant, user.id, digest, unit.scope.actor, ends, covers)
        unit.record("PasswordLinkIssued", user=user.id, expires_at=ends.isoformat())
        return IssuedLink(secret, ends)

    async def take_link(self, secret: str, password: str, client: ClientFacts) -> SignedIn | IssuedChallenge:
        """Set a password by a link, and go on as after signing in. Raises InvalidLink, WeakPassword, SignInBusy."""
        tenant = tenant_in(secret, LINK_PREFIX)
        if tenant is None or self._rooms.principals.tenant(tenant) is None:
            raise _no_link()
        scope, digest = tenant_scope(tenant, PART), digest_of(secret)
        async with self._rooms.storage.unit_of_work(scope, readonly=True) as unit:
            row = await unit.fetch_row(store.FIND_LINK, tenant, digest, to_datetime(self._clock.now_ns()))
        user = None if row is None else self._rooms.principals.person(tenant, str(row["id"]))
        if row is None or user is None or not self._rooms.rules.of(tenant).local_accounts:
            raise _no_link()
        if not self._held(user) <= set(row["covers"]):
            raise _no_link()
        hashed = await self._rooms.passwords.hash(check_password(password, user.spec.email))
        async with self._rooms.storage.unit_of_work(scope) as unit:
            if await unit.fetch_value(store.TAKE_LINK, tenant, digest) is None:
                raise _no_link()
            await self._put(unit, user, hashed, "link")
        return await self._sign_in.admit(user, client)

    async def set_password(self, scope: Scope, user: User, password: str) -> None:
        """Set somebody's password, as an administrator. Raises RightsExceeded, WeakPassword, SignInBusy."""
        self._require_rights(scope, user, lets_in=True)
        hashed = await self._rooms.passwords.hash(check_password(password, user.spec.email))
        async with self._rooms.storage.unit_of_work(scope) as unit:
            await self._put(unit, user, hashed, "administrator")

    async def change_password(
        self, scope: Scope, user: User, current: str, password: str, client: ClientFacts, session: str
    ) -> None:
        """Change one's own password; all other sessions end. Raises WrongCredentials, WeakPassword, TooManyTries."""
        await self._sign_in.check_password(user, current, client)
        hashed = await self._rooms.passwords.hash(check_password(password, user.spec.email))
        async with self._rooms.storage.unit_of_work(scope) as unit:
            await self._put(unit, user, hashed, "self", but=session)

    async def remove_password(self, unit: UnitOfWork, user: User) -> bool:
        """Let somebody come by an issuer only; say whether they had a password. Raises RightsExceeded."""
        self._require_rights(unit.scope, user)
        await unit.execute(store.DELETE_LINK, unit.tenant, user.id)
        await self._rooms.challenges.forget(unit, user.id)
        if await unit.fetch_value(store.DELETE_PASSWORD, unit.tenant, user.id) is None:
            return False
        unit.record("PasswordRemoved", user=user.id)
        return True

    async def reset_factors(self, unit: UnitOfWork, user: User) -> int:
        """Remove somebody's second factors, because they lost them; their sessions end. Raises RightsExceeded."""
        self._require_rights(unit.scope, user)
        await self._rooms.sessions.revoke_all(unit, user.id, "second_factors_reset")
        return await self._rooms.factors.remove_all(unit, user.id)

    async def remove_factor(self, unit: UnitOfWork, user: User, factor: str) -> None:
        """Remove one of one's own second factors. Raises UnknownFactor, SecondFactorNeeded."""
        await self._rooms.factors.remove(unit, user.id, factor)
        principal = self._rooms.principals.of_person(user.tenant, user.id, name=PART, expires_ns=0)
        demanded = principal is None or self._rooms.rules.demands_second_factor(principal.scope)
        if demanded and not await self._rooms.factors.of(unit, user.id):
            message = "A second factor is demanded here, and this is the last one."
            raise SecondFactorNeeded(message)

    async def _put(self, unit: UnitOfWork, user: User, hashed: str, by: str, *, but: str | None = None) -> None:
        now = to_datetime(self._clock.now_ns())
        await unit.execute(store.PUT_PASSWORD, unit.tenant, user.id, hashed, now)
        await unit.execute(store.DELETE_LINK, unit.tenant, user.id)
        await self._rooms.challenges.forget(unit, user.id)
        await self._rooms.sessions.revoke_all(unit, user.id, "password_changed", but=but)
        unit.record("PasswordSet", user=user.id, by=by)

    def _held(self, user: User) -> frozenset[str]:
        """All that somebody may do now, anywhere. Raises UnknownPerson for somebody who is not active."""
        principal = self._rooms.principals.of_person(user.tenant, user.id, name=PART, expires_ns=0)
        if principal is None:
            message = f"{user.spec.email} is not active; let them be active first."
            raise UnknownPerson(message, param="user")
        return principal.scope.permissions.union(*(part.permissions for part in principal.scope.confined))

    def _require_rights(self, scope: Scope, user: User, *, lets_in: bool = False) -> None:
        """Who can let themselves in as somebody else needs all the rights of that person, and not for a time only."""
        held = self._held(user)
        if not held <= scope.permissions:
            message = f"{user.spec.email} has rights that you lack: nobody can open an account that may do more than they may."
            raise RightsExceeded(message, param="user")
        if lets_in and scope.lasting is not None and not {*held, PEOPLE_WRITE} <= scope.lasting.permissions:
            raise RightsExceeded(FOR_A_TIME, param="user")


def _no_link() -> InvalidLink:
    message = "The link for a new password is not valid, or not any more."
    return InvalidLink(message, param="secret")
