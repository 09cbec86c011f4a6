"""Usage as Google counts it: the prompt includes cached tokens, the candidates exclude thoughts."""

import re
from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.usage import INPUT, OUTPUT, Row, Table

_LISTS = (
    "promptTokensDetails",
    "promptTokenDetails",
    "toolUsePromptTokensDetails",
    "cacheTokensDetails",
    "candidatesTokensDetails",
)
_MODALITIES = dict.fromkeys(_LISTS, ("modality", "tokenCount"))

GENERATE = Table(
    about=(
        "The prompt includes cached tokens and media, but not what tools added to it; the candidates include media, "
        "but not thoughts. Pages of documents count as images; video has no kind of its own and counts as plain input. "
        "Searches are counted from `groundingMetadata.webSearchQueries`: one for each query that is not empty, with "
        "models before Gemini 3 one for a call."
    ),
    rows=(
        Row("promptTokenCount", INPUT),
        Row("toolUsePromptTokenCount", INPUT, beside=True),
        Row("candidatesTokenCount", OUTPUT),
        Row("cachedContentTokenCount", "cached_input_tokens"),
        Row("thoughtsTokenCount", "reasoning_tokens", beside=True),
        Row("promptTokensDetails[AUDIO]", "audio_input_tokens"),
        Row("toolUsePromptTokensDetails[AUDIO]", "audio_input_tokens", adds=True),
        Row("promptTokensDetails[IMAGE]", "image_input_tokens"),
        Row("promptTokensDetails[DOCUMENT]", "image_input_tokens", adds=True),
        Row("toolUsePromptTokensDetails[IMAGE]", "image_input_tokens", adds=True),
        Row("toolUsePromptTokensDetails[DOCUMENT]", "image_input_tokens", adds=True),
        Row(
            "cacheTokensDetails[AUDIO]",
            "cached_audio_input_tokens",
            within=("cached_input_tokens", "audio_input_tokens"),
        ),
        Row(
            "cacheTokensDetails[IMAGE]",
            "cached_image_input_tokens",
            within=("cached_input_tokens", "image_input_tokens"),
        ),
        Row(
            "cacheTokensDetails[DOCUMENT]",
            "cached_image_input_tokens",
            within=("cached_input_tokens", "image_input_tokens"),
            adds=True,
        ),
        Row("candidatesTokensDetails[AUDIO]", "audio_output_tokens"),
        Row("candidatesTokensDetails[IMAGE]", "image_output_tokens"),
    ),
    lists=_MODALITIES,
    needs_output=False,
)

EMBED = Table(
    about="The prompt is all there is, and includes media.",
    rows=(
        Row("promptTokenCount", INPUT),
        Row("promptTokenDetails[AUDIO]", "audio_input_tokens"),
        Row("promptTokenDetails[IMAGE]", "image_input_tokens"),
        Row("promptTokenDetails[DOCUMENT]", "image_input_tokens", adds=True),
        Row("promptTokensDetails[AUDIO]", "audio_input_tokens"),
        Row("promptTokensDetails[IMAGE]", "image_input_tokens"),
    ),
    lists=_MODALITIES,
    needs_output=False,
)


class _Grounding(msgspec.Struct, gc=False, rename="camel"):
    web_search_queries: list[Any] | None = None


_GROUNDING = msgspec.json.Decoder(_Grounding)
_BY_CALL = re.compile(r"gemini-(?:1|2)\b")
"""Models whose calls cost one search, however many queries they made."""


def queries_in(grounding: msgspec.Raw) -> frozenset[str]:
    """The queries that were made for an answer; empty ones are not charged for."""
    try:
        queries = _GROUNDING.decode(grounding).web_search_queries or ()
    except UNREADABLE:
        return frozenset()
    return frozenset(query for query in queries if isinstance(query, str) and query)


def searches_of(queries: frozenset[str], model: str | None) -> int:
    """As how many searches Google charges for these queries."""
    return min(len(queries), 1) if model is not None and _BY_CALL.search(model) else len(queries)


def usage_object(usage: Usage) -> dict[str, object]:
    """Neutral usage as Google writes it, without the figures that are nothing."""
    figures: dict[str, object] = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.total_tokens,
    }
    if usage.reasoning_tokens:
        figures["thoughtsTokenCount"] = usage.reasoning_tokens
    if usage.all_cached_input:
        figures["cachedContentTokenCount"] = usage.all_cached_input
    cached = (usage.cached_audio_input_tokens, usage.cached_image_input_tokens)
    prompt = (usage.audio_input_tokens + cached[0], usage.image_input_tokens + cached[1])
    figures |= _by_modality("promptTokensDetails", usage.input_tokens, *prompt)
    figures |= _by_modality("cacheTokensDetails", usage.all_cached_input, *cached)
    shown = usage.output_tokens - usage.reasoning_tokens
    return figures | _by_modality(
        "candidatesTokensDetails", shown, usage.audio_output_tokens, usage.image_output_tokens
    )


def _by_modality(name: str, total: int, audio: int, image: int) -> dict[str, object]:
    """The details that say what was no text; nothing where all was."""
    if not audio and not image:
        return {}
    counts = (("TEXT", total - audio - image), ("AUDIO", audio), ("IMAGE", image))
    return {name: [{"modality": modality, "tokenCount": count} for modality, count in counts if count > 0]}
