"""What a caller asks, in the neutral form."""

import json
from typing import Any

import pytest

from enfilade.core.errors import InvalidRequest
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
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.dialects.members.openai_responses import DIALECT
from enfilade.dialects.members.openai_responses.codec import CODEC

USER, ASSISTANT, SYSTEM = Role.USER, Role.ASSISTANT, Role.SYSTEM
PNG = "data:image/png;base64,iVBORw0KGgo="
CALL = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}
OUTPUT = {"type": "function_call_output", "call_id": "c1", "output": "rain"}
HI = {"role": "user", "content": "Hi"}


def asked(given: Any = "Hi", **fields: Any) -> Conversation:
    """The question of a request."""
    body = json.dumps({"model": "m", "input": given} | fields).encode()
    return CODEC.question(DIALECT.parse(body))


def content(*parts: dict[str, Any], role: str = "user") -> list[dict[str, Any]]:
    """An input of one message."""
    return [{"type": "message", "role": role, "content": list(parts)}]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "input_text", "text": ""}, Text("")),
        ({"type": "input_image", "image_url": PNG}, Media("image", "image/png", "iVBORw0KGgo=")),
        (
            {"type": "input_image", "image_url": "https://a/b.png", "detail": "high"},
            Media("image", url="https://a/b.png", detail="high"),
        ),
        (
            {"type": "input_image", "file_id": "file-1", "detail": "auto"},
            Media("image", file_id="file-1", detail="auto"),
        ),
        (
            {"type": "input_file", "file_data": "data:application/pdf;base64,JVBE", "filename": "a.pdf"},
            Media("document", "application/pdf", "JVBE", name="a.pdf"),
        ),
        (
            {"type": "input_file", "file_data": "YQ==", "filename": "a.TXT"},
            Media("document", "text/plain", "YQ==", name="a.TXT"),
        ),
        ({"type": "input_file", "file_url": "https://a/b.pdf"}, Media("document", url="https://a/b.pdf")),
        ({"type": "input_file", "file_id": "file-2"}, Media("document", file_id="file-2")),
        (
            {"type": "input_audio", "input_audio": {"data": "UklG", "format": "mp3"}},
            Media("audio", "audio/mpeg", "UklG"),
        ),
        (
            {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit", "ttl": "12h"}},
            Text("a", cache="1h"),
        ),
        (
            {"type": "input_text", "text": "a", "prompt_cache_breakpoint": {"mode": "explicit"}},
            Text("a", cache="5m"),
        ),
        ({"type": "refusal", "refusal": "No."}, Refusal("No.")),
        (
            {
                "type": "output_text",
                "text": "See a.",
                "annotations": [
                    {"type": "url_citation", "url": "https://a", "title": "A", "start_index": 0, "end_index": 5},
                    {"type": "file_citation", "file_id": "f", "filename": "n", "index": 0},
                ],
            },
            Text(
                "See a.",
                citations=(
                    {"url": "https://a", "title": "A", "start": 0, "end": 5},
                    {"type": "file_citation", "file_id": "f", "filename": "n", "index": 0},
                ),
            ),
        ),
    ],
)
def test_a_part_is_read(part: dict[str, Any], expected: Part) -> None:
    assert asked(content(part)).messages == (Message(USER, (expected,)),)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("Hi", (Message(USER, (Text("Hi"),)),)),
        ("", (Message(USER, (Text(""),)),)),
        ([HI, HI], (Message(USER, (Text("Hi"),)),) * 2),
        (
            [{"role": "system", "content": "A"}, {"role": "developer", "content": "B"}, HI],
            (Message(SYSTEM, (Text("A"),)), Message(SYSTEM, (Text("B"),)), Message(USER, (Text("Hi"),))),
        ),
        (
            # Calls of one turn stay together, whatever stands between them.
            [CALL, {"role": "assistant", "content": "and"}, CALL | {"call_id": "c2"}, OUTPUT],
            (
                Message(ASSISTANT, (ToolCall("c1", "f", "{}"), Text("and"), ToolCall("c2", "f", "{}"))),
                Message(USER, (ToolResult("c1", (Text("rain"),)),)),
            ),
        ),
        (
            [{"role": "assistant", "content": "A"}, {"role": "assistant", "content": "B"}, CALL],
            (Message(ASSISTANT, (Text("A"),)), Message(ASSISTANT, (Text("B"), ToolCall("c1", "f", "{}")))),
        ),
        (
            [CALL, OUTPUT, CALL | {"call_id": "c2"}, OUTPUT | {"call_id": "c2"}],
            (
                Message(ASSISTANT, (ToolCall("c1", "f", "{}"),)),
                Message(USER, (ToolResult("c1", (Text("rain"),)),)),
                Message(ASSISTANT, (ToolCall("c2", "f", "{}"),)),
                Message(USER, (ToolResult("c2", (Text("rain"),)),)),
            ),
        ),
        (
            [
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "A"}, {"type": "summary_text", "text": "B"}],
                    "encrypted_content": "gAAA",
                },
                CALL | {"id": "fc_1", "arguments": "not JSON"},
            ],
            (
                Message(
                    ASSISTANT,
                    (
                        Reasoning("A\n\nB", Sealed("openai", "gAAA"), id="rs_1"),
                        ToolCall("c1", "f", "not JSON", item_id="fc_1"),
                    ),
                ),
            ),
        ),
        (
            [{"type": "reasoning", "id": "rs_1", "summary": [], "content": [{"type": "reasoning_text", "text": "Hm"}]}],
            (Message(ASSISTANT, (Reasoning("Hm", id="rs_1"),)),),
        ),
        (
            [
                {"type": "custom_tool_call", "call_id": "c1", "name": "sql", "input": "SELECT 1"},
                {"type": "custom_tool_call_output", "call_id": "c1", "output": ""},
            ],
            (
                Message(ASSISTANT, (ToolCall("c1", "sql", "SELECT 1", custom=True),)),
                Message(USER, (ToolResult("c1", (Text(""),), custom=True),)),
            ),
        ),
        (
            [
                OUTPUT
                | {
                    "output": [{"type": "input_text", "text": "see"}, {"type": "input_image", "image_url": PNG}],
                    "status": "incomplete",
                }
            ],
            (
                Message(
                    USER,
                    (ToolResult("c1", (Text("see"), Media("image", "image/png", "iVBORw0KGgo=")), is_error=True),),
                ),
            ),
        ),
        (
            [{"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "iVBO"}],
            (Message(ASSISTANT, (Media("image", "image/png", "iVBO"),)),),
        ),
        (
            [{"type": "web_search_call", "id": "ws_1", "status": "completed"}, {"type": "computer_call_output"}],
            (
                Message(
                    ASSISTANT,
                    (
                        Opaque(
                            "openai_responses",
                            "web_search_call",
                            {"type": "web_search_call", "id": "ws_1", "status": "completed"},
                        ),
                    ),
                ),
                Message(USER, (Opaque("openai_responses", "computer_call_output", {"type": "computer_call_output"}),)),
            ),
        ),
    ],
)
def test_items_become_turns(given: Any, expected: tuple[Message, ...]) -> None:
    assert asked(given).messages == expected


