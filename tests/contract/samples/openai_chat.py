"""Chat completions."""

import json
from typing import Any

from enfilade.core.messages import (
    Completion,
    Conversation,
    Finish,
    Media,
    Message,
    ResponseFormat,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.core.usage import Usage
from enfilade.dialects.members.openai_chat import DIALECT
from tests.contract.shapes import DialectSample, StreamSample, sse

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
IMAGE = "data:image/png;base64,iVBORw0KGgo="
REQUEST = {
    "model": "chat",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {"role": "developer", "content": [{"type": "text", "text": "Use metres."}]},
        {
            "role": "user",
            "name": "ana",
            "content": [
                {"type": "text", "text": "What is this? Größe 3 €"},
                {"type": "image_url", "image_url": {"url": IMAGE, "detail": "low"}},
                {"type": "input_audio", "input_audio": {"data": "UklGRg==", "format": "wav"}},
                {"type": "file", "file": {"file_id": "file-7"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Bonn"}'}}
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "rain"},
    ],
    "max_completion_tokens": 40,
    "temperature": 0,
    "top_p": 0,
    "seed": 0,
    "stop": "END",
    "tools": [
        {
            "type": "function",
            "function": {"name": "weather", "description": "Now", "parameters": SCHEMA, "strict": True},
        }
    ],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "parallel_tool_calls": False,
    "response_format": {"type": "json_object"},
    "a_new_field": {"kept": [1, 2.50, None, "é"], "big": 12345678901234567890},
}
CONVERSATION = Conversation(
    system=(Text("Be brief."), Text("Use metres.")),
    messages=(
        Message(
            Role.USER,
            (
                Text("What is this? Größe 3 €"),
                Media("image", media_type="image/png", data="iVBORw0KGgo=", detail="low"),
                Media("audio", media_type="audio/wav", data="UklGRg=="),
                Media("document", file_id="file-7"),
            ),
            "ana",
        ),
        Message(Role.ASSISTANT, (ToolCall("call_1", "weather", '{"city": "Bonn"}'),)),
        Message(Role.USER, (ToolResult("call_1", (Text("rain"),)),)),
    ),
    tools=(Tool("weather", "Now", SCHEMA, strict=True),),
    tool_choice=ToolChoice("named", ("weather",)),
    parallel_tool_calls=False,
    max_output_tokens=40,
    temperature=0.0,
    top_p=0.0,
    stop=("END",),
    seed=0,
    response_format=ResponseFormat("json"),
    foreign=("a_new_field",),
)
REPORT = {
    "prompt_tokens": 30,
    "completion_tokens": 9,
    "total_tokens": 39,
    "prompt_tokens_details": {"cached_tokens": 20, "audio_tokens": None},
    "completion_tokens_details": {"reasoning_tokens": 4, "something_new": 1},
}
USAGE = Usage(input_tokens=30, cached_input_tokens=20, output_tokens=9, reasoning_tokens=4)
REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1761990000,
    "model": "up-1",
    "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {"role": "assistant", "content": None}}],
    "usage": REPORT,
    "system_fingerprint": None,
}


def chunk(delta: dict[str, Any] | None, finish: str | None = None, **more: Any) -> str:
    """An event; without a delta it has no choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "up-1", "choices": choices}
    return "data: " + json.dumps(head | more, separators=(",", ":"))


ROLE = chunk({"role": "assistant", "content": ""})
HELLO, WORLD = chunk({"content": "Hel"}), chunk({"content": "lo €"}, obfuscation="x7")
STOP = chunk({}, "stop")
LAST_USAGE = chunk(None, usage=REPORT)
DONE = "data: [DONE]"
AZURE = 'data: {"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0}]}'
TOOL_HEAD = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "weather", "arguments": ""}}


def with_null(event: str) -> str:
    """The event as it comes when usage was asked for."""
    return event[:-1] + ',"usage":null}'


def spaced(event: str) -> str:
    """The event as a server writes it that puts spaces into its JSON."""
    return "data: " + json.dumps(json.loads(event[6:]))


def written_again(event: str) -> str:
    """A spaced event from which a field was taken: what is inside the other fields stays as it was."""
    fields = json.loads(event[6:])
    return "data: {" + ",".join(f'"{name}":{json.dumps(value)}' for name, value in fields.items()) + "}"


def in_lines(event: str) -> str:
    """The event as a server writes it that breaks its JSON into lines."""
    return "\n".join("data: " + line for line in json.dumps(json.loads(event[6:]), indent=1).split("\n"))


def shared(name: str, wire: bytes, unasked: bytes | None = None, **more: Any) -> StreamSample:
    """A stream with the usual end."""
    known: dict[str, Any] = {"usage": USAGE, "finish": Finish.STOP, "model": "up-1"}
    return StreamSample(name=name, wire=wire, unasked=unasked, **(known | more))


PLAIN_EVENTS = (ROLE, HELLO, WORLD, STOP)
STREAMS = (
    shared(
        "usage after the finish",
        sse(*map(with_null, PLAIN_EVENTS), LAST_USAGE, DONE),
        sse(*PLAIN_EVENTS, DONE),
        events=2,
    ),
    shared("no usage at all", sse(*PLAIN_EVENTS, DONE), usage=None, events=2),
    shared("without [DONE]", sse(*PLAIN_EVENTS), usage=None, events=2, asked=sse(*PLAIN_EVENTS, DONE)),
    shared(
        "an opening event without choices and model",
        sse(AZURE, *PLAIN_EVENTS, LAST_USAGE, DONE),
        sse(AZURE, *PLAIN_EVENTS, DONE),
        events=2,
    ),
    shared(
        "usage in the last chunk of output",
        sse(ROLE, chunk({"content": "Hi"}, "length", usage=REPORT), DONE),
        sse(ROLE, chunk({"content": "Hi"}, "length"), DONE),
        finish=Finish.LENGTH,
        events=1,
    ),
    shared(
        "tool calls in fragments",
        sse(
            chunk({"role": "assistant", "content": None, "tool_calls": [TOOL_HEAD]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": '{"ci'}}]}),
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": 'ty":1}'}}]}),
            chunk({}, "tool_calls"),
            DONE,
        ),
        usage=None,
        finish=Finish.TOOL_CALLS,
        events=2,
    ),
    shared(
        "an invented finish reason, keep-alives and reasoning",
        sse(": keep-alive", ROLE, chunk({"reasoning_content": "Hm"}), ": again", chunk({}, "eos"), DONE),
        usage=None,
        events=1,
    ),
    shared(
        "CRLF line ends",
        sse(*PLAIN_EVENTS, LAST_USAGE, DONE).replace(b"\n", b"\r\n"),
        sse(*PLAIN_EVENTS, DONE).replace(b"\n", b"\r\n"),
        events=2,
        # The usage chunk is held back and written anew.
        asked=sse(*PLAIN_EVENTS).replace(b"\n", b"\r\n") + sse(LAST_USAGE) + (DONE + "\r\n\r\n").encode(),
    ),
    shared(
        "no blank line after [DONE]",
        sse(*PLAIN_EVENTS) + DONE.encode(),
        usage=None,
        events=2,
        asked=sse(*PLAIN_EVENTS, DONE),
    ),
    shared(
        "an error instead of a stream",
        b'{"error":{"message":"Overloaded"}}',
        usage=None,
        finish=None,
        model=None,
        complete=False,
        asked=b"",
        unasked=b"",
    ),
    shared(
        "spaces in its JSON",
        sse(*(spaced(with_null(event)) for event in PLAIN_EVENTS), spaced(LAST_USAGE), DONE),
        sse(*map(written_again, PLAIN_EVENTS), DONE),
        events=2,
    ),
    shared(
        "data in several lines",
        sse(ROLE, HELLO, WORLD, STOP, *map(in_lines, (LAST_USAGE,)), DONE),
        sse(*PLAIN_EVENTS, DONE),
        events=2,
        asked=sse(*PLAIN_EVENTS, "data: " + json.dumps(json.loads(LAST_USAGE[6:]), indent=1).replace("\n", " "), DONE),
    ),
    shared(
        "an error after two chunks",
        sse(ROLE, HELLO, 'data: {"error":{"message":"Overloaded","type":"server_error","code":503}}'),
        usage=None,
        finish=None,
        complete=False,
        error="Overloaded",
        events=1,
        asked=sse(ROLE, HELLO),
        unasked=sse(ROLE, HELLO),
    ),
    shared(
        "an error beside its choices",
        sse(ROLE, chunk({"content": ""}, "error", error={"message": "Provider gone", "code": 502}), DONE),
        usage=None,
        finish=None,
        complete=False,
        error="Provider gone",
        asked=sse(ROLE),
        unasked=sse(ROLE),
    ),
    shared("cut in the middle", sse(ROLE, HELLO), usage=None, finish=None, complete=False, events=1),
)

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
    500: "server_error",
    502: "server_error",
    503: "server_error",
    504: "server_error",
}

SAMPLE = DialectSample(
    dialect=DIALECT,
    request=REQUEST,
    question=CONVERSATION,
    media=3,
    plain={"model": "chat", "messages": [{"role": "user", "content": "Hi"}]},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "model of another type": ({"model": 5}, "wrong_type", "model"),
        "model with a line break": ({"model": "a\r\nx: y"}, "wrong_type", "model"),
        "empty model": ({"model": ""}, "wrong_type", "model"),
        "no messages": ({"messages": None}, "missing_field", "messages"),
        "empty messages": ({"messages": []}, "wrong_type", "messages"),
        "messages as text": ({"messages": "Hi"}, "wrong_type", "messages"),
        "stream as text": ({"stream": "yes"}, "wrong_type", "stream"),
        "output bound of nothing": ({"max_tokens": 0}, "wrong_type", "max_tokens"),
        "negative output bound": ({"max_completion_tokens": -1}, "wrong_type", "max_completion_tokens"),
        "absurd output bound": ({"max_tokens": 10**30}, "wrong_type", "max_tokens"),
        "fraction of a token": ({"max_tokens": 1.5}, "wrong_type", "max_tokens"),
        "no choice": ({"n": 0}, "wrong_type", "n"),
        "a thousand choices": ({"n": 1000}, "wrong_type", "n"),
        "half a choice": ({"n": 0.5}, "wrong_type", "n"),
        "choices as text": ({"n": "2"}, "wrong_type", "n"),
        "stream options as text": ({"stream_options": "all"}, "wrong_type", "stream_options"),
    },
    reply=REPLY,
    usage=USAGE,
    finish=Finish.TOOL_CALLS,
    not_replies=(
        b"",
        b"<html>",
        b"[]",
        b'"text"',
        b"{}",
        b'{"choices":null}',
        b'{"error":{"message":"no"},"choices":[]}',
        b'{"choices":[' * 3000,
        b"\xff\xfe",
    ),
    streams=STREAMS,
    completions=(
        Completion("id-1", "up-1", 7, (Text("Grüße, 世界"),), Finish.STOP, Usage(5, 2, 0, 0, 4, 1)),
        Completion("id-2", "up-1", 7, (Text(""),), Finish.LENGTH, Usage(5, output_tokens=0)),
        Completion(
            "id-3",
            "up-1",
            7,
            (Text("Let me see."), ToolCall("c1", "weather", '{"city":"Bonn"}'), ToolCall("c2", "clock", "{}")),
            Finish.TOOL_CALLS,
            Usage(5, output_tokens=20),
        ),
        Completion("id-4", "up-1", 7, (Text("No."),), Finish.CONTENT_FILTER, None),
    ),
    error_envelope={},
    error_types=ERROR_TYPES,
    output_fields=("max_completion_tokens", "max_tokens"),
    asks_for_usage={"stream_options": {"include_usage": True}},
)
