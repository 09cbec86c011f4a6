"""Counting a message's tokens: `POST /v1/messages/count_tokens`.

Source: https://docs.anthropic.com/en/api/messages-count-tokens and the SDK's `anthropic.types`.
"""

from collections.abc import Mapping

import msgspec

from enfilade.core.messages import Conversation
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.anthropic.carriers import ORIGIN
from enfilade.dialects.anthropic.errors import AnthropicErrors
from enfilade.dialects.anthropic.passing import without_envelopes
from enfilade.dialects.anthropic.question import FIELD_NAMES, read_question
from enfilade.dialects.anthropic.requests import CommonFields, read_request, request_bound
from enfilade.dialects.anthropic.write import COUNT_RULES, write_count
from enfilade.dialects.bodies import ENCODER, raw_json
from enfilade.dialects.codec import Codec, Operation, Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.types import ReplyFacts, Request
from enfilade.dialects.unstreamed import Unstreamed


class CountReply(msgspec.Struct, gc=False):
    """The whole of a reply."""

    input_tokens: int


_FIELDS = msgspec.json.Decoder(CommonFields)
_REPLY = msgspec.json.Decoder(CountReply)


class CountCodec:
    """See `Codec`. The question is the conversation to be counted, the answer a number."""

    rules = COUNT_RULES
    origin = ORIGIN
    field_names: Mapping[str, str] = FIELD_NAMES

    def question(self, request: Request) -> Conversation:
        """See `Codec.question`."""
        return read_question(request.fields, None)

    def write(self, question: Conversation, upstream: Upstream) -> bytes:
        """See `Codec.write`."""
        return write_count(question, upstream)

    def read(self, body: bytes, upstream: Upstream) -> int:
        """See `Codec.read`."""
        del upstream
        return _read(body)

    def render(self, answer: int, asked: Request) -> bytes:
        """See `Codec.render`."""
        del asked
        return ENCODER.encode({"input_tokens": answer})


def _read(body: bytes) -> int:
    try:
        return _REPLY.decode(body).input_tokens
    except UNREADABLE as error:
        message = "The provider's reply holds no count of tokens."
        raise UnreadableReply(message) from error


class AnthropicCount(Unstreamed, AnthropicErrors):
    """See the module."""

    name = "anthropic_count"
    path = "/v1/messages/count_tokens"
    more_paths: tuple[str, ...] = ()
    operation = Operation.COUNT
    codec: Codec | None = CountCodec()
    forwarded_headers = frozenset({b"anthropic-version", b"anthropic-beta"})

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        del target
        request, _ = read_request(body, _FIELDS)
        request.is_free = True
        request.makes_output = False
        return request

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        return request_bound(request)

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`: there is no output to be bounded."""
        del max_output, max_output_field
        fields = request.fields | {"model": raw_json(model)}
        return ENCODER.encode(without_envelopes(fields) if request.envelopes else fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`: what was counted was not used."""
        _read(body)
        return ReplyFacts()


DIALECT = AnthropicCount()
