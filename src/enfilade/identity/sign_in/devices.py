"""Command lines that wait for their owner: with a code to type (RFC 8628), or answered on their own machine (RFC 8252)."""

import hashlib
import hmac
import secrets
from collections import OrderedDict
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.identity.sign_in import store
from enfilade.identity.sign_in.errors import (
    AccessDenied,
    AuthorizationPending,
    DeviceAnswer,
    ExpiredCode,
    SlowDown,
    TooManyTries,
    UnknownSession,
)
from enfilade.identity.sign_in.oidc import challenge_of
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.identity.sign_in.targets import checked_loopback
from enfilade.identity.sign_in.types import ClientFacts, IssuedSession, Session
from enfilade.storage.unit_of_work import Storage

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels: a code spells no word. No digits: none is taken for a letter."""
LIFE_S = 600
CODE_LIFE_S = 60
INTERVAL_S = 5
MOST_WAITING = 10_000
MOST_NEAR = 1_000
"""From one address, so that nobody keeps everybody else from waiting: an office, or a proxy, may be one."""
MOST_TRIES = 10
TRIES_S = 600.0
MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class WaitingDevice:
    """What a command line is given to wait with."""

    device_code: str = field(repr=False)
    user_code: str
    expires_in: int = LIFE_S
    interval: int = INTERVAL_S


@dataclass(frozen=True, slots=True)
class Claimed:
    """A waiting command line, as it is described to whoever confirms it."""

    id: str
    client: ClientFacts


@dataclass(frozen=True, slots=True)
class _Grant:
    life_s: float
    user_code: str | None = None
    client: ClientFacts | None = None
    challenge: str | None = None
    redirect_uri: str | None = None
    session: Session | None = None


class Devices:
    """The use cases of command lines that wait."""

    def __init__(self, ids: IdFactory, clock: Clock, storage: Storage, sessions: Sessions) -> None:
        """Give those that were confirmed a session like their owner's."""
        self._ids = ids
        self._clock = clock
        self._storage = storage
        self._sessions = sessions
        self._tries: OrderedDict[str, tuple[float, int]] = OrderedDict()

    async def begin(self, client: ClientFacts) -> WaitingDevice:
        """Let a command line wait. Raises TooManyTries when very many do."""
        code, user_code = secrets.token_urlsafe(32), "".join(secrets.choice(LETTERS) for _ in range(8))
        await self._insert(code, _Grant(LIFE_S, user_code=user_code, client=client))
        return WaitingDevice(code, f"{user_code[:4]}-{user_code[4:]}")

    async def find(self, user_code: str, session: Session) -> Claimed:
        """The command line that shows this code. Raises ExpiredCode, TooManyTries."""
        self._count_try(session.user_id)
        normal = "".join(letter for letter in user_code.upper() if letter in LETTERS)
        async with self._storage.unit_of_work(system_scope("sign_in"), readonly=True) as unit:
            row = await unit.fetch_row(store.FIND_BY_USER_CODE, PLATFORM_ID, normal, self._now())
        if row is None:
            message = "No command line waits with this code; it may have waited too long."
            raise ExpiredCode(message)
        return Claimed(str(row["id"]), ClientFacts(row["address"], row["user_agent"]))

    async def answer(self, user_code: str, session: Session, *, approve: bool) -> None:
        """Confirm or deny what `find` found. Raises ExpiredCode, TooManyTries."""
        claimed = await self.find(user_code, session)
        async with self._storage.unit_of_work(system_scope("sign_in"), alone=False) as unit:
            row = await unit.fetch_row(
                store.ANSWER_GRANT,
                *(PLATFORM_ID, claimed.id, session.tenant if approve else None),
                *(session.id if approve else None, not approve),
            )
        if row is None:
            message = "This code was answered already."
            raise ExpiredCode(message)

    async def grant_code(self, session: Session, challenge: str, redirect_uri: str) -> str:
        """A code for a command line on the confirming person's machine. Raises InvalidTarget, DeviceAnswer."""
        checked_loopback(redirect_uri)
        if not 43 <= len(challenge) <= 128 or not challenge.isascii():
            message = "A command line must send a challenge (RFC 7636)."
            raise DeviceAnswer(message, param="code_challenge")
        code = secrets.token_urlsafe(32)
        grant = _Grant(CODE_LIFE_S, challenge=challenge, redirect_uri=redirect_uri, session=session)
        await self._insert(code, grant)
        return code

    async def redeem(self, device_code: str, client: ClientFacts) -> IssuedSession:
        """The session of a command line that was confirmed.

        Raises AuthorizationPending, SlowDown, AccessDenied, ExpiredCode.
        """
        now = self._now()
        answer: DeviceAnswer | None = None
        approved: tuple[str, str] | None = None
        async with self._storage.unit_of_work(system_scope("sign_in"), alone=False) as unit:
            row = await unit.fetch_row(store.POLL_GRANT, PLATFORM_ID, _digest(device_code), now)
            if row is None or row["challenge"] is not None:
                raise _expired()
            if row["denied"]:
                answer = AccessDenied("The request of this command line was denied.")
                await unit.execute(store.TAKE_GRANT, PLATFORM_ID, row["id"])
            elif row["approved_session"] is not None:
                approved = str(row["approved_tenant"]), str(row["approved_session"])
                await unit.execute(store.TAKE_GRANT, PLATFORM_ID, row["id"])
            else:
                answer = _waiting(row["polled_at"], now)
                await unit.execute(store.NOTE_POLL, PLATFORM_ID, row["id"], now)
        if answer is not None or approved is None:
            raise answer or _expired()
        return await self._start(*approved, client)

    async def redeem_code(self, code: str, verifier: str, redirect_uri: str, client: ClientFacts) -> IssuedSession:
        """The session of a command line that was answered on its own machine. Raises ExpiredCode."""
        async with self._storage.unit_of_work(system_scope("sign_in"), alone=False) as unit:
            row = await unit.fetch_row(store.POLL_GRANT, PLATFORM_ID, _digest(code), self._now())
            if row is not None and row["challenge"] is not None:
                # Whatever comes of it: a code can be tried once.
                await unit.execute(store.TAKE_GRANT, PLATFORM_ID, row["id"])
        if row is None or row["challenge"] is None or row["redirect_uri"] != redirect_uri:
            raise _expired()
        if not hmac.compare_digest(challenge_of(verifier), row["challenge"]):
            raise _expired()
        return await self._start(str(row["approved_tenant"]), str(row["approved_session"]), client)

    async def _start(self, tenant: str, session_id: str, client: ClientFacts) -> IssuedSession:
        """A session like that of whoever confirmed, if they are signed in still."""
        async with self._storage.unit_of_work(tenant_scope(tenant, "sign_in")) as unit:
            try:
                owner = await self._sessions.get(unit, session_id)
            except UnknownSession:
                raise _expired() from None
            return await self._sessions.pass_on(unit, owner, client)

    async def _insert(
        self,
        code: str,
        grant: _Grant,
    ) -> None:
        now, session = self._now(), grant.session
        facts = grant.client or ClientFacts()
        agent = facts.user_agent[:200] if facts.user_agent else None
        async with self._storage.unit_of_work(system_scope("sign_in"), alone=False) as unit:
            await unit.execute(store.FORGET_GRANTS, PLATFORM_ID, now)
            waiting = await unit.fetch_row(store.COUNT_GRANTS, PLATFORM_ID, facts.address)
            crowded = waiting is not None and (waiting["total"] >= MOST_WAITING or waiting["near"] >= MOST_NEAR)
            if session is None and crowded:
                message = "Too many command lines are waiting at the moment."
                raise TooManyTries(message, retry_after=60)
            await unit.execute(
                store.INSERT_GRANT,
                *(PLATFORM_ID, self._ids.new_id(), _digest(code), grant.user_code, grant.challenge, grant.redirect_uri),
                *(facts.address, agent, session.tenant if session else None, session.id if session else None),
                now + timedelta(seconds=grant.life_s),
            )

    def _count_try(self, person: str) -> None:
        """Codes are short: who is signed in may try a few, not search."""
        now = self._clock.monotonic()
        since, count = self._tries.pop(person, (now, 0))
        if now - since >= TRIES_S:
            since, count = now, 0
        self._tries[person] = (since, count + 1)
        while len(self._tries) > MOST_REMEMBERED:
            self._tries.popitem(last=False)
        if count >= MOST_TRIES:
            message = "Too many codes were tried."
            raise TooManyTries(message, retry_after=TRIES_S - (now - since))

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())


def _waiting(polled_at: datetime | None, now: datetime) -> DeviceAnswer:
    if polled_at is not None and now - polled_at < timedelta(seconds=INTERVAL_S - 1):
        message = "Asked too soon."
        return SlowDown(message)
    message = "Nobody has confirmed this yet."
    return AuthorizationPending(message)


def _expired() -> ExpiredCode:
    message = "The code is unknown, was used, or is too old."
    return ExpiredCode(message)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
