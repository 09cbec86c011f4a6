"""The file that holds a master key: only its owner can read it, and it appears whole or not at all."""

import base64
import contextlib
import os
import secrets
import tempfile
from pathlib import Path

from enfilade.sealing.cipher import KEY_BYTES
from enfilade.sealing.errors import MasterKeyFault
from enfilade.sealing.local_key import decode_master_key


def read_key_file(path: Path) -> bytes:
    """The key in the file. Raises MasterKeyFault, saying what is wrong with it."""
    try:
        mode = path.stat().st_mode
        text = path.read_text()
    except FileNotFoundError:
        message = f"The master key's file {path} does not exist."
        raise MasterKeyFault(message) from None
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        message = f"The master key's file {path} cannot be read: {why}."
        raise MasterKeyFault(message) from None
    if mode & 0o077:
        message = f"{path} must not be readable by others: run chmod 600 on it."
        raise MasterKeyFault(message)
    try:
        return decode_master_key(text)
    except MasterKeyFault as error:
        message = f"{path}: {error.message}"
        raise MasterKeyFault(message) from None


def make_key_file(path: Path) -> None:
    """Write a new key. The first of several makers wins. Raises MasterKeyFault."""
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".master-key-")
    except OSError as error:
        message = f"The master key's file {path} cannot be made: {error.strerror}."
        raise MasterKeyFault(message) from None
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        Path(temporary).unlink()
