"""The dialect as the line sees it: a request read and written, a reply read."""

from typing import Any

import msgspec

from enfilade.core.errors import EnfiladeError, InvalidRequest
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import (
    ENCODER,
    NOTHING,
    TOKENS_PER_MESSAGE,
    ModelName,
    OutputBound,
    as_object,
    count_media,
    decode_fields,
    decode_object,
    head,
    is_given,
    may_name,
    raw_json,
    read_any,
    text_size,
)
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import MissingField, UnreadableReply, WrongType
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.openai_responses.codec import CODEC
from enfilade.dialects.members.openai_responses.models import ENCRYPTED, may_reason
from enfilade.dialects.members.openai_responses.passing import sendable
from enfilade.dialects.members.openai_responses.reader import ResponseStreamReader
from enfilade.dialects.members.openai_responses.stamps import stamped
from enfilade.dialects.members.openai_responses.wire import RAW_LIST, REPLY
from enfilade.dialects.openai.errors import OpenAIErrors, error_object
from enfilade.dialects.seals import MARK
from enfilade.dialects.searches import searches_by_type
from enfilade.dialects.sse import named_event
from enfilade.dialects.types import ReplyFacts, Request

MEDIA_TYPES = frozenset({"input_image", "input_file", "input_audio", "computer_screenshot", "image_generation_call"})
NO_TOKENS = frozenset(
    {"model", "stream", "stream_options", "store", "include", "previous_response_id", "conversation", "metadata"}
)
"""Fields that no template shows the model."""
OURS = frozenset({"previous_response_id", "conversation"})
"""What is kept here is unknown to the provider."""
LAST_SEQUENCE = 2**31 - 1
_NAMED_MEDIA = tuple(name.encode() for name in sorted(MEDIA_TYPES, reverse=True))
"""`input_image` before what is rarer: a name that is not there has the whole body searched."""
_MARK = MARK.encode()


class ResponseFields(msgspec.Struct, gc=False):
    """The fields of a request that we act on."""

    model: ModelName
    input: msgspec.Raw = NOTHING
    stream: bool | None = None
    max_output_tokens: OutputBound | None = None
    service_tier: str | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: Any = None
    include: list[Any] | None = None


_FIELDS = msgspec.json.Decoder(ResponseFields)


