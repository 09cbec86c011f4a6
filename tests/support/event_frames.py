"""Writes AWS event streams, as Bedrock does: the counterpart of `enfilade.dialects.event_stream`."""

import struct
import zlib
from collections.abc import Sequence

Header = tuple[str, int, bool | int | str | bytes]
"""A name, the number of the value's type, and the value."""

TRUE, FALSE, BYTE, SHORT, INTEGER, LONG, BYTES, STRING, TIMESTAMP, UUID = range(10)

_FORMS = {BYTE: ">b", SHORT: ">h", INTEGER: ">i", LONG: ">q", TIMESTAMP: ">q"}


def frame(headers: Sequence[Header], payload: bytes = b"") -> bytes:
    """One frame with both its checksums."""
    written = b"".join(_header(*header) for header in headers)
    return sealed(struct.pack(">II", 16 + len(written) + len(payload), len(written)), written + payload)


def sealed(lengths: bytes, rest: bytes) -> bytes:
    """Lengths and content, whatever they are, with checksums that agree with them."""
    head = lengths + struct.pack(">I", zlib.crc32(lengths))
    return head + rest + struct.pack(">I", zlib.crc32(head + rest))


def event(kind: str, payload: bytes) -> bytes:
    """An event as Bedrock sends it."""
    return frame(
        [
            (":event-type", STRING, kind),
            (":content-type", STRING, "application/json"),
            (":message-type", STRING, "event"),
        ],
        payload,
    )


def exception(kind: str, payload: bytes) -> bytes:
    """An exception inside a stream."""
    return frame(
        [
            (":exception-type", STRING, kind),
            (":content-type", STRING, "application/json"),
            (":message-type", STRING, "exception"),
        ],
        payload,
    )


def _header(name: str, kind: int, value: bool | int | str | bytes) -> bytes:
    head = bytes([len(name.encode())]) + name.encode() + bytes([kind])
    if kind in {TRUE, FALSE}:
        return head
    if kind in _FORMS:
        return head + struct.pack(_FORMS[kind], value)
    content = value.encode() if isinstance(value, str) else bytes(value) if isinstance(value, bytes) else b""
    return head + (b"" if kind == UUID else struct.pack(">H", len(content))) + content
