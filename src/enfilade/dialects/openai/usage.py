"""Usage as OpenAI counts, in chat and embeddings."""

from typing import Any

import msgspec

from enfilade.core.usage import Usage


class PromptDetails(msgspec.Struct, gc=False):
    """Parts of the prompt's tokens."""

    cached_tokens: int | float | None = None
    cache_write_tokens: int | float | None = None


class CompletionDetails(msgspec.Struct, gc=False):
    """Parts of the completion's tokens."""

    reasoning_tokens: int | float | None = None


class OpenAIUsage(msgspec.Struct, gc=False):
    """`usage` as OpenAI counts: the prompt includes cached tokens, the completion includes reasoning."""

    prompt_tokens: int | float | None = None
    completion_tokens: int | float | None = None
    total_tokens: Any = None
    prompt_cache_hit_tokens: Any = None
    """DeepSeek's word for `cached_tokens`."""
    prompt_tokens_details: PromptDetails | None = None
    completion_tokens_details: CompletionDetails | None = None

    def neutral(self) -> Usage | None:
        """The usage in the neutral convention; None when nothing was reported."""
        if self.prompt_tokens is None and self.completion_tokens is None:
            return None
        prompt, completion = int(self.prompt_tokens or 0), int(self.completion_tokens or 0)
        hits = self.prompt_cache_hit_tokens
        cached, written, reasoning = hits if isinstance(hits, int) else 0, 0, 0
        if self.prompt_tokens_details is not None:
            cached = int(self.prompt_tokens_details.cached_tokens or 0) or cached
            written = int(self.prompt_tokens_details.cache_write_tokens or 0)
        if self.completion_tokens_details is not None:
            reasoning = int(self.completion_tokens_details.reasoning_tokens or 0)
        if reasoning and self.total_tokens == prompt + completion + reasoning:
            completion += reasoning  # Some services leave the reasoning out of the completion; the sum tells.
        return Usage(prompt, cached, written, 0, completion, reasoning)


def usage_object(usage: Usage) -> dict[str, object]:
    """Neutral usage as OpenAI writes it."""
    prompt: dict[str, object] = {"cached_tokens": usage.cached_input_tokens, "audio_tokens": 0}
    if written := usage.cache_write_tokens + usage.cache_write_1h_tokens:
        prompt["cache_write_tokens"] = written
    return {
        "prompt_tokens": usage.input_tokens,
        "completion_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": prompt,
        "completion_tokens_details": {"reasoning_tokens": usage.reasoning_tokens, "audio_tokens": 0},
    }
