"""Signing in with OpenID Connect: to the issuer with PKCE, a state and a nonce, and back with a code, once."""

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlencode
from uuid import UUID

import structlog

from enfilade.core.clock import NANOSECONDS, to_datetime
from enfilade.core.errors import EnfiladeError
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.sign_in import store
from enfilade.identity.sign_in.errors import SignInRefused
from enfilade.identity.sign_in.exchange import TokenExchange, TokenReply
from enfilade.identity.sign_in.means import Means
from enfilade.identity.sign_in.sessions import Sessions, tenant_of
from enfilade.identity.sign_in.targets import checked_target
from enfilade.identity.sign_in.types import ClientFacts, IssuedSession
from enfilade.identity.tokens.arrivals import Arrivals, person_in
from enfilade.identity.tokens.book import IssuerBook, has_claims
from enfilade.identity.tokens.discovery import check_address
from enfilade.identity.tokens.errors import IssuerAway
from enfilade.identity.tokens.jws import Parsed, audiences_of, check_times, parse, refused
from enfilade.identity.tokens.service import Tokens
from enfilade.identity.tokens.types import Issuer

LIFE_S = 600
MOST_UNDER_WAY = 10_000
"""Of one tenant. Beyond, the oldest are forgotten: anybody can begin."""

log = structlog.get_logger("enfilade.identity.sign_in")


@dataclass(frozen=True, slots=True)
class Departure:
    """Where a browser is sent, and what it keeps to show that it is the same one when it comes back."""

    url: str
    browser: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """A new session, and where its owner wanted to go."""

    session: IssuedSession
    target: str


@dataclass(frozen=True, slots=True)
class Return:
    """What a browser brings back from an issuer."""

    state: str | None
    code: str | None
    iss: str | None
    error: str | None
    browser: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class _UnderWay:
    tenant: str
    issuer: Issuer
    nonce: str
    verifier: str
    redirect_uri: str
    target: str


