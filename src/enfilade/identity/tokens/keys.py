"""An issuer's public keys, from its key set (RFC 7517). Only what is fit for checking signatures is taken."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import msgspec
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OKPKey, RSAKey

from enfilade.core.unreadable import UNREADABLE
from enfilade.identity.tokens.errors import IssuerAway

MAX_KEYS = 100
MAX_TRIED = 4
"""How many keys are tried for a token that names none."""
RSA_BITS = range(2048, 8193)
RSA_LENGTHS = range(340, 1400)
"""Of a modulus of so many bits in base64, before any of it is computed with."""
ALGORITHMS: dict[str, tuple[str, str | None]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), ("RSA", None)),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}
"""Each with the kind of key and the curve that it needs. `none` and what shares a secret are not among them."""
_IMPORTERS: dict[str, Any] = {"RSA": RSAKey, "EC": ECKey, "OKP": OKPKey}
_CURVES = frozenset({curve for _, curve in ALGORITHMS.values() if curve})


class _Jwk(msgspec.Struct):
    kty: str = ""
    kid: str | None = None
    use: str | None = None
    alg: str | None = None
    key_ops: list[str] | None = None
    crv: str | None = None
    n: str | None = None
    e: str | None = None
    x: str | None = None
    y: str | None = None
    d: Any = None


class _KeySet(msgspec.Struct):
    keys: list[_Jwk]


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key, and for what it may be used."""

    kid: str | None
    kind: str
    curve: str | None
    algorithm: str | None
    """The one algorithm that the issuer meant it for; None for any that fits."""
    key: Any

    def fits(self, algorithm: str) -> bool:
        """Whether signatures of that algorithm can be this key's."""
        kind, curve = ALGORITHMS[algorithm]
        return self.kind == kind and (curve is None or self.curve == curve) and self.algorithm in {None, algorithm}


def read_key_set(body: bytes) -> tuple[VerificationKey, ...]:
    """The usable keys of a key set. Raises IssuerAway for what is none."""
    try:
        found = msgspec.json.decode(body, type=_KeySet).keys
    except UNREADABLE:
        message = "The issuer's key set cannot be read."
        raise IssuerAway(message) from None
    if len(found) > MAX_KEYS:
        message = f"The issuer's key set has more than {MAX_KEYS} keys."
        raise IssuerAway(message)
    return tuple(key for key in map(_usable, found) if key is not None)


def choose(keys: Sequence[VerificationKey], kid: str | None, algorithm: str) -> list[VerificationKey]:
    """The keys that may have signed: the one named, or without a name the few that fit."""
    fitting = [key for key in keys if key.fits(algorithm)]
    if kid is None:
        return fitting[:MAX_TRIED]
    return [key for key in fitting if key.kid == kid][:MAX_TRIED]


def _usable(jwk: _Jwk) -> VerificationKey | None:
    if not _is_meant(jwk) or not _is_sound(jwk):
        return None
    try:
        key = _IMPORTERS[jwk.kty].import_key(_bare(jwk))
        # The first use makes the key ready; it belongs here, not to the first caller.
        ready = cast("Any", key.get_op_key("verify"))
    except (JoseError, ValueError, TypeError):
        return None
    if jwk.kty == "RSA" and ready.key_size not in RSA_BITS:
        return None
    return VerificationKey(jwk.kid, jwk.kty, jwk.crv if jwk.kty != "RSA" else None, jwk.alg, key)


def _is_meant(jwk: _Jwk) -> bool:
    """Whether its owner meant it for checking signatures of a kind that is accepted."""
    return (
        jwk.use in {None, "sig"}
        and (jwk.key_ops is None or "verify" in jwk.key_ops)
        and (jwk.alg is None or jwk.alg in ALGORITHMS)
    )


def _is_sound(jwk: _Jwk) -> bool:
    # A private key in public is nobody's any more.
    if jwk.kty not in _IMPORTERS or jwk.d is not None:
        return False
    if jwk.kty == "RSA":
        return len(jwk.n or "") in RSA_LENGTHS and len(jwk.e or "") <= 8
    return jwk.crv in _CURVES


def _bare(jwk: _Jwk) -> dict[str, str]:
    names = {"RSA": ("kty", "n", "e"), "EC": ("kty", "crv", "x", "y"), "OKP": ("kty", "crv", "x")}[jwk.kty]
    return {name: getattr(jwk, name) or "" for name in names}
