"""Secrets at rest: AES-256-GCM under the installation's master key, bound to what they are for."""

import base64
import binascii
import contextlib
import hmac
import os
import secrets
import tempfile
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from enfilade.storage.errors import StorageFault

KEY_BYTES = 32
NONCE_BYTES = 12
FORMAT = b"\x01"


class Sealer:
    """Seals and opens small secrets. Without a key it can do neither, and says so when it is asked."""

    def __init__(self, master_key: bytes | None) -> None:
        """Use this key of 32 bytes."""
        self._master_key = master_key
        self._cipher = None if master_key is None else AESGCM(master_key)

    @property
    def has_key(self) -> bool:
        """Whether anything can be sealed and opened."""
        return self._cipher is not None

    def seal(self, secret: str, purpose: str) -> bytes:
        """The sealed form. It opens for the same purpose only. Raises StorageFault without a master key."""
        nonce = os.urandom(NONCE_BYTES)
        return FORMAT + nonce + self._require().encrypt(nonce, secret.encode(), purpose.encode())

    def open(self, sealed: bytes, purpose: str) -> str:
        """The secret. Raises StorageFault when the key is missing or another one, or the bytes were changed."""
        nonce, ciphertext = sealed[1 : 1 + NONCE_BYTES], sealed[1 + NONCE_BYTES :]
        try:
            return self._require().decrypt(nonce, ciphertext, purpose.encode()).decode()
        except InvalidTag:
            message = f"The secret for {purpose} cannot be opened: it was sealed under another master key, or altered."
            raise StorageFault(message) from None

    def fingerprint(self, secret: str, purpose: str) -> bytes:
        """A keyed hash that is the same for the same secret, purpose and master key, and tells nothing else."""
        if self._master_key is None:
            self._require()
        return hmac.digest(self._master_key or b"", f"{purpose}\x00{secret}".encode(), "sha256")

    def _require(self) -> AESGCM:
        if self._cipher is None:
            message = (
                "Secrets given as values are sealed under a master key, and there is none. "
                "Set ENFILADE_MASTER_KEY_FILE, or refer to the secret with {env: …} or {file: …}."
            )
            raise StorageFault(message)
        return self._cipher


def decode_master_key(text: str) -> bytes:
    """A master key from its base64 form. Raises StorageFault."""
    try:
        key = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        message = f"The master key must be {KEY_BYTES} bytes in base64, as `openssl rand -base64 32` prints them."
        raise StorageFault(message)
    return key


def load_or_make_master_key(path: Path) -> bytes:
    """The key in a file that only its owner can read; made when it is not there. Raises StorageFault."""
    if not path.exists():
        _make_key_file(path)
    if path.stat().st_mode & 0o077:
        message = f"{path} must not be readable by others: run chmod 600 on it."
        raise StorageFault(message)
    return decode_master_key(path.read_text())


def _make_key_file(path: Path) -> None:
    """Write a new key. The file appears whole or not at all, and the first of several makers wins."""
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".master-key-")
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
