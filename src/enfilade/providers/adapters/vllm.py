"""vLLM: https://docs.vllm.ai/en/stable/serving/openai_compatible_server.

A server of one's own; `base_url` ends in `/v1`, commonly on port 8000. It needs a key only if it was started with
`--api-key`. Besides OpenAI's dialects it serves Anthropic's messages and their counting.

Reasoning stands in `reasoning`, and only if the server has a reasoning parser; tools need a tool-call parser. `user`,
`metadata` and the fields about OpenAI's own caches and tiers are ignored. Sampling defaults come from the model's
`generation_config.json`. Errors of older versions are `{"object": "error", …}` without an `error` around them.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="vllm",
    needs_key=False,
    paths={
        "openai_chat": "/chat/completions",
        "openai_responses": "/responses",
        "anthropic_messages": "/messages",
        "openai_embeddings": "/embeddings",
        "anthropic_count": "/messages/count_tokens",
    },
    authorize=bearer,
    traits=Traits(
        output_field="max_tokens",
        reasoning_field="reasoning",
        lacks=frozenset({"user", "metadata", "service_tier", "verbosity", "cache_key", "cache_life"}),
    ),
)
