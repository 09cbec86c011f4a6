"""Usage, finishes and service tiers in Anthropic's words."""

import msgspec

from enfilade.core.messages import Finish
from enfilade.core.usage import Usage

FINISHES = {
    "end_turn": Finish.STOP,
    "stop_sequence": Finish.STOP,
    "pause_turn": Finish.PAUSE,
    "max_tokens": Finish.LENGTH,
    "model_context_window_exceeded": Finish.LENGTH,
    "tool_use": Finish.TOOL_CALLS,
    "refusal": Finish.REFUSAL,
}
STOP_REASONS = {
    Finish.STOP: "end_turn",
    Finish.LENGTH: "max_tokens",
    Finish.TOOL_CALLS: "tool_use",
    Finish.CONTENT_FILTER: "refusal",
    Finish.REFUSAL: "refusal",
    Finish.PAUSE: "pause_turn",
    Finish.ERROR: "end_turn",
}


class CacheCreation(msgspec.Struct, gc=False):
    """Cache writes by how long they are kept; the two have different prices."""

    ephemeral_5m_input_tokens: int | float | None = None
    ephemeral_1h_input_tokens: int | float | None = None


class OutputDetails(msgspec.Struct, gc=False):
    """Parts of the output's tokens."""

    thinking_tokens: int | float | None = None


class AnthropicUsage(msgspec.Struct, gc=False):
    """`usage` as Anthropic counts: the input excludes what was read from or written to the cache."""

    input_tokens: int | float | None = None
    output_tokens: int | float | None = None
    cache_read_input_tokens: int | float | None = None
    cache_creation_input_tokens: int | float | None = None
    cache_creation: CacheCreation | None = None
    output_tokens_details: OutputDetails | None = None
    service_tier: str | None = None

    def merged(self, later: "AnthropicUsage") -> "AnthropicUsage":
        """This and a later report: the latest figure of each field counts, figures are never added."""
        return AnthropicUsage(
            *(
                newer if newer is not None else older
                for newer, older in zip(msgspec.structs.astuple(later), msgspec.structs.astuple(self), strict=True)
            )
        )

    def neutral(self) -> Usage | None:
        """The usage in the neutral convention; None when nothing was reported."""
        if self.input_tokens is None and self.output_tokens is None:
            return None
        read = int(self.cache_read_input_tokens or 0)
        written = int(self.cache_creation_input_tokens or 0)
        long_written = int(self.cache_creation.ephemeral_1h_input_tokens or 0) if self.cache_creation else 0
        thinking = int(self.output_tokens_details.thinking_tokens or 0) if self.output_tokens_details else 0
        return Usage(
            int(self.input_tokens or 0) + read + written,
            read,
            max(0, written - long_written),
            min(long_written, written),
            int(self.output_tokens or 0),
            thinking,
        )


TIERS = {"standard": "default"}
"""The neutral names of the tiers that replies tell, where they differ."""
SHOWN_TIERS = {"default": "standard", "standard": "standard", "priority": "priority", "batch": "batch"}
"""The tiers that callers know."""


def finish_of(reason: str | None) -> Finish | None:
    """The neutral finish; reasons that are new to us count as a plain stop."""
    return FINISHES.get(reason, Finish.STOP) if reason else None


def usage_object(usage: Usage) -> dict[str, object]:
    """Neutral usage as Anthropic writes it: exactly what was read, if it was Anthropic's."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    figures: dict[str, object] = {
        "input_tokens": usage.input_tokens - usage.cached_input_tokens - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.cached_input_tokens,
        "output_tokens": usage.output_tokens,
    }
    if written:
        figures["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        figures["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    return figures


def stop_fields(finish: Finish, stop_sequence: str | None) -> dict[str, object]:
    """Why a message ended."""
    if stop_sequence is not None and finish is Finish.STOP:
        return {"stop_reason": "stop_sequence", "stop_sequence": stop_sequence}
    return {"stop_reason": STOP_REASONS[finish], "stop_sequence": None}
