"""Gemini: `POST /v1beta/models/{model}:generateContent` and `:streamGenerateContent`.

Source: https://ai.google.dev/api/generate-content and the types of the official SDK (`google.genai.types`).

    dialect     what the line acts on, in bodies that pass through
    reader      streams that pass through
    codec       the way to and from the neutral form; requests are read and written in `dialects.gemini`
    wire        what is read of a provider's reply; `calls` and `evidence`, parts of it
    reply       whole replies, read and rendered
    decode      a provider's stream, and what it has in common with a whole reply
    events      a caller's stream, which `framing` makes events or one array
"""

from enfilade.dialects.members.gemini_generate.dialect import DIALECT

__all__ = ["DIALECT"]
