"""What providers charge for. A kind's position is its number: new ones go to the end, none is ever taken away."""

from enfilade.core.usage import QUANTITY_FIELDS

KINDS = (
    "input",
    "cached_input",
    "cache_write",
    "cache_write_1h",
    "output",
    "reasoning",
    "audio_input",
    "cached_audio_input",
    "audio_output",
    "image_input",
    "cached_image_input",
    "image_output",
    "requests",
    "web_searches",
    "characters",
    "pages",
    "seconds",
)
"""Tokens down to `image_output`; then calls, searches, characters, pages and seconds, each counted one by one."""

NUMBER = {kind: number for number, kind in enumerate(KINDS)}
REQUESTS = NUMBER["requests"]
WEB_SEARCHES = NUMBER["web_searches"]
INPUT_KINDS = tuple(
    NUMBER[kind]
    for kind in (
        *("input", "cached_input", "cache_write", "cache_write_1h"),
        *("audio_input", "cached_audio_input", "image_input", "cached_image_input"),
    )
)
CACHE_WRITE_KINDS = (NUMBER["cache_write"], NUMBER["cache_write_1h"])
OUTPUT_KINDS = tuple(NUMBER[kind] for kind in ("output", "reasoning", "audio_output", "image_output"))

CONTAINED_IN = {
    "cached_input": "input",
    "cache_write": "input",
    "cache_write_1h": "cache_write",
    "reasoning": "output",
    "audio_input": "input",
    "cached_audio_input": "audio_input",
    "audio_output": "output",
    "image_input": "input",
    "cached_image_input": "image_input",
    "image_output": "output",
}
"""A kind of token without a price of its own costs what the kind that contains it costs."""

assert len(QUANTITY_FIELDS) == len(KINDS)
