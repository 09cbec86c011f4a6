"""A question as a provider takes it."""

from typing import Any

import pytest

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Part,
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
from enfilade.dialects.traits import NO_TRAITS, Traits
from tests.unit.dialects.openai_chat.chat import body, codec, upstream

HI = Message(Role.USER, (Text("Hi"),))
SENT_HI = {"role": "user", "content": "Hi"}
SEAL = Sealed("openai", "s1")
DEEPSEEK = Traits(reasoning_field="reasoning_content")
OPENROUTER = Traits(reasoning_field="reasoning", takes_seals=True)
WEATHER, NOTES = Tool("weather"), Tool("notes", custom=True)

SETTINGS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"temperature": 0.0, "top_p": 0.0, "seed": 0, "user": ""}, {"temperature": 0, "top_p": 0, "seed": 0, "user": ""}),
    ({"max_output_tokens": 5}, {"max_completion_tokens": 5}),
    ({"stop": ("a", "b")}, {"stop": ["a", "b"]}),
    ({"logprobs": 0}, {"logprobs": True}),
    ({"logprobs": 2}, {"logprobs": True, "top_logprobs": 2}),
    ({"logit_bias": {"1": -5.0}}, {"logit_bias": {"1": -5.0}}),
    ({"frequency_penalty": 0.0, "presence_penalty": 1.0}, {"frequency_penalty": 0, "presence_penalty": 1}),
    ({"cache_key": "k", "cache_life": "24h"}, {"prompt_cache_key": "k", "prompt_cache_retention": "24h"}),
    ({"metadata": {}, "verbosity": "low"}, {"metadata": {}, "verbosity": "low"}),
    ({"service_tier": "priority"}, {"service_tier": "priority"}),
    ({"service_tier": "standard_only"}, {"service_tier": "default"}),
    ({"parallel_tool_calls": False}, {}),
    (
        {"parallel_tool_calls": False, "tools": (WEATHER,)},
        {"parallel_tool_calls": False, "tools": [{"type": "function", "function": {"name": "weather"}}]},
    ),
    (
        {"tools": (Tool("f", "d", {"type": "object"}, strict=False),), "tool_choice": ToolChoice("required")},
        {
            "tools": [
                {
                    "type": "function",
                    "function": {"name": "f", "description": "d", "parameters": {"type": "object"}, "strict": False},
                }
            ],
            "tool_choice": "required",
        },
    ),
    (
        {
            "tools": (Tool("notes", "d", custom=True, format={"type": "text"}),),
            "tool_choice": ToolChoice("named", ("notes",)),
        },
        {
            "tools": [{"type": "custom", "custom": {"name": "notes", "description": "d", "format": {"type": "text"}}}],
            "tool_choice": {"type": "custom", "custom": {"name": "notes"}},
        },
    ),
    (
        {"tools": (WEATHER, NOTES), "tool_choice": ToolChoice("allowed", ("weather", "notes"), must=True)},
        {
            "tools": [
                {"type": "function", "function": {"name": "weather"}},
                {"type": "custom", "custom": {"name": "notes"}},
            ],
            "tool_choice": {
                "type": "allowed_tools",
                "allowed_tools": {
                    "mode": "required",
                    "tools": [
                        {"type": "function", "function": {"name": "weather"}},
                        {"type": "custom", "custom": {"name": "notes"}},
                    ],
                },
            },
        },
    ),
    ({"response_format": ResponseFormat("json")}, {"response_format": {"type": "json_object"}}),
    ({"response_format": ResponseFormat("text")}, {"response_format": {"type": "text"}}),
    (
        {"response_format": ResponseFormat("schema", {"type": "object"}, None, "d", strict=True)},
        {
            "response_format": {
                "type": "json_schema",
                "json_schema": {"name": "answer", "description": "d", "schema": {"type": "object"}, "strict": True},
            }
        },
    ),
    ({"thinking": Thinking(effort="minimal", budget_tokens=9)}, {"reasoning_effort": "minimal"}),
    ({"thinking": Thinking(enabled=False)}, {"reasoning_effort": "none"}),
    ({"thinking": Thinking(enabled=True, budget_tokens=1024)}, {"reasoning_effort": "low"}),
    ({"thinking": Thinking(enabled=True, budget_tokens=8000)}, {"reasoning_effort": "medium"}),
    ({"thinking": Thinking(enabled=True, budget_tokens=32000)}, {"reasoning_effort": "high"}),
    ({"thinking": Thinking(enabled=True)}, {}),
    ({"thinking": Thinking(summary="auto")}, {}),
]


