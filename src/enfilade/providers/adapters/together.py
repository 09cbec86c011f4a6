"""Together: https://docs.together.ai/docs/openai-api-compatibility.

Which tools, schemas and images are taken depends on the model. Reasoning stands in `reasoning`. `user`, `metadata` and
the fields about OpenAI's own caches and tiers are ignored.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="together",
    default_base_url="https://api.together.xyz/v1",
    paths={"openai_chat": "/chat/completions", "openai_embeddings": "/embeddings"},
    authorize=bearer,
    traits=Traits(
        output_field="max_tokens",
        reasoning_field="reasoning",
        lacks=frozenset({"user", "metadata", "service_tier", "verbosity", "cache_key", "cache_life"}),
    ),
)
