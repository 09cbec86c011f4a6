"""What a chat request must not hold, and what breaks nothing."""

import json
from contextlib import suppress
from typing import Any

import pytest

from enfilade.core.errors import InvalidRequest
from enfilade.dialects.errors import WrongType
from enfilade.dialects.members.openai_chat import DIALECT
from tests.unit.dialects.openai_chat.chat import assistant, codec, question, upstream, user

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"temperature": "hot"}, "temperature"),
    ({"temperature": True}, "temperature"),
    ({"seed": 1.5}, "seed"),
    ({"top_k": "1"}, "top_k"),
    ({"stop": 3}, "stop"),
    ({"stop": ["a", 3]}, "stop[1]"),
    ({"logit_bias": {"1": "x"}}, "logit_bias.1"),
    ({"logprobs": 2}, "logprobs"),
    ({"logprobs": True, "top_logprobs": "2"}, "top_logprobs"),
    ({"tools": {}}, "tools"),
    ({"tools": [5]}, "tools[0]"),
    ({"tools": [{"type": "function"}]}, "tools[0].function"),
    ({"tools": [{"type": "function", "function": {}}]}, "tools[0].function.name"),
    ({"tools": [{"type": "function", "function": {"name": "a", "parameters": []}}]}, "tools[0].function.parameters"),
    ({"tools": [{"type": "function", "function": {"name": "a", "strict": 1}}]}, "tools[0].function.strict"),
    ({"tool_choice": "must"}, "tool_choice"),
    ({"tool_choice": 1}, "tool_choice"),
    ({"tool_choice": {"type": "function", "function": "f"}}, "tool_choice.function"),
    ({"tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
    (
        {"tool_choice": {"type": "allowed_tools", "allowed_tools": {"mode": "some", "tools": []}}},
        "tool_choice.allowed_tools.mode",
    ),
    ({"function_call": 1}, "function_call"),
    ({"functions": [1]}, "functions[0]"),
    ({"response_format": "json"}, "response_format"),
    ({"response_format": {"type": "yaml"}}, "response_format.type"),
    ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
    ({"response_format": {"type": "json_schema", "json_schema": {"schema": 1}}}, "response_format.json_schema.schema"),
    ({"reasoning_effort": 3}, "reasoning_effort"),
    ({"reasoning": "high"}, "reasoning"),
    ({"reasoning": {"max_tokens": "1"}}, "reasoning.max_tokens"),
    ({"modalities": "text"}, "modalities"),
    ({"metadata": []}, "metadata"),
    ({"user": 1}, "user"),
]


@pytest.mark.parametrize(("fields", "param"), WRONG, ids=[json.dumps(fields)[:60] for fields, _ in WRONG])
def test_a_setting_of_another_type_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(WrongType) as refusal:
        question(**fields)
    assert refusal.value.param == param


WRONG_TURNS: list[tuple[Any, str]] = [
    ("Hi", "messages[0]"),
    ({"content": "Hi"}, "messages[0].role"),
    ({"role": "robot", "content": "Hi"}, "messages[0].role"),
    ({"role": "user", "content": 5}, "messages[0].content"),
    ({"role": "user", "content": [5]}, "messages[0].content[0]"),
    ({"role": "user", "content": [{"text": "a"}]}, "messages[0].content[0].type"),
    ({"role": "user", "content": [{"type": "text"}]}, "messages[0].content[0].text"),
    (user({"type": "image_url"}), "messages[0].content[0].image_url"),
    (user({"type": "image_url", "image_url": {}}), "messages[0].content[0].image_url.url"),
    (user({"type": "image_url", "image_url": {"url": "data:image/svg+xml,a"}}), "messages[0].content[0].image_url.url"),
    (user({"type": "image_url", "image_url": {"url": "data:image/png"}}), "messages[0].content[0].image_url.url"),
    (user({"type": "file", "file": {"filename": "a"}}), "messages[0].content[0].file"),
    (user({"type": "input_audio", "input_audio": {"data": "a"}}), "messages[0].content[0].input_audio.format"),
    (user({"type": "text", "text": "a", "cache_control": {"ttl": "9y"}}), "messages[0].content[0].cache_control.ttl"),
    ({"role": "system", "content": [{"type": "image_url", "image_url": "https://a"}]}, "messages[0].content"),
    ({"role": "user", "content": "a", "name": 1}, "messages[0].name"),
    ({"role": "tool", "content": "a"}, "messages[0].tool_call_id"),
    ({"role": "function", "content": "a"}, "messages[0].name"),
    (assistant(tool_calls={}), "messages[0].tool_calls"),
    (assistant(tool_calls=[{"type": "function"}]), "messages[0].tool_calls[0].function"),
    (assistant(tool_calls=[{"function": {"name": "f"}}]), "messages[0].tool_calls[0].id"),
    (
        assistant(tool_calls=[{"id": "1", "function": {"name": "f", "arguments": {}}}]),
        "messages[0].tool_calls[0].function.arguments",
    ),
    (assistant(refusal=1), "messages[0].refusal"),
    (assistant(reasoning_content=1), "messages[0].reasoning_content"),
    (assistant(reasoning_details=[1]), "messages[0].reasoning_details[0]"),
    (assistant(reasoning_details=[{"type": "reasoning.text", "text": 1}]), "messages[0].reasoning_details[0].text"),
]


@pytest.mark.parametrize(("message", "param"), WRONG_TURNS, ids=[param for _, param in WRONG_TURNS])
def test_a_wrong_turn_is_named(message: Any, param: str) -> None:
    with pytest.raises(WrongType) as refusal:
        question(message)
    assert refusal.value.param == param


@pytest.mark.parametrize("field", ["metadata", "tools", "response_format", "stop", "messages", "a_new_field"])
def test_depth_breaks_nothing(field: str) -> None:
    shapes = {"tools": '[{"type":"function","function":{"name":"f","parameters":%s}}]', "messages": "[%s]"}
    for depth in (*range(880, 1010, 5), 5000):
        deep = shapes.get(field, "%s") % ('{"a":' * depth + "1" + "}" * depth)
        messages = "" if field == "messages" else '"messages":[{"role":"user","content":"a"}],'
        with suppress(InvalidRequest):
            asked = DIALECT.parse(f'{{"model":"m",{messages}"{field}":{deep}}}'.encode())
            codec().write(codec().question(asked), upstream())
