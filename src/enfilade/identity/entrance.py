"""Who comes in: by a key, by a token that an issuer signed, or by a session."""

import hashlib

from enfilade.core.clock import Clock, to_ns
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.accounts.rules import AccountRuleBook
from enfilade.identity.accounts.types import SECOND_FACTORS
from enfilade.identity.errors import TenantSuspended
from enfilade.identity.principal import Principal
from enfilade.identity.principals import Principals
from enfilade.identity.roles.types import source_of
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.sign_in.errors import InvalidSession
from enfilade.identity.sign_in.service import SignIn
from enfilade.identity.sign_in.sessions import PREFIX, tenant_of
from enfilade.identity.sign_in.types import Session
from enfilade.identity.types import ACTIVE
from enfilade.storage.unit_of_work import Storage

TOKEN = b"eyJ"
"""How every signed token begins: `{"` in base64."""


class Entrance:
    """Turns a credential into a principal."""

    def __init__(
        self, principals: Principals, sign_in: SignIn, storage: Storage, rules: AccountRuleBook, clock: Clock
    ) -> None:
        """Look keys up in `principals`, tokens and sessions in `sign_in`; `rules` say what a session must have."""
        self._principals = principals
        self._tokens = sign_in.tokens
        self._issuers = sign_in.book
        self._storage = storage
        self._sessions = sign_in.sessions
        self._rules = rules
        self._clock = clock

    def known(self, credential: bytes, address: str | None, now_ns: int) -> Principal | None:
        """Whoever presents this key or token; None when a token has yet to be verified.

        Raises InvalidKey, ExpiredKey, AddressRefused, TenantSuspended.
        """
        if credential[:3] == TOKEN:
            principal = self._tokens.remembered(hashlib.sha256(credential).digest(), now_ns)
            if principal is not None:
                return self._admitted(principal)
            if credential.count(b".") == 2:
                return None
        return self._admitted(self._principals.authenticate(credential, address, now_ns))

    def _admitted(self, principal: Principal) -> Principal:
        """Whoever has a valid credential, unless their tenant is suspended."""
        tenant = self._principals.tenant(principal.scope.tenant)
        if tenant is not None and tenant.state != ACTIVE:
            message = "The tenant is suspended" + (f": {tenant.state_reason}" if tenant.state_reason else ".")
            raise TenantSuspended(message)
        return principal

    async def verified(self, token: bytes) -> Principal:
        """Whoever presents a token that `known` did not know. Raises InvalidToken, IssuerAway, TenantSuspended."""
        return self._admitted(await self._tokens.verify(token))

    async def by_credential(self, credential: bytes, address: str | None) -> Principal:
        """Whoever presents this key or token. Raises what `known` and `verified` raise."""
        principal = self.known(credential, address, self._clock.now_ns())
        return await self.verified(credential) if principal is None else principal

    @staticmethod
    def is_session(credential: bytes) -> bool:
        """Whether the credential looks like a session's token."""
        return credential.startswith(PREFIX)

    async def by_session(self, token: bytes) -> tuple[Principal, Session]:
        """Whoever has this session, with the rights that they have now. Raises InvalidSession, TenantSuspended.

        Sessions are read at each request: one that was revoked is dead everywhere at once.
        """
        tenant = tenant_of(token)
        if tenant is None or self._principals.tenant(tenant) is None:
            raise _no_session()
        scope = tenant_scope(tenant, "sessions")
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            session = await self._sessions.find(unit, token)
        principal = None if session is None else self._principal(session)
        if session is None or principal is None or self._needs_more(session, principal):
            raise _no_session()
        self._admitted(principal)
        if self._sessions.is_stale(session):
            async with self._storage.unit_of_work(scope, alone=False) as unit:
                await self._sessions.touch(unit, session)
        return principal, session

    def _needs_more(self, session: Session, principal: Principal) -> bool:
        """Whether more is demanded by now than when the person signed in: an issuer's word, or a second factor."""
        if session.issuer is not None:
            return False
        if session.tenant != PLATFORM_ID and not self._rules.of(session.tenant).local_accounts:
            return True
        return SECOND_FACTORS.isdisjoint(session.methods) and self._rules.demands_second_factor(principal.scope)

    async def end(self, session: Session, because: str) -> None:
        """End a session, in a unit of work of its own."""
        async with self._storage.unit_of_work(tenant_scope(session.tenant, "sessions")) as unit:
            await self._sessions.revoke(unit, session, because)

    def _principal(self, session: Session) -> Principal | None:
        """None when the person is gone, or the issuer that vouched for them."""
        roles: tuple[str, ...] = ()
        source = None
        if session.issuer is not None:
            issuer = self._issuers.issuer(session.tenant, session.issuer)
            if issuer is None:
                return None
            roles, source = issuer.roles_of(session.groups), source_of(issuer.name)
        expires_ns = to_ns(session.expires_at)
        return self._principals.of_person(
            session.tenant, session.user_id, name="session", expires_ns=expires_ns, roles=roles, source=source
        )


def _no_session() -> InvalidSession:
    message = "The session is unknown or has ended."
    return InvalidSession(message)
