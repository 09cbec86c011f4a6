"""Questions as bodies for Anthropic's services."""

import json
from typing import Any

import pytest

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    ResponseFormat,
    Role,
    Sealed,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.anthropic_messages import DIALECT

HI = Message(Role.USER, (Text("Hi"),))
SAID_HI = {"role": "user", "content": [{"type": "text", "text": "Hi"}]}
SOMETHING = {"role": "user", "content": [{"type": "text", "text": "."}]}
OURS = "anthropic_messages"


def body_of(question: Conversation, model: str = "claude-sonnet-4-6", *, stream: bool = False) -> dict[str, Any]:
    """What goes to the provider."""
    codec = DIALECT.codec
    assert codec is not None
    written: dict[str, Any] = json.loads(codec.write(question, Upstream(model, stream)))
    return written


def turns_of(*messages: Message) -> Any:
    """The messages as written."""
    return body_of(Conversation(messages))["messages"]


def user(*parts: Part) -> Message:
    """A turn of the user."""
    return Message(Role.USER, parts)


def assistant(*parts: Part) -> Message:
    """A turn of the assistant."""
    return Message(Role.ASSISTANT, parts)


def test_the_least_question_gets_the_maximum_that_has_to_be_there() -> None:
    assert body_of(Conversation((HI,))) == {"model": "claude-sonnet-4-6", "max_tokens": 4096, "messages": [SAID_HI]}
    assert body_of(Conversation((HI,), max_output_tokens=1), stream=True) == {
        "model": "claude-sonnet-4-6",
        "max_tokens": 1,
        "messages": [SAID_HI],
        "stream": True,
    }


@pytest.mark.parametrize(
    ("part", "block"),
    [
        (Text("a", cache="5m"), {"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}),
        (Text("a", cache="1h"), {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
        (
            Text("a", citations=({"url": "u", "anthropic": {"type": "char_location"}}, {"url": "v"})),
            {"type": "text", "text": "a", "citations": [{"type": "char_location"}]},
        ),
        (Refusal("No."), {"type": "text", "text": "No."}),
        (
            Media("image", "image/jpg", "/9j/+="),
            {"type": "image", "source": {"type": "base64", "media_type": "image/jpeg", "data": "/9j/+="}},
        ),
        (
            Media("image", None, "R0lGODlh"),
            {"type": "image", "source": {"type": "base64", "media_type": "image/gif", "data": "R0lGODlh"}},
        ),
        (
            Media("image", url="u", cache="5m"),
            {"type": "image", "source": {"type": "url", "url": "u"}, "cache_control": {"type": "ephemeral"}},
        ),
        (Media("image", file_id="f", name="n"), {"type": "image", "source": {"type": "file", "file_id": "f"}}),
        (
            Media("document", None, "JVBERi0=", name="T"),
            {
                "type": "document",
                "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="},
                "title": "T",
            },
        ),
        (
            Media("document", text=""),
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": ""}},
        ),
        (ToolCall("t", "n", ""), {"type": "tool_use", "id": "t", "name": "n", "input": {}}),
        (ToolCall("t", "n", '{"a":0}'), {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 0}}),
        (ToolCall("t", "n", '{"a":'), {"type": "tool_use", "id": "t", "name": "n", "input": {"arguments": '{"a":'}}),
        (ToolCall("t", "n", "[1]"), {"type": "tool_use", "id": "t", "name": "n", "input": {"arguments": "[1]"}}),
        (ToolResult("t"), {"type": "tool_result", "tool_use_id": "t"}),
        (
            ToolResult("t", (Text(""), Text("a"), Media("image", url="u")), is_error=True, cache="5m"),
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image", "source": {"type": "url", "url": "u"}},
                ],
                "is_error": True,
                "cache_control": {"type": "ephemeral"},
            },
        ),
        (
            Reasoning("Hm.", Sealed("anthropic", "s")),
            {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        ),
        (Reasoning("", Sealed("anthropic", "s")), {"type": "thinking", "thinking": "", "signature": "s"}),
        (
            Reasoning(seal=Sealed("anthropic", "d"), redacted=True),
            {"type": "redacted_thinking", "data": "d"},
        ),
        (Opaque(OURS, "new", {"type": "new", "a": 1}), {"type": "new", "a": 1}),
    ],
)
def test_a_part_as_a_block(part: Part, block: dict[str, Any]) -> None:
    assert turns_of(user(part), assistant(Text("b")), HI)[0]["content"] == [block]


@pytest.mark.parametrize(
    "part",
    [
        Text(""),
        Text(" \n"),
        Refusal(""),
        Reasoning("Hm."),
        Reasoning("Hm.", Sealed("gemini", "s")),
        Opaque("openai_responses", "new", {}),
    ],
)
def test_what_would_be_refused_is_not_written(part: Part) -> None:
    assert turns_of(HI, assistant(part, Text("a")), user(Text("b")))[1]["content"] == [{"type": "text", "text": "a"}]
    assert turns_of(HI, assistant(part), user(Text("b"))) == [
        {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "b"}]}
    ]


