"""How an event stands in a stream."""

from enfilade.dialects.sse import named_event

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def event(kind: str, **fields: object) -> bytes:
    """One event."""
    return named_event(kind, {"type": kind} | fields)
