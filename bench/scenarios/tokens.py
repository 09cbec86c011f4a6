"""What an access token costs on one core, in this process: remembered, and verified anew."""

import asyncio
import base64
import hashlib
import json
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from bench.report import Row, at_most
from bench.session import Session
from enfilade.bootstrap.memory import tune
from enfilade.core.clock import SystemClock
from enfilade.core.fetching import WebReply, WebRequest
from enfilade.identity.entrance import Entrance
from enfilade.identity.principal import Principal
from enfilade.identity.principals import Principals
from enfilade.identity.scopes import tenant_scope
from enfilade.identity.tokens.book import IssuerBook
from enfilade.identity.tokens.service import Tokens
from enfilade.identity.tokens.types import Issuer, IssuerSettings, IssuerSpec
from enfilade.identity.types import Tenant, TenantSpec

REMEMBERED, VERIFIED = at_most(3), at_most(300)
REPEATS = 15
URL = "https://login.example.com"
TENANT = Tenant("01a19c21-7200-7000-8000-000000000001", TenantSpec("acme"), 1, datetime.now(UTC))


class _People(Principals):
    """One person, who is always there."""

    def of_person(
        self,
        tenant: str,
        identifier: str,
        *,
        name: str,
        expires_ns: int,
        roles: Iterable[str] = (),
        source: str | None = None,
    ) -> Principal | None:
        """Her."""
        del identifier, roles, source
        return Principal(tenant_scope(tenant, "bench"), TENANT, name, None, expires_ns, (), {})


class _Web:
    """The issuer's documents."""

    def __init__(self, key: rsa.RSAPrivateKey) -> None:
        numbers = key.public_key().public_numbers()
        jwk = {"kty": "RSA", "kid": "k", "n": _b64(numbers.n.to_bytes(256)), "e": _b64(numbers.e.to_bytes(3))}
        self._bodies = {"/keys": {"keys": [jwk]}, "": {"issuer": URL, "jwks_uri": f"{URL}/keys"}}

    async def fetch(self, request: WebRequest) -> WebReply:
        """What is there."""
        name = "/keys" if request.url.endswith("/keys") else ""
        return WebReply(200, {}, json.dumps(self._bodies[name]).encode())


def run(session: Session) -> list[Row]:
    """Measure what the data plane does for a token."""
    tune()  # As a serving process is.
    times = 500 if session.options.quick else 5_000
    key = rsa.generate_private_key(65537, 2048)
    clock, people = SystemClock(), _People()
    book = IssuerBook(_Web(key), clock)
    tokens = Tokens(book, people, cast("Any", None), cast("Any", None), clock)
    issuer = Issuer("i", TENANT.id, IssuerSpec("login", URL, IssuerSettings(audiences=("api",))), 1, datetime.now(UTC))
    book.install({TENANT.id: [issuer]}, {TENANT.id: {("i", "ana"): "u"}}, {}, None)
    sign_in = SimpleNamespace(tokens=tokens, book=book, sessions=None)
    entrance = Entrance(people, cast("Any", sign_in), cast("Any", None), cast("Any", None), clock)
    token = _token(key)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(entrance.verified(token))

    def remembered() -> None:
        assert entrance.known(token, None, time.time_ns()) is not None

    def verified() -> None:
        loop.run_until_complete(tokens.verify(token))

    def nothing() -> None:
        loop.run_until_complete(_nothing())

    hashed = _microseconds(lambda: hashlib.sha256(token), times)
    cost = _microseconds(verified, times // 20) - _microseconds(nothing, times // 20)
    known = _microseconds(remembered, times)
    loop.close()
    return [
        Row("tokens", "a remembered token, beyond its digest", known - hashed, "µs", REMEMBERED),
        Row("tokens", "a token verified anew (RS256)", cost, "µs", VERIFIED),
    ]


async def _nothing() -> None:
    """What running anything in the loop costs."""


def _token(key: rsa.RSAPrivateKey) -> bytes:
    """With the claims that providers usually put in."""
    now = int(time.time())
    claims = {"iss": URL, "aud": "api", "sub": "ana", "exp": now + 3600, "iat": now, "scope": "openid email profile"}
    claims |= {"email": "ana@acme.example", "email_verified": True, "groups": [f"group-{n}" for n in range(20)]}
    head = _b64(json.dumps({"alg": "RS256", "kid": "k", "typ": "at+jwt"}).encode())
    signed = f"{head}.{_b64(json.dumps(claims).encode())}".encode()
    return signed + b"." + _b64(key.sign(signed, padding.PKCS1v15(), hashes.SHA256())).encode()


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _microseconds(work: Callable[[], object], times: int) -> float:
    """For one. The best of several runs counts: what disturbs the machine only ever adds."""
    work()
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(times):
            work()
        best = min(best, time.perf_counter() - start)
    return best / times * 1e6
