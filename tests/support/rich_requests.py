"""A request in each dialect with something in most of its places, all of which the simulated models answer."""

import copy
import json
from collections.abc import Iterator
from typing import Any

SCHEMA = {"type": "object", "properties": {"a": {"type": "string", "enum": ["x"]}}, "required": ["a"]}
PICTURE = "iVBORw0KGgo="

CHAT: dict[str, Any] = {
    "model": "simulated/tools",
    "messages": [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PICTURE}", "detail": "low"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": '{"a":"x"}'}}],
        },
        {"role": "tool", "tool_call_id": "1", "content": "42"},
        {"role": "user", "content": "And?"},
    ],
    "tools": [
        {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": False}}
    ],
    "tool_choice": {"type": "function", "function": {"name": "f"}},
    "parallel_tool_calls": True,
    "stop": ["x"],
    "temperature": 0.5,
    "top_p": 1,
    "max_tokens": 50,
    "user": "u",
    "stream_options": {"include_usage": True},
    "response_format": {"type": "text"},
}
MESSAGES: dict[str, Any] = {
    "model": "simulated/tools",
    "max_tokens": 50,
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "messages": [
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "Hi"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}},
            ],
        },
        {"role": "assistant", "content": [{"type": "tool_use", "id": "1", "name": "f", "input": {"a": 1}}]},
        {
            "role": "user",
            "content": [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "text", "text": "2"}]}],
        },
        {"role": "user", "content": "And?"},
    ],
    "tools": [{"name": "f", "description": "d", "input_schema": SCHEMA}],
    "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": False},
    "stop_sequences": ["x"],
    "temperature": 0.5,
    "metadata": {"user_id": "u"},
}
RESPONSES: dict[str, Any] = {
    "model": "simulated/tools",
    "store": False,
    "instructions": "Be brief.",
    "input": [
        {
            "role": "user",
            "content": [
                {"type": "input_text", "text": "Hi"},
                {"type": "input_image", "image_url": f"data:image/png;base64,{PICTURE}", "detail": "low"},
            ],
        },
        {"type": "function_call", "call_id": "1", "name": "f", "arguments": '{"a":"x"}'},
        {"type": "function_call_output", "call_id": "1", "output": "42"},
        {"type": "message", "role": "user", "content": "And?"},
    ],
    "tools": [{"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": False}],
    "tool_choice": {"type": "function", "name": "f"},
    "parallel_tool_calls": True,
    "max_output_tokens": 50,
    "temperature": 0.5,
    "text": {"format": {"type": "text"}},
    "metadata": {"a": "b"},
    "include": [],
}
GEMINI: dict[str, Any] = {
    "systemInstruction": {"parts": [{"text": "Be brief."}]},
    "contents": [
        {"role": "user", "parts": [{"text": "Hi"}, {"inlineData": {"mimeType": "image/png", "data": PICTURE}}]},
        {"role": "model", "parts": [{"functionCall": {"id": "1", "name": "f", "args": {"a": "x"}}}]},
        {"role": "user", "parts": [{"functionResponse": {"id": "1", "name": "f", "response": {"result": "42"}}}]},
        {"role": "user", "parts": [{"text": "And?"}]},
    ],
    "tools": [{"functionDeclarations": [{"name": "f", "description": "d", "parametersJsonSchema": SCHEMA}]}],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "generationConfig": {
        "maxOutputTokens": 50,
        "temperature": 0.5,
        "stopSequences": ["x"],
        "candidateCount": 1,
        "thinkingConfig": {"thinkingBudget": 0},
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}
EMBED: dict[str, Any] = {
    "content": {"parts": [{"text": "Hi"}]},
    "taskType": "RETRIEVAL_QUERY",
    "outputDimensionality": 3,
}
MODELS = "/v1beta/models/simulated/tools"
RICH: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CHAT,
    "/v1/messages": MESSAGES,
    "/v1/messages/count_tokens": {k: v for k, v in MESSAGES.items() if k not in {"max_tokens", "metadata"}},
    "/v1/responses": RESPONSES,
    f"{MODELS}:generateContent": GEMINI,
    f"{MODELS}:streamGenerateContent": GEMINI,
    f"{MODELS}:embedContent": EMBED,
    f"{MODELS}:batchEmbedContents": {"requests": [EMBED | {"model": "models/simulated/tools"}]},
    f"{MODELS}:countTokens": {"contents": GEMINI["contents"]},
    "/v1/embeddings": {"model": "simulated/echo", "input": ["a", "b"], "dimensions": 3, "encoding_format": "float"},
}
"""By address."""


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to every value inside a value."""
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def replaced(value: Any, path: tuple[Any, ...], odd: Any) -> Any:
    """The value with something odd in one place."""
    changed = copy.deepcopy(value)
    inner = changed
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = odd
    return changed


def as_body(value: Any) -> bytes:
    """As it is sent."""
    return json.dumps(value).encode()