class OpenAIResponses(OpenAIErrors):
    """See the package."""

    name = "openai_responses"
    path = "/v1/responses"
    more_paths: tuple[str, ...] = ()
    operation = Operation.GENERATE
    codec: Codec | None = CODEC
    forwarded_headers = frozenset({b"openai-beta"})

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        del target
        fields = decode_object(body)
        known = decode_fields(_FIELDS, body)
        if known.background:
            message = "`background` responses are not offered: wait for the answer, or stream it."
            raise InvalidRequest(message, param="background")
        previous = _previous(known)
        _check_input(known, needed=previous is None and not is_given(fields.get("prompt", NOTHING)))
        request = Request(
            fields=fields,
            model=known.model,
            stream=bool(known.stream),
            size=len(body),
            max_output=known.max_output_tokens,
            service_tier=known.service_tier,
            caching=may_name(body, b"prompt_cache_breakpoint", b"prompt_cache_options"),
            previous=previous,
            keeps=known.store,
            envelopes=_MARK in body,
        )
        request.searches = searches_by_type(fields.get("tools"), fields.get("max_tool_calls", NOTHING))
        if head(known.input)[:1] == b"[" and may_name(body, *_NAMED_MEDIA):
            request.media = count_media(known.input, MEDIA_TYPES)
        return request

    def with_input(self, request: Request, items: list[Any]) -> Request:
        """See `Keeping.with_input`; the items may be encoded already."""
        own = request.fields.get("input", NOTHING)
        if not items and head(own)[:1] == b"[":
            return request
        before = [item if isinstance(item, msgspec.Raw) else _raw(item) for item in items]
        after: list[msgspec.Raw] = []
        if is_given(own):
            after = [_said(own)] if bytes(own).lstrip()[:1] == b'"' else RAW_LIST.decode(own)
        added = sum(len(bytes(item)) for item in before)
        media = sum(count_media(item, MEDIA_TYPES) for item in before if may_name(bytes(item), *_NAMED_MEDIA))
        return msgspec.structs.replace(
            request,
            fields=request.fields | {"input": raw_json([*before, *after])},
            size=request.size + added + TOKENS_PER_MESSAGE * len(before),
            media=request.media + media,
            envelopes=request.envelopes or any(_MARK in bytes(item) for item in before),
        )

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        fields = request.fields
        given = read_any(fields["input"], "input") if "input" in fields else ""
        extra = sum(len(bytes(raw)) for name, raw in fields.items() if name != "input" and name not in NO_TOKENS)
        items = len(given) if isinstance(given, list) else 1
        return text_size(given) + TOKENS_PER_MESSAGE * (items + 1) + extra

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`. Nothing is kept at the provider: what is kept is kept here."""
        del max_output_field
        fields = {name: raw for name, raw in request.fields.items() if name not in OURS}
        fields["model"] = raw_json(model)
        fields["store"] = raw_json(value=False)
        if max_output is not None:
            fields["max_output_tokens"] = raw_json(max_output)
        if _expects_keeping(request) and may_reason(model, fields.get("reasoning", NOTHING)):
            # Its reasoning must be able to go back; to a provider that keeps nothing it can only go back sealed.
            fields["include"] = raw_json(_including(fields.get("include", NOTHING)))
        if "input" in fields:
            fields["input"] = sendable(fields["input"])
        return ENCODER.encode(fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        try:
            reply = REPLY.decode(body)
        except UNREADABLE as error:
            if (sound := without_nan(body)) is not None:
                return self.read_reply(sound)
            message = "The provider's reply is not a response."
            raise UnreadableReply(message) from error
        if reply.output is None:
            message = "The provider's reply holds no response."
            raise UnreadableReply(message)
        return ReplyFacts(reply.reported(), reply.model, reply.finish(), reply.service_tier, body)

    def restate(self, reply: bytes, request: Request) -> bytes:
        """See `Keeping.restate`: with our id where it is kept, and with what was continued."""
        return stamped(reply, request)

    def stream_reader(self, request: Request) -> ResponseStreamReader:
        """See `Dialect.stream_reader`; usage is part of every stream, asked for or not."""
        return ResponseStreamReader(request)

    def render_error_event(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error_event`. The SDK raises on an event with `error`; its type has the fields beside.

        Whoever writes it does not know how many events went before, and none may follow: the number is the last one.
        """
        content = error_object(error, request_id)
        told: dict[str, Any] = as_object(content["error"])
        fields = {name: told[name] for name in ("code", "message", "param")}
        event = {"type": "error", "sequence_number": LAST_SEQUENCE} | fields | content
        return named_event("error", event)


def _previous(known: ResponseFields) -> str | None:
    """The id of what this request continues."""
    conversation = known.conversation
    if isinstance(conversation, dict):
        conversation = conversation.get("id")
        if not isinstance(conversation, str):
            message = "`conversation.id` must be a string."
            raise WrongType(message, param="conversation.id")
    if conversation is not None and not isinstance(conversation, str):
        message = "`conversation` must be a conversation's id, or an object with it."
        raise WrongType(message, param="conversation")
    if conversation is not None and known.previous_response_id is not None:
        message = "`previous_response_id` and `conversation` cannot be used together."
        raise InvalidRequest(message, param="previous_response_id")
    return conversation if known.previous_response_id is None else known.previous_response_id


def _check_input(known: ResponseFields, *, needed: bool) -> None:
    """What a request may leave out when it continues something."""
    text = head(known.input)
    if text in {b"", b"null"}:
        if needed:
            message = "`input` is required: a text, or an array of items."
            raise MissingField(message, param="input")
        return
    if text[:1] not in {b'"', b"["}:
        message = "`input` must be a text, or an array of items."
        raise WrongType(message, param="input")
    if needed and len(text) < 8 and text[:1] == b"[" and not text[1:-1].strip():
        message = "`input` must have at least one item."
        raise WrongType(message, param="input")


def _raw(item: Any) -> msgspec.Raw:
    return msgspec.Raw(item) if isinstance(item, bytes) else raw_json(item)


def _said(text: msgspec.Raw) -> msgspec.Raw:
    """A text as the item that it stands for."""
    return raw_json({"role": "user", "content": text})


def _including(given: msgspec.Raw) -> list[Any]:
    """What the caller wants included, and sealed reasoning."""
    wanted = read_any(given, "include") if is_given(given) else []
    return [*wanted, ENCRYPTED] if isinstance(wanted, list) and ENCRYPTED not in wanted else wanted


def _expects_keeping(request: Request) -> bool:
    """Whether the caller may rely on reasoning that is kept: it is, unless told otherwise."""
    return bytes(request.fields.get("store", NOTHING)) != b"false"


DIALECT = OpenAIResponses()
