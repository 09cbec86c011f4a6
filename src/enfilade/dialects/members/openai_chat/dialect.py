"""What the line needs of the dialect; bodies of callers whose provider speaks it too pass through."""

from typing import Any

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import (
    ENCODER,
    Choices,
    ModelName,
    OutputBound,
    conversation_bound,
    count_media,
    decode_fields,
    decode_object,
    is_given,
    may_name,
    raw_json,
    read,
    require_entries,
)
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.openai_chat.codec import CODEC
from enfilade.dialects.members.openai_chat.reader import ChatReply, ChatStreamReader, finish_of
from enfilade.dialects.members.openai_chat.shapes import usage_of
from enfilade.dialects.openai.errors import OpenAIErrors
from enfilade.dialects.searches import MOST_SEARCHES, searches_by_type
from enfilade.dialects.types import ReplyFacts, Request

MEDIA_TYPES = frozenset({"image_url", "input_audio", "file"})
OUTPUT_FIELDS = ("max_completion_tokens", "max_tokens")
NO_TOKENS = frozenset({"model", "stream", "stream_options"})
"""Fields that no template shows the model."""


class StreamOptions(msgspec.Struct, gc=False):
    """What the caller wants of a stream."""

    include_usage: bool | None = None


class ChatFields(msgspec.Struct, gc=False):
    """The fields of a request that we act on."""

    model: ModelName
    messages: msgspec.Raw
    stream: bool | None = None
    max_completion_tokens: OutputBound | None = None
    max_tokens: OutputBound | None = None
    n: Choices | None = None
    stream_options: StreamOptions | None = None
    service_tier: str | None = None


_FIELDS = msgspec.json.Decoder(ChatFields)
_REPLY = msgspec.json.Decoder(ChatReply)


class OpenAIChat(OpenAIErrors):
    """See the package."""

    name = "openai_chat"
    path = "/v1/chat/completions"
    more_paths: tuple[str, ...] = ()
    operation = Operation.GENERATE
    codec: Codec | None = CODEC
    forwarded_headers = frozenset({b"openai-beta"})

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        del target
        fields = decode_object(body)
        known = decode_fields(_FIELDS, body)
        messages = require_entries(known.messages, "messages")
        bound, older = known.max_completion_tokens, known.max_tokens
        if bound is None or (older is not None and older < bound):
            bound = older
        options = known.stream_options
        request = Request(
            fields=fields,
            model=known.model,
            stream=bool(known.stream),
            size=len(body),
            max_output=bound,
            choices=known.n or 1,
            wants_usage=not known.stream or (options is not None and bool(options.include_usage)),
            service_tier=known.service_tier,
        )
        if "tools" in fields:
            request.searches = searches_by_type(fields["tools"]) * request.choices
        if "web_search_options" in fields and is_given(fields["web_search_options"]):
            request.searches += MOST_SEARCHES * request.choices
        if may_name(body, b"image_url", b"input_audio", b"file"):
            request.media = count_media(messages, MEDIA_TYPES)
        return request

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        return conversation_bound(request.fields, NO_TOKENS)

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`."""
        fields = request.fields | {"model": raw_json(model)}
        if max_output is not None:
            present: list[str] = [name for name in OUTPUT_FIELDS if name in fields]
            for name in present or [max_output_field or OUTPUT_FIELDS[0]]:
                fields[name] = raw_json(max_output)
        if request.stream and not request.wants_usage:
            # Without it a stream reports no usage at all. What the caller did not ask for is taken out again.
            fields["stream_options"] = raw_json(_stream_options(fields) | {"include_usage": True})
        return ENCODER.encode(fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        try:
            reply = _REPLY.decode(body)
        except UNREADABLE as error:
            if (sound := without_nan(body)) is not None:
                return self.read_reply(sound)
            message = "The provider's reply is not a chat completion."
            raise UnreadableReply(message) from error
        if is_given(reply.error) or reply.choices is None:
            message = "The provider's reply holds no completion."
            raise UnreadableReply(message)
        usage = usage_of(reply.usage, reply.x_groq, reply.model)
        finish = finish_of(reply.choices[0].finish_reason) if reply.choices else None
        return ReplyFacts(usage, reply.model, finish, reply.service_tier)

    def stream_reader(self, request: Request) -> ChatStreamReader:
        """See `Dialect.stream_reader`."""
        return ChatStreamReader(hide_usage=not request.wants_usage)


def _stream_options(fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    options = read(fields, "stream_options", dict)
    return options or {}


DIALECT = OpenAIChat()
