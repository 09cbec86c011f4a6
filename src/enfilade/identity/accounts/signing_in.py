"""Signing in with a local account: a password, then a second factor where there is one or must be one.

Whoever asks about an account that is not there costs the same work and gets the same answer as whoever has a wrong
password. No database connection is held while a password is hashed.
"""

from dataclasses import dataclass
from typing import Any

from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.accounts import store, webauthn
from enfilade.identity.accounts.attempts import Attempt, Attempts, is_telling
from enfilade.identity.accounts.challenges import PREFIX, Challenges, no_challenge, tenant_in
from enfilade.identity.accounts.errors import WrongCredentials
from enfilade.identity.accounts.factors import Factors
from enfilade.identity.accounts.passwords import Passwords, normal_password
from enfilade.identity.accounts.rules import AccountRuleBook
from enfilade.identity.accounts.types import (
    ENROLMENT,
    RECOVERY_CODE,
    SECOND_FACTOR,
    TOTP,
    WEBAUTHN,
    Added,
    Answer,
    Challenge,
    IssuedChallenge,
    NewTotp,
    SignedIn,
)
from enfilade.identity.principals import Principals
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.identity.sign_in.types import ClientFacts
from enfilade.identity.types import User
from enfilade.storage.unit_of_work import Storage, UnitOfWork

PART = "accounts"
NOBODY = ""
"""An address that no user can have."""
PASSWORD = "password"  # noqa: S105 - the name of a method


@dataclass(frozen=True, slots=True)
class AccountRooms:
    """What local accounts are made of."""

    storage: Storage
    principals: Principals
    sessions: Sessions
    passwords: Passwords
    attempts: Attempts
    challenges: Challenges
    factors: Factors
    rules: AccountRuleBook


