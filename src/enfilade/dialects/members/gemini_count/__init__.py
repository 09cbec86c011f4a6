"""Counting tokens with Gemini: `POST /v1beta/models/{model}:countTokens`.

Source: https://ai.google.dev/api/tokens and the types of the official SDK (`google.genai.types`).
"""

from enfilade.dialects.members.gemini_count.dialect import DIALECT

__all__ = ["DIALECT"]
