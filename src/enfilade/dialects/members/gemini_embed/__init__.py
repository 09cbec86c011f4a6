"""Gemini's embeddings: `POST /v1beta/models/{model}:embedContent` and `:batchEmbedContents`.

Source: https://ai.google.dev/api/embeddings and the types of the official SDK (`google.genai.types`).
"""

from enfilade.dialects.members.gemini_embed.dialect import DIALECT

__all__ = ["DIALECT"]
