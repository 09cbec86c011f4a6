"""OpenAI responses: `POST /v1/responses`.

Source: https://platform.openai.com/docs/api-reference/responses and the SDK's `openai.types.responses`.

    dialect     what the line acts on, in bodies that pass through
    passing     input that passes through, without what its provider could not read
    reader      replies and streams that pass through; `cut` and `happened` end those that we cut
    stamps      what is true of a response here, where it is kept
    codec       the way to and from the neutral form
    fitting     what responses have no place for; `models`, what depends on the model

Requests: `question` reads a caller's, with `items` for its input and `reading` for its types; `write` writes a
provider's. Both need `tools`, `media` and `carriers`.

Replies: `wire` has what is read of a provider's. `reply` reads whole ones, `decode` streams. `frame` and `output` are
what a caller gets, `events` streams it. Both sides need `annotations`.
"""

from enfilade.dialects.members.openai_responses.dialect import DIALECT

__all__ = ["DIALECT"]
