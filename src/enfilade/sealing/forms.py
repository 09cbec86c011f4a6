"""What sealed bytes look like: a format, a reference to the key, the ciphertext; and what they are bound to.

02 · key id (16) · key version (4) · nonce (24) · ciphertext · tag (16)
01 · nonce (12) · ciphertext · tag (16)          the old form, directly under the master key
"""

import uuid
from dataclasses import dataclass

from enfilade.sealing.errors import CannotOpen

FORMAT = 2
HEADER_BYTES = 21


@dataclass(frozen=True, slots=True)
class Reference:
    """The key under which something is sealed."""

    key: str
    version: int


def header(key: str, version: int) -> bytes:
    """The beginning of what is sealed under a key."""
    return b"\x02" + uuid.UUID(key).bytes + version.to_bytes(4)


def is_old(sealed: bytes) -> bool:
    """Whether this is sealed in the old form."""
    return sealed[:1] == b"\x01"


def reference_of(sealed: bytes, purpose: str) -> Reference:
    """Under which key this is sealed. Raises CannotOpen for what has no such form."""
    if len(sealed) < HEADER_BYTES or sealed[0] != FORMAT:
        raise altered(purpose)
    return Reference(str(uuid.UUID(bytes=sealed[1:17])), int.from_bytes(sealed[17:HEADER_BYTES]))


def bound_to(*context: str | bytes) -> bytes:
    """A context as bytes, of which no two contexts share one: each part with its length before it."""
    parts = [part.encode() if isinstance(part, str) else part for part in context]
    return b"".join(len(part).to_bytes(4) + part for part in parts)


def altered(purpose: str) -> CannotOpen:
    """The error for what does not open."""
    message = f"The secret for {purpose} cannot be opened: it was sealed under another key, or altered."
    return CannotOpen(message)
