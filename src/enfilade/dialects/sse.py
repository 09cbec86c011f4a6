"""Server-sent events (WHATWG HTML, section 9.2): cut out of a byte stream, whole, and read."""

import re
from collections.abc import Mapping

from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.errors import UnreadableReply

# Two line ends in a row, each CRLF, LF or CR. A CR that comes last may be half of a CRLF.
_END_OF_EVENT = re.compile(rb"\n\n|\n\r\n|\r\r\n?|\n\r(?!\n|\Z)")
_CRLF_TWICE = b"\r\n\r\n"
_DATA = b"data: "
MAX_EVENT_BYTES = 8_000_000
BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_OVERLAP = 3


class EventCutter:
    """Hands on whole events only: what came of the next one waits for its rest."""

    __slots__ = ("_rest", "_seam", "_size")

    def __init__(self) -> None:
        """Start with nothing waiting."""
        self._rest: list[bytes] = []
        self._seam = b""
        self._size = 0

    def feed(self, data: bytes) -> bytes:
        """All events that are complete now, as they came. Raises UnreadableReply for one that never ends."""
        if self._rest:
            # An end that was not seen can only be in the new piece or at its seam: what waits is not searched again.
            if not _end_of_last(self._seam + data):
                self._keep(data)
                return b""
            data = b"".join([*self._rest, data])
            self._rest, self._seam, self._size = [], b"", 0
        end = _end_of_last(data)
        if end == len(data):
            return data
        self._keep(data[end:])
        return data[:end]

    def _keep(self, data: bytes) -> None:
        self._size += len(data)
        if self._size > MAX_EVENT_BYTES:
            message = f"The provider's stream holds an event of more than {MAX_EVENT_BYTES} bytes."
            raise UnreadableReply(message)
        self._rest.append(data)
        self._seam = (self._seam + data[-_OVERLAP:])[-_OVERLAP:]

    @property
    def rest(self) -> bytes:
        """What has come of an event that is not complete."""
        return b"".join(self._rest)


def _end_of_last(data: bytes) -> int:
    """Where the last whole event ends; 0 when there is none."""
    if data.endswith((b"\n\n", b"\n\r\n")):
        return len(data)  # As nearly always.
    end = 0
    if b"\r" in data:
        for match in _END_OF_EVENT.finditer(data):
            end = match.end()
    elif (found := data.rfind(b"\n\n")) >= 0:
        end = found + 2
    return end


def split_events(region: bytes) -> list[bytes]:
    """Whole events, each with the blank line that ends it; together they are the region."""
    if b"\r" not in region:
        *whole, rest = region.split(b"\n\n")
        return [event + b"\n\n" for event in whole] + ([rest] if rest else [])
    if b"\n\n" not in region and b"\r\r" not in region and region.count(b"\n\r") == region.count(_CRLF_TWICE):
        # No event ends but with two CRLF.
        *whole, rest = region.split(_CRLF_TWICE)
        return [event + _CRLF_TWICE for event in whole] + ([rest] if rest else [])
    events = []
    start = 0
    for match in _END_OF_EVENT.finditer(region):
        events.append(region[start : match.end()])
        start = match.end()
    return [*events, region[start:]] if start < len(region) else events


def event_data(event: bytes) -> bytes:
    """The data of one event: its `data:` lines, joined; empty for comments and keep-alives."""
    if event.startswith(_DATA):
        data = event[len(_DATA) :].rstrip(b"\r\n")
        if b"\n" not in data and b"\r" not in data:
            return data
    lines = event.removeprefix(BYTE_ORDER_MARK).replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:") or line == b"data")


def named_event(kind: str, fields: Mapping[str, object]) -> bytes:
    """An event with its name: some readers look at that, others at the type inside, which `fields` have."""
    return b"event: " + kind.encode() + b"\ndata: " + ENCODER.encode(fields) + b"\n\n"
