"""AWS event streams (`application/vnd.amazon.eventstream`): frames cut out of a byte stream, checked, and read.

A frame is, big-endian: its length and that of its headers (u32 each), the CRC-32 of those eight bytes, headers,
payload, and the CRC-32 of all that came before. Frames do not end where reads from the network do.
Source: https://docs.aws.amazon.com/transcribe/latest/dg/event-stream.html (the encoding) and botocore's parser.
"""

import struct
import zlib
from typing import Final

import msgspec

from enfilade.dialects.errors import UnreadableReply

CONTENT_TYPE = b"application/vnd.amazon.eventstream"
MAX_FRAME_BYTES = 16_000_000
MAX_HEADER_BYTES = 128 * 1024
PRELUDE_BYTES: Final = 12
CHECKSUM_BYTES: Final = 4
MAX_KNOWN_HEADERS = 64

_PRELUDE = struct.Struct(">III")
_U16 = struct.Struct(">H")
_U32 = struct.Struct(">I")
_NUMBERS = {2: struct.Struct(">b"), 3: struct.Struct(">h"), 4: struct.Struct(">i"), 5: struct.Struct(">q")}
_TIMESTAMP = 8
_UUID = 9
_UUID_BYTES = 16

HeaderValue = bool | int | str | bytes
"""A timestamp is its milliseconds since 1970, an UUID its sixteen bytes."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One message of an event stream."""

    headers: dict[str, HeaderValue]
    payload: bytes

    def header(self, name: str) -> str | None:
        """A header's text; None when it is absent or no text."""
        value = self.headers.get(name)
        return value if isinstance(value, str) else None


class FrameCutter:
    """Hands on whole frames only: what came of the next one waits for its rest."""

    __slots__ = ("_known", "_needed", "_waiting")

    def __init__(self) -> None:
        """Start with nothing waiting."""
        self._waiting = bytearray()
        self._needed = 0
        self._known: dict[bytes, dict[str, HeaderValue]] = {}

    def feed(self, data: bytes) -> list[Frame]:
        """All frames that are complete now. Raises UnreadableReply for bytes that are no frames."""
        waiting = self._waiting
        waiting += data
        frames = []
        start = 0
        while len(waiting) - start >= (self._needed or PRELUDE_BYTES):
            if not self._needed:
                self._needed = _checked_length(waiting, start)
                continue
            frames.append(self._frame(bytes(waiting[start : start + self._needed])))
            start += self._needed
            self._needed = 0
        del waiting[:start]
        return frames

    @property
    def unfinished(self) -> int:
        """How many bytes have come of a frame that is not complete."""
        return len(self._waiting)

    def _frame(self, frame: bytes) -> Frame:
        end = len(frame) - CHECKSUM_BYTES
        if zlib.crc32(memoryview(frame)[:end]) != _U32.unpack_from(frame, end)[0]:
            message = "A frame of the provider's stream does not agree with its checksum."
            raise UnreadableReply(message)
        headers_end = PRELUDE_BYTES + _U32.unpack_from(frame, 4)[0]
        written = frame[PRELUDE_BYTES:headers_end]
        headers = self._known.get(written)
        if headers is None:
            headers = read_headers(written)
            if len(self._known) < MAX_KNOWN_HEADERS:
                self._known[written] = headers  # A stream says the same few headers again and again.
        return Frame(headers, frame[headers_end:end])


def _checked_length(waiting: bytearray, start: int) -> int:
    """How long the frame is that begins here: known, and believed, as soon as its prelude is there."""
    length, header_bytes, checksum = _PRELUDE.unpack_from(waiting, start)
    if zlib.crc32(waiting[start : start + PRELUDE_BYTES - CHECKSUM_BYTES]) != checksum:
        message = "The beginning of a frame of the provider's stream does not agree with its checksum."
        raise UnreadableReply(message)
    if length > MAX_FRAME_BYTES:
        message = f"The provider's stream holds a frame of {length} bytes; {MAX_FRAME_BYTES} are the most."
        raise UnreadableReply(message)
    if header_bytes > MAX_HEADER_BYTES or length < PRELUDE_BYTES + header_bytes + CHECKSUM_BYTES:
        message = "A frame of the provider's stream gives lengths that cannot be."
        raise UnreadableReply(message)
    return int(length)


def read_headers(data: bytes) -> dict[str, HeaderValue]:
    """The headers of a frame by name. Raises UnreadableReply."""
    headers: dict[str, HeaderValue] = {}
    at = 0
    try:
        while at < len(data):
            size = data[at]
            name = _take(data, at + 1, size).decode()
            at += 1 + size
            value, at = _value(data, data[at], at + 1)
            if name in headers or not name:
                raise _no_headers()
            headers[name] = value
    except (IndexError, struct.error, UnicodeDecodeError):
        raise _no_headers() from None
    return headers


def _value(data: bytes, kind: int, at: int) -> tuple[HeaderValue, int]:
    """A header's value, and where it ends."""
    if kind < 2:
        return kind == 0, at
    if kind in _NUMBERS or kind == _TIMESTAMP:
        form = _NUMBERS[5 if kind == _TIMESTAMP else kind]
        return form.unpack_from(data, at)[0], at + form.size
    if kind == _UUID:
        return _take(data, at, _UUID_BYTES), at + _UUID_BYTES
    if kind not in {6, 7}:
        raise _no_headers()
    size = _U16.unpack_from(data, at)[0]
    content = _take(data, at + 2, size)
    return (content.decode() if kind == 7 else content), at + 2 + size


def _take(data: bytes, at: int, size: int) -> bytes:
    if at + size > len(data):
        raise _no_headers()
    return data[at : at + size]


def _no_headers() -> UnreadableReply:
    return UnreadableReply("The headers of a frame of the provider's stream cannot be read.")
