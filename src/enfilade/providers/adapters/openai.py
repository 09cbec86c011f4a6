"""OpenAI: https://platform.openai.com/docs/api-reference."""

from enfilade.dialects.traits import Traits
from enfilade.providers.http_provider import HttpAdapter, bearer

ADAPTER = HttpAdapter(
    kind="openai",
    default_base_url="https://api.openai.com/v1",
    paths={
        "openai_chat": "/chat/completions",
        "openai_responses": "/responses",
        "openai_embeddings": "/embeddings",
    },
    authorize=bearer,
    traits=Traits(output_field="max_completion_tokens"),
)
