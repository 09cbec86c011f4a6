"""A caller's request in the neutral form."""

import json
from typing import Any

import pytest

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    Reasoning,
    Refusal,
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
from tests.unit.dialects.openai_chat.chat import USER, assistant, call, question, request, user

HI = Message(Role.USER, (Text("Hi"),))
SCHEMA = {"type": "object", "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}}
GRAMMAR = {"type": "grammar", "grammar": {"syntax": "lark", "definition": 'start: "a"'}}


SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"temperature": 0}, {"temperature": 0.0}),
    ({"temperature": None}, {}),
    ({"top_p": 0.5, "top_k": 0}, {"top_p": 0.5, "top_k": 0}),
    ({"seed": 0}, {"seed": 0}),
    ({"frequency_penalty": -2, "presence_penalty": 0}, {"frequency_penalty": -2.0, "presence_penalty": 0.0}),
    ({"stop": "END"}, {"stop": ("END",)}),
    ({"stop": ["a", ""]}, {"stop": ("a", "")}),
    ({"stop": []}, {}),
    ({"logit_bias": {"50256": -100}}, {"logit_bias": {"50256": -100.0}}),
    ({"logprobs": True}, {"logprobs": 0}),
    ({"logprobs": True, "top_logprobs": 3}, {"logprobs": 3}),
    ({"logprobs": False}, {}),
    ({"n": 3}, {"choices": 3}),
    ({"max_tokens": 9}, {"max_output_tokens": 9}),
    ({"max_completion_tokens": 9, "max_tokens": 5}, {"max_output_tokens": 5}),
    ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
    ({"verbosity": "low"}, {"verbosity": "low"}),
    ({"service_tier": "flex"}, {"service_tier": "flex"}),
    ({"metadata": {"a": "b"}}, {"metadata": {"a": "b"}}),
    ({"prompt_cache_key": "k", "prompt_cache_retention": "24h"}, {"cache_key": "k", "cache_life": "24h"}),
    ({"user": ""}, {"user": ""}),
    ({"user": "u", "safety_identifier": "s"}, {"user": "s", "harmless": ("user",)}),
    ({"safety_identifier": "s", "user": "u"}, {"user": "s", "harmless": ("user",)}),
    ({"reasoning_effort": "xhigh"}, {"thinking": Thinking(effort="xhigh")}),
    (
        {"reasoning": {"max_tokens": 2000, "exclude": True, "enabled": True}},
        {"thinking": Thinking(enabled=True, budget_tokens=2000, shown=False)},
    ),
    ({"reasoning": {"effort": "low", "new": 1}}, {"thinking": Thinking(effort="low"), "foreign": ("reasoning.new",)}),
    ({"response_format": {"type": "text"}}, {"response_format": ResponseFormat("text")}),
    ({"response_format": {"type": "json_object"}}, {"response_format": ResponseFormat("json")}),
    (
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "n", "description": "d", "schema": SCHEMA, "strict": False},
            }
        },
        {"response_format": ResponseFormat("schema", SCHEMA, "n", "d", strict=False)},
    ),
    ({"modalities": ["text"]}, {}),
    ({"modalities": ["text", "audio"], "audio": {"voice": "a"}}, {"modalities": ("audio",), "foreign": ("audio",)}),
    ({"store": True, "prediction": {"type": "content", "content": "x"}}, {"harmless": ("store", "prediction")}),
    ({"store": False}, {}),
    ({"prompt_cache_options": {"mode": "explicit"}}, {"harmless": ("prompt_cache_options",)}),
    ({"web_search_options": {}}, {"foreign": ("web_search_options",)}),
    ({"moderation": {"model": "m"}}, {"foreign": ("moderation",)}),
    ({"min_p": 0, "x_trace": 1, "later": None}, {"foreign": ("min_p",)}),
    ({"stream": True, "stream_options": {"include_usage": True, "include_obfuscation": False}}, {}),
    (
        {"tools": [{"type": "function", "function": {"name": "f"}}], "tool_choice": "required"},
        {"tools": (Tool("f"),), "tool_choice": ToolChoice("required")},
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f", "parameters": SCHEMA, "strict": True}}]},
        {"tools": (Tool("f", None, SCHEMA, strict=True),)},
    ),
    (
        {
            "tools": [{"type": "custom", "custom": {"name": "c", "description": "", "format": GRAMMAR}}],
            "tool_choice": {"type": "custom", "custom": {"name": "c"}},
        },
        {"tools": (Tool("c", "", custom=True, format=GRAMMAR),), "tool_choice": ToolChoice("named", ("c",))},
    ),
    (
        {"tools": [{"type": "function", "function": {"name": "f"}, "cache_control": {"type": "ephemeral"}}]},
        {"tools": (Tool("f", cache="5m"),)},
    ),
    (
        {"tools": [{"type": "web_search", "filters": {}}]},
        {
            "tools": (
                Tool("web_search", hosted=Opaque("openai_chat", "web_search", {"type": "web_search", "filters": {}})),
            )
        },
    ),
    (
        {
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [{"type": "function", "function": {"name": "f"}}, {"type": "web_search"}],
                },
            }
        },
        {"tool_choice": ToolChoice("allowed", ("f", "web_search"), must=True)},
    ),
    (
        {"tool_choice": {"type": "function", "function": {"name": "f"}}},
        {"tool_choice": ToolChoice("named", ("f",))},
    ),
    (
        {"functions": [{"name": "f", "parameters": {}}], "function_call": {"name": "f"}},
        {
            "tools": (Tool("f", parameters={}),),
            "tool_choice": ToolChoice("named", ("f",)),
            "parallel_tool_calls": False,
        },
    ),
    ({"function_call": "none"}, {"tool_choice": ToolChoice("none")}),
]


