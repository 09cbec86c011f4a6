"""In what a service differs from the dialect that it says it speaks. Each adapter declares its own; data, no code."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Differences of one kind of provider. The defaults are those of the dialect's own vendor."""

    output_field: str | None = None
    """The field in which an output bound is set when the caller set none."""
    lacks: frozenset[str] = frozenset()
    """Settings (see `core.messages.Conversation`) that the dialect has and this service refuses or ignores."""
    system_role: str = "system"
    """The role of instructions in chat messages: `system` or `developer`."""
    reasoning_field: str | None = None
    """The chat field in which the service writes its reasoning and takes it back."""
    takes_seals: bool = False
    """Whether the service writes seals in chat messages (`reasoning_details`, `extra_content`) and wants them back."""
    flat_texts: bool = False
    """Whether a chat message that is text alone has to be one string."""
    tool_id_pattern: str | None = None
    """Ids of tool calls that it takes, as a regular expression, where it is stricter than its dialect."""
    stream_usage: bool = True
    """Whether a stream may be asked for its usage with `stream_options`."""
    max_stop: int | None = None
    """How many stop sequences it takes, where fewer than its dialect."""
    wraps_count: bool = True
    """Of Gemini's dialects: whether a request to be counted stands in `generateContentRequest`, or bare as on Vertex."""


NO_TRAITS = Traits()
"""A service that differs in nothing."""
