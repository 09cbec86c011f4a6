"""The half of translation: a request for a completion, of which only the input counts."""

from collections.abc import Mapping
from typing import Any

import msgspec

from enfilade.core.messages import Conversation
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, read_any
from enfilade.dialects.codec import Rules, Upstream
from enfilade.dialects.errors import UnreadableReply, WrongType
from enfilade.dialects.gemini.addresses import full_name
from enfilade.dialects.gemini.contents import ORIGIN
from enfilade.dialects.gemini.question import FIELD_NAMES, read_conversation
from enfilade.dialects.gemini.rules import RULES
from enfilade.dialects.gemini.write import write_request
from enfilade.dialects.types import Request

WRAPPERS = ("generateContentRequest", "generate_content_request")
_BARE = ("contents", "systemInstruction", "tools")
"""What Vertex counts."""


class CountReply(msgspec.Struct, gc=False, rename="camel"):
    """As much of a reply as we act on."""

    total_tokens: int | float | None = None


_REPLY = msgspec.json.Decoder(CountReply)


class CountCodec:
    """See `Codec`."""

    rules: Rules = RULES
    origin: str = ORIGIN
    field_names: Mapping[str, str] = FIELD_NAMES

    def question(self, request: Request) -> Conversation:
        """See `Codec.question`: the request that is to be counted stands in the body, bare or wrapped."""
        wrapped = next((request.fields[name] for name in WRAPPERS if name in request.fields), None)
        if wrapped is None or bytes(wrapped) == b"null":
            return read_conversation(request.fields)
        value = read_any(wrapped, WRAPPERS[0])
        if not isinstance(value, dict):
            message = f"`{WRAPPERS[0]}` must be an object."
            raise WrongType(message, param=WRAPPERS[0])
        others = {name: raw for name, raw in request.fields.items() if name not in {*WRAPPERS, "contents", "model"}}
        return read_conversation(others | {name: msgspec.Raw(ENCODER.encode(entry)) for name, entry in value.items()})

    def write(self, question: Conversation, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        body: dict[str, Any] = write_request(question, upstream)
        if not upstream.traits.wraps_count:
            return ENCODER.encode({name: body[name] for name in _BARE if name in body})
        return ENCODER.encode({WRAPPERS[0]: {"model": full_name(upstream.model)} | body})

    def read(self, body: bytes, upstream: Upstream) -> int:
        """See `Codec.read`."""
        del upstream
        return count_in(body)

    def render(self, answer: int, asked: Request) -> bytes:
        """See `Codec.render`."""
        del asked
        return ENCODER.encode({"totalTokens": answer})


def count_in(body: bytes) -> int:
    """The figure in a reply. Raises UnreadableReply."""
    try:
        total = _REPLY.decode(body).total_tokens
    except UNREADABLE as error:
        message = "The provider's reply holds no count."
        raise UnreadableReply(message) from error
    if total is None or not 0 <= total < 1 << 40:
        message = "The provider's reply holds no count."
        raise UnreadableReply(message)
    return int(total)


CODEC = CountCodec()
