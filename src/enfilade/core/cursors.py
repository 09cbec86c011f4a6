"""Cursors: where a list goes on, as text that fits into an address and means nothing to whoever keeps it."""

import base64
import binascii


def write_cursor(position: bytes) -> str:
    """A position as text."""
    return base64.urlsafe_b64encode(position).decode().rstrip("=")


def read_cursor(cursor: str) -> bytes:
    """The position that a cursor holds. Raises ValueError for what is no text of this kind."""
    try:
        return base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
    except binascii.Error as error:
        raise ValueError(str(error)) from None
