"""Usage, finishes and service tiers in Anthropic's words."""

from typing import Any

import msgspec

from enfilade.core.messages import Finish
from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.usage import IMPOSSIBLE, INPUT, OUTPUT, Row, Table, merged

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


MESSAGES = Table(
    about=(
        "The input excludes what was read from the cache or written to it; the output includes thinking. What "
        "compaction, and a model that was asked for advice, consumed stands in `iterations` alone."
    ),
    rows=(
        Row("input_tokens", INPUT),
        Row("output_tokens", OUTPUT),
        Row("cache_read_input_tokens", "cached_input_tokens", beside=True),
        Row("cache_creation_input_tokens", "cache_write_tokens", beside=True),
        Row("cache_creation.ephemeral_1h_input_tokens", "cache_write_1h_tokens", within=("cache_write_tokens",)),
        Row("output_tokens_details.thinking_tokens", "reasoning_tokens"),
        Row("server_tool_use.web_search_requests", "web_searches"),
    ),
    more=("iterations", frozenset({"compaction", "advisor_message"})),
)


class _Tier(msgspec.Struct, gc=False):
    service_tier: Any = None


_REPORT = msgspec.json.Decoder(dict[str, Any])
_TIER = msgspec.json.Decoder(_Tier)


class Reports:
    """What one stream has reported so far: the latest figure of each field counts, figures are never added."""

    __slots__ = ("_is_broken", "_report")

    def __init__(self) -> None:
        """Nothing yet."""
        self._report: dict[str, Any] = {}
        self._is_broken = False

    def take(self, raw: msgspec.Raw, *, first: bool = False) -> Usage | None:
        """The usage after one more report. Output tokens of the first one are a placeholder."""
        try:
            later = _REPORT.decode(raw)
        except UNREADABLE:
            self._is_broken = True
            return IMPOSSIBLE
        self._report = merged(self._report, later)
        report = self._report
        if first:
            report = {name: value for name, value in report.items() if name != "output_tokens_details"}
            report["output_tokens"] = 0
        # What a broken report said is not known: without it, nothing but the whole may be believed.
        return MESSAGES.usage(report) or (IMPOSSIBLE if self._is_broken else None)

    @property
    def tier(self) -> str | None:
        """The tier that served the call, in Anthropic's words."""
        tier = self._report.get("service_tier")
        return tier if isinstance(tier, str) else None


def tier_in(raw: msgspec.Raw) -> str | None:
    """The tier that served the call, in Anthropic's words."""
    if not raw:
        return None
    try:
        tier = _TIER.decode(raw).service_tier
    except UNREADABLE:
        return None
    return tier if isinstance(tier, str) else None


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
        "input_tokens": usage.input_tokens - usage.all_cached_input - written,
        "cache_creation_input_tokens": written,
        "cache_read_input_tokens": usage.all_cached_input,
        "output_tokens": usage.output_tokens,
    }
    if written:
        figures["cache_creation"] = {
            "ephemeral_5m_input_tokens": usage.cache_write_tokens,
            "ephemeral_1h_input_tokens": usage.cache_write_1h_tokens,
        }
    if usage.reasoning_tokens:
        figures["output_tokens_details"] = {"thinking_tokens": usage.reasoning_tokens}
    if usage.web_searches:
        figures["server_tool_use"] = {"web_fetch_requests": 0, "web_search_requests": usage.web_searches}
    return figures


def stop_fields(finish: Finish, stop_sequence: str | None) -> dict[str, object]:
    """Why a message ended."""
    if stop_sequence is not None and finish is Finish.STOP:
        return {"stop_reason": "stop_sequence", "stop_sequence": stop_sequence}
    return {"stop_reason": STOP_REASONS[finish], "stop_sequence": None}
