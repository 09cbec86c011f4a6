"""What a call consumed, in one convention for all dialects."""

import msgspec

MAX_TOKENS = 1_000_000_000
"""No real call comes near this; a larger reported figure is a fault, not a usage."""


class Usage(msgspec.Struct, frozen=True, gc=False):
    """Tokens of one call.

    `input_tokens` includes the cached and cache-writing ones, `output_tokens` includes reasoning,
    whatever the provider's own convention: a dialect's reader converts.
    """

    input_tokens: int = 0
    cached_input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0

    @property
    def total_tokens(self) -> int:
        """Input and output together."""
        return self.input_tokens + self.output_tokens

    def is_plausible(self) -> bool:
        """Whether the parts fit their wholes and no figure is negative or absurd."""
        special_input = self.cached_input_tokens + self.cache_write_tokens + self.cache_write_1h_tokens
        return (
            0 <= special_input <= self.input_tokens <= MAX_TOKENS
            and 0 <= self.reasoning_tokens <= self.output_tokens <= MAX_TOKENS
            and min(self.cached_input_tokens, self.cache_write_tokens, self.cache_write_1h_tokens) >= 0
        )
