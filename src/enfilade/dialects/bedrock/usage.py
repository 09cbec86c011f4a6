"""Usage as Bedrock counts it."""

import msgspec

from enfilade.core.usage import Usage
from enfilade.dialects.bedrock.families import OPENAI, family
from enfilade.dialects.usage import INPUT, OUTPUT, Row, Table

_LISTS = {"cacheDetails": ("ttl", "inputTokens")}

CONVERSE = Table(
    about=(
        "The input excludes what was read from the cache or written to it. The figures that come under two names are "
        "the same ones."
    ),
    rows=(
        Row("inputTokens", INPUT),
        Row("outputTokens", OUTPUT),
        Row("cacheReadInputTokens", "cached_input_tokens", beside=True),
        Row("cacheReadInputTokenCount", "cached_input_tokens", beside=True),
        Row("cacheWriteInputTokens", "cache_write_tokens", beside=True),
        Row("cacheWriteInputTokenCount", "cache_write_tokens", beside=True),
        Row("cacheDetails[1h]", "cache_write_1h_tokens", within=("cache_write_tokens",)),
    ),
    lists=_LISTS,
)

CONVERSE_OPENAI = Table(
    about=(
        "Models of OpenAI report an input that includes what was read from the cache or written to it, in most of "
        "their replies: wherever it is as large as these are together."
    ),
    rows=tuple(msgspec.structs.replace(row, beside=False) for row in CONVERSE.rows),
    lists=_LISTS,
)

INVOKED = Table(
    about="The input is all there is; of Cohere's models it stands in a header.",
    rows=(Row("inputTextTokenCount", INPUT),),
    needs_output=False,
)


def converse_usage(raw: msgspec.Raw, model: str) -> Usage | None:
    """What Converse says was used."""
    usage = CONVERSE.read(raw)
    if usage is None or usage.special_input <= 0 or family(model) != OPENAI:
        return usage
    reported = usage.input_tokens - usage.special_input
    return CONVERSE_OPENAI.read(raw) if reported >= usage.special_input else usage


def invoked_usage(count: msgspec.Raw) -> Usage | None:
    """What an embedding's reply says was used, in its one figure."""
    return INVOKED.read(b'{"inputTextTokenCount":%b}' % bytes(count)) if count else None
