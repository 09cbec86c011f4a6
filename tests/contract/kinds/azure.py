"""Azure OpenAI, in its two forms."""

from tests.contract.kind import Kind
from tests.support.outbound import KEY

KINDS = {
    "azure_openai": Kind(
        paths={
            "openai_chat": "/openai/deployments/up-1/chat/completions?api-version=2024-10-21",
            "openai_responses": "/openai/responses?api-version=2024-10-21",
            "openai_embeddings": "/openai/deployments/up-1/embeddings?api-version=2024-10-21",
        },
        key_header=("api-key", KEY),
        output_field="max_completion_tokens",
        spec={"options": {"api_version": "2024-10-21"}},
    ),
}
