"""What the codecs of Bedrock's embeddings have in common: they are written and read, and nobody calls in them."""

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec

from enfilade.core.messages import Embeddings, Question
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.types import Request
from enfilade.dialects.upstream_only import NotSpoken

S = TypeVar("S", bound=msgspec.Struct)
NOBODY = "Nobody calls in a dialect of Bedrock's embeddings: only providers speak them."


class EmbeddingCodec:
    """See `Codec`."""

    origin = "bedrock"
    field_names: Mapping[str, str] = {}

    def question(self, request: Request) -> Question:
        """See `Codec.question`."""
        raise NotSpoken(NOBODY)

    def render(self, answer: Embeddings, asked: Any) -> bytes:
        """See `Codec.render`."""
        raise NotSpoken(NOBODY)


def decoded(decoder: "msgspec.json.Decoder[S]", body: bytes) -> S:
    """The reply. Raises UnreadableReply."""
    try:
        return decoder.decode(body)
    except UNREADABLE as error:
        if (sound := without_nan(body)) is not None:
            return decoded(decoder, sound)
        message = "The provider's reply holds no embeddings."
        raise UnreadableReply(message) from error
