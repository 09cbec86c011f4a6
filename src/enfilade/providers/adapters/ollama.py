"""Ollama: https://docs.ollama.com/api/openai-compatibility and https://docs.ollama.com/api/anthropic-compatibility.

A server of one's own (`base_url` is commonly `http://localhost:11434/v1`, with `allow_private_network: true`) or the
vendor's (`https://ollama.com/v1`, with a key). Responses are stateless: no `previous_response_id`, no conversations.

The choice of tools cannot be steered, nor can the number of answers, and there is no `logit_bias`; `user` is ignored.
Images must be inline. The context window is the server's setting: a longer prompt is cut there without an error.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="ollama",
    needs_key=False,
    paths={
        "openai_chat": "/chat/completions",
        "openai_responses": "/responses",
        "anthropic_messages": "/messages",
        "openai_embeddings": "/embeddings",
    },
    authorize=bearer,
    traits=Traits(
        output_field="max_tokens",
        reasoning_field="reasoning",
        lacks=frozenset(
            {
                "tool_choice",
                "parallel_tool_calls",
                "logit_bias",
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
