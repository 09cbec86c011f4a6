"""The old form: sealed directly under the installation's master key. It still opens; nothing new is sealed so."""

from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enfilade.sealing.forms import altered

NONCE_BYTES = 12


class OldForm:
    """Opens what earlier versions sealed."""

    def __init__(self, master_keys: Sequence[bytes]) -> None:
        """Try these keys, in order: the current master key and the one before."""
        self._ciphers = [AESGCM(key) for key in master_keys]

    def open(self, sealed: bytes, purpose: str) -> bytes:
        """The plaintext. Raises CannotOpen."""
        nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        if len(nonce) == NONCE_BYTES:
            for cipher in self._ciphers:
                try:
                    return cipher.decrypt(nonce, ciphertext, purpose.encode())
                except InvalidTag:
                    continue
        raise altered(purpose)
