"""OpenAI responses: `POST /v1/responses`.

Source: https://platform.openai.com/docs/api-reference/responses and the SDK's `openai.types.responses`.
"""

from enfilade.dialects.members.openai_responses.dialect import DIALECT

__all__ = ["DIALECT"]
