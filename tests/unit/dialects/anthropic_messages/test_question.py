"""What callers of Anthropic's messages say, in the neutral form."""

import json
from typing import Any

import msgspec
import pytest

from enfilade.core.errors import InvalidRequest
from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    Part,
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
from enfilade.dialects.anthropic.carriers import UNSEALED, part_seal
from enfilade.dialects.anthropic.fields import Fields, Notes
from enfilade.dialects.anthropic.question import closer_messages, closer_system, closer_tools
from enfilade.dialects.anthropic.quick import quick_messages, quick_system, quick_tools
from enfilade.dialects.errors import MissingField, WrongType
from enfilade.dialects.members.anthropic_messages import DIALECT
from enfilade.dialects.members.anthropic_messages.codec import CODEC
from enfilade.dialects.seals import envelope

OURS = "anthropic_messages"
PDF = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
CITED = {
    "type": "char_location",
    "cited_text": "Rhine",
    "document_index": 0,
    "document_title": "Rivers",
    "start_char_index": 1,
    "end_char_index": 6,
}


def asked(**fields: Any) -> Conversation:
    """A request in the neutral form."""
    least = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}]}
    body = json.dumps({name: value for name, value in (least | fields).items() if value is not ...}).encode()
    codec = DIALECT.codec
    assert codec is not None
    question: Conversation = codec.question(DIALECT.parse(body))
    return question


def parts_of(*blocks: Any, role: str = "user") -> tuple[Part, ...]:
    """What becomes of the blocks of one turn."""
    (message,) = asked(messages=[{"role": role, "content": list(blocks)}]).messages
    assert message.role == role
    return message.parts


@pytest.mark.parametrize(
    ("block", "part"),
    [
        ({"type": "text", "text": ""}, Text("")),
        ({"type": "text", "text": "a", "citations": None, "cache_control": None}, Text("a")),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral"}}, Text("a", cache="5m")),
        ({"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}}, Text("a", cache="1h")),
        (
            {"type": "text", "text": "a", "citations": [CITED]},
            Text("a", citations=({"title": "Rivers", "cited_text": "Rhine", "anthropic": CITED},)),
        ),
        (
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBOR+/="}},
            Media("image", "image/png", "iVBOR+/="),
        ),
        ({"type": "image", "source": {"type": "url", "url": "https://a.b/c"}}, Media("image", url="https://a.b/c")),
        ({"type": "image", "source": {"type": "file", "file_id": "f_1"}}, Media("image", file_id="f_1")),
        (
            {"type": "document", "source": PDF, "title": "T", "cache_control": {"type": "ephemeral"}},
            Media("document", "application/pdf", "JVBERi0=", name="T", cache="5m"),
        ),
        ({"type": "document", "source": {"type": "url", "url": "u"}}, Media("document", url="u")),
        ({"type": "document", "source": {"type": "file", "file_id": "f"}}, Media("document", file_id="f")),
        (
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "words"}},
            Media("document", "text/plain", text="words"),
        ),
        (
            {"type": "document", "source": {"type": "content", "content": "words"}, "citations": {"enabled": False}},
            Media("document", "text/plain", text="words"),
        ),
        (
            {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 2.50, "b": 12345678901234567890}},
            ToolCall("t", "n", '{"a": 2.5, "b": 12345678901234567890}'),
        ),
        (
            {"type": "tool_use", "id": "t", "name": "n", "input": {}, "caller": {"type": "direct"}},
            ToolCall("t", "n", "{}"),
        ),
        ({"type": "tool_result", "tool_use_id": "t"}, ToolResult("t")),
        ({"type": "tool_result", "tool_use_id": "t", "content": None}, ToolResult("t")),
        ({"type": "tool_result", "tool_use_id": "t", "content": ""}, ToolResult("t", (Text(""),))),
        (
            {
                "type": "tool_result",
                "tool_use_id": "t",
                "is_error": True,
                "cache_control": {"type": "ephemeral"},
                "content": [
                    {"type": "text", "text": "a"},
                    {"type": "image", "source": {"type": "url", "url": "u"}},
                    {"type": "document", "source": PDF},
                ],
            },
            ToolResult(
                "t",
                (Text("a"), Media("image", url="u"), Media("document", "application/pdf", "JVBERi0=")),
                is_error=True,
                cache="5m",
            ),
        ),
        (
            {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
            Reasoning("Hm.", Sealed("anthropic", "c2ln")),
        ),
        ({"type": "thinking", "thinking": "", "signature": "c2ln"}, Reasoning("", Sealed("anthropic", "c2ln"))),
        ({"type": "thinking", "thinking": "Hm.", "signature": ""}, Reasoning("Hm.")),
        ({"type": "thinking", "thinking": "Hm.", "signature": UNSEALED}, Reasoning("Hm.")),
        (
            {"type": "redacted_thinking", "data": "ZGF0YQ"},
            Reasoning(seal=Sealed("anthropic", "ZGF0YQ"), redacted=True),
        ),
    ],
)
def test_a_block_in_the_neutral_form(block: dict[str, Any], part: Part) -> None:
    assert parts_of(block) == (part,)
    assert parts_of({"type": "text", "text": "before"}, block)[1] == part


