"""Access tokens of declared issuers: verified off keys in memory, remembered until they end."""

import hashlib
from collections.abc import Collection
from typing import Any

import structlog

from enfilade.core.clock import NANOSECONDS, Clock
from enfilade.identity.principal import Principal
from enfilade.identity.principals import Principals
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.tokens.arrivals import Arrivals, groups_in, person_in
from enfilade.identity.tokens.book import IssuerBook
from enfilade.identity.tokens.errors import InvalidToken, IssuerAway
from enfilade.identity.tokens.jws import (
    Parsed,
    check_access_token,
    check_signature,
    check_times,
    claim_at,
    parse,
    refused,
)
from enfilade.identity.tokens.keys import choose
from enfilade.identity.tokens.types import Issuer
from enfilade.storage.unit_of_work import Storage

MOST_REMEMBERED = 50_000
RENEW_KEYS_S = 60.0

log = structlog.get_logger("enfilade.identity.tokens")


class Tokens:
    """Turns tokens into principals."""

    def __init__(
        self, book: IssuerBook, principals: Principals, arrivals: Arrivals, storage: Storage, clock: Clock
    ) -> None:
        """Accept what the issuers in `book` sign."""
        self._book = book
        self._principals = principals
        self._arrivals = arrivals
        self._storage = storage
        self._clock = clock
        self._remembered: dict[bytes, Principal] = {}
        self._by_tenant: dict[str, set[bytes]] = {}
        book.on_change = self.forget

    def remembered(self, digest: bytes, now_ns: int) -> Principal | None:
        """The principal of a token that was verified before and has not ended."""
        principal = self._remembered.get(digest)
        return principal if principal is not None and now_ns < principal.expires_ns else None

    async def verify(self, token: bytes) -> Principal:
        """The principal behind an access token. Raises InvalidToken, IssuerAway."""
        try:
            parsed = parse(token)
            issuer = self._book.of_token(parsed.claims)
            if issuer is None:
                raise refused("unknown_issuer_or_audience")
            await self.check(issuer, parsed)
            check_access_token(parsed)
            ends = check_times(parsed.claims, self._clock.now_ns() / NANOSECONDS, issuer.settings.clock_skew_s)
            principal = await self._principal(issuer, parsed.claims, int(ends * NANOSECONDS))
        except InvalidToken as error:
            log.info("token_refused", code=error.reason)
            raise
        self._remember(hashlib.sha256(token).digest(), principal)
        return principal

    async def check(self, issuer: Issuer, parsed: Parsed) -> None:
        """Raise InvalidToken unless the issuer signed this, IssuerAway when that cannot be known."""
        algorithm, kid = parsed.header.alg, parsed.header.kid
        if algorithm not in issuer.settings.algorithms:
            raise refused("algorithm")
        published = self._book.publications(issuer).keys
        keys = choose(await published.get(), kid, algorithm)
        if not keys:
            # Issuers change their keys whenever they like; who makes up names of keys cannot make us ask often.
            keys = choose(await published.demand() or (), kid, algorithm)
        if not keys:
            raise refused("unknown_key")
        check_signature(parsed, keys)

    def forget(self, tenants: Collection[str] | None) -> None:
        """Verify all tokens of these tenants anew: what they stand for may have changed."""
        if tenants is None:
            self._remembered.clear()
            self._by_tenant.clear()
            return
        for tenant in tenants:
            for digest in self._by_tenant.pop(tenant, ()):
                self._remembered.pop(digest, None)

    async def renew_keys(self) -> None:
        """Look at the key sets in use again when they are old, until cancelled: a key that was withdrawn ends its tokens."""
        while True:
            await self._clock.sleep(RENEW_KEYS_S)
            await self.look_at_keys()

    async def look_at_keys(self) -> None:
        """Fetch the key sets that are in use and old."""
        for issuer in list(self._book.all()):
            published = self._book.publications(issuer).keys
            if published.value is None or not published.is_due:
                continue
            try:
                await published.get()
            except IssuerAway as error:
                log.warning("issuer_keys_not_renewed", name=issuer.name, tenant=issuer.tenant, error=error.message)

    async def _principal(self, issuer: Issuer, claims: dict[str, Any], expires_ns: int) -> Principal:
        application = _application(issuer, claims)
        if application is not None:
            principal = self._principals.of_application(
                issuer.tenant, application, via=issuer.name, expires_ns=expires_ns
            )
            if principal is None:
                raise refused("unknown_application")
            return principal
        person = person_in(issuer, claims)
        user = self._book.user_of(issuer, person.subject)
        if user is None:
            async with self._storage.unit_of_work(tenant_scope(issuer.tenant, "sign_in")) as unit:
                user = await self._arrivals.arrive(unit, issuer, person)
            await self._arrivals.refresh()
        withheld = self._book.withheld(issuer, user)
        roles = [role for role in issuer.roles_of(groups_in(issuer, claims)) if role not in withheld]
        found = self._principals.of_person(issuer.tenant, user, name=issuer.name, expires_ns=expires_ns, roles=roles)
        if found is None:
            raise refused("unknown_user")
        return found

    def _remember(self, digest: bytes, principal: Principal) -> None:
        while len(self._remembered) >= MOST_REMEMBERED:
            oldest = next(iter(self._remembered))
            former = self._remembered.pop(oldest)
            self._by_tenant.get(former.tenant.id, set()).discard(oldest)
        self._remembered[digest] = principal
        self._by_tenant.setdefault(principal.tenant.id, set()).add(digest)


def _application(issuer: Issuer, claims: dict[str, Any]) -> str | None:
    """The name of the application that the token stands for, if it stands for one."""
    claim = issuer.settings.claims.application
    value = claim_at(claims, claim) if claim is not None else None
    if not isinstance(value, str) or not value:
        return None
    return issuer.settings.applications.get(value, value)