class OpenIdSignIn:
    """Sends people to issuers, and takes them in when they come back."""

    def __init__(
        self,
        means: Means,
        book: IssuerBook,
        tokens: Tokens,
        arrivals: Arrivals,
        sessions: Sessions,
        exchange: TokenExchange,
    ) -> None:
        """Trust what `tokens` verifies; exchange codes through `exchange`."""
        self._ids = means.ids
        self._clock = means.clock
        self._storage = means.storage
        self._book = book
        self._tokens = tokens
        self._arrivals = arrivals
        self._sessions = sessions
        self._exchange = exchange

    async def begin(self, tenant: str | None, issuer_name: str | None, target: str, redirect_uri: str) -> Departure:
        """Where to send a browser. Raises InvalidTarget, SignInRefused.

        One answer for a tenant, an issuer or a way of signing in that is not there, and for an issuer that is away.
        """
        target = checked_target(target)
        issuer = self.offered(tenant, issuer_name)
        if issuer is None:
            raise _refused()
        try:
            metadata = await self._book.publications(issuer).metadata.get()
            endpoint = metadata.authorization_endpoint or ""
            check_address(endpoint, private=issuer.settings.allow_private_network)
        except IssuerAway as error:
            log.warning("sign_in_issuer_away", name=issuer.name, tenant=issuer.tenant, error=error.message)
            raise _refused() from None
        state = f"{UUID(issuer.tenant).hex}.{secrets.token_urlsafe(32)}"
        browser, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        now = to_datetime(self._clock.now_ns())
        async with self._storage.unit_of_work(tenant_scope(issuer.tenant, "sign_in"), alone=False) as unit:
            await unit.execute(store.FORGET_SIGN_INS, issuer.tenant, now, MOST_UNDER_WAY)
            await unit.execute(
                store.INSERT_SIGN_IN,
                *(issuer.tenant, self._ids.new_id(), issuer.id, _digest(state), _digest(browser), nonce, verifier),
                *(redirect_uri, target, now + timedelta(seconds=LIFE_S)),
            )
        query = {
            "response_type": "code",
            "client_id": issuer.settings.client_id or "",
            "redirect_uri": redirect_uri,
            "scope": " ".join(issuer.settings.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge_of(verifier),
            "code_challenge_method": "S256",
        }
        return Departure(f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}", browser)

    async def finish(self, back: Return, client: ClientFacts, former: bytes | None = None) -> Arrival:
        """Take in whoever comes back; the session that their browser had before ends. Raises SignInRefused."""
        under_way = await self._take(back)
        try:
            reply = await self._redeemed(under_way, back)
        except EnfiladeError as error:
            await self._note_refusal(under_way.issuer, error)
            raise _refused() from None
        session = await self.take_in(under_way.issuer, reply, client, nonce=under_way.nonce, former=former)
        return Arrival(session, under_way.target)

    async def take_in(
        self,
        issuer: Issuer,
        reply: TokenReply,
        client: ClientFacts,
        *,
        nonce: str | None = None,
        former: bytes | None = None,
    ) -> IssuedSession:
        """A session for whom the issuer's answer names. Raises SignInRefused."""
        try:
            parsed = await self._checked(issuer, reply, nonce)
            person = person_in(issuer, parsed.claims)
            async with self._storage.unit_of_work(tenant_scope(issuer.tenant, "sign_in")) as unit:
                user = await self._arrivals.sign_in(unit, issuer, person)
                if former is not None and tenant_of(former) == issuer.tenant:
                    await self._sessions.revoke_token(unit, former, "signed_in_again")
                session = await self._sessions.start(
                    unit, user, methods=("oidc",), issuer=issuer.id, client=client, groups=person.groups
                )
        except EnfiladeError as error:
            await self._note_refusal(issuer, error)
            raise _refused() from None
        await self._arrivals.refresh()
        return session

    async def _checked(self, issuer: Issuer, reply: TokenReply, nonce: str | None) -> Parsed:
        """The claims about whoever signed in. Raises InvalidToken, IssuerAway."""
        parsed = parse(reply.id_token.encode("ascii", "replace"))
        claims, client_id = parsed.claims, issuer.settings.client_id
        audiences = audiences_of(claims)
        if claims.get("iss") != issuer.spec.url or client_id not in audiences or not has_claims(issuer, claims):
            raise refused("issuer_or_audience")
        if claims.get("azp", client_id) != client_id or (len(audiences) > 1 and "azp" not in claims):
            raise refused("authorized_party")
        await self._tokens.check(issuer, parsed)
        check_times(claims, self._clock.now_ns() / NANOSECONDS, issuer.settings.clock_skew_s)
        if nonce is not None and not _same(claims.get("nonce"), nonce):
            raise refused("nonce")
        if "at_hash" in claims and not _same(claims["at_hash"], _half_hash(parsed.header.alg, reply.access_token)):
            raise refused("at_hash")
        return parsed

    async def sign_out_url(self, tenant: str, issuer_id: str | None, back_to: str) -> str | None:
        """Where to send a browser so that its owner is signed out at the issuer too; None when that is not offered."""
        issuer = self._book.issuer(tenant, issuer_id) if issuer_id is not None else None
        if issuer is None:
            return None
        try:
            metadata = await self._book.publications(issuer).metadata.get()
            endpoint = metadata.end_session_endpoint or ""
            check_address(endpoint, private=issuer.settings.allow_private_network)
        except IssuerAway:
            return None
        query = {"client_id": issuer.settings.client_id or "", "post_logout_redirect_uri": back_to}
        return f"{endpoint}{'&' if '?' in endpoint else '?'}{urlencode(query)}"

    def offered(self, tenant: str | None, name: str | None) -> Issuer | None:
        """An issuer of a tenant by which people can sign in; without a name, the only one."""
        if tenant is None:
            return None
        offered = [issuer for issuer in self._book.of_tenant(tenant) if issuer.settings.client_id is not None]
        if name is None:
            return offered[0] if len(offered) == 1 else None
        return next((issuer for issuer in offered if issuer.name == name), None)

    async def _take(self, back: Return) -> _UnderWay:
        tenant = _tenant_in(back.state)
        if tenant is None or back.state is None or back.browser is None or not self._book.of_tenant(tenant):
            raise _refused()
        async with self._storage.unit_of_work(tenant_scope(tenant, "sign_in"), alone=False) as unit:
            row = await unit.fetch_row(store.TAKE_SIGN_IN, tenant, _digest(back.state), _digest(back.browser))
        issuer = None if row is None else self._book.issuer(tenant, str(row["issuer_id"]))
        if row is None or issuer is None or row["expires_at"] <= to_datetime(self._clock.now_ns()):
            raise _refused()
        return _UnderWay(tenant, issuer, row["nonce"], row["verifier"], row["redirect_uri"], row["target"])

    async def _redeemed(self, under_way: _UnderWay, back: Return) -> TokenReply:
        issuer = under_way.issuer
        metadata = await self._book.publications(issuer).metadata.get()
        # Another issuer's answer, led here to have its code redeemed at this one (RFC 9207).
        if (back.iss is not None or metadata.authorization_response_iss_parameter_supported) and (
            back.iss != issuer.spec.url
        ):
            raise refused("mixed_up_issuers")
        if back.error is not None or not back.code:
            raise refused("not_authorised")
        return await self._exchange.code(issuer, back.code, under_way.redirect_uri, under_way.verifier)

    async def _note_refusal(self, issuer: Issuer, error: EnfiladeError) -> None:
        reason = getattr(error, "reason", "") or error.code
        log.info("sign_in_refused", code=reason, name=issuer.name, tenant=issuer.tenant)
        async with self._storage.unit_of_work(tenant_scope(issuer.tenant, "sign_in"), alone=False) as unit:
            unit.record("SignInRefused", issuer=issuer.id, because=reason)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a verifier (RFC 7636)."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _half_hash(algorithm: str, token: str) -> str:
    bits = "512" if algorithm == "EdDSA" else algorithm[-3:]
    digest = hashlib.new(f"sha{bits}", token.encode()).digest()
    return base64.urlsafe_b64encode(digest[: len(digest) // 2]).rstrip(b"=").decode()


def _same(given: object, wanted: str) -> bool:
    return isinstance(given, str) and hmac.compare_digest(given.encode(), wanted.encode())


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()


def _tenant_in(state: str | None) -> str | None:
    tenant = (state or "").partition(".")[0]
    try:
        return str(UUID(tenant)) if len(tenant) == 32 else None
    except ValueError:
        return None


def _refused() -> SignInRefused:
    message = "You could not be signed in."
    return SignInRefused(message)
