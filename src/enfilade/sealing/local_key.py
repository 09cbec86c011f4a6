"""A master key that is in this process: from a file or the environment."""

import base64
import binascii
import hmac

from enfilade.sealing.cipher import KEY_BYTES, MessageCipher
from enfilade.sealing.errors import MasterKeyFault, MasterKeyRefused
from enfilade.sealing.forms import bound_to
from enfilade.sealing.master_key import Context

FORMAT = b"\x02"


class LocalMasterKey:
    """See `MasterKey`."""

    def __init__(self, key: bytes) -> None:
        """Two keys, for two purposes, from the one: so neither tells anything about the other."""
        self.direct: bytes | None = key
        self.name = f"local:{hmac.digest(key, b'enfilade master key name', 'sha256').hex()[:16]}"
        self._cipher = MessageCipher(hmac.digest(key, b"enfilade master key wrapping", "sha256"))

    def __repr__(self) -> str:
        """Never the key."""
        return f"LocalMasterKey({self.name})"

    async def wrap(self, key: bytes, context: Context) -> bytes:
        """See `MasterKey.wrap`."""
        return FORMAT + self._cipher.encrypt(key, _bytes_of(context))

    async def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """See `MasterKey.unwrap`."""
        key = self._cipher.decrypt(wrapped[1:], _bytes_of(context)) if wrapped[:1] == FORMAT else None
        if key is None:
            message = (
                f"A wrapped key cannot be opened with the master key {self.name}: it is another's, or was altered."
            )
            raise MasterKeyRefused(message)
        return key

    def version(self, wrapped: bytes) -> str:
        """See `MasterKey.version`: a local key has one."""
        del wrapped
        return "1"


def decode_master_key(text: str) -> bytes:
    """A master key from its base64 form. Raises MasterKeyFault."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        message = f"The master key must be {KEY_BYTES} bytes in base64, as `openssl rand -base64 32` prints them."
        raise MasterKeyFault(message)
    return key


def _bytes_of(context: Context) -> bytes:
    return bound_to(*(part for item in sorted(context.items()) for part in item))
