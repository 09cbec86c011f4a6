"""What the line needs of the dialect; bodies of callers whose provider speaks it too pass through."""

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.anthropic.errors import AnthropicErrors
from enfilade.dialects.anthropic.passing import without_envelopes
from enfilade.dialects.anthropic.requests import CommonFields, read_request, request_bound
from enfilade.dialects.bodies import ENCODER, NOTHING, OutputBound, is_given, raw_json
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import ThreadsNotKept, UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.anthropic_messages.codec import CODEC
from enfilade.dialects.members.anthropic_messages.reader import MessageStreamReader
from enfilade.dialects.members.anthropic_messages.usage import MESSAGES, finish_of, tier_in
from enfilade.dialects.searches import searches_by_type
from enfilade.dialects.types import ReplyFacts, Request


class MessageReply(msgspec.Struct, gc=False):
    """As much of a reply as we act on."""

    type: str | None = None
    model: str | None = None
    content: msgspec.Raw = NOTHING
    stop_reason: str | None = None
    usage: msgspec.Raw = NOTHING


class MessageFields(CommonFields, gc=False, kw_only=True):
    """The fields of a request that this dialect adds to those of all requests to Claude."""

    max_tokens: OutputBound
    stream: bool | None = None
    service_tier: str | None = None
    thread: msgspec.Raw = NOTHING


_FIELDS = msgspec.json.Decoder(MessageFields)
_REPLY = msgspec.json.Decoder(MessageReply)
_UNTHREADED = {"error_code": "thread_unsupported_request", "unsupported": ["thread"]}
"""The details by which the SDK knows that it has to go on without a thread."""


class AnthropicMessages(AnthropicErrors):
    """See the package."""

    name = "anthropic_messages"
    path = "/v1/messages"
    more_paths: tuple[str, ...] = ()
    operation = Operation.GENERATE
    codec: Codec | None = CODEC
    forwarded_headers = frozenset({b"anthropic-version", b"anthropic-beta"})

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        del target
        request, known = read_request(body, _FIELDS)
        if is_given(known.thread):
            message = "`thread` is not offered: nothing is kept at the provider."
            raise ThreadsNotKept(message, param="thread", details=_UNTHREADED)
        request.searches = searches_by_type(request.fields.get("tools"))
        request.stream = bool(known.stream)
        request.max_output = known.max_tokens
        request.service_tier = known.service_tier
        return request

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        return request_bound(request)

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`."""
        del max_output_field
        fields = request.fields | {"model": raw_json(model)}
        if request.envelopes:
            fields = without_envelopes(fields)
        if max_output is not None:
            fields["max_tokens"] = raw_json(max_output)
        return ENCODER.encode(fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        try:
            reply = _REPLY.decode(body)
        except UNREADABLE as error:
            if (sound := without_nan(body)) is not None:
                return self.read_reply(sound)
            message = "The provider's reply is not a message."
            raise UnreadableReply(message) from error
        if reply.type == "error" or not is_given(reply.content):
            message = "The provider's reply holds no message."
            raise UnreadableReply(message)
        return ReplyFacts(MESSAGES.read(reply.usage), reply.model, finish_of(reply.stop_reason), tier_in(reply.usage))

    def stream_reader(self, request: Request) -> MessageStreamReader:
        """See `Dialect.stream_reader`; usage is part of every stream, asked for or not."""
        del request
        return MessageStreamReader()


DIALECT = AnthropicMessages()
