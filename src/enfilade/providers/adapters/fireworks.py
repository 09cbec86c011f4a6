"""Fireworks: https://docs.fireworks.ai/tools-sdks/openai-compatibility and its page on Anthropic's messages.

Models have full names, `accounts/fireworks/models/…`. Reasoning stands in `reasoning_content`. Streams carry their usage
in the last chunk. A prompt that is too long is cut by default, unless the request says
`"context_length_exceeded_behavior": "error"`. At most four stop sequences.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="fireworks",
    default_base_url="https://api.fireworks.ai/inference/v1",
    paths={
        "openai_chat": "/chat/completions",
        "openai_responses": "/responses",
        "anthropic_messages": "/messages",
        "openai_embeddings": "/embeddings",
    },
    authorize=bearer,
    traits=Traits(
        output_field="max_tokens",
        reasoning_field="reasoning_content",
        max_stop=4,
        lacks=frozenset({"verbosity", "cache_life"}),
    ),
)