@pytest.mark.parametrize(("fields", "expected"), SETTINGS, ids=[json.dumps(fields)[:60] for fields, _ in SETTINGS])
def test_a_setting_is_read(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    assert question(**fields) == Conversation(messages=(HI,), **expected)


TURNS: dict[str, tuple[list[dict[str, Any]], dict[str, Any]]] = {
    "instructions first and between": (
        [
            {"role": "system", "content": "a"},
            {"role": "developer", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": ""}]},
            USER,
            {"role": "system", "content": "c", "name": "boss"},
        ],
        {
            "system": (Text("a"), Text("b"), Text("")),
            "messages": (HI, Message(Role.SYSTEM, (Text("c"),), "boss")),
        },
    ),
    "a name of the first instructions": (
        [{"role": "system", "content": "a", "name": "boss"}, USER],
        {"system": (Text("a"),), "messages": (HI,), "harmless": ("messages[0].name",)},
    ),
    "two turns of one role, with names": (
        [{"role": "user", "content": "Hi", "name": "ana"}, {"role": "user", "content": ""}],
        {"messages": (Message(Role.USER, (Text("Hi"),), "ana"), Message(Role.USER, (Text(""),)))},
    ),
    "media in order": (
        [
            user(
                {"type": "image_url", "image_url": {"url": "data:image/PNG;base64,iVBORw0KGgo="}},
                {"type": "text", "text": "and"},
                {"type": "image_url", "image_url": {"url": "https://a.example/b.png", "detail": "original"}},
                {"type": "image_url", "image_url": "https://a.example/c.png"},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
                {"type": "input_audio", "input_audio": {"data": "AA==", "format": "flac"}},
                {"type": "video_url", "video_url": {"url": "https://a.example/d.mp4"}},
            )
        ],
        {
            "messages": (
                Message(
                    Role.USER,
                    (
                        Media("image", "image/PNG", "iVBORw0KGgo="),
                        Text("and"),
                        Media("image", url="https://a.example/b.png", detail="original"),
                        Media("image", url="https://a.example/c.png"),
                        Media("audio", "audio/mpeg", "AA=="),
                        Media("audio", "audio/flac", "AA=="),
                        Media("video", url="https://a.example/d.mp4"),
                    ),
                ),
            )
        },
    ),
    "files": (
        [
            user(
                {"type": "file", "file": {"file_id": "file-7"}},
                {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}},
                {"type": "file", "file": {"file_data": "JVBE", "filename": "b.PDF"}},
                {"type": "file", "file": {"file_data": "data:;base64,JVBE"}},
                {"type": "file", "file": {"file_data": "data:image/png;base64,iVBO"}},
                {"type": "file", "file": {"file_data": "https://a.example/a.pdf"}},
            )
        ],
        {
            "messages": (
                Message(
                    Role.USER,
                    (
                        Media("document", file_id="file-7"),
                        Media("document", "application/pdf", "JVBE", name="a.pdf"),
                        Media("document", "application/pdf", "JVBE", name="b.PDF"),
                        Media("document", None, "JVBE"),
                        Media("image", "image/png", "iVBO"),
                        Media("document", url="https://a.example/a.pdf"),
                    ),
                ),
            )
        },
    ),
    "marks for the cache": (
        [
            user(
                {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                {"type": "text", "text": "b", "prompt_cache_breakpoint": {"mode": "explicit"}},
                {"type": "text", "text": "c", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
            )
        ],
        {"messages": (Message(Role.USER, (Text("a", "1h"), Text("b", "5m"), Text("c", "1h"))),)},
    ),
    "calls and their results": (
        [
            USER,
            assistant(
                content="Wait.",
                tool_calls=[
                    call("call_1", arguments='{"a":', extra_content={"google": {"thought_signature": "c2ln"}}),
                    {"id": "call_2", "type": "custom", "custom": {"name": "c", "input": "x y"}},
                ],
            ),
            {"role": "tool", "tool_call_id": "call_1", "content": [{"type": "text", "text": "1"}]},
            {"role": "tool", "tool_call_id": "call_2", "content": ""},
        ],
        {
            "messages": (
                HI,
                Message(
                    Role.ASSISTANT,
                    (
                        Text("Wait."),
                        ToolCall("call_1", "f", '{"a":', seal=Sealed("openai", "c2ln")),
                        ToolCall("call_2", "c", "x y", custom=True),
                    ),
                ),
                Message(Role.USER, (ToolResult("call_1", (Text("1"),)),)),
                Message(Role.USER, (ToolResult("call_2", (Text(""),), custom=True),)),
            )
        },
    ),
    "the older form of calls": (
        [
            assistant(function_call={"name": "f", "arguments": "{}"}),
            {"role": "function", "name": "f", "content": "1"},
            assistant(function_call={"name": "f", "arguments": ""}),
            {"role": "function", "name": "f", "content": None},
        ],
        {
            "messages": (
                Message(Role.ASSISTANT, (ToolCall("call_0_f", "f", "{}"),)),
                Message(Role.USER, (ToolResult("call_0_f", (Text("1"),), name="f"),)),
                Message(Role.ASSISTANT, (ToolCall("call_2_f", "f", ""),)),
                Message(Role.USER, (ToolResult("call_2_f", (), name="f"),)),
            )
        },
    ),
    "refusals": (
        [
            assistant(content=[{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]),
            assistant(refusal="never"),
        ],
        {
            "messages": (
                Message(Role.ASSISTANT, (Text("a"), Refusal("no"))),
                Message(Role.ASSISTANT, (Refusal("never"),)),
            )
        },
    ),
    "an answer as the SDK sends it back": (
        [
            assistant(
                content="See a.",
                refusal=None,
                audio=None,
                function_call=None,
                tool_calls=None,
                parsed={"a": 1},
                annotations=[
                    {
                        "type": "url_citation",
                        "url_citation": {"url": "https://a", "title": "A", "start_index": 4, "end_index": 5},
                    },
                    {"type": "other"},
                ],
            )
        ],
        {
            "messages": (
                Message(
                    Role.ASSISTANT,
                    (Text("See a.", citations=({"url": "https://a", "title": "A", "start": 4, "end": 5},)),),
                ),
            ),
            "harmless": ("messages[0].parsed",),
        },
    ),
    "reasoning as plain text": (
        [assistant(content="a", reasoning_content="Hm"), assistant(content="b", reasoning="So")],
        {
            "messages": (
                Message(Role.ASSISTANT, (Reasoning("Hm"), Text("a"))),
                Message(Role.ASSISTANT, (Reasoning("So"), Text("b"))),
            )
        },
    ),
    "sealed reasoning": (
        [
            assistant(
                content="ab",
                reasoning_content="Hm",
                reasoning_details=[
                    {"type": "reasoning.text", "text": "Hm", "signature": "s1", "index": 0},
                    {"type": "reasoning.encrypted", "data": "d1", "id": "rs_1", "format": "openai-responses-v1"},
                    {"type": "reasoning.text", "text": "So", "signature": "s2", "at": [1, 0]},
                    {"type": "reasoning.text", "text": "Then", "signature": "s3", "at": [2, 1]},
                ],
                tool_calls=[call("call_1"), call("call_2")],
                extra_content={"google": {"thought_signature": "c2ln"}},
            )
        ],
        {
            "messages": (
                Message(
                    Role.ASSISTANT,
                    (
                        Reasoning("Hm", Sealed("openai", "s1")),
                        Reasoning("", Sealed("openai", "d1"), redacted=True, id="rs_1"),
                        Text("a"),
                        Reasoning("So", Sealed("openai", "s2")),
                        Text("b", seal=Sealed("openai", "c2ln")),
                        ToolCall("call_1", "f", "{}"),
                        Reasoning("Then", Sealed("openai", "s3")),
                        ToolCall("call_2", "f", "{}"),
                    ),
                ),
            )
        },
    ),
    "plain thoughts beside sealed ones without words": (
        [assistant(reasoning="Hm", reasoning_details=[{"type": "reasoning.encrypted", "data": "d"}])],
        {
            "messages": (
                Message(Role.ASSISTANT, (Reasoning("Hm"), Reasoning("", Sealed("openai", "d"), redacted=True))),
            )
        },
    ),
    "a sealed turn without words": (
        [assistant(extra_content={"google": {"thought_signature": "c2ln"}})],
        {"messages": (Message(Role.ASSISTANT, (Text("", seal=Sealed("openai", "c2ln")),)),)},
    ),
    "parts and fields that nobody knows": (
        [
            user({"type": "hologram", "data": 1}, {"type": "text", "text": "a", "glow": True, "dim": None}),
            {"role": "user", "content": "b", "mood": "good", "x_id": 7},
            assistant(audio={"id": "audio_1"}),
        ],
        {
            "messages": (
                Message(Role.USER, (Text("a"),)),
                Message(Role.USER, (Text("b"),)),
                Message(Role.ASSISTANT, ()),
            ),
            "foreign": (
                "messages[0].content[0]",
                "messages[0].content[1].glow",
                "messages[1].mood",
                "messages[2].audio",
            ),
        },
    ),
    "images that the assistant made": (
        [assistant(images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}, "index": 0}])],
        {"messages": (Message(Role.ASSISTANT, (Media("image", "image/png", "iVBO"),)),)},
    ),
}


@pytest.mark.parametrize("case", TURNS)
def test_turns_are_read(case: str) -> None:
    messages, expected = TURNS[case]
    assert question(*messages) == Conversation(**expected)


def test_large_images_are_taken_to_the_byte() -> None:
    data = "iVBORw0KGgo/+" * 300_000
    asked = question(user({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}))
    (part,) = asked.messages[0].parts
    assert isinstance(part, Media)
    assert (part.media_type, part.data) == ("image/png", data)


def test_usage_is_wanted_of_streams_only_when_asked_for() -> None:
    assert not request(stream=True).wants_usage
    assert request(stream=True, stream_options={"include_usage": True}).wants_usage
