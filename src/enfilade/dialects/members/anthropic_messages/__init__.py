"""Anthropic messages: `POST /v1/messages`.

Source: https://docs.anthropic.com/en/api/messages and the SDK's `anthropic.types`.

    dialect     what the line acts on, in bodies that pass through
    reader      streams that pass through
    codec       the way to and from the neutral form; requests are read and written in `dialects.anthropic`
    reply       whole replies, read and rendered
    decode      a provider's stream
    events      a caller's stream; `framing`, how an event stands in it
    usage       figures and finishes, both ways
"""

from enfilade.dialects.members.anthropic_messages.dialect import DIALECT

__all__ = ["DIALECT"]