def test_a_seal_that_followed_its_part_goes_back_to_it() -> None:
    seal = {"type": "reasoning", "id": "rs_seal_ab01", "summary": [], "encrypted_content": "sig"}
    messages = asked([{"role": "assistant", "content": "A"}, seal, CALL, seal | {"id": "rs_seal_ab03"}]).messages
    sealed = Sealed("openai", "sig")
    assert messages == (Message(ASSISTANT, (Text("A", seal=sealed), ToolCall("c1", "f", "{}", seal=sealed))),)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"instructions": ""}, {"system": (Text(""),)}),
        ({"temperature": 0, "top_p": 0}, {"temperature": 0.0, "top_p": 0.0}),
        ({"max_output_tokens": 16}, {"max_output_tokens": 16}),
        ({"parallel_tool_calls": False}, {"parallel_tool_calls": False}),
        ({"reasoning": {"effort": "none"}}, {"thinking": Thinking(enabled=False, effort="none")}),
        (
            {"reasoning": {"effort": "high", "summary": "detailed"}},
            {"thinking": Thinking(effort="high", shown=True, summary="detailed")},
        ),
        ({"reasoning": {"generate_summary": "auto"}}, {"thinking": Thinking(shown=True, summary="auto")}),
        ({"reasoning": {}}, {}),
        ({"reasoning": None, "tools": None, "text": None, "x_own": 1}, {}),
        ({"text": {"verbosity": "low"}}, {"verbosity": "low"}),
        ({"text": {"format": {"type": "text"}}}, {"response_format": ResponseFormat("text")}),
        (
            {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"}, "strict": False}}},
            {"response_format": ResponseFormat("schema", {"type": "object"}, "a", strict=False)},
        ),
        ({"include": ["message.output_text.logprobs"]}, {"logprobs": 0}),
        ({"include": ["message.output_text.logprobs"], "top_logprobs": 3}, {"logprobs": 3}),
        ({"include": ["reasoning.encrypted_content"], "top_logprobs": 0}, {}),
        ({"top_logprobs": 3}, {"harmless": ("top_logprobs",)}),
        ({"user": "a"}, {"user": "a"}),
        ({"safety_identifier": "b", "user": "a"}, {"user": "b", "harmless": ("user",)}),
        (
            {"prompt_cache_key": "k", "prompt_cache_retention": "24h", "service_tier": "flex", "metadata": {}},
            {"cache_key": "k", "cache_life": "24h", "service_tier": "flex", "metadata": {}},
        ),
        ({"truncation": "auto", "max_tool_calls": 1}, {"harmless": ("truncation", "max_tool_calls")}),
        ({"prompt": {"id": "p"}}, {"foreign": ("prompt",)}),
        ({"seed": 0, "stop": ["a"]}, {"foreign": ("seed", "stop")}),
        ({"store": True, "conversation": "conv_1"}, {}),
        (
            {"reasoning": {"effort": "low", "mode": "pro"}},
            {"thinking": Thinking(effort="low"), "foreign": ("reasoning.mode",)},
        ),
        ({"reasoning": {"effort": "low", "mode": "standard"}}, {"thinking": Thinking(effort="low")}),
    ],
)
def test_settings_are_read(fields: dict[str, Any], expected: dict[str, Any]) -> None:
    question = asked(**fields)
    assert question == Conversation(messages=(Message(USER, (Text("Hi"),)),), **expected)


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        ({"type": "function", "name": "f", "parameters": None, "strict": None}, Tool("f")),
        (
            {"type": "function", "name": "f", "parameters": {"$ref": "#/a"}, "strict": False, "description": ""},
            Tool("f", "", {"$ref": "#/a"}, strict=False),
        ),
        ({"type": "custom", "name": "c"}, Tool("c", custom=True)),
        (
            {"type": "custom", "name": "c", "format": {"type": "grammar", "syntax": "lark", "definition": "a"}},
            Tool("c", custom=True, format={"type": "grammar", "syntax": "lark", "definition": "a"}),
        ),
        (
            {"type": "web_search", "search_context_size": "low"},
            Tool(
                "web_search",
                hosted=Opaque("openai_responses", "web_search", {"type": "web_search", "search_context_size": "low"}),
            ),
        ),
    ],
)
def test_tools_are_read(tool: dict[str, Any], expected: Tool) -> None:
    question = asked(tools=[tool])
    assert question.tools == (expected,)
    assert question.foreign == ()


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("auto", ToolChoice("auto")),
        ("required", ToolChoice("required")),
        ("none", ToolChoice("none")),
        ({"type": "function", "name": "f"}, ToolChoice("named", ("f",))),
        ({"type": "custom", "name": "c"}, ToolChoice("named", ("c",))),
        (
            {"type": "allowed_tools", "mode": "required", "tools": [{"type": "function", "name": "f"}]},
            ToolChoice("allowed", ("f",), must=True),
        ),
        ({"type": "allowed_tools", "mode": "auto", "tools": []}, ToolChoice("allowed")),
    ],
)
def test_the_choice_among_tools_is_read(choice: Any, expected: ToolChoice) -> None:
    assert asked(tool_choice=choice).tool_choice == expected


