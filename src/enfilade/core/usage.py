"""What a call consumed, in one convention for all dialects."""

import msgspec

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
        text_in = self.input_tokens - self.special_input
        text_out = self.output_tokens - self.special_output
        found = [(_INPUT, text_in)] if text_in else []
        if text_in != self.input_tokens:
            found += [
                (number, quantity)
                for number in (1, 2, 3, 6, 7, 9, 10)
                if (quantity := getattr(self, QUANTITY_FIELDS[number]))
            ]
        if text_out:
            found.append((_OUTPUT, text_out))
        if text_out != self.output_tokens:
            found += [
                (number, quantity) for number in (5, 8, 11) if (quantity := getattr(self, QUANTITY_FIELDS[number]))
            ]
        if self.web_searches or self.characters or self.pages or self.seconds:
            found += [
                (number, quantity)
                for number in range(_REQUESTS + 1, len(QUANTITY_FIELDS))
                if (quantity := getattr(self, QUANTITY_FIELDS[number]))
            ]
        return found

    def is_plausible(self) -> bool:
        """Whether the parts fit their wholes and no figure is negative or absurd."""
        return (
            0 <= self.special_input <= self.input_tokens <= MAX_TOKENS
            and 0 <= self.special_output <= self.output_tokens <= MAX_TOKENS
            and min(
                self.cached_input_tokens,
                self.cache_write_tokens,
                self.cache_write_1h_tokens,
                self.audio_input_tokens,
                self.cached_audio_input_tokens,
                self.image_input_tokens,
                self.cached_image_input_tokens,
                self.reasoning_tokens,
                self.audio_output_tokens,
                self.image_output_tokens,
                self.web_searches,
                self.characters,
                self.pages,
                self.seconds,
            )
            >= 0
            and max(self.web_searches, self.characters, self.pages, self.seconds) <= MAX_TOKENS
        )