def test_turns_alternate_and_the_user_begins() -> None:
    written = turns_of(assistant(Text("a")), assistant(Text("b")), HI, HI, assistant(Text("c \n")))
    assert [turn["role"] for turn in written] == ["user", "assistant", "user", "assistant"]
    assert written[0] == SOMETHING
    assert [block["text"] for turn in written for block in turn["content"]] == [".", "a", "b", "Hi", "Hi", "c"]
    assert turns_of() == turns_of(user(Text(""))) == [SOMETHING]


def test_all_results_of_a_turn_stand_first_in_one_turn() -> None:
    calls = assistant(Text("See."), ToolCall("1", "n", "{}"), ToolCall("2", "n", "{}"))
    written = turns_of(HI, calls, user(Text("so"), ToolResult("1")), user(ToolResult("2"), Text("then")))
    assert [block.get("tool_use_id", block.get("text")) for block in written[2]["content"]] == ["1", "2", "so", "then"]


def test_instructions_stand_before_all_turns() -> None:
    between = Message(Role.SYSTEM, (Text("Be kind."),))
    body = body_of(Conversation((HI, between, HI), system=(Text("Be brief.", cache="1h"), Text(""))))
    assert body["system"] == [
        {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
        {"type": "text", "text": "Be kind."},
    ]
    assert len(body["messages"]) == 1
    assert "system" not in body_of(Conversation((HI,), system=(Text(""),)))


TOOL = Tool("n", "Does it", {"type": "object", "properties": {}}, strict=True, cache="5m")


def test_tools() -> None:
    hosted = Tool("web_search", hosted=Opaque(OURS, "web_search_20250305", {"type": "web_search_20250305"}))
    assert body_of(Conversation((HI,), tools=(TOOL, Tool("b", ""), Tool("c", parameters={"a": 1}), hosted)))[
        "tools"
    ] == [
        {
            "name": "n",
            "description": "Does it",
            "input_schema": {"type": "object", "properties": {}},
            "strict": True,
            "cache_control": {"type": "ephemeral"},
        },
        {"name": "b", "input_schema": {"type": "object", "properties": {}}},
        {"name": "c", "input_schema": {"type": "object", "a": 1}},
        {"type": "web_search_20250305"},
    ]


@pytest.mark.parametrize(
    ("choice", "parallel", "written"),
    [
        (None, None, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        (None, True, {"type": "auto", "disable_parallel_tool_use": False}),
        (ToolChoice("auto"), None, {"type": "auto"}),
        (ToolChoice("required"), False, {"type": "any", "disable_parallel_tool_use": True}),
        (ToolChoice("named", ("n",)), None, {"type": "tool", "name": "n"}),
        (ToolChoice("none"), False, {"type": "none"}),
    ],
)
def test_the_choice_among_tools(choice: ToolChoice | None, parallel: bool | None, written: Any) -> None:
    question = Conversation((HI,), tools=(TOOL,), tool_choice=choice, parallel_tool_calls=parallel)
    assert body_of(question).get("tool_choice") == written


def test_a_choice_without_tools_is_written_only_if_it_demands_one() -> None:
    for mode, written in (("auto", None), ("none", None), ("required", {"type": "any"})):
        assert body_of(Conversation((HI,), tool_choice=ToolChoice(mode))).get("tool_choice") == written  # type: ignore[arg-type]


def test_settings_and_values_that_are_nothing() -> None:
    body = body_of(Conversation((HI,), temperature=0.0, top_k=0, stop=("a",), user="", service_tier="default"))
    assert {name: body[name] for name in body.keys() - {"model", "messages", "max_tokens"}} == {
        "temperature": 0.0,
        "top_k": 0,
        "stop_sequences": ["a"],
        "metadata": {"user_id": ""},
        "service_tier": "standard_only",
    }


def test_a_schema_is_closed_and_freed_of_what_is_refused() -> None:
    given = {
        "type": "object",
        "properties": {
            "n": {"type": "integer", "minimum": 1, "description": "How many"},
            "s": {"type": "array", "minItems": 2, "items": {"type": "object", "properties": {}}},
            "u": {"oneOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
            "r": {"$ref": "#/$defs/r"},
        },
        "required": ["n"],
        "$defs": {"r": {"type": "object", "properties": {}, "additionalProperties": False}},
    }
    before = json.dumps(given)
    question = Conversation((HI,), response_format=ResponseFormat("schema", schema=given, name="x", strict=True))
    assert body_of(question)["output_config"] == {
        "format": {
            "type": "json_schema",
            "schema": {
                "type": "object",
                "properties": {
                    "n": {"type": "integer", "description": 'How many\n\n{"minimum":1}'},
                    "s": {
                        "type": "array",
                        "description": '{"minItems":2}',
                        "items": {"type": "object", "properties": {}, "additionalProperties": False},
                    },
                    "u": {"anyOf": [{"type": "string", "description": '{"maxLength":3}'}, {"type": "null"}]},
                    "r": {"$ref": "#/$defs/r"},
                },
                "required": ["n"],
                "additionalProperties": False,
                "$defs": {"r": {"type": "object", "properties": {}, "additionalProperties": False}},
            },
        }
    }
    assert json.dumps(given) == before
    assert "output_config" not in body_of(Conversation((HI,), response_format=ResponseFormat("text")))
