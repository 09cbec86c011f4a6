"""llama.cpp's server: https://github.com/ggml-org/llama.cpp/tree/master/tools/server.

A server of one's own; `base_url` ends in `/v1`, commonly on port 8080. It needs a key only if it was started with
`--api-key`. Besides OpenAI's chat and embeddings it serves Anthropic's messages and their counting.

Tools need a server started with `--jinja`, embeddings one started with `--embeddings`. Reasoning stands in
`reasoning_content`. While it loads its model it answers 503 with `unavailable_error`. There is no `logit_bias` by text,
and `user`, `metadata` and the fields about OpenAI's own caches and tiers are ignored.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="llamacpp",
    needs_key=False,
    paths={
        "openai_chat": "/chat/completions",
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
