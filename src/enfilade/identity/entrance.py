"""Who comes in: by a key, by a token that an issuer signed, or by a session."""

from enfilade.core.clock import Clock, to_ns
from enfilade.identity.principals import Principal, Principals
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.sign_in.errors import InvalidSession
from enfilade.identity.sign_in.sessions import PREFIX, Sessions, tenant_of
from enfilade.identity.sign_in.types import Session
from enfilade.storage.unit_of_work import Storage


class Entrance:
    """Turns a credential into a principal."""

    def __init__(self, principals: Principals, storage: Storage, sessions: Sessions, clock: Clock) -> None:
        """Look keys up in `principals`, sessions in `storage`."""
        self._principals = principals
        self._storage = storage
        self._sessions = sessions
        self._clock = clock

    def by_key(self, credential: bytes, address: str | None) -> Principal:
        """Whoever presents this key. Raises InvalidKey, ExpiredKey, AddressRefused."""
        return self._principals.authenticate(credential, address, self._clock.now_ns())

    @staticmethod
    def is_session(credential: bytes) -> bool:
        """Whether the credential looks like a session's token."""
        return credential.startswith(PREFIX)

    async def by_session(self, token: bytes) -> tuple[Principal, Session]:
        """Whoever has this session, with the rights that they have now. Raises InvalidSession.

        Sessions are read at each request: one that was revoked is dead everywhere at once.
        """
        tenant = tenant_of(token)
        if tenant is None or self._principals.tenant(tenant) is None:
            raise _no_session()
        scope = tenant_scope(tenant, "sessions")
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            session = await self._sessions.find(unit, token)
        if session is None:
            raise _no_session()
        principal = self._principals.of_person(
            tenant, session.user_id, name="session", expires_ns=to_ns(session.expires_at)
        )
        if principal is None:
            raise _no_session()
        if self._sessions.is_stale(session):
            async with self._storage.unit_of_work(scope, alone=False) as unit:
                await self._sessions.touch(unit, session)
        return principal, session


def _no_session() -> InvalidSession:
    message = "The session is unknown or has ended."
    return InvalidSession(message)