@pytest.mark.parametrize(
    "block",
    [
        {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {"q": "a"}},
        {"type": "web_search_tool_result", "tool_use_id": "s", "content": [{"type": "web_search_result"}]},
        {"type": "mcp_tool_use", "id": "m", "name": "n", "server_name": "s", "input": {}},
        {"type": "container_upload", "file_id": "f"},
        {"type": "search_result", "source": "s", "title": "t", "content": [{"type": "text", "text": "a"}]},
        {"type": "document", "source": {"type": "content", "content": [{"type": "text", "text": "a"}]}},
        {"type": "a_new_kind", "kept": [1, None, {"a": "b"}]},
    ],
)
def test_what_only_anthropic_reads_is_kept_whole(block: dict[str, Any]) -> None:
    assert parts_of(block, role="assistant") == (Opaque(OURS, block["type"], block),)


def test_turns_keep_their_order_and_nothing_is_merged() -> None:
    turns = [
        {"role": "assistant", "content": "a"},
        {"role": "user", "content": ""},
        {"role": "user", "content": []},
        {"role": "system", "content": [{"type": "text", "text": "Be kind."}]},
        {"role": "assistant", "content": [{"type": "text", "text": "b"}, {"type": "text", "text": "c"}]},
    ]
    assert asked(messages=turns).messages == (
        Message(Role.ASSISTANT, (Text("a"),)),
        Message(Role.USER, (Text(""),)),
        Message(Role.USER, ()),
        Message(Role.SYSTEM, (Text("Be kind."),)),
        Message(Role.ASSISTANT, (Text("b"), Text("c"))),
    )


