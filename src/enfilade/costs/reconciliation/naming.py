"""How providers write the names of models and of what they charge for, made comparable."""

import re
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache

FEW = 4096
"""A report repeats few descriptions in many rows."""

_REGION = re.compile(r"^(us|eu|apac|global|us-gov|jp|au|ca|sa|me|af|il|mx)\.(?=[a-z])", re.IGNORECASE)
_VENDOR = re.compile(r"^[a-z0-9]+\.(?=[a-z])", re.IGNORECASE)
_EDITION = re.compile(r"\s*\((amazon bedrock|vertex)[^)]*\)\s*", re.IGNORECASE)
_REVISION = re.compile(r"([-\s]v\d+(:\d+)*(:\d+k)?|:\d+(:\d+k)?|[-@]latest|@default)$", re.IGNORECASE)
_DATE = re.compile(r"[-@\s](20\d{2})-?(\d{2})-?(\d{2})$")
_SHORT_DATE = re.compile(r"[-\s](\d{4}|00\d)$")
_PARTS = re.compile(r"\d+|[a-z]+")

_KIND_WORDS = (
    r"(?:text|audio|image|cached|cache|read|write|hits?|creation|uncached|5m|1h|short|long|inp(?:ut)?|outp?(?:ut)?|opt|"
    r"prompt|completion|reasoning|tokens?|cchd|glbl|global|regional|regnl|batch|standard|flex|priority|dz(?:one)?|data|zone)"
)
_TRAILING_KIND = re.compile(rf"(?:[\s,_|-]+{_KIND_WORDS})+\s*$", re.IGNORECASE)


def model_keys(name: str) -> tuple[str, str]:
    """What a model's name is compared by: with its date, and without.

    Spelling, order of words, regions, vendors and revisions make no difference: `us.anthropic.claude-opus-4-6-v1:0`,
    `Claude Opus 4.6 (Amazon Bedrock Edition)` and the usage type's `Claude4.6Opus` are the same.
    """
    text = _EDITION.sub("", name.strip()).rsplit("/", 1)[-1]
    text = _VENDOR.sub("", _REGION.sub("", text))
    shorter = _REVISION.sub("", text)
    while shorter != text:
        text, shorter = shorter, _REVISION.sub("", shorter)
    dated = _DATE.search(text)
    short = None if dated else _SHORT_DATE.search(text)
    if dated:
        base, stamp = text[: dated.start()], "".join(dated.groups())
    elif short:
        base, stamp = text[: short.start()], short[1]
    else:
        base, stamp = text, ""
    undated = _squeezed(base)
    return (f"{undated}@{stamp}" if stamp else undated), undated


def _squeezed(text: str) -> str:
    """The numbers in their order, and the letters in the alphabet's: `4.6|acdeloppusu` whatever stands first."""
    parts = _PARTS.findall(text.lower())
    numbers = ".".join(part for part in parts if part.isdigit())
    return f"{numbers}|{''.join(sorted(''.join(part for part in parts if not part.isdigit())))}"


_CACHED = re.compile(r"\bcached\b|\bcchd\b|\bcache\b.*\b(read|hits?)\b")
_WRITTEN = re.compile(r"\bcache\b.*\b(write|creation)|\b(write|creation)\b.*\bcache")
_LONG = re.compile(r"\b(1h|1 ?hour|long)\b")
_DIRECTIONS = (
    ("reasoning", re.compile(r"\breasoning\b")),
    ("output", re.compile(r"\b(output|outp|out|opt|completions?|generated)\b")),
    ("input", re.compile(r"\b(input|inp|in|prompt|uncached)\b")),
)


@lru_cache(FEW)
def kind_of(text: str) -> str | None:
    """The price kind that a description speaks of; None where it names none."""
    low = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", text).lower().replace("_", " ").replace("-", " ")
    if "web search" in low:
        return "web_searches"
    if _WRITTEN.search(low):
        return "cache_write_1h" if _LONG.search(low) else "cache_write"
    medium = next((f"{word}_" for word in ("audio", "image") if re.search(rf"\b{word}\b", low)), "")
    if _CACHED.search(low):
        return f"cached_{medium}input"
    direction = next((name for name, pattern in _DIRECTIONS if pattern.search(low)), None)
    return direction if direction in {None, "reasoning"} else f"{medium}{direction}"


@lru_cache(FEW)
def model_of(text: str) -> str:
    """The model in a description like `gpt-4o-2024-08-06, cached input` or `gpt 4.1 cached Inp glbl Tokens`."""
    model = _TRAILING_KIND.sub("", text.strip()).strip(" ,|-")
    return model or text.strip()


_UNITS = (
    (re.compile(r"\b1\s?m\b|\b1,?000,?000\b|million", re.IGNORECASE), 1_000_000),
    (re.compile(r"\b1\s?k\b|\b1,?000\b|thousand", re.IGNORECASE), 1_000),
    (re.compile(r"\b100\b"), 100),
)


@lru_cache(FEW)
def unit_size(unit: str, otherwise: int = 1) -> int:
    """How many tokens, or pieces, one of a unit such as `1K tokens` is."""
    for pattern, size in _UNITS:
        if pattern.search(unit):
            return size
    return 1 if re.search(r"token|request|quer|search|count", unit, re.IGNORECASE) else otherwise


def whole(quantity: Decimal) -> int:
    """A quantity in whole pieces: exports write thousands of tokens with so many places that parts appear."""
    return int(quantity.to_integral_value(ROUND_HALF_UP))
