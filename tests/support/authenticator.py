"""A security key in software: it makes credentials and signs, as a browser with a real one would have it."""

import base64
import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa

PRESENT, VERIFIED, HAS_CREDENTIAL = 0x01, 0x04, 0x40


def encode(data: bytes) -> str:
    """As base64url without padding."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def decode(text: str) -> bytes:
    """From base64url without padding."""
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def cbor(value: Any) -> bytes:
    """As much of CBOR as authenticators write."""
    if isinstance(value, int):
        return _head(0, value) if value >= 0 else _head(1, -1 - value)
    if isinstance(value, bytes):
        return _head(2, len(value)) + value
    if isinstance(value, str):
        return _head(3, len(value.encode())) + value.encode()
    assert isinstance(value, dict)
    return _head(5, len(value)) + b"".join(cbor(key) + cbor(entry) for key, entry in value.items())


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    size = 1 if argument < 256 else 2 if argument < 65536 else 4
    return bytes([major << 5 | {1: 24, 2: 25, 4: 26}[size]]) + argument.to_bytes(size, "big")


@dataclass
class Authenticator:
    """One credential. Its fields may be changed to make it lie."""

    algorithm: int = -7
    origin: str = "http://localhost:8080"
    flags: int = PRESENT | VERIFIED
    count: int = 0
    rp_id: str | None = None
    """What it hashes instead of what it was told."""
    challenge: str | None = None
    """What it signs instead of what it was told."""
    kind: str | None = None
    """Which question it says to answer."""
    credential_id: bytes = field(default_factory=lambda: hashlib.sha256(b"a credential").digest())

    def __post_init__(self) -> None:
        """Make the key."""
        self.key: Any
        if self.algorithm == -7:
            self.key = ec.generate_private_key(ec.SECP256R1())
        elif self.algorithm == -8:
            self.key = ed25519.Ed25519PrivateKey.generate()
        else:
            self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def create(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.create`."""
        client = self._client("webauthn.create", options["challenge"])
        attested = bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + cbor(self._cose())
        data = self._data(options["rp"]["id"], HAS_CREDENTIAL) + attested
        attestation = cbor({"fmt": "none", "attStmt": {}, "authData": data})
        return self._answer({"clientDataJSON": encode(client), "attestationObject": encode(attestation)})

    def get(self, options: dict[str, Any]) -> dict[str, Any]:
        """Answer `navigator.credentials.get`."""
        client = self._client("webauthn.get", options["challenge"])
        data = self._data(options["rpId"], 0)
        signature = self._sign(data + hashlib.sha256(client).digest())
        response = {
            "clientDataJSON": encode(client),
            "authenticatorData": encode(data),
            "signature": encode(signature),
        }
        return self._answer(response)

    def _answer(self, response: dict[str, str]) -> dict[str, Any]:
        name = encode(self.credential_id)
        return {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}

    def _client(self, kind: str, challenge: str) -> bytes:
        content = {
            "type": self.kind or kind,
            "challenge": self.challenge or challenge,
            "origin": self.origin,
            "crossOrigin": False,
        }
        return json.dumps(content).encode()

    def _data(self, rp_id: str, more: int) -> bytes:
        digest = hashlib.sha256((self.rp_id or rp_id).encode()).digest()
        return digest + bytes([self.flags | more]) + self.count.to_bytes(4, "big")

    def _cose(self) -> dict[int, Any]:
        if self.algorithm == -8:
            return {1: 1, 3: -8, -1: 6, -2: self.key.public_key().public_bytes_raw()}
        numbers = self.key.public_key().public_numbers()
        if self.algorithm == -7:
            return {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        return {1: 3, 3: -257, -1: numbers.n.to_bytes(256, "big"), -2: numbers.e.to_bytes(3, "big")}

    def _sign(self, data: bytes) -> bytes:
        signature: bytes
        if self.algorithm == -7:
            signature = self.key.sign(data, ec.ECDSA(hashes.SHA256()))
        elif self.algorithm == -8:
            signature = self.key.sign(data)
        else:
            signature = self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
        return signature
