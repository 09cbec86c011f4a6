"""Messages."""

import json
from typing import Any

from enfilade.core.messages import (
    Completion,
    Conversation,
    Finish,
    Media,
    Message,
    Opaque,
    Reasoning,
    Role,
    Sealed,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.core.usage import Usage
from enfilade.dialects.members.anthropic_messages import DIALECT
from tests.contract.shapes import DialectSample, StreamSample, sse

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}}
REQUEST = {
    "model": "claude",
    "max_tokens": 40,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this? Größe 3 €"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}},
                {"type": "document", "source": {"type": "url", "url": "https://files.example/a.pdf"}},
            ],
        },
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                {"type": "redacted_thinking", "data": "c2VhbGVk"},
                {"type": "tool_use", "id": "toolu_1", "name": "weather", "input": {"city": "Bonn"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {
                    "type": "tool_result",
                    "tool_use_id": "toolu_1",
                    "is_error": True,
                    "content": [{"type": "image", "source": {"type": "file", "file_id": "file_1"}}],
                },
                {"type": "a_new_kind", "kept": True},
            ],
        },
    ],
    "temperature": 0,
    "top_p": 0,
    "stop_sequences": ["END"],
    "tools": [
        {"name": "weather", "description": "Now", "input_schema": SCHEMA},
        {"type": "web_search_20250305", "name": "web_search"},
    ],
    "tool_choice": {"type": "tool", "name": "weather", "disable_parallel_tool_use": True},
    "a_new_field": {"kept": [1, 2.50, None], "big": 12345678901234567890},
}
WEB_SEARCH = Opaque("anthropic_messages", "web_search_20250305", {"type": "web_search_20250305", "name": "web_search"})
CONVERSATION = Conversation(
    system=(Text("Be brief.", cache="5m"),),
    messages=(
        Message(
            Role.USER,
            (
                Text("What is this? Größe 3 €"),
                Media("image", media_type="image/png", data="iVBORw0KGgo="),
                Media("document", url="https://files.example/a.pdf"),
            ),
        ),
        Message(
            Role.ASSISTANT,
            (
                Reasoning("Hm.", Sealed("anthropic", "c2ln")),
                Reasoning(seal=Sealed("anthropic", "c2VhbGVk"), redacted=True),
                ToolCall("toolu_1", "weather", '{"city": "Bonn"}'),
            ),
        ),
        Message(
            Role.USER,
            (
                ToolResult("toolu_1", (Media("image", file_id="file_1"),), is_error=True),
                Opaque("anthropic_messages", "a_new_kind", {"type": "a_new_kind", "kept": True}),
            ),
        ),
    ),
    tools=(Tool("weather", "Now", SCHEMA), Tool("web_search", hosted=WEB_SEARCH)),
    tool_choice=ToolChoice("named", ("weather",)),
    parallel_tool_calls=False,
    max_output_tokens=40,
    temperature=0.0,
    top_p=0.0,
    stop=("END",),
    foreign=("a_new_field",),
)
REPORT = {
    "input_tokens": 10,
    "cache_read_input_tokens": 20,
    "cache_creation_input_tokens": 7,
    "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
    "output_tokens": 9,
    "output_tokens_details": {"thinking_tokens": 4},
    "server_tool_use": {"web_search_requests": 1},
}
USAGE = Usage(37, 20, 4, 3, 9, 4, web_searches=1)
REPLY = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "up-1",
    "content": [{"type": "text", "text": "Yes."}],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": REPORT,
}


def event(kind: str, **fields: Any) -> str:
    """An event, named twice as the wire has it."""
    return f"event: {kind}\ndata: " + json.dumps({"type": kind} | fields, separators=(",", ":"))


