"""The same few questions as callers of each dialect write them."""

import json
from dataclasses import dataclass
from typing import Any

import httpx2

from enfilade.core.messages import Completion
from enfilade.dialects.codec import Upstream
from enfilade.dialects.collecting import Collector
from enfilade.dialects.registry import load_dialects

DIALECTS = load_dialects()
SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
GENERATING = ("anthropic_messages", "gemini_generate", "openai_chat", "openai_responses")


@dataclass(frozen=True, slots=True)
class Asked:
    """Where a question goes, and how it is written."""

    path: str
    body: dict[str, Any]


def question(dialect: str, model: str, text: str, *, stream: bool = False, tools: bool = False) -> Asked:
    """A question with a text, perhaps with a tool to use."""
    said: dict[str, Any]
    if dialect == "gemini_generate":
        method = "streamGenerateContent?alt=sse" if stream else "generateContent"
        said = {"contents": [{"role": "user", "parts": [{"text": text}]}]}
        if tools:
            function = {"name": "weather", "description": "Tells it", "parametersJsonSchema": SCHEMA}
            said["tools"] = [{"functionDeclarations": [function]}]
        return Asked(f"/v1beta/models/{model}:{method}", said)
    said = {"model": model, "stream": stream}
    if dialect == "openai_responses":
        said |= {"input": text, "store": False}
        if tools:
            said["tools"] = [{"type": "function", "name": "weather", "description": "Tells it", "parameters": SCHEMA}]
        return Asked("/v1/responses", said)
    said["messages"] = [{"role": "user", "content": text}]
    if dialect == "anthropic_messages":
        said["max_tokens"] = 500
        if tools:
            said["tools"] = [{"name": "weather", "description": "Tells it", "input_schema": SCHEMA}]
        return Asked("/v1/messages", said)
    if stream:
        said["stream_options"] = {"include_usage": True}
    if tools:
        function = {"name": "weather", "description": "Tells it", "parameters": SCHEMA}
        said["tools"] = [{"type": "function", "function": function}]
    return Asked("/v1/chat/completions", said)


def continued(dialect: str, asked: Asked, reply: dict[str, Any], result: str) -> Asked:
    """The question with the reply's tool call answered, as a caller of the dialect sends it back."""
    body = json.loads(json.dumps(asked.body))
    if dialect == "openai_chat":
        message = reply["choices"][0]["message"]
        answers = [{"role": "tool", "tool_call_id": call["id"], "content": result} for call in message["tool_calls"]]
        body["messages"] += [message, *answers]
    elif dialect == "anthropic_messages":
        results = [
            {"type": "tool_result", "tool_use_id": block["id"], "content": result}
            for block in reply["content"]
            if block["type"] == "tool_use"
        ]
        body["messages"] += [
            {"role": "assistant", "content": reply["content"]},
            {"role": "user", "content": results},
        ]
    elif dialect == "gemini_generate":
        content = reply["candidates"][0]["content"]
        calls = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        parts = [
            {"functionResponse": {"id": call.get("id"), "name": call["name"], "response": {"result": result}}}
            for call in calls
        ]
        body["contents"] += [content, {"role": "user", "parts": parts}]
    else:
        outputs = [
            {"type": "function_call_output", "call_id": item["call_id"], "output": result}
            for item in reply["output"]
            if item["type"] == "function_call"
        ]
        body["input"] = [{"role": "user", "content": body["input"]}, *reply["output"], *outputs]
    return Asked(asked.path, body)


def answered(dialect: str, reply: httpx2.Response, *, stream: bool) -> Completion:
    """What a reply came to, as the dialect's own reader takes it."""
    codec: Any = DIALECTS.get(dialect).codec
    upstream = Upstream("m", stream=stream, call_id="read")
    if not stream:
        whole: Completion = codec.read(reply.content, upstream)
        return whole
    decoder, collector = codec.decoder(upstream), Collector()
    for start in range(0, len(reply.content), 7):
        collector.take(decoder.feed(reply.content[start : start + 7]))
    collector.take(decoder.close())
    assert decoder.done or dialect == "gemini_generate"
    return collector.completion()
