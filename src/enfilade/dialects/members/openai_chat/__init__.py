"""OpenAI chat completions: `POST /v1/chat/completions`.

Source: https://platform.openai.com/docs/api-reference/chat and the SDK's `openai.types.chat`.

    dialect     what the line acts on, in bodies that pass through
    reader      replies and streams that pass through
    codec       the way to and from the neutral form
    fitting     what services that speak the dialect lack

Requests: `question` reads a caller's, with `turns` for its messages; `write` writes a provider's. Both need `tools`,
`media`, `details` and `marks`.

Replies: `shapes` has what is read of a provider's. `reply` reads and renders whole ones, `decode` and `events` do it
with streams. `assembly` and `calls` put together what a provider sends, `assistant` and `lanes` take apart what a
caller gets.
"""

from enfilade.dialects.members.openai_chat.dialect import DIALECT

__all__ = ["DIALECT"]
