"""Server-sent events (WHATWG HTML, section 9.2): cut out of a byte stream, whole, and read."""

import re

_END_OF_EVENT = re.compile(rb"\r\n\r\n|\n\n|\r\r|\n\r\n")
MAX_EVENT_BYTES = 8_000_000


class OversizedEvent(ValueError):
    """An event grew beyond what is kept in memory for one stream."""


class EventCutter:
    """Hands on whole events only: what came of the next one waits for its rest."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        """Start with nothing waiting."""
        self._rest = b""

    def feed(self, data: bytes) -> bytes:
        """All events that are complete now, as they came. Raises OversizedEvent."""
        if self._rest:
            data = self._rest + data
        if b"\r" in data:
            end = 0
            for match in _END_OF_EVENT.finditer(data):
                end = match.end()
        else:
            end = data.rfind(b"\n\n") + 2
            if end == 1:
                end = 0
        self._rest = data[end:]
        if len(self._rest) > MAX_EVENT_BYTES:
            message = f"an event is longer than {MAX_EVENT_BYTES} bytes"
            raise OversizedEvent(message)
        return data[:end] if self._rest else data

    @property
    def rest(self) -> bytes:
        """What has come of an event that is not complete."""
        return self._rest


def split_events(region: bytes) -> list[bytes]:
    """Whole events, each with the blank line that ends it."""
    events = []
    start = 0
    for match in _END_OF_EVENT.finditer(region):
        events.append(region[start : match.end()])
        start = match.end()
    return events


def event_data(event: bytes) -> bytes:
    """The data of one event: its `data:` lines, joined; empty for comments and keep-alives."""
    lines = event.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
    return b"\n".join(line[5:].removeprefix(b" ") for line in lines if line.startswith(b"data:"))
