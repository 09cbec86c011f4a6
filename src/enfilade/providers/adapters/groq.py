"""Groq: https://console.groq.com/docs/openai.

It refuses (400) `logprobs`, `top_logprobs`, `logit_bias` and more than one answer. Reasoning stands in `reasoning`. There
are no embeddings. OpenAI's responses are served without state.

A request that is too large for the account's tokens per minute is refused with 413: no waiting makes it fit. Status 498
means that the flex tier has no capacity. A stream that fails ends with an error and without `[DONE]`.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.error_reports import naming
from enfilade.providers.http_provider import HttpAdapter, bearer

NO_CAPACITY = 498

ADAPTER = HttpAdapter(
    kind="groq",
    default_base_url="https://api.groq.com/openai/v1",
    paths={"openai_chat": "/chat/completions", "openai_responses": "/responses"},
    authorize=bearer,
    read_error=naming({NO_CAPACITY: "capacity_exceeded"}),
    traits=Traits(
        output_field="max_completion_tokens",
        reasoning_field="reasoning",
        max_stop=4,
        lacks=frozenset({"logit_bias", "logprobs", "metadata", "verbosity", "cache_key", "cache_life"}),
    ),
)
