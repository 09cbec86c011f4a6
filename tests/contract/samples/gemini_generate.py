"""Gemini: what is generated."""

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
from enfilade.dialects.members.gemini_generate import DIALECT
from tests.contract.shapes import DialectSample, StreamSample

REQUEST = {
    "model": "gemini",
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "What is this? Größe 3 €"},
                {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgo="}},
                {"fileData": {"mimeType": "application/pdf", "fileUri": "https://files.example/a.pdf"}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {"text": "Hm.", "thought": True},
                {"functionCall": {"name": "weather", "args": {"city": "Bonn"}}, "thoughtSignature": "c2ln"},
            ],
        },
        {"parts": [{"functionResponse": {"name": "weather", "response": {"error": "no sky"}}}]},
    ],
    "tools": [
        {
            "functionDeclarations": [
                {"name": "weather", "description": "Now", "parameters": {"type": "OBJECT", "nullable": True}}
            ]
        },
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}},
    "generationConfig": {"temperature": 0, "topP": 0, "topK": 3, "seed": 0, "stopSequences": ["END"]},
    "a_new_field": {"kept": [1, 2.50, None], "big": 12345678901234567890},
}
CONVERSATION = Conversation(
    system=(Text("Be brief."),),
    messages=(
        Message(
            Role.USER,
            (
                Text("What is this? Größe 3 €"),
                Media("image", media_type="image/png", data="iVBORw0KGgo="),
                Media("document", media_type="application/pdf", url="https://files.example/a.pdf"),
            ),
        ),
        Message(
            Role.ASSISTANT,
            (
                Reasoning("Hm."),
                ToolCall("gemini-call-0", "weather", '{"city":"Bonn"}', seal=Sealed("gemini", "c2ln")),
            ),
        ),
        Message(Role.USER, (ToolResult("gemini-call-0", (Text("no sky"),), is_error=True, name="weather"),)),
    ),
    tools=(
        Tool("weather", "Now", {"type": ["object", "null"]}),
        Tool("googleSearch", hosted=Opaque("gemini_generate", "googleSearch", {"googleSearch": {}})),
    ),
    tool_choice=ToolChoice("named", ("weather",)),
    temperature=0.0,
    top_p=0.0,
    top_k=3,
    seed=0,
    stop=("END",),
    harmless=("model",),
    foreign=("a_new_field",),
)
REPORT = {
    "promptTokenCount": 27,
    "toolUsePromptTokenCount": 10,
    "cachedContentTokenCount": 20,
    "candidatesTokenCount": 5,
    "thoughtsTokenCount": 4,
    "totalTokenCount": 46,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 27}],
}
USAGE = Usage(37, 20, 0, 0, 9, 4)


def chunk(parts: list[dict[str, Any]], finish: str | int | None = None, **more: Any) -> str:
    """An event with one candidate."""
    candidate: dict[str, Any] = {"content": {"parts": parts, "role": "model"}, "index": 0}
    if finish is not None:
        candidate["finishReason"] = finish
    fields = {"candidates": [candidate], "modelVersion": "up-1", "responseId": "r1"}
    return "data: " + json.dumps(fields | more, separators=(",", ":"))


def crlf(*events: str) -> bytes:
    """Events as Google separates them."""
    return "".join(event + "\r\n\r\n" for event in events).encode()


EARLY = {"promptTokenCount": 37, "candidatesTokenCount": 1}
HELLO, WORLD = chunk([{"text": "Hel"}], usageMetadata=EARLY), chunk([{"text": "lo €"}], kept={"x": 1})
BLOCKED = (
    'data: {"promptFeedback":{"blockReason":"SAFETY"},"modelVersion":"up-1","usageMetadata":{"promptTokenCount":3}}'
)
ERROR = 'data: {"error":{"code":503,"message":"Overloaded","status":"UNAVAILABLE"}}'

STREAMS = (
    StreamSample(
        name="text",
        wire=crlf(HELLO, WORLD, chunk([{"text": ""}], "STOP", usageMetadata=REPORT)),
        usage=USAGE,
        finish=Finish.STOP,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="LF line ends, out of tokens",
        wire=crlf(HELLO, chunk([{"text": "lo"}], "MAX_TOKENS", usageMetadata=REPORT)).replace(b"\r\n", b"\n"),
        usage=USAGE,
        finish=Finish.LENGTH,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="thoughts and a call",
        wire=crlf(
            chunk([{"text": "Hm.", "thought": True}]),
            chunk([{"functionCall": {"name": "weather", "args": {}}, "thoughtSignature": "c2ln"}], "STOP"),
        ),
        usage=None,
        finish=Finish.TOOL_CALLS,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="a finish reason with every chunk",
        wire=crlf(chunk([{"text": "a"}], "STOP"), chunk([{"text": "b"}], "STOP"), chunk([{"text": "c"}], "STOP")),
        usage=None,
        finish=Finish.STOP,
        model="up-1",
        events=3,
    ),
    StreamSample(
        name="reasons as numbers",
        wire=crlf(HELLO, chunk([{"text": "lo"}], 2, usageMetadata=REPORT)),
        usage=USAGE,
        finish=Finish.LENGTH,
        model="up-1",
        events=2,
    ),
    StreamSample(
        name="a blocked prompt",
        wire=crlf(BLOCKED),
        usage=Usage(3),
        finish=Finish.CONTENT_FILTER,
        model="up-1",
    ),
    StreamSample(
        name="an error after two chunks",
        wire=crlf(HELLO, WORLD, ERROR),
        usage=Usage(37, output_tokens=1),
        finish=None,
        model="up-1",
        complete=False,
        error="Overloaded",
        events=2,
        asked=crlf(HELLO, WORLD),
        unasked=crlf(HELLO, WORLD),
    ),
    StreamSample(
        name="cut before its last event",
        wire=crlf(HELLO, WORLD),
        usage=Usage(37, output_tokens=1),
        finish=None,
        model="up-1",
        complete=False,
        events=2,
    ),
)