def start(usage: dict[str, Any]) -> str:
    """The event that opens a message."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "up-1", "content": [], "usage": usage}
    return event("message_start", message=message)


def text(piece: str, index: int = 0) -> str:
    """A piece of text."""
    return event("content_block_delta", index=index, delta={"type": "text_delta", "text": piece})


OPEN = event("content_block_start", index=0, content_block={"type": "text", "text": ""})
CLOSE = event("content_block_stop", index=0)
PING, END = event("ping"), event("message_stop")
EARLY = {name: figure for name, figure in REPORT.items() if name != "output_tokens_details"} | {"output_tokens": 1}
BEGUN = sse(start(EARLY), OPEN, text("Hel"), PING, text("lo €"))
DELTA = event(
    "message_delta",
    delta={"stop_reason": "end_turn", "stop_sequence": None},
    usage={"output_tokens": 9, "output_tokens_details": {"thinking_tokens": 4}},
)
INPUT_USAGE = Usage(37, 20, 4, 3, 0, 0, web_searches=1)

STREAMS = (
    StreamSample(
        name="only the output in the last usage",
        wire=BEGUN + sse(CLOSE, DELTA, END),
        usage=USAGE,
        finish=Finish.STOP,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="all figures again, changed",
        wire=BEGUN
        + sse(CLOSE, event("message_delta", delta={"stop_reason": "max_tokens"}, usage=REPORT | {"input_tokens": 15}))
        + sse(END),
        usage=Usage(42, 20, 4, 3, 9, 4, web_searches=1),
        finish=Finish.LENGTH,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="thinking, a tool and a kind that is new to us",
        wire=sse(
            start(EARLY),
            event("content_block_start", index=0, content_block={"type": "thinking", "thinking": "", "signature": ""}),
            event("content_block_delta", index=0, delta={"type": "signature_delta", "signature": "c2ln"}),
            CLOSE,
            event("content_block_start", index=1, content_block={"type": "server_tool_use", "id": "s", "name": "w"}),
            event("content_block_delta", index=1, delta={"type": "input_json_delta", "partial_json": ""}),
            event("content_block_stop", index=1),
            event("something_else", kept={"message_id": 1}),
            event("message_delta", delta={"stop_reason": "tool_use"}, usage={"output_tokens": 9}),
            END,
        ),
        usage=Usage(37, 20, 4, 3, 9, 0, web_searches=1),
        finish=Finish.TOOL_CALLS,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="CRLF line ends",
        wire=(BEGUN + sse(CLOSE, DELTA, END)).replace(b"\n", b"\r\n"),
        usage=USAGE,
        finish=Finish.STOP,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="an error after two chunks",
        wire=BEGUN + sse(event("error", error={"type": "overloaded_error", "message": "Overloaded"})),
        usage=INPUT_USAGE,
        finish=None,
        model="up-1",
        complete=False,
        error="Overloaded",
        events=2,
        asked=BEGUN,
        unasked=BEGUN,
    ),
    StreamSample(
        name="cut in the middle",
        wire=BEGUN,
        usage=INPUT_USAGE,
        finish=None,
        model="up-1",
        complete=False,
        events=2,
    ),
    StreamSample(
        name="cut before its last event",
        wire=BEGUN + sse(CLOSE, DELTA),
        usage=USAGE,
        finish=Finish.STOP,
        model="up-1",
        complete=False,
        events=2,
    ),
)

ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    502: "api_error",
    503: "api_error",
    504: "timeout_error",
    529: "overloaded_error",
}

SAMPLE = DialectSample(
    dialect=DIALECT,
    request=REQUEST,
    question=CONVERSATION,
    media=3,
    plain={"model": "claude", "max_tokens": 5, "messages": [{"role": "user", "content": "Hi"}]},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "model of another type": ({"model": {}}, "wrong_type", "model"),
        "no messages": ({"messages": None}, "missing_field", "messages"),
        "empty messages": ({"messages": []}, "wrong_type", "messages"),
        "no output bound": ({"max_tokens": None}, "missing_field", "max_tokens"),
        "output bound of nothing": ({"max_tokens": 0}, "wrong_type", "max_tokens"),
        "output bound as text": ({"max_tokens": "5"}, "wrong_type", "max_tokens"),
        "absurd output bound": ({"max_tokens": 10**30}, "wrong_type", "max_tokens"),
        "stream as a number": ({"stream": 1}, "wrong_type", "stream"),
    },
    reply=REPLY,
    usage=USAGE,
    finish=Finish.TOOL_CALLS,
    not_replies=(
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b'{"type":"error","error":{"type":"api_error","message":"no"}}',
        b'{"type":"error","content":[]}',
        b"\xff",
    ),
    streams=STREAMS,
    completions=(
        Completion("id-1", "up-1", 7, (Text("Grüße, 世界"),), Finish.STOP, Usage(9, 2, 3, 0, 4, 0)),
        Completion("id-2", "up-1", 7, (Text(""),), Finish.LENGTH, Usage(5, output_tokens=0)),
        Completion(
            "id-3",
            "up-1",
            7,
            (Text("Let me see."), ToolCall("c1", "weather", '{"city":"Bonn"}'), ToolCall("c2", "clock", "{}")),
            Finish.TOOL_CALLS,
            Usage(5, output_tokens=20),
        ),
        Completion("id-4", "up-1", 7, (Text("No."),), Finish.REFUSAL, Usage(5, output_tokens=1)),
    ),
    error_envelope={"type": "error"},
    error_types=ERROR_TYPES,
    output_fields=("max_tokens",),
)
