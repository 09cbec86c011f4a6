"""OpenAI chat completions: `POST /v1/chat/completions`.

Source: https://platform.openai.com/docs/api-reference/chat and the SDK's `openai.types.chat`.

    dialect   what the line acts on; bodies that pass through
    codec     the way to and from the neutral form
      question → turns, tools, media, details      a caller's request is read
      write    → turns_out, tools, media, details  a provider's request is written
      reply                                        whole replies, read and rendered
      decode                                       a provider's stream is read
      events                                       a caller's stream is written
"""

from enfilade.dialects.members.openai_chat.dialect import DIALECT

__all__ = ["DIALECT"]
