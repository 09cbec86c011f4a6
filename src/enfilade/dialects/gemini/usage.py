"""Usage as Google counts it: the prompt includes cached tokens, the candidates exclude thoughts."""

import msgspec

from enfilade.core.usage import Usage


class UsageMetadata(msgspec.Struct, gc=False, rename="camel"):
    """`usageMetadata`; in a stream each one replaces the one before."""

    prompt_token_count: int | float | None = None
    cached_content_token_count: int | float | None = None
    candidates_token_count: int | float | None = None
    thoughts_token_count: int | float | None = None
    tool_use_prompt_token_count: int | float | None = None
    total_token_count: int | float | None = None

    def neutral(self) -> Usage | None:
        """The usage in the neutral convention; None when nothing was reported."""
        prompt, candidates, thoughts = self.prompt_token_count, self.candidates_token_count, self.thoughts_token_count
        if prompt is None and candidates is None and thoughts is None:
            return None
        reasoning = int(thoughts or 0)
        return Usage(
            int(prompt or 0) + int(self.tool_use_prompt_token_count or 0),
            int(self.cached_content_token_count or 0),
            0,
            0,
            int(candidates or 0) + reasoning,
            reasoning,
        )


def usage_object(usage: Usage) -> dict[str, int]:
    """Neutral usage as Google writes it, without the figures that are nothing."""
    figures = {
        "promptTokenCount": usage.input_tokens,
        "candidatesTokenCount": usage.output_tokens - usage.reasoning_tokens,
        "totalTokenCount": usage.total_tokens,
    }
    if usage.reasoning_tokens:
        figures["thoughtsTokenCount"] = usage.reasoning_tokens
    if usage.cached_input_tokens:
        figures["cachedContentTokenCount"] = usage.cached_input_tokens
    return figures
