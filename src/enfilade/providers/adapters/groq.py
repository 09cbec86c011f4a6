"""Groq: https://console.groq.com/docs/openai.

It refuses (400) `logprobs`, `top_logprobs`, `logit_bias` and more than one answer. Reasoning stands in `reasoning`. There
are no embeddings. OpenAI's responses are served without state.

A request that is too large for the account's tokens per minute is refused with 413: no waiting makes it fit. Status 498
means that the flex tier has no capacity. A stream that fails ends with an error and without `[DONE]`.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.error_reports import ErrorReport, HeaderMap, read_error
from enfilade.providers.http_provider import HttpAdapter, bearer

NO_CAPACITY = 498


def _read_error(status: int, headers: HeaderMap, body: bytes) -> ErrorReport:
    report = read_error(status, headers, body)
    if status == NO_CAPACITY:
        report.words = ("capacity_exceeded", *report.words)
    return report


ADAPTER = HttpAdapter(
    kind="groq",
    default_base_url="https://api.groq.com/openai/v1",
    paths={"openai_chat": "/chat/completions", "openai_responses": "/responses"},
    authorize=bearer,
    read_error=_read_error,
    traits=Traits(
        output_field="max_completion_tokens",
        reasoning_field="reasoning",
        max_stop=4,
        lacks=frozenset({"logit_bias", "logprobs", "metadata", "verbosity", "cache_key", "cache_life"}),
    ),
)
