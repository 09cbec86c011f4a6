"""Usage as responses tell it: tokens in `usage`, and searches as items of the output."""

from collections.abc import Iterable
from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.usage import INPUT, OUTPUT, Row, Table

SEARCH_CALL = "web_search_call"

RESPONSES = Table(
    about=(
        "The input includes cached tokens, cache writes and media; the output includes reasoning and media. Items "
        "`web_search_call` whose action is a search count as searches; xAI counts them in `usage`."
    ),
    rows=(
        Row("input_tokens", INPUT),
        Row("output_tokens", OUTPUT),
        Row("input_tokens_details.cached_tokens", "cached_input_tokens"),
        Row("input_tokens_details.cache_write_tokens", "cache_write_tokens"),
        Row("input_tokens_details.audio_tokens", "audio_input_tokens"),
        Row("input_tokens_details.image_tokens", "image_input_tokens"),
        Row("output_tokens_details.reasoning_tokens", "reasoning_tokens"),
        Row("output_tokens_details.audio_tokens", "audio_output_tokens"),
        Row("output_tokens_details.image_tokens", "image_output_tokens"),
        Row("server_side_tool_usage_details.web_search_calls", "web_searches", adds=True),
        Row("server_side_tool_usage_details.x_search_calls", "web_searches", adds=True),
        Row("server_tool_use_details.web_search_requests", "web_searches"),
    ),
    overlaps=True,
)


class _Action(msgspec.Struct, gc=False):
    type: Any = None


_ACTION = msgspec.json.Decoder(_Action)


def is_search(action: msgspec.Raw) -> bool:
    """Whether a call of the search tool searched: pages that it opens, or looks through, are not charged for."""
    if not action:
        return True
    try:
        kind = _ACTION.decode(action).type
    except UNREADABLE:
        return True
    return kind is None or kind == "search"


def searches_among(items: Iterable[dict[str, Any]]) -> int:
    """How many searches stand among the output's items."""
    count = 0
    for item in items:
        if item.get("type") == SEARCH_CALL:
            action = item.get("action")
            kind = action.get("type") if isinstance(action, dict) else None
            count += kind is None or kind == "search"
    return count


def usage_object(usage: Usage) -> dict[str, object]:
    """Neutral usage as responses write it."""
    written = usage.cache_write_tokens + usage.cache_write_1h_tokens
    return {
        "input_tokens": usage.input_tokens,
        "input_tokens_details": {"cached_tokens": usage.all_cached_input, "cache_write_tokens": written}
        | _media(
            usage.audio_input_tokens + usage.cached_audio_input_tokens,
            usage.image_input_tokens + usage.cached_image_input_tokens,
        ),
        "output_tokens": usage.output_tokens,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning_tokens}
        | _media(usage.audio_output_tokens, usage.image_output_tokens),
        "total_tokens": usage.total_tokens,
    }


def _media(audio: int, image: int) -> dict[str, int]:
    return {name: count for name, count in (("audio_tokens", audio), ("image_tokens", image)) if count}
