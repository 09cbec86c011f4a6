"""SGLang: https://docs.sglang.io/docs/basic_usage/openai_api.

A server of one's own; `base_url` ends in `/v1`, commonly on port 30000. It needs a key only if it was started with
`--api-key`. Besides OpenAI's dialects it serves Anthropic's messages and their counting (since February 2026).

Reasoning stands in `reasoning_content`, and only if the server has a reasoning parser; tools need a tool-call parser.
`user`, `metadata` and the fields about OpenAI's own caches and tiers are ignored.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="sglang",
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
        reasoning_field="reasoning_content",
        lacks=frozenset({"user", "metadata", "service_tier", "verbosity", "cache_key", "cache_life"}),
    ),
)
