"""A thin face of the envelope for small secrets of the platform: providers' credentials, sign-in, webhooks."""

import hmac

from enfilade.core.ids import PLATFORM_ID
from enfilade.sealing.envelope import Envelope


class Sealer:
    """Seals and opens secrets under the platform's own tenant key. Without a master key it can do neither."""

    def __init__(self, envelope: Envelope) -> None:
        """Use the keys of `envelope`."""
        self._envelope = envelope

    @property
    def has_key(self) -> bool:
        """Whether anything can be sealed and opened."""
        return self._envelope.has_key

    @property
    def mark(self) -> bytes:
        """What stands after the first byte of what is sealed under the current key. Raises NoMasterKey."""
        return self._envelope.keys_of_platform().active.mark

    def seal(self, secret: str, purpose: str) -> bytes:
        """The sealed form. It opens for the same purpose only. Raises NoMasterKey."""
        return self._envelope.seal(PLATFORM_ID, purpose, secret.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """The secret. Raises CannotOpen, NoMasterKey."""
        return self._envelope.open(PLATFORM_ID, purpose, sealed).decode()

    def fingerprint(self, secret: str, purpose: str) -> bytes:
        """A keyed hash by which `is_same` knows the secret again; it tells nothing else. Raises NoMasterKey."""
        return self._envelope.keys_of_platform().active.fingerprint(purpose, secret.encode())

    def is_same(self, fingerprint: bytes | None, secret: str, purpose: str) -> bool:
        """Whether a fingerprint, made under any version of the key that there still is, is of this secret."""
        if fingerprint is None:
            return False
        keys = self._envelope.keys_of_platform()
        made = (key.fingerprint(purpose, secret.encode()) for key in keys.versions.values())
        return any(hmac.compare_digest(fingerprint, one) for one in made)
