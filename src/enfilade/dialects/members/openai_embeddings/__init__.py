"""OpenAI embeddings: `POST /v1/embeddings`.

Source: https://platform.openai.com/docs/api-reference/embeddings and the SDK's `openai.types`.
"""

from enfilade.dialects.members.openai_embeddings.dialect import DIALECT

__all__ = ["DIALECT"]
