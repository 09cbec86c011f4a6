"""Security keys (WebAuthn level 3): what is asked of an authenticator, and what its answers must be.

The package `webauthn` loads for a tenth of a second, most of it for attestations, which are not asked for here; the
tests hold this module against it.
"""

import base64
import binascii
import hashlib
import hmac
import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import msgspec
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

from enfilade.core.unreadable import UNREADABLE
from enfilade.identity.accounts.cbor import decode_first
from enfilade.identity.accounts.errors import AuthenticatorRefused

ES256, EDDSA, RS256 = -7, -8, -257
ALGORITHMS = (EDDSA, ES256, RS256)
TIMEOUT_MS = 120_000
MAX_BYTES = 16_384
MAX_CREDENTIAL_ID = 1023
_PRESENT, _VERIFIED, _BACKUP_ELIGIBLE, _BACKED_UP, _HAS_CREDENTIAL = 0x01, 0x04, 0x08, 0x10, 0x40
_LOCAL = re.compile(r"https?://localhost(:\d{1,5})?")


@dataclass(frozen=True, slots=True)
class RelyingParty:
    """Who asks: the name that security keys are bound to, and the address at which people see it."""

    id: str
    origin: str | None
    """None is this machine, at any port."""

    @classmethod
    def at(cls, public_url: str | None) -> "RelyingParty":
        """From the address at which people reach the installation; without one, only this machine's own browser fits."""
        if public_url is None:
            return cls("localhost", None)
        parts = urlsplit(public_url)
        return cls(parts.hostname or "", f"{parts.scheme}://{parts.netloc}".lower())

    def is_origin(self, origin: object) -> bool:
        """Whether a page of that origin is ours."""
        if not isinstance(origin, str):
            return False
        return origin == self.origin if self.origin is not None else bool(_LOCAL.fullmatch(origin))


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of an authenticator."""

    id: bytes
    public_key: bytes = field(repr=False)
    sign_count: int


def registration_options(
    party: RelyingParty, nonce: bytes, user: tuple[str, str, str], known: list[bytes]
) -> dict[str, Any]:
    """What a browser makes a new credential from; `user` is id, address and name."""
    identifier, email, name = user
    return {
        "rp": {"id": party.id, "name": "Enfilade"},
        "user": {"id": encode(UUID(identifier).bytes), "name": email, "displayName": name},
        "challenge": encode(nonce),
        "pubKeyCredParams": [{"type": "public-key", "alg": algorithm} for algorithm in ALGORITHMS],
        "timeout": TIMEOUT_MS,
        "excludeCredentials": [{"type": "public-key", "id": encode(credential)} for credential in known],
        "authenticatorSelection": {
            "residentKey": "discouraged",
            "requireResidentKey": False,
            "userVerification": "required",
        },
        "attestation": "none",
    }


def authentication_options(party: RelyingParty, nonce: bytes, known: list[bytes]) -> dict[str, Any]:
    """What a browser has signed by one of the known credentials."""
    return {
        "challenge": encode(nonce),
        "timeout": TIMEOUT_MS,
        "rpId": party.id,
        "allowCredentials": [{"type": "public-key", "id": encode(credential)} for credential in known],
        "userVerification": "required",
    }


def verify_registration(party: RelyingParty, nonce: bytes, answer: dict[str, Any]) -> Credential:
    """The credential that was made. Raises AuthenticatorRefused."""
    response = _response_of(answer)
    _check_client_data(party, "webauthn.create", nonce, _bytes(response, "clientDataJSON"))
    attested = _cbor(_bytes(response, "attestationObject"))
    data = attested.get("authData") if isinstance(attested, dict) else None
    if not isinstance(data, bytes):
        raise _refused("its attestation cannot be read")
    flags, count = _check_authenticator_data(party, data)
    if not flags & _HAS_CREDENTIAL or len(data) < 55:
        raise _refused("it made no credential")
    length = int.from_bytes(data[53:55], "big")
    identifier, rest = data[55 : 55 + length], data[55 + length :]
    if not 0 < length <= MAX_CREDENTIAL_ID or len(identifier) < length or identifier != _raw_id(answer):
        raise _refused("the credential's name does not fit")
    try:
        _, used = decode_first(rest)
    except ValueError:
        raise _refused("its public key cannot be read") from None
    public_key = rest[:used]
    _key_of(public_key)
    return Credential(identifier, public_key, count)


def verify_authentication(
    party: RelyingParty, nonce: bytes, answer: dict[str, Any], known: list[Credential]
) -> tuple[Credential, int]:
    """Which of the credentials signed, and its new count. Raises AuthenticatorRefused."""
    response = _response_of(answer)
    identifier = _raw_id(answer)
    credential = next((entry for entry in known if hmac.compare_digest(entry.id, identifier)), None)
    if credential is None:
        raise _refused("it is not one of this account's")
    client = _bytes(response, "clientDataJSON")
    _check_client_data(party, "webauthn.get", nonce, client)
    data = _bytes(response, "authenticatorData")
    _, count = _check_authenticator_data(party, data)
    signed = data + hashlib.sha256(client).digest()
    if not _is_signature(credential.public_key, _bytes(response, "signature"), signed):
        raise _refused("its signature does not fit")
    if (count or credential.sign_count) and count <= credential.sign_count:
        # Two authenticators with one key: one of them is a copy.
        raise _refused("its counter went back, as that of a copy would")
    return credential, count


def _check_client_data(party: RelyingParty, kind: str, nonce: bytes, data: bytes) -> None:
    try:
        client = msgspec.json.decode(data)
    except UNREADABLE:
        client = None
    if not isinstance(client, dict):
        raise _refused("what the browser says cannot be read")
    if client.get("type") != kind:
        raise _refused("it answers another question")
    challenge = client.get("challenge")
    if not isinstance(challenge, str) or not hmac.compare_digest(
        challenge.rstrip("=").encode(), encode(nonce).encode()
    ):
        raise _refused("it answers an older question")
    if not party.is_origin(client.get("origin")) or client.get("crossOrigin") is True:
        raise _refused("it was asked by a page of another address")


def _check_authenticator_data(party: RelyingParty, data: bytes) -> tuple[int, int]:
    if len(data) < 37:
        raise _refused("what it says is too short")
    if not hmac.compare_digest(data[:32], hashlib.sha256(party.id.encode()).digest()):
        raise _refused("it is meant for another address")
    flags = data[32]
    if not flags & _PRESENT or not flags & _VERIFIED:
        raise _refused("it did not make sure who used it: set a PIN or a fingerprint")
    if flags & _BACKED_UP and not flags & _BACKUP_ELIGIBLE:
        raise _refused("it contradicts itself about copies")
    return flags, int.from_bytes(data[33:37], "big")


def _key_of(encoded: bytes) -> tuple[int, Any]:
    """The algorithm and the public key of a COSE key (RFC 9053). Raises AuthenticatorRefused."""
    cose = _cbor(encoded)
    try:
        kind, algorithm = cose[1], cose[3]
        if (kind, algorithm, cose.get(-1)) == (2, ES256, 1):
            numbers = ec.EllipticCurvePublicNumbers(_number(cose[-2]), _number(cose[-3]), ec.SECP256R1())
            return algorithm, numbers.public_key()
        if (kind, algorithm, cose.get(-1)) == (1, EDDSA, 6):
            return algorithm, ed25519.Ed25519PublicKey.from_public_bytes(cose[-2])
        if (kind, algorithm) == (3, RS256):
            key = rsa.RSAPublicNumbers(_number(cose[-2]), _number(cose[-1])).public_key()
            if 2048 <= key.key_size <= 8192:
                return algorithm, key
    except (KeyError, TypeError, ValueError, AttributeError, UnsupportedAlgorithm):
        raise _refused("its public key cannot be read") from None
    raise _refused("its key is of a kind that is not taken")


def _is_signature(public_key: bytes, signature: bytes, signed: bytes) -> bool:
    algorithm, key = _key_of(public_key)
    try:
        if algorithm == ES256:
            key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        elif algorithm == EDDSA:
            key.verify(signature, signed)
        else:
            key.verify(signature, signed, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        return False
    return True


def _number(data: bytes) -> int:
    if not isinstance(data, bytes):
        raise TypeError
    return int.from_bytes(data, "big")


def _cbor(data: bytes) -> Any:
    try:
        return decode_first(data)[0]
    except ValueError:
        raise _refused("what it says cannot be read") from None


def _response_of(answer: dict[str, Any]) -> dict[str, Any]:
    response = answer.get("response")
    if answer.get("type") != "public-key" or not isinstance(response, dict):
        raise _refused("this is no answer of an authenticator")
    return response


def _raw_id(answer: dict[str, Any]) -> bytes:
    return _bytes(answer, "rawId" if "rawId" in answer else "id")


def _bytes(holder: dict[str, Any], name: str) -> bytes:
    text = holder.get(name)
    wrong = _refused(f"`{name}` is missing, or not in base64url")
    if not isinstance(text, str) or len(text) > MAX_BYTES:
        raise wrong
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None


def encode(data: bytes) -> str:
    """As base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refused(reason: str) -> AuthenticatorRefused:
    message = f"The security key cannot be used: {reason}."
    return AuthenticatorRefused(message, param="credential")
