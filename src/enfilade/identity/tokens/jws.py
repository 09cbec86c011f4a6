"""Signed tokens taken apart (RFC 7515, RFC 7519): strictly, within bounds, and never by what the token itself proposes."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Any

import msgspec
from joserfc.jws import JWSRegistry

from enfilade.core.unreadable import UNREADABLE
from enfilade.identity.tokens.errors import InvalidToken
from enfilade.identity.tokens.keys import ALGORITHMS, VerificationKey

MAX_TOKEN_BYTES = 16_384
MAX_KID = 256
MOST_SECONDS = 1e11
"""No moment that a token names is later: that is the year 5138."""
ACCESS_TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
ID_TOKEN_CLAIMS = ("nonce", "at_hash", "c_hash")
"""What only tokens have that tell a client who signed in: they are no proof for a third party."""


class Header(msgspec.Struct):
    """What is read of a header. `jku`, `x5u`, `jwk` and `x5c` are not: a token does not say by which key it is checked."""

    alg: str
    kid: str | None = None
    typ: str = ""
    crit: Any = None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A token that nobody vouches for yet."""

    header: Header
    claims: dict[str, Any]
    signed: bytes
    signature: bytes


_HEADER = msgspec.json.Decoder(Header)
_CLAIMS = msgspec.json.Decoder(dict[str, Any])


def parse(token: bytes) -> Parsed:
    """The parts of a compact token. Raises InvalidToken."""
    if len(token) > MAX_TOKEN_BYTES:
        raise refused("too_large")
    parts = token.split(b".")
    if len(parts) != 3 or not all(parts):
        raise refused("not_signed")
    try:
        header = _HEADER.decode(_decoded(parts[0]))
        claims = _CLAIMS.decode(_decoded(parts[1]))
        signature = _decoded(parts[2])
    except (*UNREADABLE, ValueError):
        raise refused("unreadable") from None
    if header.alg not in ALGORITHMS:
        raise refused("algorithm")
    if header.crit is not None or (header.kid is not None and len(header.kid) > MAX_KID):
        raise refused("header")
    return Parsed(header, claims, token[: len(parts[0]) + 1 + len(parts[1])], signature)


def check_signature(parsed: Parsed, keys: list[VerificationKey]) -> None:
    """Raise InvalidToken unless one of the keys made the signature."""
    model = JWSRegistry.algorithms[parsed.header.alg]
    for key in keys:
        try:
            if model.verify(parsed.signed, parsed.signature, key.key):
                return
        except (ValueError, OverflowError):
            continue
    raise refused("signature")


def check_times(claims: dict[str, Any], now_s: float, skew_s: float) -> float:
    """When the token ends, in seconds of the epoch. Raises InvalidToken when it is not valid now."""
    ends = _seconds(claims, "exp")
    if ends is None or now_s >= ends + skew_s:
        raise refused("expired")
    for name in ("nbf", "iat"):
        begins = _seconds(claims, name)
        if begins is not None and begins > now_s + skew_s:
            raise refused("not_yet_valid")
    return ends


def check_access_token(parsed: Parsed) -> None:
    """Raise InvalidToken for what is signed, but is no access token."""
    kind = parsed.header.typ.lower()
    if kind not in ACCESS_TYPES:
        raise refused("type")
    if not kind.endswith("at+jwt") and any(name in parsed.claims for name in ID_TOKEN_CLAIMS):
        raise refused("id_token")


def audiences_of(claims: dict[str, Any]) -> frozenset[str]:
    """For whom a token is made out."""
    audience = claims.get("aud")
    if isinstance(audience, str):
        return frozenset({audience})
    if isinstance(audience, list) and len(audience) <= 100:
        return frozenset(entry for entry in audience if isinstance(entry, str))
    return frozenset()


def claim_at(claims: dict[str, Any], path: str) -> Any:
    """A claim by its name, or by a path into objects."""
    if path in claims:
        return claims[path]
    value: Any = claims
    for part in path.split("."):
        if not isinstance(value, dict):
            return None
        value = value.get(part)
    return value


def refused(why: str) -> InvalidToken:
    """The one answer for every token that is not accepted; `reason` is for the log."""
    error = InvalidToken("The token is not accepted here.")
    error.reason = why
    return error


def _decoded(part: bytes) -> bytes:
    # The decoder passes over what does not belong to the alphabet, and over the last bits: two spellings of one token
    # would have two digests.
    decoded = urlsafe_b64decode(part + b"=" * (-len(part) % 4))
    if urlsafe_b64encode(decoded).rstrip(b"=") != part:
        message = "not base64url"
        raise ValueError(message)
    return decoded


def _seconds(claims: dict[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < MOST_SECONDS:
        raise refused("times")
    return value