def test_the_seal_of_a_part_stands_beside_it() -> None:
    sealed = Sealed("anthropic", envelope(Sealed("gemini", "c2ln")))
    blocks = [
        {"type": "text", "text": "a"},
        {"type": "redacted_thinking", "data": part_seal(sealed, "previous")},
        {"type": "redacted_thinking", "data": part_seal(sealed, "next")},
        {"type": "tool_use", "id": "t", "name": "n", "input": {}},
    ]
    assert parts_of(*blocks) == (Text("a", seal=sealed), ToolCall("t", "n", "{}", seal=sealed))
    assert parts_of(blocks[2]) == ()


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"system": "Be brief."}, "system", (Text("Be brief."),)),
        ({"system": ""}, "system", (Text(""),)),
        ({"system": None}, "system", ()),
        (
            {
                "system": [
                    {"type": "text", "text": "a", "cache_control": {"type": "ephemeral", "ttl": "1h"}},
                    {"type": "text", "text": "b", "cache_control": {"type": "ephemeral", "ttl": "5m"}},
                ]
            },
            "system",
            (Text("a", cache="1h"), Text("b", cache="5m")),
        ),
        ({"temperature": 0}, "temperature", 0.0),
        ({"top_p": 0}, "top_p", 0.0),
        ({"top_k": 0}, "top_k", 0),
        ({"stop_sequences": ["a", " "]}, "stop", ("a", " ")),
        ({"stop_sequences": []}, "stop", ()),
        ({"metadata": {"user_id": ""}}, "user", ""),
        ({"metadata": {"user_id": None}}, "user", None),
        ({"service_tier": "auto"}, "service_tier", "auto"),
        ({"service_tier": "standard_only"}, "service_tier", "default"),
        ({"tool_choice": {"type": "auto"}}, "tool_choice", ToolChoice("auto")),
        ({"tool_choice": {"type": "any"}}, "tool_choice", ToolChoice("required")),
        ({"tool_choice": {"type": "none"}}, "tool_choice", ToolChoice("none")),
        ({"tool_choice": {"type": "tool", "name": "n"}}, "tool_choice", ToolChoice("named", ("n",))),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}, "parallel_tool_calls", False),
        ({"tool_choice": {"type": "auto", "disable_parallel_tool_use": False}}, "parallel_tool_calls", True),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 2048, "display": "omitted"}},
            "thinking",
            Thinking(enabled=True, budget_tokens=2048, shown=False),
        ),
        (
            {"thinking": {"type": "adaptive", "display": "summarized"}, "output_config": {"effort": "max"}},
            "thinking",
            Thinking(enabled=True, effort="max", shown=True),
        ),
        ({"thinking": {"type": "disabled"}}, "thinking", Thinking(enabled=False)),
        ({"thinking": {"type": "between_tools"}}, "thinking", Thinking(enabled=False)),
        ({"output_config": {"effort": "low"}}, "thinking", Thinking(effort="low")),
        (
            {"output_config": {"format": {"type": "json_schema", "schema": {"type": "object"}}}},
            "response_format",
            ResponseFormat("schema", schema={"type": "object"}),
        ),
        (
            {"output_format": {"type": "json_schema", "schema": {"type": "object"}}},
            "response_format",
            ResponseFormat("schema", schema={"type": "object"}),
        ),
    ],
)
def test_a_setting_in_the_neutral_form(fields: dict[str, Any], name: str, value: Any) -> None:
    question = asked(**fields)
    assert getattr(question, name) == value
    assert question.foreign == question.harmless == ()


def test_what_was_not_said_stays_unsaid() -> None:
    assert asked() == Conversation((Message(Role.USER, (Text("Hi"),)),), max_output_tokens=9)


