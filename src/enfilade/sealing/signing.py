"""What the installation signs: records that somebody else is to believe.

One Ed25519 key (RFC 8032), made when it is first needed, sealed among the platform's secrets. Its public half stands beside
each signature, and its name in the event of what was signed: whoever has the log knows which key it was.
"""

import base64
import hashlib

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from enfilade.sealing import store
from enfilade.sealing.sealer import Sealer
from enfilade.storage.database import Database

PURPOSE = "signing:records"
KEY_BYTES = 32
ALGORITHM = "ed25519"


class Signature(msgspec.Struct, frozen=True):
    """A signature, with what it takes to check it. Keys and signatures are in base64."""

    algorithm: str
    key: str
    """The name of the key: the beginning of the SHA-256 of its public half."""
    public_key: str
    signature: str

    def text(self) -> str:
        """As it is kept and shown."""
        return msgspec.json.encode(self).decode()


class Signatures:
    """Signs for the installation."""

    def __init__(self, sealer: Sealer, home: Database) -> None:
        """Keep the key among the secrets of `home`."""
        self._sealer = sealer
        self._home = home

    async def sign(self, message: bytes) -> Signature | None:
        """The signature; None where there is no master key, under which the key could be kept.

        Raises CannotOpen, DatabaseUnavailable.
        """
        if not self._sealer.has_key:
            return None
        key = Ed25519PrivateKey.from_private_bytes(await self._private_bytes())
        public = key.public_key().public_bytes_raw()
        return Signature(ALGORITHM, key_name(public), _text(public), _text(key.sign(message)))

    async def public_key(self) -> bytes | None:
        """The public half of the key; None where there is no master key. Raises CannotOpen, DatabaseUnavailable."""
        if not self._sealer.has_key:
            return None
        return Ed25519PrivateKey.from_private_bytes(await self._private_bytes()).public_key().public_bytes_raw()

    async def _private_bytes(self) -> bytes:
        async with self._home.owner() as connection:
            sealed = await connection.fetchval(store.READ_NAMED_SECRET, PURPOSE)
            if sealed is None:
                made = _text(Ed25519PrivateKey.generate().private_bytes_raw())
                fingerprint = self._sealer.fingerprint(made, PURPOSE)
                await connection.execute(store.ADD_NAMED_SECRET, PURPOSE, self._sealer.seal(made, PURPOSE), fingerprint)
                # Of several processes that made one, the first one's is kept.
                sealed = await connection.fetchval(store.READ_NAMED_SECRET, PURPOSE)
        return base64.b64decode(self._sealer.open(bytes(sealed), PURPOSE))


def key_name(public_key: bytes) -> str:
    """The name of a key."""
    return hashlib.sha256(public_key).hexdigest()[:16]


def is_signed(message: bytes, text: str) -> bool:
    """Whether a kept signature is one of the message, by the key that stands in it."""
    return signer_of(message, text) is not None


def signer_of(message: bytes, text: str) -> bytes | None:
    """The public key, as it stands in a kept signature of the message; None where it is none of the message."""
    try:
        found = msgspec.json.decode(text, type=Signature)
        public = base64.b64decode(found.public_key, validate=True)
        if found.algorithm != ALGORITHM or found.key != key_name(public):
            return None
        Ed25519PublicKey.from_public_bytes(public).verify(base64.b64decode(found.signature, validate=True), message)
    except (msgspec.MsgspecError, ValueError, InvalidSignature):
        return None
    return public


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
