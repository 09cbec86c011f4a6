"""Gemini: `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.

Source: https://ai.google.dev/api/generate-content and the types of the official SDK (`google.genai.types`).
"""

from enfilade.dialects.members.gemini_generate.dialect import DIALECT

__all__ = ["DIALECT"]
