"""What the line needs of the dialect; bodies of callers whose provider speaks it too pass through."""

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import (
    ENCODER,
    NOTHING,
    ModelName,
    decode_fields,
    decode_object,
    is_given,
    raw_json,
    read_any,
    text_size,
)
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import MissingField, UnreadableReply, WrongType
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.openai_embeddings.codec import CODEC
from enfilade.dialects.openai.errors import OpenAIErrors
from enfilade.dialects.openai.usage import EMBEDDINGS
from enfilade.dialects.types import ReplyFacts, Request
from enfilade.dialects.unstreamed import Unstreamed


class EmbeddingReply(msgspec.Struct, gc=False):
    """As much of a reply as we act on."""

    data: msgspec.Raw = NOTHING
    usage: msgspec.Raw = NOTHING
    model: str | None = None


class EmbeddingFields(msgspec.Struct, gc=False):
    """The fields of a request that we act on."""

    model: ModelName
    input: msgspec.Raw
    stream: bool | None = None


_FIELDS = msgspec.json.Decoder(EmbeddingFields)
_REPLY = msgspec.json.Decoder(EmbeddingReply)


class OpenAIEmbeddings(Unstreamed, OpenAIErrors):
    """See the package. Embeddings are never streamed, and have no output tokens."""

    name = "openai_embeddings"
    path = "/v1/embeddings"
    more_paths: tuple[str, ...] = ()
    operation = Operation.EMBED
    codec: Codec | None = CODEC
    forwarded_headers = frozenset({b"openai-beta"})

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        del target
        fields = decode_object(body)
        known = decode_fields(_FIELDS, body)
        given = bytes(known.input)
        if given in {b"null", b'""', b"[]"}:
            message = "`input` is required: a text, or an array of texts or tokens."
            raise MissingField(message, param="input")
        if not given.startswith((b'"', b"[")):
            message = "`input` must be a text, or an array of texts or tokens."
            raise WrongType(message, param="input")
        if known.stream:
            message = "Embeddings cannot be streamed."
            raise WrongType(message, param="stream")
        return Request(fields=fields, model=known.model, stream=False, size=len(body), makes_output=False)

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        given = read_any(request.fields["input"], "input")
        if isinstance(given, list) and given and isinstance(given[0], int | list):
            return sum(len(entry) if isinstance(entry, list) else 1 for entry in given)
        return text_size(given) + 8 * (len(given) if isinstance(given, list) else 1)

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`."""
        del max_output, max_output_field
        return ENCODER.encode(request.fields | {"model": raw_json(model)})

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        try:
            reply = _REPLY.decode(body)
        except UNREADABLE as error:
            if (sound := without_nan(body)) is not None:
                return self.read_reply(sound)
            message = "The provider's reply holds no embeddings."
            raise UnreadableReply(message) from error
        if not is_given(reply.data):
            message = "The provider's reply holds no embeddings."
            raise UnreadableReply(message)
        return ReplyFacts(EMBEDDINGS.read(reply.usage), reply.model)


DIALECT = OpenAIEmbeddings()