ERROR_TYPES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    402: "RESOURCE_EXHAUSTED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def read_error(body: dict[str, Any]) -> dict[str, Any]:
    """What an error says, from where Google has it."""
    assert list(body) == ["error"]
    error = body["error"]
    details = {entry["@type"].rpartition(".")[2]: entry for entry in error["details"]}
    found = {"type": error["status"], "message": error["message"], "code": details["ErrorInfo"]["reason"]}
    found["request_id"] = details["RequestInfo"]["requestId"]
    if known := details["ErrorInfo"]["metadata"]:
        found["details"] = {name: json.loads(text) if text.isdecimal() else text for name, text in known.items()}
    if "BadRequest" in details:
        found["param"] = details["BadRequest"]["fieldViolations"][0]["field"]
    return found


SAMPLE = DialectSample(
    dialect=DIALECT,
    request=REQUEST,
    question=CONVERSATION,
    media=2,
    plain={"model": "gemini", "contents": [{"parts": [{"text": "Hi"}]}]},
    refused={
        "no model": ({"model": None}, "missing_field", "model"),
        "model of another type": ({"model": {}}, "wrong_type", "model"),
        "no contents": ({"contents": None}, "missing_field", "contents"),
        "empty contents": ({"contents": []}, "missing_field", "contents"),
        "contents of another type": ({"contents": 7}, "wrong_type", "contents"),
        "an output bound of nothing": (
            {"generationConfig": {"maxOutputTokens": 0}},
            "wrong_type",
            "generationConfig.maxOutputTokens",
        ),
        "an output bound as text": (
            {"generation_config": {"max_output_tokens": "5"}},
            "wrong_type",
            "generationConfig.maxOutputTokens",
        ),
        "two output bounds": (
            {"generationConfig": {"maxOutputTokens": 5, "max_output_tokens": 6}},
            "wrong_type",
            "generationConfig.maxOutputTokens",
        ),
        "no candidate": (
            {"generationConfig": {"candidateCount": 0}},
            "wrong_type",
            "generationConfig.candidateCount",
        ),
        "two configurations": ({"generationConfig": {}, "generation_config": {}}, "wrong_type", "generationConfig"),
        "a configuration of another type": ({"generationConfig": [1]}, "wrong_type", "generationConfig"),
        "a tier as a number": ({"serviceTier": 1}, "wrong_type", "serviceTier"),
    },
    reply={
        "candidates": [
            {
                "content": {"parts": [{"functionCall": {"name": "weather", "args": {}}}], "role": "model"},
                "finishReason": "STOP",
            }
        ],
        "usageMetadata": REPORT,
        "modelVersion": "up-1",
        "responseId": "r1",
    },
    usage=USAGE,
    finish=Finish.TOOL_CALLS,
    not_replies=(b"", b"<html>", b"[]", b"{}", b'{"error":{"code":500,"message":"no"}}', b"\xff"),
    streams=STREAMS,
    completions=(
        Completion("id-1", "up-1", 7, (Text("Grüße, 世界"),), Finish.STOP, Usage(9, 2, 0, 0, 4, 1)),
        Completion("id-2", "up-1", 7, (Text(""),), Finish.LENGTH, Usage(5, output_tokens=0)),
        Completion(
            "id-3",
            "up-1",
            7,
            (Text("Let me see."), ToolCall("c1", "weather", '{"city":"Bonn"}'), ToolCall("c2", "clock", "{}")),
            Finish.TOOL_CALLS,
            Usage(5, output_tokens=20),
        ),
        Completion("id-4", "up-1", 7, (Text("No."),), Finish.CONTENT_FILTER, Usage(5, output_tokens=1)),
    ),
    error_envelope={},
    error_types=ERROR_TYPES,
    read_error=read_error,
    has_limit_headers=False,
    usage_field="usageMetadata",
    nested_bound=True,
)