def test_tools_of_the_caller_and_of_the_provider() -> None:
    schema = {"type": "object", "$defs": {"a": {"type": "string"}}, "additionalProperties": False}
    search = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
    marked = {"type": "bash_20250124", "name": "bash", "cache_control": {"type": "ephemeral"}}
    tools = [
        {"name": "a", "input_schema": schema},
        {"type": "custom", "name": "b", "description": "", "input_schema": {}, "strict": False},
        {"name": "c", "input_schema": schema, "strict": True, "cache_control": {"type": "ephemeral"}},
        search,
        marked,
        {"type": "mcp_toolset", "mcp_server_name": "s"},
    ]
    assert asked(tools=tools).tools == (
        Tool("a", None, schema),
        Tool("b", "", {}, strict=False),
        Tool("c", None, schema, strict=True, cache="5m"),
        Tool("web_search", hosted=Opaque(OURS, "web_search_20250305", search)),
        Tool("bash", hosted=Opaque(OURS, "bash_20250124", marked), cache="5m"),
        Tool("mcp_toolset", hosted=Opaque(OURS, "mcp_toolset", {"type": "mcp_toolset", "mcp_server_name": "s"})),
    )
    assert asked(tools=tools[:3]).tools == asked(tools=tools).tools[:3]


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"container": "c_1"}, "container"),
        ({"context_management": {"edits": []}}, "context_management"),
        ({"mcp_servers": [{"type": "url"}]}, "mcp_servers"),
        ({"inference_geo": "eu"}, "inference_geo"),
        ({"a_new_field": 0}, "a_new_field"),
        ({"thinking": {"type": "in_a_new_way"}}, "thinking.type"),
        ({"output_config": {"task_budget": {}}}, "output_config.task_budget"),
        ({"messages": [{"role": "user", "content": "Hi", "name": "Bob"}]}, "messages.name"),
        (
            {"messages": [{"role": "user", "content": [{"type": "document", "source": PDF, "context": "c"}]}]},
            "messages.content.context",
        ),
        (
            {
                "messages": [
                    {"role": "user", "content": [{"type": "document", "source": PDF, "citations": {"enabled": True}}]}
                ]
            },
            "messages.content.citations",
        ),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {
                                "type": "tool_result",
                                "tool_use_id": "t",
                                "content": [{"type": "tool_reference", "tool_name": "n"}],
                            }
                        ],
                    }
                ]
            },
            "messages.content.content.tool_reference",
        ),
        ({"tools": [{"name": "a", "input_schema": {}, "input_examples": [{"a": 1}]}]}, "tools.input_examples"),
        (
            {"tools": [{"name": "a", "input_schema": {}, "allowed_callers": ["code_execution_20250825"]}]},
            "tools.allowed_callers",
        ),
    ],
)
def test_what_no_other_dialect_can_take_is_named(fields: dict[str, Any], name: str) -> None:
    assert asked(**fields).foreign == (name,)


@pytest.mark.parametrize(
    ("fields", "names"),
    [
        ({"cache_control": {"type": "ephemeral"}}, ("cache_control",)),
        ({"metadata": {"user_id": "u", "trace": 1}}, ("metadata.trace",)),
        ({"speed": "fast"}, ("speed",)),
        ({"tools": [{"name": "a", "input_schema": {}, "defer_loading": True}]}, ("tools.defer_loading",)),
        ({"tools": [{"name": "a", "input_schema": {}, "defer_loading": False}]}, ()),
        ({"x_mine": 1, "container": None, "diagnostics": None}, ()),
    ],
)
def test_what_changes_nothing_in_the_answer_may_be_left_out(fields: dict[str, Any], names: tuple[str, ...]) -> None:
    question = asked(**fields)
    assert question.harmless == names
    assert question.foreign == ()


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": [{"content": "Hi"}]}, "messages.0.role"),
        ({"messages": [{"role": "tool", "content": "Hi"}]}, "messages.0.role"),
        ({"messages": ["Hi"]}, "messages"),
        ({"messages": [{"role": "user"}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": 3}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": ["a"]}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"text": "a"}]}]}, "messages.0.content.0.type"),
        ({"messages": [{"role": "user", "content": [{"type": "text"}]}]}, "messages.0.content.0.text"),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": []}]}]},
            "messages.0.content.1.text",
        ),
        ({"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "messages.0.content.0.source"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "text", "data": "a"}}]}]},
            "messages.0.content.0.source.type",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image", "source": {"type": "url"}}]}]},
            "messages.0.content.0.source.url",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_use", "id": "t", "name": "n", "input": "{}"}]}]},
            "messages.0.content.0.input",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "tool_result", "content": "a"}]}]},
            "messages.0.content.0.tool_use_id",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "text", "text": "", "cache_control": {"ttl": "1d"}}]}]},
            "messages.0.content.0.cache_control.ttl",
        ),
        ({"system": 3}, "system"),
        ({"system": [{"type": "image"}]}, "system.0.type"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"input_schema": {}}]}, "tools.0.name"),
        ({"tools": [{"name": "a"}]}, "tools.0.input_schema"),
        ({"tools": [{"name": "a", "input_schema": []}]}, "tools.0.input_schema"),
        ({"tool_choice": "auto"}, "tool_choice"),
        ({"tool_choice": {"type": "function"}}, "tool_choice.type"),
        ({"tool_choice": {"type": "tool"}}, "tool_choice.name"),
        ({"temperature": "1"}, "temperature"),
        ({"top_k": 1.5}, "top_k"),
        ({"stop_sequences": "END"}, "stop_sequences"),
        ({"stop_sequences": [1]}, "stop_sequences"),
        ({"thinking": {"type": "enabled"}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "adaptive", "display": "loud"}}, "thinking.display"),
        ({"output_config": {"format": {"type": "json"}}}, "output_config.format.type"),
        ({"metadata": {"user_id": 3}}, "metadata.user_id"),
    ],
)
def test_a_wrong_value_is_named_by_its_place(fields: dict[str, Any], param: str) -> None:
    with pytest.raises((WrongType, MissingField)) as refusal:
        asked(**fields)
    assert refusal.value.param == param
    assert f"`{param}`" in refusal.value.message


