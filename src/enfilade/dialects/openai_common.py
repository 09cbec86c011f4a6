"""What OpenAI's dialects share: errors, usage, and the headers about limits.

Source: the types of the official SDK (`openai.types`, `openai._exceptions`).
"""

from typing import Any

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.types import LimitHeaders

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "invalid_request_error",
    422: "invalid_request_error",
    429: "rate_limit_error",
}


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


def error_object(error: EnfiladeError, request_id: str) -> dict[str, object]:
    """The `error` object, with our stable code and what a program may want to know."""
    content: dict[str, object] = {
        "message": f"{error.message} {error.remedy}",
        "type": ERROR_TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error"),
        "param": error.param,
        "code": error.code,
        "request_id": request_id,
    }
    if error.details:
        content["details"] = error.details
    return {"error": content}


def render_error(error: EnfiladeError, request_id: str) -> bytes:
    """An error as a whole reply."""
    return ENCODER.encode(error_object(error, request_id))


def render_error_event(error: EnfiladeError, request_id: str) -> bytes:
    """An error inside a stream: the SDK raises on any chunk with `error`, and there is no `[DONE]` after it."""
    return b"data: " + render_error(error, request_id) + b"\n\n"


def limit_headers(limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
    """`x-ratelimit-…`: limit, remaining, and the time until the reset as `1.500s`."""
    headers = []
    if limits.requests is not None:
        limit, left, seconds = limits.requests
        headers += [
            (b"x-ratelimit-limit-requests", b"%d" % limit),
            (b"x-ratelimit-remaining-requests", b"%d" % left),
            (b"x-ratelimit-reset-requests", b"%.3fs" % seconds),
        ]
    if limits.tokens is not None:
        limit, left, seconds = limits.tokens
        headers += [
            (b"x-ratelimit-limit-tokens", b"%d" % limit),
            (b"x-ratelimit-remaining-tokens", b"%d" % left),
            (b"x-ratelimit-reset-tokens", b"%.3fs" % seconds),
        ]
    return headers
