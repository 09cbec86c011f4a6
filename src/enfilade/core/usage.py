"""What a call consumed, in one convention for all dialects."""

import msgspec
from msgspec.structs import astuple

MAX_TOKENS = 1_000_000_000
"""No real call comes near this; a larger reported figure is a fault, not a usage."""

QUANTITY_FIELDS = (
    "input_tokens",
    "cached_input_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "cached_audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
    "cached_image_input_tokens",
    "image_output_tokens",
    "requests",
    "web_searches",
    "characters",
    "pages",
    "seconds",
)
"""The figures in the order of the kinds that are priced; `quantities` numbers them so."""

_INPUT = 0
_OUTPUT = 4
_REQUESTS = 12


class Usage(msgspec.Struct, frozen=True, gc=False):
    """What one call consumed.

    `input_tokens` includes all other kinds of input, `output_tokens` all other kinds of output; the other kinds do not
    overlap. Whatever the provider's own convention: a dialect's reader converts.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    audio_input_tokens: int = 0
    cached_audio_input_tokens: int = 0
    audio_output_tokens: int = 0
    image_input_tokens: int = 0
    cached_image_input_tokens: int = 0
    image_output_tokens: int = 0
    web_searches: int = 0
    characters: int = 0
    pages: int = 0
    seconds: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    @property
    def all_cached_input(self) -> int:
        """Input tokens read from a cache, media among them."""
        return self.cached_input_tokens + self.cached_audio_input_tokens + self.cached_image_input_tokens

    @property
    def special_input(self) -> int:
        """Input tokens that are of a kind of their own."""
        return (
            self.cached_input_tokens
            + self.cache_write_tokens
            + self.cache_write_1h_tokens
            + self.audio_input_tokens
            + self.cached_audio_input_tokens
            + self.image_input_tokens
            + self.cached_image_input_tokens
        )

    @property
    def special_output(self) -> int:
        """Output tokens that are of a kind of their own."""
        return self.reasoning_tokens + self.audio_output_tokens + self.image_output_tokens

    def quantities(self) -> list[tuple[int, int]]:
        """The disjoint figures that are not zero, each with its kind's number; one request is not among them."""
        # Unpacked at once: this runs for every call, and reading sixteen attributes one by one takes longer than all else.
        read, cached, written, kept, out, thought, heard, reheard, spoken, seen, reseen, drawn, *others = astuple(self)
        special = cached + written + kept + heard + reheard + seen + reseen
        found = [(_INPUT, read - special)] if read != special else []
        if special:
            parts = (1, cached), (2, written), (3, kept), (6, heard), (7, reheard), (9, seen), (10, reseen)
            found += [part for part in parts if part[1]]
        special = thought + spoken + drawn
        if out != special:
            found.append((_OUTPUT, out - special))
        if special:
            found += [part for part in ((5, thought), (8, spoken), (11, drawn)) if part[1]]
        if any(others):
            found += [(number, count) for number, count in enumerate(others, _REQUESTS + 1) if count]
        return found

    def is_plausible(self) -> bool:
        """Whether the parts fit their wholes and no figure is negative or absurd."""
        read, cached, written, kept, out, thought, heard, reheard, spoken, seen, reseen, drawn, *others = astuple(self)
        # One negative figure makes the bits of all together negative.
        parts = cached | written | kept | thought | heard | reheard | spoken | seen | reseen | drawn
        if parts < 0 or not (0 <= read <= MAX_TOKENS and 0 <= out <= MAX_TOKENS):
            return False
        if parts and (
            cached + written + kept + heard + reheard + seen + reseen > read or thought + spoken + drawn > out
        ):
            return False
        return not any(others) or (min(others) >= 0 and max(others) <= MAX_TOKENS)
