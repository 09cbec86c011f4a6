"""Responses."""

import json
from typing import Any

from enfilade.core.messages import (
    Completion,
    Conversation,
    Finish,
    Media,
    Message,
    Reasoning,
    ResponseFormat,
    Role,
    Sealed,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.core.usage import Usage
from enfilade.dialects.members.openai_responses import DIALECT
from tests.contract.samples.openai_chat import ERROR_TYPES
from tests.contract.shapes import DialectSample, StreamSample, sse

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
REQUEST = {
    "model": "chat",
    "instructions": "Be brief.",
    "input": [
        {"role": "developer", "content": "Use metres."},
        {
            "type": "message",
            "role": "user",
            "content": [
                {"type": "input_text", "text": "What is this? Größe 3 €"},
                {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo=", "detail": "low"},
                {"type": "input_file", "file_id": "file-7"},
            ],
        },
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {
            "type": "function_call",
            "id": "fc_1",
            "call_id": "call_1",
            "name": "weather",
            "arguments": '{"city": "Bonn"}',
            "status": "completed",
        },
        {"type": "function_call_output", "call_id": "call_1", "output": "rain"},
    ],
    "max_output_tokens": 40,
    "temperature": 0,
    "top_p": 0,
    "tools": [{"type": "function", "name": "weather", "description": "Now", "parameters": SCHEMA, "strict": True}],
    "tool_choice": {"type": "function", "name": "weather"},
    "parallel_tool_calls": False,
    "text": {"format": {"type": "json_object"}, "verbosity": "low"},
    "reasoning": {"effort": "low", "summary": "auto"},
    "include": ["reasoning.encrypted_content"],
    "store": False,
    "a_new_field": {"kept": [1, 2.50, None, "é"], "big": 12345678901234567890},
}
CONVERSATION = Conversation(
    system=(Text("Be brief."),),
    messages=(
        Message(Role.SYSTEM, (Text("Use metres."),)),
        Message(
            Role.USER,
            (
                Text("What is this? Größe 3 €"),
                Media("image", "image/png", "iVBORw0KGgo=", detail="low"),
                Media("document", file_id="file-7"),
            ),
        ),
        Message(
            Role.ASSISTANT,
            (
                Reasoning(seal=Sealed("openai", "gAAA"), redacted=True, id="rs_1"),
                ToolCall("call_1", "weather", '{"city": "Bonn"}', item_id="fc_1"),
            ),
        ),
        Message(Role.USER, (ToolResult("call_1", (Text("rain"),)),)),
    ),
    tools=(Tool("weather", "Now", SCHEMA, strict=True),),
    tool_choice=ToolChoice("named", ("weather",)),
    parallel_tool_calls=False,
    max_output_tokens=40,
    temperature=0.0,
    top_p=0.0,
    response_format=ResponseFormat("json"),
    verbosity="low",
    thinking=Thinking(effort="low", shown=True, summary="auto"),
    foreign=("a_new_field",),
)
REPORT = {
    "input_tokens": 30,
    "input_tokens_details": {"cached_tokens": 20, "something_new": None},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
    "total_tokens": 39,
}
USAGE = Usage(input_tokens=30, cached_input_tokens=20, output_tokens=9, reasoning_tokens=4)
CALL = {"id": "fc_1", "type": "function_call", "call_id": "call_1", "name": "weather", "arguments": "{}"}
REPLY = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1761990000,
    "model": "up-1",
    "status": "completed",
    "error": None,
    "incomplete_details": None,
    "output": [{"id": "rs_1", "type": "reasoning", "summary": []}, CALL],
    "usage": REPORT,
}
HEAD: dict[str, Any] = {
    "id": "resp_1",
    "object": "response",
    "model": "up-1",
    "error": None,
    "incomplete_details": None,
    "output": [],
}
MESSAGE = {"id": "msg_1", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
WHERE = {"item_id": "msg_1", "output_index": 0, "content_index": 0}


def event(kind: str, number: int, **fields: Any) -> str:
    """An event as OpenAI sends it."""
    data = {"type": kind, "sequence_number": number} | fields
    return f"event: {kind}\ndata: " + json.dumps(data, separators=(",", ":"))


def text(value: str) -> dict[str, Any]:
    """A part of a message."""
    return {"type": "output_text", "text": value, "annotations": [], "logprobs": []}


def final(status: str, number: int, **more: Any) -> str:
    """The last event."""
    told = {"status": status, "usage": REPORT, "output": [DONE_MESSAGE]} | more
    return event(f"response.{status}", number, response=HEAD | told)


DONE_MESSAGE = MESSAGE | {"status": "completed", "content": [text("Hello €")]}
CREATED = event("response.created", 0, response=HEAD | {"status": "in_progress"})
IN_PROGRESS = event("response.in_progress", 1, response=HEAD | {"status": "in_progress"})
OPENING = (
    CREATED,
    IN_PROGRESS,
    event("response.output_item.added", 2, output_index=0, item=MESSAGE),
    event("response.content_part.added", 3, **WHERE, part=text("")),
)
DELTAS = (
    event("response.output_text.delta", 4, **WHERE, delta="Hel", logprobs=[], obfuscation="x7"),
    event("response.output_text.delta", 5, **WHERE, delta="lo €", logprobs=[]),
)
CLOSING = (
    event("response.output_text.done", 6, **WHERE, text="Hello €", logprobs=[]),
    event("response.content_part.done", 7, **WHERE, part=text("Hello €")),
    event("response.output_item.done", 8, output_index=0, item=DONE_MESSAGE),
)
COMPLETED = final("completed", 9)
PLAIN = (*OPENING, *DELTAS, *CLOSING, COMPLETED)


def in_lines(given: str) -> str:
    """The event as a server writes it that breaks its JSON into lines."""
    name, data = given.split("\ndata: ", 1)
    return "\n".join([name, *("data: " + line for line in json.dumps(json.loads(data), indent=1).split("\n"))])


def shared(name: str, *events: str, **more: Any) -> StreamSample:
    """A stream with the usual end."""
    known: dict[str, Any] = {"usage": USAGE, "finish": Finish.STOP, "model": "up-1", "events": 2}
    return StreamSample(name=name, **({"wire": sse(*events)} | known | more))


ARGUMENTS = {"item_id": "fc_1", "output_index": 0}
STREAMS = (
    shared("a text", *PLAIN),
    shared(
        "a call whose arguments come in pieces",
        CREATED,
        event("response.output_item.added", 1, output_index=0, item=CALL | {"arguments": ""}),
        event("response.function_call_arguments.delta", 2, **ARGUMENTS, delta='{"ci'),
        event("response.function_call_arguments.delta", 3, **ARGUMENTS, delta='ty":1}'),
        event("response.function_call_arguments.done", 4, **ARGUMENTS, arguments='{"city":1}'),
        event("response.output_item.done", 5, output_index=0, item=CALL | {"arguments": '{"city":1}'}),
        final("completed", 6, output=[CALL]),
        finish=Finish.TOOL_CALLS,
    ),
    shared(
        "reasoning, keep-alives and an event that is new to us",
        CREATED,
        ": keep-alive",
        event("response.output_item.added", 1, output_index=0, item={"id": "rs_1", "type": "reasoning", "summary": []}),
        event("response.reasoning_summary_text.delta", 2, output_index=0, summary_index=0, item_id="rs_1", delta="Hm"),
        event("response.a_new_one", 3, output_index=0, delta={"a": 1}),
        ": again",
        final("completed", 4, output=[]),
        events=1,
    ),
    shared(
        "out of tokens",
        *OPENING,
        *DELTAS,
        final("incomplete", 6, incomplete_details={"reason": "max_output_tokens"}),
        finish=Finish.LENGTH,
    ),
    shared(
        "filtered",
        *OPENING,
        *DELTAS,
        final("incomplete", 6, incomplete_details={"reason": "content_filter"}, usage=None),
        finish=Finish.CONTENT_FILTER,
        usage=None,
    ),
    shared("CRLF line ends", wire=sse(*PLAIN).replace(b"\n", b"\r\n")),
    shared("data in several lines", *OPENING, *DELTAS, *map(in_lines, CLOSING), in_lines(COMPLETED)),
    shared(
        "no names of events, and [DONE] at the end",
        wire=sse(*(given.split("\n", 1)[1] for given in PLAIN), "data: [DONE]"),
        asked=sse(*(given.split("\n", 1)[1] for given in PLAIN)),
    ),
    shared(
        "no blank line after the last event",
        wire=sse(*PLAIN)[:-2],
        asked=sse(*PLAIN),
    ),
    shared(
        "an error instead of a stream",
        event("error", 0, code="server_error", message="Overloaded", param=None),
        usage=None,
        finish=None,
        model=None,
        events=0,
        complete=False,
        error="Overloaded",
        asked=b"",
    ),
    shared(
        "an error in the middle",
        *OPENING,
        *DELTAS,
        event("error", 6, error={"type": "server_error", "message": "Overloaded"}),
        usage=None,
        finish=None,
        complete=False,
        error="Overloaded",
        asked=sse(*OPENING, *DELTAS),
    ),
    shared(
        "a response that failed",
        *OPENING,
        *DELTAS,
        final("failed", 6, error={"code": "server_error", "message": "It broke down"}),
        finish=None,
        complete=False,
        error="It broke down",
        asked=sse(*OPENING, *DELTAS),
    ),
    shared("cut in the middle", *OPENING, *DELTAS, usage=None, finish=None, complete=False),
)

SAMPLE = DialectSample(
    dialect=DIALECT,
    request=REQUEST,
    question=CONVERSATION,
    media=2,
    plain={"model": "chat", "input": "Hi", "store": False},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "model of another type": ({"model": 5}, "wrong_type", "model"),
        "model with a line break": ({"model": "a\r\nx: y"}, "wrong_type", "model"),
        "no input": ({"input": None}, "missing_field", "input"),
        "empty input": ({"input": []}, "wrong_type", "input"),
        "input as a number": ({"input": 5}, "wrong_type", "input"),
        "stream as text": ({"stream": "yes"}, "wrong_type", "stream"),
        "output bound of nothing": ({"max_output_tokens": 0}, "wrong_type", "max_output_tokens"),
        "fraction of a token": ({"max_output_tokens": 1.5}, "wrong_type", "max_output_tokens"),
        "in the background": ({"background": True}, "invalid_request", "background"),
        "two histories": (
            {"previous_response_id": "resp_1", "conversation": "conv_1"},
            "invalid_request",
            "previous_response_id",
        ),
        "conversation as a number": ({"conversation": 5}, "wrong_type", "conversation"),
        "conversation without an id": ({"conversation": {}}, "wrong_type", "conversation.id"),
        "store as text": ({"store": "yes"}, "wrong_type", "store"),
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
        b'{"output":null}',
        b'{"error":{"message":"no"}}',
        b'{"output":[' * 3000,
        b"\xff\xfe",
    ),
    streams=STREAMS,
    completions=(
        Completion("resp_1", "up-1", 7, (Text("Grüße, 世界"),), Finish.STOP, Usage(5, 2, 1, 0, 4, 1)),
        Completion("resp_2", "up-1", 7, (Text(""),), Finish.LENGTH, Usage(5, output_tokens=0)),
        Completion(
            "resp_3",
            "up-1",
            7,
            (Text("Let me see."), ToolCall("c1", "weather", '{"city":"Bonn"}'), ToolCall("c2", "clock", "{}")),
            Finish.TOOL_CALLS,
            Usage(5, output_tokens=20),
        ),
        Completion("resp_4", "up-1", 7, (Text("No."),), Finish.CONTENT_FILTER, None),
    ),
    error_envelope={},
    error_types=ERROR_TYPES,
    error_event_name="error",
    output_fields=("max_output_tokens",),
)
