"""Command lines that are confirmed at the issuer itself, where it can do that (RFC 8628): its code is passed on."""

import hashlib
import secrets
from collections import OrderedDict
from dataclasses import dataclass

from enfilade.core.clock import Clock
from enfilade.identity.sign_in.errors import (
    AccessDenied,
    AuthorizationPending,
    DeviceAnswer,
    ExpiredCode,
    SignInRefused,
    SlowDown,
    TooManyTries,
)
from enfilade.identity.sign_in.exchange import StillWaiting, TokenExchange
from enfilade.identity.sign_in.oidc import OpenIdSignIn
from enfilade.identity.sign_in.types import ClientFacts, IssuedSession
from enfilade.identity.tokens.errors import IssuerAway
from enfilade.identity.tokens.types import Issuer

MOST_WAITING = 1000
MOST_LIFE_S = 1800
LEAST_INTERVAL_S = 1.0
ANSWERS: dict[str, type[DeviceAnswer]] = {
    "authorization_pending": AuthorizationPending,
    "slow_down": SlowDown,
    "access_denied": AccessDenied,
}


@dataclass(slots=True)
class _Waiting:
    issuer: Issuer
    device_code: str
    until: float
    asked_at: float = float("-inf")


@dataclass(frozen=True, slots=True)
class Relayed:
    """What a command line shows, and asks with."""

    handle: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None
    expires_in: int
    interval: int


class RelayedDevices:
    """What waits at issuers, in this process: a command line asks again where it asked first, or begins anew."""

    def __init__(self, oidc: OpenIdSignIn, exchange: TokenExchange, clock: Clock) -> None:
        """Take in through `oidc` whoever an issuer vouches for."""
        self._oidc = oidc
        self._exchange = exchange
        self._clock = clock
        self._waiting: OrderedDict[bytes, _Waiting] = OrderedDict()

    async def begin(self, tenant: str | None, issuer_name: str | None) -> Relayed:
        """Have an issuer wait. Raises SignInRefused, TooManyTries."""
        issuer = self._oidc.offered(tenant, issuer_name)
        now = self._clock.monotonic()
        for key in [key for key, waiting in self._waiting.items() if waiting.until <= now]:
            del self._waiting[key]
        if len(self._waiting) >= MOST_WAITING:
            message = "Too many command lines are waiting at the moment."
            raise TooManyTries(message, retry_after=60)
        message = "You could not be signed in."
        if issuer is None:
            raise SignInRefused(message)
        try:
            told = await self._exchange.begin_device(issuer)
        except IssuerAway:
            raise SignInRefused(message) from None
        life = max(1, min(told.expires_in, MOST_LIFE_S))
        handle = secrets.token_urlsafe(32)
        self._waiting[_digest(handle)] = _Waiting(issuer, told.device_code, now + life)
        return Relayed(
            handle, told.user_code, told.verification_uri, told.verification_uri_complete, life, max(1, told.interval)
        )

    async def redeem(self, handle: str, client: ClientFacts) -> IssuedSession:
        """The session of a command line that was confirmed. Raises DeviceAnswer's kinds, SignInRefused."""
        key, now = _digest(handle), self._clock.monotonic()
        waiting = self._waiting.get(key)
        if waiting is None or waiting.until <= now:
            message = "The code is unknown, was used, or is too old."
            raise ExpiredCode(message)
        if now - waiting.asked_at < LEAST_INTERVAL_S:
            message = "Asked too soon."
            raise SlowDown(message)
        waiting.asked_at = now
        # As it is declared now: what has changed since the command line began holds for it too.
        issuer = self._oidc.offered(waiting.issuer.tenant, waiting.issuer.name)
        if issuer is None or issuer.id != waiting.issuer.id:
            self._waiting.pop(key, None)
            message = "The code is unknown, was used, or is too old."
            raise ExpiredCode(message)
        try:
            reply = await self._exchange.device(issuer, waiting.device_code)
        except StillWaiting as still:
            answer = ANSWERS.get(still.code, ExpiredCode)
            if answer in {AccessDenied, ExpiredCode}:
                self._waiting.pop(key, None)
            raise answer("The issuer has no answer yet, or said no.") from None
        self._waiting.pop(key, None)
        return await self._oidc.take_in(issuer, reply, client)


def _digest(handle: str) -> bytes:
    return hashlib.sha256(handle.encode()).digest()
