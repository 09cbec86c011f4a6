"""AWS signature version 4.

Source: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html.
"""

import asyncio
import hashlib
import hmac
from typing import Protocol
from urllib.parse import quote

import msgspec

from enfilade.core.clock import NANOSECONDS, Clock, to_datetime
from enfilade.providers.authority import Headers, Signable
from enfilade.providers.errors import CredentialMissing

ALGORITHM = "AWS4-HMAC-SHA256"
LARGE_BODY = 512_000
"""The digest of a larger body is made in a thread: it takes milliseconds, in which nothing else would move."""
UNSIGNED = frozenset({b"authorization", b"connection", b"expect", b"transfer-encoding", b"user-agent"})
"""Header fields that those on the way may change."""


class AwsKeys(msgspec.Struct, frozen=True):
    """An access key, and the token of its session if it has one."""

    access_key_id: str
    secret_access_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        """Never the secret."""
        return f"AwsKeys({self.access_key_id!r})"


class KeySource(Protocol):
    """Where keys come from."""

    async def keys(self) -> AwsKeys:
        """Keys that are good now. Raises CredentialMissing, CredentialsRefused, ProviderError."""
        ...

    def refused(self) -> None:
        """The keys were not accepted."""
        ...


class Signature:
    """Signs requests to one service in one region."""

    __slots__ = ("_key", "_key_of", "region", "service")

    def __init__(self, service: str, region: str) -> None:
        """The service's name in signatures need not be that of its host."""
        self.service = service
        self.region = region
        self._key_of: tuple[str, str] = ("", "")
        self._key = b""

    def headers(self, request: Signable, keys: AwsKeys, now_ns: int, body_digest: str | None = None) -> Headers:
        """The header fields that sign a request with all its header fields, at this moment."""
        stamp = to_datetime(now_ns - now_ns % NANOSECONDS).strftime("%Y%m%dT%H%M%SZ")
        added = [(b"x-amz-date", stamp.encode())]
        if keys.session_token:
            added.append((b"x-amz-security-token", keys.session_token.encode()))
        digest = body_digest or hashlib.sha256(request.body).hexdigest()
        canonical, names = canonical_request(request, (*request.headers, *added), digest)
        scope = f"{stamp[:8]}/{self.region}/{self.service}/aws4_request"
        text = f"{ALGORITHM}\n{stamp}\n{scope}\n{hashlib.sha256(canonical).hexdigest()}"
        key = self._signing_key(keys.secret_access_key, stamp[:8])
        signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
        credential = f"{keys.access_key_id}/{scope}"
        proof = f"{ALGORITHM} Credential={credential}, SignedHeaders={names}, Signature={signature}"
        return (*added, (b"authorization", proof.encode()))

    def _signing_key(self, secret: str, day: str) -> bytes:
        if self._key_of != (secret, day):
            key = f"AWS4{secret}".encode()
            for part in (day, self.region, self.service, "aws4_request"):
                key = hmac.new(key, part.encode(), hashlib.sha256).digest()
            self._key, self._key_of = key, (secret, day)
        return self._key


def canonical_request(request: Signable, headers: Headers, body_digest: str) -> tuple[bytes, str]:
    """What is signed, and the names of the header fields in it."""
    path, _, query = request.path.partition("?")
    values: dict[bytes, list[bytes]] = {b"host": [request.host]}
    for name, value in headers:
        if name.lower() not in UNSIGNED:
            values.setdefault(name.lower(), []).append(b" ".join(value.split()))
    names = sorted(values)
    lines = [b"%b:%b\n" % (name, b",".join(values[name])) for name in names]
    signed = b";".join(names)
    # What is percent-encoded on the wire is encoded once more: services other than S3 sign the path as it is sent.
    beginning = f"{request.method.decode()}\n{quote(_normal(path), safe='/~')}\n{_canonical_query(query)}\n"
    return b"%b%b\n%b\n%b" % (beginning.encode(), b"".join(lines), signed, body_digest.encode()), signed.decode()


def _canonical_query(query: str) -> str:
    pairs = sorted(pair.partition("=")[::2] for pair in query.split("&")) if query else []
    return "&".join(f"{name}={value}" for name, value in pairs)


def _normal(path: str) -> str:
    """A path without `.`, `..` and empty segments (RFC 3986, 5.2.4, and AWS's own rule)."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            if segments:
                segments.pop()
        elif segment not in {"", "."}:
            segments.append(segment)
    ending = "/" if path.endswith("/") and segments else ""
    return "/" + "/".join(segments) + ending


class SigV4Authority:
    """Signs each request; see `Authority`."""

    def __init__(self, source: KeySource, service: str, region: str, clock: Clock) -> None:
        """Sign with keys from `source`."""
        self._source = source
        self._signature = Signature(service, region)
        self._clock = clock

    async def headers(self, request: Signable) -> Headers:
        """See `Authority.headers`. Only what AWS requires is signed: what else a caller sent may change on the way."""
        keys = await self._source.keys()
        for part in (keys.access_key_id, keys.secret_access_key, keys.session_token or ""):
            if not (part.isascii() and (part.isprintable())):
                raise CredentialMissing("The AWS credentials hold characters that no header can carry.")
        digest = None
        if len(request.body) > LARGE_BODY:
            digest = (await asyncio.to_thread(hashlib.sha256, request.body)).hexdigest()
        bare = msgspec.structs.replace(request, headers=())
        return self._signature.headers(bare, keys, self._clock.now_ns(), digest)

    def refused(self) -> None:
        """See `Authority.refused`."""
        self._source.refused()
