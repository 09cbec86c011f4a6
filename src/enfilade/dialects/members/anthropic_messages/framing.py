"""How an event stands in a stream."""

from enfilade.dialects.bodies import ENCODER

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


def event(kind: str, **fields: object) -> bytes:
    """One event: the SDK looks at the name before it, others at the type inside."""
    return b"event: " + kind.encode() + b"\ndata: " + ENCODER.encode({"type": kind} | fields) + b"\n\n"
