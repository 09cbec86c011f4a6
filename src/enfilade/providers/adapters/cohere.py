"""Cohere, by its compatibility API: https://docs.cohere.com/docs/compatibility-api.

Instructions have the role `developer`. There is one answer to a request, and no `logit_bias`, `top_logprobs`, `user`,
`metadata` or `service_tier`; the choice among tools is narrower. It knows `max_tokens` alone, which Enfilade writes for
the newer field. At most five stop sequences. Embeddings take up to 96 texts.

Errors are `{"id", "message"}`. Status 498 means an unknown key, 499 that the request was given up.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.chat_bodies import OLDER_BOUND, renaming
from enfilade.providers.error_reports import naming
from enfilade.providers.http_provider import HttpAdapter, bearer

UNKNOWN_KEY = 498

ADAPTER = HttpAdapter(
    kind="cohere",
    default_base_url="https://api.cohere.ai/compatibility/v1",
    paths={"openai_chat": "/chat/completions", "openai_embeddings": "/embeddings"},
    authorize=bearer,
    reshape=renaming(OLDER_BOUND),
    read_error=naming({UNKNOWN_KEY: "invalid_api_key"}),
    traits=Traits(
        output_field="max_tokens",
        system_role="developer",
        max_stop=5,
        lacks=frozenset(
            {
                "parallel_tool_calls",
                "logit_bias",
                "logprobs",
                "user",
                "metadata",
                "service_tier",
                "verbosity",
                "cache_key",
                "cache_life",
            }
        ),
    ),
)
