"""Sessions: started, found by their token, listed, renewed and revoked."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.identity.rows import START, text_id
from enfilade.identity.sign_in import store
from enfilade.identity.sign_in.errors import UnknownSession
from enfilade.identity.sign_in.types import ClientFacts, IssuedSession, Session, SessionRules
from enfilade.identity.signing_out import end_sessions, record_ends
from enfilade.storage.rounds import fetch_merged
from enfilade.storage.unit_of_work import UnitOfWork

PREFIX = b"ens_"
TOUCH_S = 60
"""A session's last use is written down no more often than this."""
KEEP = timedelta(days=7)
"""Ended sessions are kept so long, for whoever looks into something."""
MAX_USER_AGENT = 200
PASSED_ON = "device"
"""The method of a command line's session: somebody who was signed in let it in."""

_TOKEN = re.compile(rb"ens_([0-9a-f]{32})_[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Proof:
    """How somebody showed who they are, and who vouched for them."""

    methods: tuple[str, ...]
    issuer: str | None
    groups: tuple[str, ...]


def tenant_of(token: bytes) -> str | None:
    """The tenant whose session the token may be; None for what is no token of ours."""
    match = _TOKEN.fullmatch(token)
    return None if match is None else str(UUID(match[1].decode()))


def csrf_of(token: bytes) -> str:
    """What a page of ours sends along with the cookie: nobody who cannot read the cookie can compute it."""
    return hmac.digest(token, b"csrf", "sha256").hex()


class Sessions:
    """The use cases of sessions."""

    def __init__(self, ids: IdFactory, clock: Clock, rules: SessionRules | None = None) -> None:
        """Name new sessions with `ids`; end them by `clock` and `rules`."""
        self._ids = ids
        self._clock = clock
        self.rules = rules or SessionRules()

    async def start(
        self,
        unit: UnitOfWork,
        user_id: str,
        *,
        methods: tuple[str, ...],
        issuer: str | None,
        client: ClientFacts,
        groups: tuple[str, ...] = (),
    ) -> IssuedSession:
        """Begin a session of a user of the unit's tenant. The oldest of too many end."""
        ends = self._now() + timedelta(seconds=self.rules.life_s)
        return await self._begin(unit, user_id, _Proof(methods, issuer, groups), client, ends)

    async def pass_on(self, unit: UnitOfWork, owner: Session, client: ClientFacts) -> IssuedSession:
        """Begin a session like one that there is, for a command line that its owner lets in.

        Nobody has signed in anew, so it ends when that one does.
        """
        methods = (*(method for method in owner.methods if method != PASSED_ON), PASSED_ON)
        proof = _Proof(methods, owner.issuer, owner.groups)
        return await self._begin(unit, owner.user_id, proof, client, owner.expires_at)

    async def _begin(
        self, unit: UnitOfWork, user_id: str, proof: _Proof, client: ClientFacts, ends: datetime
    ) -> IssuedSession:
        now = self._now()
        identifier = self._ids.new_id()
        token, digest = _new_token(unit.tenant)
        agent = client.user_agent[:MAX_USER_AGENT] if client.user_agent else None
        await unit.execute(store.FORGET_SESSIONS, unit.tenant, now - KEEP)
        await unit.execute(
            store.INSERT_SESSION,
            *(unit.tenant, identifier, digest, user_id, proof.issuer, list(proof.methods), list(proof.groups)),
            *(client.address, agent, now, ends),
        )
        unit.record("SessionStarted", id=identifier, user=user_id, issuer=proof.issuer, methods=list(proof.methods))
        surplus = await unit.fetch(
            store.REVOKE_SURPLUS, unit.tenant, user_id, now, self._idle_since(now), self.rules.most_per_user
        )
        record_ends(unit, surplus, "too_many")
        return IssuedSession(identifier, token.decode(), csrf_of(token), ends)

    async def find(self, unit: UnitOfWork, token: str | bytes) -> Session | None:
        """The live session with that token, which must be the unit's tenant's."""
        raw = token.encode() if isinstance(token, str) else token
        now = self._now()
        row = await unit.fetch_row(store.FIND_BY_DIGEST, unit.tenant, _digest(raw), now, self._idle_since(now))
        return None if row is None else _session_of(row)

    async def page(
        self, unit: UnitOfWork, after: str | None, limit: int, tenant: str | None = None, user_id: str | None = None
    ) -> list[Session]:
        """Live sessions in the order of their beginning, of everybody or of one user."""
        now = self._now()
        values = (after or START, limit, now, self._idle_since(now), tenant, user_id)
        rows = await fetch_merged(unit, tenant, lambda row: row["id"], store.LIST_SESSIONS, *values)
        return [_session_of(row) for row in rows[:limit]]

    async def get(self, unit: UnitOfWork, identifier: str, *, user_id: str | None = None) -> Session:
        """A live session by its id; of one user only, when one is given. Raises UnknownSession."""
        now = self._now()
        row = None
        if _is_uuid(identifier):
            row = await unit.fetch_row(store.FIND_SESSION, unit.tenant, identifier, now, self._idle_since(now))
        if row is None or (user_id is not None and str(row["user_id"]) != user_id):
            message = "There is no such session."
            raise UnknownSession(message)
        return _session_of(row)

    def is_stale(self, session: Session) -> bool:
        """Whether the session's last use is to be written down anew."""
        return self._now() - session.used_at >= timedelta(seconds=TOUCH_S)

    async def touch(self, unit: UnitOfWork, session: Session) -> None:
        """Write down that the session was used just now."""
        await unit.execute(store.TOUCH_SESSION, unit.tenant, session.id, self._now())

    async def renew(self, unit: UnitOfWork, session: Session, methods: tuple[str, ...]) -> IssuedSession:
        """Give a session another token, because it may do more now, e.g. after a second factor; the old one is dead.

        Raises UnknownSession when it has ended meanwhile.
        """
        current = await self.get(unit, session.id)
        token, digest = _new_token(unit.tenant)
        await unit.execute(store.RENEW_SESSION, unit.tenant, session.id, digest, list(methods), self._now())
        unit.record("SessionRenewed", id=session.id, user=session.user_id, methods=list(methods))
        return IssuedSession(session.id, token.decode(), csrf_of(token), current.expires_at)

    async def revoke(self, unit: UnitOfWork, session: Session, because: str = "asked") -> None:
        """End a session: every process refuses it from now on."""
        rows = await unit.fetch(store.REVOKE_SESSION, unit.tenant, session.id, self._now())
        record_ends(unit, rows, because)

    async def revoke_token(self, unit: UnitOfWork, token: bytes, because: str) -> None:
        """End the session with that token, if there is one."""
        session = await self.find(unit, token)
        if session is not None:
            await self.revoke(unit, session, because)

    async def revoke_all(self, unit: UnitOfWork, user_id: str, because: str, *, but: str | None = None) -> int:
        """End all sessions of a user, or all but one; tell how many."""
        return await end_sessions(unit, user_id, self._now(), because, but=but)

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())

    def _idle_since(self, now: datetime) -> datetime:
        return now - timedelta(seconds=self.rules.idle_s)


def _new_token(tenant: str) -> tuple[bytes, bytes]:
    """A token that leads to its tenant without a search, and its digest."""
    token = f"{PREFIX.decode()}{UUID(tenant).hex}_{secrets.token_hex(32)}".encode()
    return token, _digest(token)


def _digest(token: bytes) -> bytes:
    return hashlib.sha256(token).digest()


def _session_of(row: Any) -> Session:
    return Session(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        user_id=str(row["user_id"]),
        email=row["email"],
        issuer=text_id(row["issuer_id"]),
        methods=tuple(row["methods"]),
        groups=tuple(row["groups"]),
        client=ClientFacts(row["address"], row["user_agent"]),
        created_at=row["created_at"],
        used_at=row["used_at"],
        expires_at=row["expires_at"],
    )


def _is_uuid(text: str) -> bool:
    try:
        UUID(text)
    except ValueError:
        return False
    return True