class PasswordSignIn:
    """The use cases of coming in."""

    def __init__(self, rooms: AccountRooms) -> None:
        """Work with these."""
        self._rooms = rooms

    async def with_password(
        self, tenant: str | None, email: str, password: str, client: ClientFacts
    ) -> SignedIn | IssuedChallenge:
        """A session, or what has to be shown before there is one. Without a tenant, one of the platform's people.

        Raises WrongCredentials, TooManyTries, SignInBusy.
        """
        place = self._place(tenant)
        email = email.lower()
        attempt = await self._claim(place or (tenant or "").lower(), email, client)
        user, hashed = await self._find(place, email)
        if not await self._rooms.passwords.matches(hashed, password) or user is None or hashed is None:
            await self._tell(place, user, attempt.failures, PASSWORD)
            message = "The e-mail address or the password is wrong."
            raise WrongCredentials(message)
        await self._renew_hash(user, hashed, password)
        return await self._admit(user, client, attempt)

    async def answer(self, secret: str, answer: Answer, client: ClientFacts) -> SignedIn:
        """Go on with a second factor. Raises InvalidChallenge, WrongCode, AuthenticatorRefused, TooManyTries."""
        challenge = await self._attempt(secret, SECOND_FACTOR)
        failures = await self._claim_factor(challenge)
        scope = tenant_scope(challenge.tenant, PART)
        try:
            async with self._rooms.storage.unit_of_work(scope, alone=False) as unit:
                method = await self._rooms.factors.check(unit, challenge.user_id, challenge.nonce, answer)
                signed_in = await self._start(unit, challenge, method, client)
        except Exception:
            await self._tell(challenge.tenant, self._person(challenge), failures, SECOND_FACTOR)
            raise
        await self._succeeded(challenge, client)
        return signed_in

    async def begin_totp(self, secret: str, name: str) -> NewTotp:
        """Set up an app, as this tenant demands before anything else. Raises InvalidChallenge."""
        challenge = await self._attempt(secret, ENROLMENT)
        user = self._person(challenge)
        async with self._rooms.storage.unit_of_work(tenant_scope(challenge.tenant, PART)) as unit:
            return await self._rooms.factors.begin_totp(unit, user, name, self._tenant_name(challenge.tenant))

    async def begin_webauthn(self, secret: str) -> dict[str, Any]:
        """What a browser makes a credential from, on the way in. Raises InvalidChallenge."""
        challenge = await self._attempt(secret, ENROLMENT)
        user = self._person(challenge)
        async with self._rooms.storage.unit_of_work(tenant_scope(challenge.tenant, PART), readonly=True) as unit:
            return await self._rooms.factors.registration_options(unit, user, challenge.nonce)

    async def finish_totp(self, secret: str, factor: str, code: str, client: ClientFacts) -> SignedIn:
        """Come in with the app that was set up. Raises InvalidChallenge, UnknownFactor, WrongCode."""
        challenge = await self._attempt(secret, ENROLMENT)
        await self._claim_factor(challenge)
        async with self._rooms.storage.unit_of_work(tenant_scope(challenge.tenant, PART)) as unit:
            added = await self._rooms.factors.confirm_totp(unit, challenge.user_id, factor, code)
            signed_in = await self._start(unit, challenge, TOTP, client, added)
        await self._succeeded(challenge, client)
        return signed_in

    async def finish_webauthn(self, secret: str, name: str, answer: dict[str, Any], client: ClientFacts) -> SignedIn:
        """Come in with the security key that was set up. Raises InvalidChallenge, AuthenticatorRefused."""
        challenge = await self._attempt(secret, ENROLMENT)
        async with self._rooms.storage.unit_of_work(tenant_scope(challenge.tenant, PART)) as unit:
            added = await self._rooms.factors.add_webauthn(unit, challenge.user_id, name, challenge.nonce, answer)
            signed_in = await self._start(unit, challenge, WEBAUTHN, client, added)
        await self._succeeded(challenge, client)
        return signed_in

    async def check_password(self, user: User, password: str, client: ClientFacts) -> None:
        """Make sure that somebody who is signed in knows their password. Raises WrongCredentials, TooManyTries."""
        attempt = await self._claim(user.tenant, user.spec.email, client)
        _, hashed = await self._find(user.tenant, user.id)
        if not await self._rooms.passwords.matches(hashed, password):
            await self._tell(user.tenant, user, attempt.failures, PASSWORD)
            message = "The current password is wrong."
            raise WrongCredentials(message, param="current")
        await self._count_back(attempt)

    async def admit(self, user: User, client: ClientFacts) -> SignedIn | IssuedChallenge:
        """Let somebody in who proved what a password proves, as by a link."""
        return await self._admit(
            user, client, self._rooms.attempts.attempt_of(user.tenant, user.spec.email, client.address)
        )

    def _place(self, tenant: str | None) -> str | None:
        if not tenant:
            return PLATFORM_ID
        found = self._rooms.principals.tenant_named(tenant)
        if found is None or not self._rooms.rules.of(found.id).local_accounts:
            return None
        return found.id

    def _tenant_name(self, tenant: str) -> str:
        found = self._rooms.principals.tenant(tenant)
        return found.name if found and tenant != PLATFORM_ID else ""

    def _person(self, challenge: Challenge) -> User:
        user = self._rooms.principals.person(challenge.tenant, challenge.user_id)
        if user is None:
            raise no_challenge()
        return user

    async def _claim(self, tenant: str, email: str, client: ClientFacts) -> Attempt:
        async with self._rooms.storage.unit_of_work(system_scope(PART), alone=False) as unit:
            return await self._rooms.attempts.claim(unit, tenant, email, client.address)

    async def _count_back(self, attempt: Attempt) -> None:
        async with self._rooms.storage.unit_of_work(system_scope(PART), alone=False) as unit:
            await self._rooms.attempts.succeeded(unit, attempt)

    async def _find(self, place: str | None, email: str) -> tuple[User | None, str | None]:
        """A person who may come in, and their password's hash. Who is not there is looked for all the same."""
        where = place or PLATFORM_ID
        async with self._rooms.storage.unit_of_work(tenant_scope(where, PART), readonly=True) as unit:
            row = await unit.fetch_row(store.FIND_PASSWORD, where, email if place else NOBODY)
        user = None if row is None else self._rooms.principals.person(where, str(row["id"]))
        return (None, None) if row is None or user is None else (user, row["hash"])

    async def _renew_hash(self, user: User, hashed: str, password: str) -> None:
        if not self._rooms.passwords.is_weaker(hashed):
            return
        renewed = await self._rooms.passwords.hash(normal_password(password))
        async with self._rooms.storage.unit_of_work(tenant_scope(user.tenant, PART), alone=False) as unit:
            await unit.execute(store.REHASH_PASSWORD, user.tenant, user.id, hashed, renewed)

    async def _admit(self, user: User, client: ClientFacts, attempt: Attempt) -> SignedIn | IssuedChallenge:
        rooms = self._rooms
        principal = rooms.principals.of_person(user.tenant, user.id, name=PART, expires_ns=0)
        if principal is None:
            raise no_challenge()
        async with rooms.storage.unit_of_work(tenant_scope(user.tenant, PART), alone=False) as unit:
            factors = await rooms.factors.of(unit, user.id)
            if factors:
                return await self._challenge(unit, user, {factor.kind for factor in factors})
            if rooms.rules.demands_second_factor(principal.scope):
                issued, _ = await rooms.challenges.issue(unit, user.id, ENROLMENT, (TOTP, WEBAUTHN))
                return issued
            session = await rooms.sessions.start(unit, user.id, methods=(PASSWORD,), issuer=None, client=client)
        await self._count_back(attempt)
        return SignedIn(session)

    async def _challenge(self, unit: UnitOfWork, user: User, kinds: set[str]) -> IssuedChallenge:
        rooms = self._rooms
        methods = [kind for kind in (WEBAUTHN, TOTP) if kind in kinds]
        if await rooms.factors.codes_left(unit, user.id):
            methods.append(RECOVERY_CODE)
        issued, nonce = await rooms.challenges.issue(unit, user.id, SECOND_FACTOR, tuple(methods))
        options = None
        if WEBAUTHN in kinds:
            known = await rooms.factors.credentials(unit, user.id)
            options = webauthn.authentication_options(rooms.factors.party, nonce, known)
        return IssuedChallenge(issued.secret, issued.purpose, issued.methods, issued.expires_at, options)

    async def _attempt(self, secret: str, purpose: str) -> Challenge:
        """The challenge behind a secret. The try stays counted, whatever becomes of it."""
        tenant = tenant_in(secret, PREFIX)
        if tenant is None or self._rooms.principals.tenant(tenant) is None:
            raise no_challenge()
        async with self._rooms.storage.unit_of_work(tenant_scope(tenant, PART), alone=False) as unit:
            return await self._rooms.challenges.attempt(unit, secret, purpose)

    async def _claim_factor(self, challenge: Challenge) -> int:
        async with self._rooms.storage.unit_of_work(system_scope(PART), alone=False) as unit:
            return await self._rooms.attempts.claim_factor(unit, challenge.tenant, challenge.user_id)

    async def _start(
        self, unit: UnitOfWork, challenge: Challenge, method: str, client: ClientFacts, added: Added | None = None
    ) -> SignedIn:
        await self._rooms.challenges.take(unit, challenge)
        if added is not None and not added.recovery_codes:
            # It is not the first one: since this began, the account's owner has set up one that is to be shown.
            raise no_challenge()
        session = await self._rooms.sessions.start(
            unit, challenge.user_id, methods=(PASSWORD, method), issuer=None, client=client
        )
        return SignedIn(session, added.recovery_codes if added else ())

    async def _succeeded(self, challenge: Challenge, client: ClientFacts) -> None:
        attempts = self._rooms.attempts
        attempt = attempts.attempt_of(challenge.tenant, challenge.email, client.address)
        async with self._rooms.storage.unit_of_work(system_scope(PART), alone=False) as unit:
            await attempts.succeeded(unit, attempt)
            await attempts.factor_succeeded(unit, challenge.tenant, challenge.user_id)

    async def _tell(self, place: str | None, user: User | None, failures: int, factor: str) -> None:
        """Failures are told of now and then: the log is not for guessers to fill."""
        if not is_telling(failures):
            return
        async with self._rooms.storage.unit_of_work(tenant_scope(place or PLATFORM_ID, PART), alone=False) as unit:
            unit.record("SignInsFailed", user=user.id if user else None, factor=factor, failures=failures)
