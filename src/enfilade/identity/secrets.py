"""Secrets of keys: made, digested, recognised.

A secret that we make looks like `enf_` and ten hexadecimal digits, `_`, and seventy-two. The ten name the key to
whoever finds it; the last eight are the CRC-32 of all that stands before them, so that a scanner knows a secret of ours
from what only looks like one without asking anybody. Secrets made before there was a checksum have sixty-four digits.
"""

import hashlib
import re
import secrets
from zlib import crc32

from enfilade.identity.errors import InvalidSpecification

PREFIX = "enf_"
MIN_SECRET_LENGTH = 32
MAX_SECRET_LENGTH = 512
SECRET = re.compile(r"enf_[0-9a-f]{10}_[0-9a-f]{72}")
"""What scanners look for."""
HINT = re.compile(r"enf_[0-9a-f]{10}(?![0-9a-f])")
CHECKSUM_DIGITS = 8


def secret_digest(secret: str | bytes) -> bytes:
    """What is stored and looked up instead of a secret. The whole credential is hashed, never a part of it.

    A fast hash is right here: the secrets that we make have 256 bits, so there is nothing to guess.
    """
    return hashlib.sha256(secret if isinstance(secret, bytes) else secret.encode()).digest()


def new_secret() -> tuple[str, str]:
    """A new credential and its public beginning."""
    hint = PREFIX + secrets.token_hex(5)
    body = f"{hint}_{secrets.token_hex(32)}"
    return f"{body}{crc32(body.encode()):08x}", hint


def has_checksum(text: str) -> bool:
    """Whether the text is a secret that we made, by its checksum."""
    body, tail = text[:-CHECKSUM_DIGITS], text[-CHECKSUM_DIGITS:]
    return SECRET.fullmatch(text) is not None and f"{crc32(body.encode()):08x}" == tail


def hint_in(text: str) -> str | None:
    """The public beginning of a secret, or of a part of one."""
    found = HINT.match(text)
    return found[0] if found else None


def check_secret(secret: str) -> None:
    """Refuse a secret that could be guessed or could not be sent. Raises InvalidSpecification."""
    if not MIN_SECRET_LENGTH <= len(secret) <= MAX_SECRET_LENGTH or not secret.isascii() or not secret.isprintable():
        message = f"a secret must have {MIN_SECRET_LENGTH} to {MAX_SECRET_LENGTH} printable ASCII characters"
        raise InvalidSpecification(message, param="secret")
