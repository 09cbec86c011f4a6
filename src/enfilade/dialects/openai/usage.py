"""Usage as OpenAI counts in chat and embeddings, and as the services count that speak these dialects."""

from enfilade.core.usage import Usage
from enfilade.dialects.usage import INPUT, OUTPUT, Row, Table

_DEEP_RESEARCH = Table(
    about="Perplexity's deep research counts what it read and what it reasoned beside both totals.",
    rows=(
        Row("prompt_tokens", INPUT),
        Row("completion_tokens", OUTPUT),
        Row("citation_tokens", INPUT, beside=True),
        Row("reasoning_tokens", "reasoning_tokens", beside=True),
        Row("num_search_queries", "web_searches"),
    ),
)

CHAT = Table(
    about=(
        "The prompt includes cached tokens, cache writes and media; the completion includes reasoning and media. "
        "Where `total_tokens` is more than both, as with xAI, and Gemini behind this dialect, the rest is reasoning."
    ),
    rows=(
        Row("prompt_tokens", INPUT),
        Row("completion_tokens", OUTPUT),
        Row("prompt_tokens_details.cached_tokens", "cached_input_tokens"),
        Row("prompt_tokens_details.cache_write_tokens", "cache_write_tokens"),
        Row("prompt_tokens_details.cache_creation_input_tokens", "cache_write_tokens"),
        Row("prompt_tokens_details.audio_tokens", "audio_input_tokens"),
        Row("prompt_tokens_details.image_tokens", "image_input_tokens"),
        Row("completion_tokens_details.reasoning_tokens", "reasoning_tokens"),
        Row("completion_tokens_details.audio_tokens", "audio_output_tokens"),
        Row("completion_tokens_details.image_tokens", "image_output_tokens"),
        Row("prompt_cache_hit_tokens", "cached_input_tokens"),
        Row("cached_tokens", "cached_input_tokens"),
        Row("num_cached_tokens", "cached_input_tokens"),
        Row("prompt_audio_seconds", "seconds"),
        Row("num_sources_used", "web_searches"),
        Row("server_tool_use_details.web_search_requests", "web_searches"),
        Row("server_tool_use.web_search_requests", "web_searches"),
    ),
    total="total_tokens",
    overlaps=True,
    variants={"citation_tokens": _DEEP_RESEARCH},
)

EMBEDDINGS = Table(
    about="The prompt is all there is; Voyage has only the total.",
    rows=(
        Row("prompt_tokens", INPUT),
        Row("total_tokens", INPUT),
        Row("prompt_tokens_details.image_tokens", "image_input_tokens"),
        Row("prompt_tokens_details.audio_tokens", "audio_input_tokens"),
    ),
    needs_output=False,
)


def usage_object(usage: Usage) -> dict[str, object]:
    """Neutral usage as OpenAI writes it."""
    prompt: dict[str, object] = {
        "cached_tokens": usage.all_cached_input,
        "audio_tokens": usage.audio_input_tokens + usage.cached_audio_input_tokens,
    }
    if written := usage.cache_write_tokens + usage.cache_write_1h_tokens:
        prompt["cache_write_tokens"] = written
    if images := usage.image_input_tokens + usage.cached_image_input_tokens:
        prompt["image_tokens"] = images
    completion = {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": usage.audio_output_tokens}
    if usage.image_output_tokens:
        completion["image_tokens"] = usage.image_output_tokens
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": completion,
    }
