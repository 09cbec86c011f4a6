"""OpenAI chat completions: `POST /v1/chat/completions`.

Source: https://platform.openai.com/docs/api-reference/chat and the SDK's `openai.types.chat`.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from enfilade.core.errors import EnfiladeError
from enfilade.core.messages import (
    Completion,
    Conversation,
    Media,
    Message,
    Part,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.dialects import openai_common
from enfilade.dialects.bodies import (
    ENCODER,
    Choices,
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
from enfilade.dialects.errors import UnreadableReply, WrongType
from enfilade.dialects.openai_chat_stream import (
    FINISH_REASONS,
    ChatReply,
    ChatStreamReader,
    ChatStreamWriter,
    finish_of,
)
from enfilade.dialects.types import LimitHeaders, ReplyFacts, Request

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


class OpenAIChat:
    """See the module."""

    name = "openai_chat"
    path = "/v1/chat/completions"
    more_paths: tuple[str, ...] = ()
    operation = Operation.GENERATE
    codec: Codec | None = None
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
        if may_name(body, b"image_url", b"input_audio", b"file"):
            request.media = _count_media(read_any(messages, "messages"))
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
        except (msgspec.DecodeError, RecursionError) as error:
            message = "The provider's reply is not a chat completion."
            raise UnreadableReply(message) from error
        if is_given(reply.error) or reply.choices is None:
            message = "The provider's reply holds no completion."
            raise UnreadableReply(message)
        usage = reply.usage.neutral() if reply.usage else None
        finish = finish_of(reply.choices[0].finish_reason) if reply.choices else None
        return ReplyFacts(usage, reply.model, finish, reply.service_tier)

    def stream_reader(self, request: Request) -> ChatStreamReader:
        """See `Dialect.stream_reader`."""
        return ChatStreamReader(hide_usage=not request.wants_usage)

    def conversation(self, request: Request) -> Conversation:
        """See `Dialect.conversation`."""
        messages = read_any(request.fields["messages"], "messages")
        system: list[Text] = []
        turns: list[Message] = []
        for position, message in enumerate(messages):
            if not isinstance(message, dict) or not isinstance(message.get("role"), str):
                text = "Every message needs a `role`."
                raise WrongType(text, param=f"messages[{position}]")
            if message["role"] in {"system", "developer"}:
                system.extend(part for part in _parts(message.get("content")) if isinstance(part, Text))
            else:
                turns.append(_turn(message))
        choice, parallel = _tool_choice(request.fields)
        return Conversation(
            messages=tuple(turns),
            system=tuple(system),
            tools=_tools(request.fields),
            tool_choice=choice,
            parallel_tool_calls=parallel,
            max_output_tokens=request.max_output,
            temperature=read(request.fields, "temperature", float),
            top_p=read(request.fields, "top_p", float),
            stop=_stop(request.fields),
            choices=request.choices,
        )

    def render_completion(self, completion: Completion) -> bytes:
        """See `Dialect.render_completion`."""
        text = "".join(part.text for part in completion.parts if isinstance(part, Text))
        calls = [part for part in completion.parts if isinstance(part, ToolCall)]
        message: dict[str, object] = {"role": "assistant", "content": text if text or not calls else None}
        if calls:
            message["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in calls
            ]
        reply: dict[str, object] = {
            "id": completion.id,
            "object": "chat.completion",
            "created": completion.created_s,
            "model": completion.model,
            "choices": [
                {"index": 0, "message": message, "logprobs": None, "finish_reason": FINISH_REASONS[completion.finish]}
            ],
        }
        if completion.usage is not None:
            reply["usage"] = openai_common.usage_object(completion.usage)
        return ENCODER.encode(reply)

    def stream_writer(self, completion: Completion) -> ChatStreamWriter:
        """See `Dialect.stream_writer`."""
        return ChatStreamWriter(completion)

    def error_status(self, error: EnfiladeError) -> int:
        """See `Dialect.error_status`."""
        return error.status

    render_error = staticmethod(openai_common.render_error)
    render_error_event = staticmethod(openai_common.render_error_event)

    def limit_headers(self, limits: LimitHeaders) -> list[tuple[bytes, bytes]]:
        """See `Dialect.limit_headers`."""
        return openai_common.limit_headers(limits)


def _stream_options(fields: dict[str, msgspec.Raw]) -> dict[str, Any]:
    options = read(fields, "stream_options", dict)
    return options or {}


def _count_media(messages: object) -> int:
    if not isinstance(messages, list):
        return 0
    count = 0
    for message in messages:
        content = message.get("content") if isinstance(message, dict) else None
        if isinstance(content, list):
            count += sum(str(as_object(part).get("type")) in MEDIA_TYPES for part in content)
    return count


def _turn(message: dict[str, Any]) -> Message:
    role = message["role"]
    name = message.get("name")
    if role == "tool":
        content = tuple(part for part in _parts(message.get("content")) if isinstance(part, Text | Media))
        return Message(Role.USER, (ToolResult(str(message.get("tool_call_id", "")), content),))
    parts = list(_parts(message.get("content")))
    if role == "assistant":
        calls = message.get("tool_calls")
        parts.extend(_tool_call(as_object(call)) for call in (calls if isinstance(calls, list) else ()))
        return Message(Role.ASSISTANT, tuple(parts), name)
    return Message(Role.USER, tuple(parts), name)


def _tool_call(call: dict[str, Any]) -> ToolCall:
    function = as_object(call.get("function"))
    return ToolCall(str(call.get("id", "")), str(function.get("name", "")), str(function.get("arguments", "")))


def _parts(content: object) -> Sequence[Part]:
    if content is None:
        return ()
    if isinstance(content, str):
        return (Text(content),)
    parts: list[Part] = []
    for part in content if isinstance(content, list) else ():
        if not isinstance(part, dict):
            continue
        kind = str(part.get("type"))
        if kind in {"text", "refusal"}:
            parts.append(Text(str(part.get(kind) or part.get("text") or "")))
        elif kind == "image_url":
            image = as_object(part.get("image_url"))
            parts.append(Media("image", url=str(image.get("url", "")), detail=image.get("detail")))
        elif kind == "input_audio":
            audio = as_object(part.get("input_audio"))
            parts.append(Media("audio", media_type=audio.get("format"), data=audio.get("data")))
        elif kind == "file":
            file = as_object(part.get("file"))
            parts.append(Media("document", data=file.get("file_data"), file_id=file.get("file_id")))
    return parts


def _tools(fields: dict[str, msgspec.Raw]) -> tuple[Tool, ...]:
    tools = []
    for tool in read(fields, "tools", list) or ():
        function = tool.get("function") if isinstance(tool, dict) else None
        if isinstance(function, dict):
            tools.append(
                Tool(
                    str(function.get("name", "")),
                    function.get("description"),
                    function.get("parameters"),
                    function.get("strict"),
                )
            )
    return tuple(tools)


def _tool_choice(fields: dict[str, msgspec.Raw]) -> tuple[ToolChoice | None, bool | None]:
    parallel = read(fields, "parallel_tool_calls", bool)
    raw = fields.get("tool_choice")
    choice = None if raw is None else read_any(raw, "tool_choice")
    if isinstance(choice, dict):
        return ToolChoice("named", (str(as_object(choice.get("function")).get("name", "")),)), parallel
    return _CHOICES.get(choice) if isinstance(choice, str) else None, parallel


_CHOICES = {name: ToolChoice(name) for name in ("auto", "required", "none")}


def _stop(fields: dict[str, msgspec.Raw]) -> tuple[str, ...]:
    raw = fields.get("stop")
    stop = None if raw is None else read_any(raw, "stop")
    if isinstance(stop, str):
        return (stop,)
    return tuple(str(entry) for entry in stop) if isinstance(stop, list) else ()


DIALECT = OpenAIChat()