@pytest.mark.parametrize(("settings", "expected"), SETTINGS, ids=[str(list(s.items()))[:60] for s, _ in SETTINGS])
def test_a_setting_is_written(settings: dict[str, Any], expected: dict[str, Any]) -> None:
    assert body(Conversation((HI,), **settings)) == {"model": "up-1", "messages": [SENT_HI]} | expected


@pytest.mark.parametrize(
    ("traits", "expected"),
    [
        (NO_TRAITS, {"stream": True, "stream_options": {"include_usage": True}, "max_completion_tokens": 5}),
        (Traits(stream_usage=False, output_field="max_tokens"), {"stream": True, "max_tokens": 5}),
    ],
)
def test_a_stream_is_asked_for_with_its_usage(traits: Traits, expected: dict[str, Any]) -> None:
    sent = body(Conversation((HI,), max_output_tokens=5), traits, stream=True)
    assert sent == {"model": "up-1", "messages": [SENT_HI]} | expected


def said(*parts: Part) -> tuple[Message, ...]:
    return (Message(Role.ASSISTANT, parts),)


def sent_call(call_id: str, arguments: str = "{}", **more: Any) -> dict[str, Any]:
    return {"id": call_id, "type": "function", "function": {"name": "f", "arguments": arguments}} | more


TURNS: dict[str, tuple[Traits, tuple[Message, ...], list[dict[str, Any]]]] = {
    "media": (
        NO_TRAITS,
        (
            Message(
                Role.USER,
                (
                    Text("What?"),
                    Media("image", "image/webp", "AA==", detail="low"),
                    Media("image", None, "AA=="),
                    Media("image", url="https://a.example/b"),
                    Media("audio", "audio/mp3", "AA=="),
                    Media("audio", "audio/x-wav", "AA=="),
                    Media("document", "application/pdf", "JVBE", name="a.pdf"),
                    Media("document", "text/csv", "AA=="),
                    Media("document", file_id="file-1", name="a.pdf"),
                ),
                "ana",
            ),
        ),
        [
            {
                "role": "user",
                "name": "ana",
                "content": [
                    {"type": "text", "text": "What?"},
                    {"type": "image_url", "image_url": {"url": "data:image/webp;base64,AA==", "detail": "low"}},
                    {"type": "image_url", "image_url": {"url": "data:image/png;base64,AA=="}},
                    {"type": "image_url", "image_url": {"url": "https://a.example/b"}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "mp3"}},
                    {"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}},
                    {"type": "file", "file": {"file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"}},
                    {"type": "file", "file": {"file_data": "data:text/csv;base64,AA==", "filename": "document"}},
                    {"type": "file", "file": {"file_id": "file-1"}},
                ],
            }
        ],
    ),
    "results before the words of their turn": (
        NO_TRAITS,
        (
            *said(
                Text("Wait."), ToolCall("1", "f", '{"a":'), ToolCall("2", "f", ""), ToolCall("3", "c", "x", custom=True)
            ),
            Message(
                Role.USER,
                (
                    Text("Here."),
                    ToolResult("1", (Text("a"),), name="f"),
                    ToolResult("2", (Text("b"), Text("c")), is_error=True),
                    ToolResult("3"),
                ),
            ),
        ),
        [
            {
                "role": "assistant",
                "content": "Wait.",
                "tool_calls": [
                    sent_call("1", '{"a":'),
                    sent_call("2"),
                    {"id": "3", "type": "custom", "custom": {"name": "c", "input": "x"}},
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": "a"},
            {
                "role": "tool",
                "tool_call_id": "2",
                "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}],
            },
            {"role": "tool", "tool_call_id": "3", "content": ""},
            {"role": "user", "content": "Here."},
        ],
    ),
    "calls alone": (
        NO_TRAITS,
        said(ToolCall("1", "f", "{}")),
        [{"role": "assistant", "content": None, "tool_calls": [sent_call("1")]}],
    ),
    "nothing said": (
        NO_TRAITS,
        (Message(Role.ASSISTANT, ()), Message(Role.USER, ()), Message(Role.USER, (Text(""),))),
        [
            {"role": "assistant", "content": ""},
            {"role": "user", "content": ""},
            {"role": "user", "content": ""},
        ],
    ),
    "a refusal": (
        NO_TRAITS,
        said(Refusal("No."), Refusal(" Never.")),
        [{"role": "assistant", "content": None, "refusal": "No. Never."}],
    ),
    "instructions between the turns": (
        Traits(system_role="developer"),
        (HI, Message(Role.SYSTEM, (Text("Now in French."),), "boss")),
        [SENT_HI, {"role": "developer", "content": "Now in French.", "name": "boss"}],
    ),
    "reasoning has no place": (
        NO_TRAITS,
        said(Reasoning("Hm", SEAL), Text("a", seal=SEAL), ToolCall("1", "f", "{}", seal=SEAL)),
        [{"role": "assistant", "content": "a", "tool_calls": [sent_call("1")]}],
    ),
    "reasoning as text": (
        DEEPSEEK,
        said(Reasoning("Hm", SEAL), Reasoning(" so"), Text("a")),
        [{"role": "assistant", "content": "a", "reasoning_content": "Hm so"}],
    ),
    "sealed reasoning": (
        OPENROUTER,
        said(
            Reasoning("Hm", SEAL),
            Reasoning("", Sealed("openai", "d1"), redacted=True, id="rs_1"),
            Reasoning("So", Sealed("openai", '{"type":"reasoning.summary","format":"other-v1","index":4}')),
            Text("a", seal=SEAL),
            ToolCall("1", "f", "{}", seal=SEAL),
        ),
        [
            {
                "role": "assistant",
                "content": "a",
                "tool_calls": [sent_call("1", extra_content={"google": {"thought_signature": "s1"}})],
                "reasoning": "HmSo",
                "reasoning_details": [
                    {
                        "type": "reasoning.text",
                        "text": "Hm",
                        "signature": "s1",
                        "format": "openai-responses-v1",
                        "index": 0,
                    },
                    {
                        "type": "reasoning.encrypted",
                        "data": "d1",
                        "format": "openai-responses-v1",
                        "id": "rs_1",
                        "index": 1,
                    },
                    {"type": "reasoning.summary", "summary": "So", "format": "other-v1", "index": 4},
                ],
                "extra_content": {"google": {"thought_signature": "s1"}},
            }
        ],
    ),
    "several texts": (
        NO_TRAITS,
        said(Text("a"), Text("b")),
        [{"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]}],
    ),
    "several texts as one string": (
        Traits(flat_texts=True),
        (*said(Text("a"), Text("b")), Message(Role.USER, (Text("c"), Text("d")))),
        [{"role": "assistant", "content": "ab"}, {"role": "user", "content": "c\n\nd"}],
    ),
    "texts beside an image stay parts": (
        Traits(flat_texts=True),
        (Message(Role.USER, (Text("c"), Media("image", url="https://a"))),),
        [
            {
                "role": "user",
                "content": [{"type": "text", "text": "c"}, {"type": "image_url", "image_url": {"url": "https://a"}}],
            }
        ],
    ),
}


@pytest.mark.parametrize("case", TURNS)
def test_turns_are_written(case: str) -> None:
    traits, messages, expected = TURNS[case]
    assert body(Conversation(messages), traits)["messages"] == expected


def test_instructions_stand_first_in_one_message() -> None:
    assert body(Conversation((HI,), (Text("a"),)))["messages"] == [{"role": "system", "content": "a"}, SENT_HI]
    several = [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]
    sent = body(Conversation((HI,), (Text("a"), Text(""))), Traits(system_role="developer"))
    assert sent["messages"] == [{"role": "developer", "content": several}, SENT_HI]


@pytest.mark.parametrize(
    ("traits", "parts", "left", "dropped"),
    [
        (NO_TRAITS, (Reasoning("Hm"), Text("a")), (Text("a"),), ("reasoning",)),
        (NO_TRAITS, (Reasoning("Hm", SEAL), Text("a")), (Text("a"),), ("reasoning",)),
        (DEEPSEEK, (Reasoning("Hm"), Text("a")), None, ()),
        (DEEPSEEK, (Reasoning("", SEAL, redacted=True), Text("a")), (Text("a"),), ("reasoning",)),
        (OPENROUTER, (Reasoning("", SEAL, redacted=True), Text("a")), None, ()),
        (NO_TRAITS, (Text("a"), Media("image", "image/png", "AA==")), (Text("a"),), ("images",)),
    ],
)
def test_what_a_service_has_no_place_for_is_named(
    traits: Traits, parts: tuple[Part, ...], left: tuple[Part, ...] | None, dropped: tuple[str, ...]
) -> None:
    fit = codec().rules.fit
    assert fit is not None
    asked = Conversation(said(*parts))
    fitted, names = fit(asked, upstream(traits))
    assert names == dropped
    assert fitted.messages[0].parts == (parts if left is None else left)
    assert fit(fitted, upstream(traits)) == (fitted, ())


def test_that_a_result_is_an_error_cannot_be_said() -> None:
    fit = codec().rules.fit
    assert fit is not None
    asked = Conversation((Message(Role.USER, (ToolResult("1", (Text("a"),), is_error=True), Text("b"))),))
    fitted, names = fit(asked, upstream())
    assert names == ("is_error",)
    assert fitted.messages[0].parts == (ToolResult("1", (Text("a"),)), Text("b"))
