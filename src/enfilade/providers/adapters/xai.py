"""xAI: https://docs.x.ai/docs/api-reference.

Reasoning stands in `reasoning_content`. Models that reason refuse `stop` and both penalties, which is said of such a
model by its capabilities. `logit_bias`, `metadata` and `service_tier` have no effect. There are no embeddings; its
layer for Anthropic's dialect is deprecated and not used.

A wrong key is answered with 400, and errors have their words in `error` and a sentence as `code`.
"""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="xai",
    default_base_url="https://api.x.ai/v1",
    paths={"openai_chat": "/chat/completions", "openai_responses": "/responses"},
    authorize=bearer,
    traits=Traits(
        output_field="max_completion_tokens",
        reasoning_field="reasoning_content",
        max_stop=4,
        lacks=frozenset({"logit_bias", "metadata", "service_tier", "verbosity", "cache_key", "cache_life"}),
    ),
)