@pytest.mark.parametrize(
    ("fields", "foreign"),
    [
        ({"tool_choice": {"type": "web_search_preview"}}, "tool_choice"),
        ({"tools": [{"type": "function", "name": "f", "defer_loading": True}]}, "tools[0].defer_loading"),
        ({"input": [{"type": "item_reference", "id": "msg_1"}]}, "input[0]"),
        ({"input": [{"id": "msg_1"}]}, "input[0]"),
        ({"input": [HI | {"mood": "good"}]}, "input[0].mood"),
        ({"input": [CALL | {"namespace": "n"}]}, "input[0].namespace"),
        ({"input": content({"type": "input_video", "url": "a"})}, "input[0].content[0]"),
        ({"context_management": [{"type": "compaction"}]}, "context_management"),
        ({"a_new_field": False}, "a_new_field"),
    ],
)
def test_what_has_no_place_elsewhere_is_named(fields: dict[str, Any], foreign: str) -> None:
    assert asked(**({"given": fields.pop("input")} if "input" in fields else {}), **fields).foreign == (foreign,)


def test_fields_without_effect_are_named() -> None:
    question = asked([{"role": "assistant", "content": "A", "phase": "commentary"}, HI])
    assert question.harmless == ("input[0].phase",)
    assert question.foreign == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"input": ["Hi"]}, "input[0]"),
        ({"input": [{"type": 5}]}, "input[0].type"),
        ({"input": [{"role": "user"}]}, "input[0].content"),
        ({"input": [{"role": 5, "content": ""}]}, "input[0].role"),
        ({"input": content({"type": "input_text"})}, "input[0].content[0].text"),
        ({"input": content({"type": "input_image"})}, "input[0].content[0].image_url"),
        ({"input": content({"type": "input_image", "image_url": "data:image/png,x"})}, "input[0].content[0].image_url"),
        ({"input": content({"type": "input_file"})}, "input[0].content[0]"),
        ({"input": [CALL | {"arguments": {}}]}, "input[0].arguments"),
        ({"input": [CALL | {"call_id": None}]}, "input[0].call_id"),
        ({"input": [OUTPUT | {"output": None}]}, "input[0].output"),
        ({"input": [{"type": "reasoning", "summary": [{"text": 5}]}]}, "input[0].summary[0].text"),
        ({"instructions": []}, "instructions"),
        ({"temperature": "1"}, "temperature"),
        ({"temperature": True}, "temperature"),
        ({"temperature": 10**400}, "temperature"),
        ({"metadata": []}, "metadata"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"name": "f"}]}, "tools[0].type"),
        ({"tools": [{"type": "function", "function": {"name": "f"}}]}, "tools[0].name"),
        ({"tools": [{"type": "function", "name": "f", "strict": 1}]}, "tools[0].strict"),
        ({"tool_choice": "any"}, "tool_choice"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "a"}}}, "text.format.schema"),
        ({"reasoning": "high"}, "reasoning"),
        ({"reasoning": {"effort": 1}}, "reasoning.effort"),
        ({"top_logprobs": "1"}, "top_logprobs"),
        ({"user": 5}, "user"),
    ],
)
def test_a_wrong_type_is_named(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        asked(**({"given": fields.pop("input")} if "input" in fields else {}), **fields)
    assert refusal.value.param == param
    assert f"`{param}`" in refusal.value.message


def test_deep_nesting_is_no_crash() -> None:
    deep = '{"a":' * 900 + "1" + "}" * 900
    body = b'{"model":"m","input":"Hi","tools":[{"type":"function","name":"f","parameters":%b}]}' % deep.encode()
    try:
        question = CODEC.question(DIALECT.parse(body))
    except InvalidRequest:
        return
    assert question.tools[0].parameters