@pytest.mark.parametrize("where", ["content", "input", "system", "schema", "opaque"])
@pytest.mark.parametrize("depth", [100, 1000, 3000])
def test_depth_breaks_nothing(where: str, depth: int) -> None:
    deep = "[" * depth + "]" * depth
    fields = {
        "content": f'"messages":[{{"role":"user","content":{deep}}}]',
        "input": '"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b",'
        f'"input":{{"a":{deep}}}}}]}}]',
        "system": f'"messages":[{{"role":"user","content":"a"}}],"system":{deep}',
        "schema": f'"messages":[{{"role":"user","content":"a"}}],"tools":[{{"name":"a","input_schema":{{"a":{deep}}}}}]',
        "opaque": f'"messages":[{{"role":"user","content":[{{"type":"new","a":{deep}}}]}}]',
    }[where]
    try:
        question = CODEC.question(DIALECT.parse(f'{{"model":"a","max_tokens":1,{fields}}}'.encode()))
    except InvalidRequest:
        assert depth > 100 or where in {"content", "system"}
    else:
        assert depth < 3000 or where == "input"
        assert question.messages


def test_the_quick_look_sees_what_the_closer_look_sees() -> None:
    mark = {"type": "ephemeral", "ttl": "1h"}
    picture = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "iVBO"}}
    blocks = [
        {"type": "text", "text": "ä"},
        {"type": "text", "text": "a", "cache_control": mark, "citations": None},
        picture,
        {"type": "image", "source": {"type": "url", "url": "u"}, "cache_control": {"type": "ephemeral"}},
        {"type": "tool_use", "id": "t", "name": "n", "input": {"a": 1.50}, "cache_control": None},
        {"type": "tool_result", "tool_use_id": "t", "content": "a"},
        {"type": "tool_result", "tool_use_id": "t", "content": [picture, {"type": "text", "text": ""}]},
        {"type": "tool_result", "tool_use_id": "t", "is_error": True, "cache_control": mark},
        {"type": "thinking", "thinking": "a", "signature": UNSEALED},
        {"type": "redacted_thinking", "data": "d"},
    ]
    raw = msgspec.Raw(json.dumps([{"role": "user", "content": blocks}, {"role": "assistant", "content": "b"}]).encode())
    fields, notes = Fields({"messages": raw, "tools": msgspec.Raw(TOOLS)}, ()), Notes()
    assert quick_messages(raw) == closer_messages(fields, notes) != ()
    assert quick_tools(msgspec.Raw(TOOLS)) == closer_tools(fields, notes) != ()
    for system in (b'"a"', b'[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]'):
        assert quick_system(msgspec.Raw(system)) == closer_system(msgspec.Raw(system), notes) != ()
    assert not notes.foreign
    assert not notes.harmless


TOOLS = b'[{"name":"a","input_schema":{"type":"object"},"strict":true,"cache_control":{"type":"ephemeral"}}]'
