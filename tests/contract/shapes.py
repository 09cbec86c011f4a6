"""What every dialect must bring for the contract to be tried on it: bodies of our own, made from the wire's facts."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from enfilade.core.messages import Completion, Conversation, Finish, Question
from enfilade.core.usage import Usage
from enfilade.dialects.types import Dialect


@dataclass(frozen=True, kw_only=True)
class StreamSample:
    """A stream as a provider sends it, and what must be known of it in the end."""

    name: str
    wire: bytes
    usage: Usage | None
    finish: Finish | None
    model: str | None
    complete: bool = True
    error: str | None = None
    """A piece of what the provider said, for the log."""
    events: int = 0
    """Events that carried output."""
    asked: bytes | None = None
    """What a caller who asked for usage gets; None: what was sent."""
    unasked: bytes | None = None
    """What a caller who did not ask for usage gets; None: what was sent."""


@dataclass(frozen=True, kw_only=True)
class DialectSample:
    """One dialect's bodies."""

    dialect: Dialect
    request: Mapping[str, Any]
    """With tools, media and fields that are new to us, where the dialect has such."""
    question: Conversation | Question
    """The request in the neutral form."""
    media: int = 0
    plain: Mapping[str, Any]
    """The least that the dialect takes."""
    refused: Mapping[str, tuple[Mapping[str, Any], str, str | None]]
    """Changes to the least request that make it wrong (None removes a field), the error's code and its field."""
    reply: Mapping[str, Any]
    usage: Usage | None
    """None for replies that report none, as counts of tokens."""
    finish: Finish | None
    not_replies: tuple[bytes, ...]
    streams: tuple[StreamSample, ...] = ()
    completions: tuple[Completion, ...] = ()
    """Completions that the dialect can write."""
    output_fields: tuple[str, ...] = ()
    """Where an output bound may stand."""
    error_envelope: Mapping[str, Any]
    """What stands around the error object, beside the request's id."""
    error_types: Mapping[int, str]
    """The error's type for each status, as the official SDK's documentation has it."""
    error_event_name: str | None = None
    """What an error in a stream is called, in its event's name and its `type`, where whole errors have no envelope."""
    read_error: Callable[[dict[str, Any]], dict[str, Any]] | None = None
    """A whole error's code, type, message, param, details and request id, where they stand elsewhere than OpenAI's."""
    has_limit_headers: bool = True
    usage_field: str = "usage"
    """Where replies say what was used."""
    nested_bound: bool = False
    """Whether an output bound stands deeper in the body: then the dialect's own tests try it."""
    asks_for_usage: Mapping[str, Any] = field(default_factory=dict)
    """What must stand in a streamed request that goes to a provider, whatever the caller asked."""


def sse(*events: str | bytes) -> bytes:
    """Events with their blank lines."""
    return b"".join((event.encode() if isinstance(event, str) else event) + b"\n\n" for event in events)
