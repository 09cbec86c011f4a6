"""Anthropic messages: `POST /v1/messages`.

Source: https://docs.anthropic.com/en/api/messages and the SDK's `anthropic.types`.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from enfilade.core.clock import NANOSECONDS, to_rfc3339
from enfilade.core.errors import EnfiladeError
from enfilade.core.messages import (
    Completion,
    Conversation,
    Media,
    Message,
    Part,
    Reasoning,
    Role,
    Sealed,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.dialects.anthropic_stream import (
    STOP_REASONS,
    AnthropicUsage,
    MessageStreamReader,
    MessageStreamWriter,
    finish_of,
    usage_object,
)
from enfilade.dialects.bodies import (
    ENCODER,
    NOTHING,
    ModelName,
    OutputBound,
    as_object,
    conversation_bound,
    decode_fields,
    decode_object,
    is_given,
    may_name,
    raw_json,
    read,
    read_any,
    require_entries,
)
from enfilade.dialects.codec import Codec, Operation
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.types import LimitHeaders, ReplyFacts, Request

MEDIA_TYPES = frozenset({"image", "document", "container_upload"})
NO_TOKENS = frozenset({"model", "stream", "max_tokens"})
"""Fields that no template shows the model."""

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OVERLOADED_CODES = frozenset({"provider_overloaded"})


class MessageReply(msgspec.Struct, gc=False):
    """As much of a reply as we act on."""

    type: str | None = None
    model: str | None = None
    content: msgspec.Raw = NOTHING
    stop_reason: str | None = None
    usage: AnthropicUsage | None = None


class MessageFields(msgspec.Struct, gc=False):
    """The fields of a request that we act on."""

    model: ModelName
    messages: msgspec.Raw
    max_tokens: OutputBound
    stream: bool | None = None
    service_tier: str | None = None


_FIELDS = msgspec.json.Decoder(MessageFields)
_REPLY = msgspec.json.Decoder(MessageReply)


class AnthropicMessages:
    """See the module."""

    name = "anthropic_messages"
    path = "/v1/messages"
    more_paths: tuple[str, ...] = ()
    operation = Operation.GENERATE
    codec: Codec | None = None
    forwarded_headers = frozenset({b"anthropic-version", b"anthropic-beta"})

    def parse(self, body: bytes, target: str = "") -> Request:
        """See `Dialect.parse`."""
        del target
        fields = decode_object(body)
        known = decode_fields(_FIELDS, body)
        messages = require_entries(known.messages, "messages")
        request = Request(
            fields=fields,
            model=known.model,
            stream=bool(known.stream),
            size=len(body),
            max_output=known.max_tokens,
            service_tier=known.service_tier,
            caching=may_name(body, b"cache_control"),
        )
        if may_name(body, b"image", b"document", b"container_upload"):
            request.media = _count_media(read_any(messages, "messages"))
        return request

    def text_bound(self, request: Request) -> int:
        """See `Dialect.text_bound`."""
        return conversation_bound(request.fields, NO_TOKENS)

    def render_request(
        self, request: Request, model: str, *, max_output: int | None, max_output_field: str | None = None
    ) -> bytes:
        """See `Dialect.render_request`."""
        del max_output_field
        fields = request.fields | {"model": raw_json(model)}
        if max_output is not None:
            fields["max_tokens"] = raw_json(max_output)
        return ENCODER.encode(fields)

    def read_reply(self, body: bytes) -> ReplyFacts:
        """See `Dialect.read_reply`."""
        try:
            reply = _REPLY.decode(body)
        except (msgspec.DecodeError, RecursionError) as error:
            message = "The provider's reply is not a message."
            raise UnreadableReply(message) from error
        if reply.type == "error" or not is_given(reply.content):
            message = "The provider's reply holds no message."
            raise UnreadableReply(message)
        usage = reply.usage
        return ReplyFacts(
            usage.neutral() if usage else None,
            reply.model,
            finish_of(reply.stop_reason),
            usage.service_tier if usage else None,
        )

    def stream_reader(self, request: Request) -> MessageStreamReader:
        """See `Dialect.stream_reader`; usage is part of every stream, asked for or not."""
        del request
        return MessageStreamReader()

    def conversation(self, request: Request) -> Conversation:
        """See `Dialect.conversation`."""
        fields = request.fields
        turns = []
        system = [part for part in _parts(_any(fields, "system")) if isinstance(part, Text)]
        for message in read_any(fields["messages"], "messages"):
            if not isinstance(message, dict):
                continue
            parts = _parts(message.get("content"))
            if message.get("role") == "system":
                system.extend(part for part in parts if isinstance(part, Text))
            else:
                role = Role.ASSISTANT if message.get("role") == "assistant" else Role.USER
                turns.append(Message(role, tuple(parts)))
        choice, parallel = _tool_choice(_any(fields, "tool_choice"))
        return Conversation(
            messages=tuple(turns),
            system=tuple(system),
            tools=_tools(_any(fields, "tools")),
            tool_choice=choice,
            parallel_tool_calls=parallel,
            max_output_tokens=request.max_output,
            temperature=read(fields, "temperature", float),
            top_p=read(fields, "top_p", float),
            stop=tuple(str(entry) for entry in read(fields, "stop_sequences", list) or ()),
        )

    def render_completion(self, completion: Completion) -> bytes:
        """See `Dialect.render_completion`."""
        content: list[dict[str, object]] = []
        for part in completion.parts:
            if isinstance(part, Text):
                content.append({"type": "text", "text": part.text})
            elif isinstance(part, ToolCall):
                arguments = msgspec.json.decode(part.arguments or "{}")
                content.append({"type": "tool_use", "id": part.id, "name": part.name, "input": arguments})
        reply: dict[str, object] = {
            "id": completion.id,
            "type": "message",
            "role": "assistant",
            "model": completion.model,
            "content": content,
            "stop_reason": STOP_REASONS[completion.finish],
            "stop_sequence": None,
        }
        if completion.usage is not None:
            reply["usage"] = usage_object(completion.usage)
        return ENCODER.encode(reply)

    def stream_writer(self, completion: Completion) -> MessageStreamWriter:
        """See `Dialect.stream_writer`."""
        return MessageStreamWriter(completion)

    def error_status(self, error: EnfiladeError) -> int:
        """See `Dialect.error_status`: an overloaded provider has a status of its own here."""
        return 529 if error.code in OVERLOADED_CODES else error.status

    def _error_object(self, error: EnfiladeError, request_id: str) -> dict[str, object]:
        status = self.error_status(error)
        content: dict[str, object] = {
            "type": ERROR_TYPES.get(status, "api_error" if status >= 500 else "invalid_request_error"),
            "message": f"{error.message} {error.remedy}",
            "code": error.code,
        }
        if error.param is not None:
            content["param"] = error.param
        if error.details:
            content["details"] = error.details
        return {"type": "error", "error": content, "request_id": request_id}

    def render_error(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error`."""
        return ENCODER.encode(self._error_object(error, request_id))

    def render_error_event(self, error: EnfiladeError, request_id: str) -> bytes:
        """See `Dialect.render_error_event`: the SDK raises on `event: error` and on nothing else."""
        return b"event: error\ndata: " + self.render_error(error, request_id) + b"\n\n"

    def limit_headers(self, limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
        """See `Dialect.limit_headers`: limit, remaining, and the moment of the reset."""
        headers = []
        for name, figures in ((b"requests", limits.requests), (b"tokens", limits.tokens)):
            if figures is not None:
                limit, left, seconds = figures
                reset = to_rfc3339(limits.now_ns + int(seconds * NANOSECONDS)).encode()
                headers += [
                    (b"anthropic-ratelimit-%b-limit" % name, b"%d" % limit),
                    (b"anthropic-ratelimit-%b-remaining" % name, b"%d" % left),
                    (b"anthropic-ratelimit-%b-reset" % name, reset),
                ]
        return headers


def _any(fields: dict[str, msgspec.Raw], name: str) -> Any:
    raw = fields.get(name)
    return None if raw is None else read_any(raw, name)


def _count_media(messages: object) -> int:
    """Media parts, also those inside tool results."""
    count = 0
    pending = [messages]
    while pending:
        item = pending.pop()
        if isinstance(item, list):
            pending.extend(item)
        elif isinstance(item, dict):
            count += str(item.get("type")) in MEDIA_TYPES
            pending.append(item.get("content"))
    return count


def _parts(content: object) -> Sequence[Part]:
    """The content blocks in the neutral form, without those that have no meaning outside this dialect."""
    if isinstance(content, str):
        return (Text(content),)
    return [_BLOCKS[kind](block) for kind, block in _blocks(content) if kind in _BLOCKS]


def _blocks(content: object) -> Iterator[tuple[str, dict[str, Any]]]:
    for block in content if isinstance(content, list) else ():
        if isinstance(block, dict):
            yield str(block.get("type")), block


def _media(block: dict[str, Any]) -> Media:
    source = as_object(block.get("source"))
    return Media(
        str(block["type"]),
        media_type=source.get("media_type"),
        data=source.get("data"),
        url=source.get("url"),
        file_id=source.get("file_id"),
    )


def _tool_use(block: dict[str, Any]) -> ToolCall:
    arguments = ENCODER.encode(block.get("input") or {}).decode()
    return ToolCall(str(block.get("id", "")), str(block.get("name", "")), arguments)


def _tool_result(block: dict[str, Any]) -> ToolResult:
    inner = block.get("content")
    # Only what lies flat is looked at: whoever nests results a thousand deep is not followed.
    content = (
        (Text(inner),) if isinstance(inner, str) else [_FLAT[kind](b) for kind, b in _blocks(inner) if kind in _FLAT]
    )
    return ToolResult(str(block.get("tool_use_id", "")), tuple(content), bool(block.get("is_error")))


_FLAT: dict[str, Callable[[dict[str, Any]], Text | Media]] = {
    "text": lambda block: Text(str(block.get("text", ""))),
    "image": _media,
    "document": _media,
}
_BLOCKS: dict[str, Callable[[dict[str, Any]], Part]] = {
    **_FLAT,
    "tool_use": _tool_use,
    "tool_result": _tool_result,
    "thinking": lambda block: Reasoning(str(block.get("thinking", "")), _sealed(block.get("signature"))),
    "redacted_thinking": lambda block: Reasoning(seal=_sealed(block.get("data")), redacted=True),
}


def _tools(tools: object) -> tuple[Tool, ...]:
    return tuple(
        Tool(str(tool.get("name", "")), tool.get("description"), tool.get("input_schema"))
        for tool in (tools if isinstance(tools, list) else ())
        if isinstance(tool, dict)
    )


def _sealed(value: object) -> Sealed | None:
    return Sealed("anthropic", value) if isinstance(value, str) and value else None


_CHOICES: dict[str, ToolChoice] = {
    "auto": ToolChoice("auto"),
    "any": ToolChoice("required"),
    "none": ToolChoice("none"),
}


def _tool_choice(choice: object) -> tuple[ToolChoice | None, bool | None]:
    if not isinstance(choice, dict):
        return None, None
    found = _CHOICES.get(str(choice.get("type")))
    if choice.get("type") == "tool":
        found = ToolChoice("named", (str(choice.get("name", "")),))
    parallel = False if choice.get("disable_parallel_tool_use") else None
    return found, parallel


DIALECT = AnthropicMessages()
