"""What goes to a provider."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

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
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.openai_responses import DIALECT
from enfilade.dialects.members.openai_responses.codec import CODEC
from tests.support.properties import examples

USER, ASSISTANT, SYSTEM = Role.USER, Role.ASSISTANT, Role.SYSTEM
HI = Message(USER, (Text("Hi"),))
SAID_HI = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Hi"}]}


def written(question: Conversation, model: str = "up", *, stream: bool = False) -> dict[str, Any]:
    """The body."""
    body: dict[str, Any] = json.loads(CODEC.write(question, Upstream(model, stream)))
    return body


def test_whoever_switches_thinking_on_wants_to_see_it() -> None:
    thinking = Thinking(enabled=True)
    assert written(Conversation((HI,), thinking=thinking), "gpt-5.1")["reasoning"] == {"summary": "auto"}
    assert "reasoning" not in written(Conversation((HI,), thinking=msgspec.structs.replace(thinking, shown=False)))


def test_the_least_question() -> None:
    assert written(Conversation((HI,))) == {"model": "up", "store": False, "input": [SAID_HI]}
    assert written(Conversation((HI,)), stream=True)["stream"] is True


@pytest.mark.parametrize(
    ("message", "items"),
    [
        (Message(SYSTEM, (Text("A"), Text("B"))), [("system", ["A", "B"])]),
        (Message(ASSISTANT, (Text(""),)), [{"type": "message", "role": "assistant", "content": ""}]),
        (
            Message(ASSISTANT, (Text("A"), Refusal("B"))),
            [
                {
                    "type": "message",
                    "id": "msg_0",
                    "role": "assistant",
                    "status": "completed",
                    "content": [
                        {"type": "output_text", "text": "A", "annotations": []},
                        {"type": "refusal", "refusal": "B"},
                    ],
                }
            ],
        ),
        (
            Message(
                ASSISTANT, (Reasoning("Hm", Sealed("openai", "rs_1#gAAA")), ToolCall("c", "f", "", item_id="fc_1"))
            ),
            [
                {
                    "type": "reasoning",
                    "id": "rs_1",
                    "summary": [{"type": "summary_text", "text": "Hm"}],
                    "encrypted_content": "gAAA",
                },
                {"type": "function_call", "id": "fc_1", "call_id": "c", "name": "f", "arguments": ""},
            ],
        ),
        (
            Message(ASSISTANT, (Reasoning(seal=Sealed("openai", "gAAA"), redacted=True),)),
            [{"type": "reasoning", "summary": [], "encrypted_content": "gAAA"}],
        ),
        (
            Message(ASSISTANT, (ToolCall("c", "sql", "SELECT 1", custom=True, item_id="toolu_1"),)),
            [{"type": "custom_tool_call", "call_id": "c", "name": "sql", "input": "SELECT 1"}],
        ),
        (
            Message(USER, (ToolResult("a", is_error=True), Text("B"), ToolResult("c", (Text("C"),), custom=True))),
            [
                {"type": "function_call_output", "call_id": "a", "output": "", "status": "incomplete"},
                {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "B"}]},
                {"type": "custom_tool_call_output", "call_id": "c", "output": "C"},
            ],
        ),
        (
            Message(USER, (ToolResult("a", (Text("A"), Media("image", "image/gif", "R0lG"))),)),
            [
                {
                    "type": "function_call_output",
                    "call_id": "a",
                    "output": [
                        {"type": "input_text", "text": "A"},
                        {"type": "input_image", "detail": "auto", "image_url": "data:image/gif;base64,R0lG"},
                    ],
                }
            ],
        ),
        (
            Message(
                USER,
                (
                    Media("document", None, "JVBE"),
                    Media("document", url="https://a/b.pdf"),
                    Media("document", text="é", name="n.txt"),
                    Media("document", file_id="file-1"),
                ),
            ),
            [
                {
                    "type": "message",
                    "role": "user",
                    "content": [
                        {
                            "type": "input_file",
                            "filename": "document.pdf",
                            "file_data": "data:application/pdf;base64,JVBE",
                        },
                        {"type": "input_file", "file_url": "https://a/b.pdf"},
                        {"type": "input_file", "filename": "n.txt", "file_data": "data:text/plain;base64,w6k="},
                        {"type": "input_file", "file_id": "file-1"},
                    ],
                }
            ],
        ),
        (
            Message(
                ASSISTANT, (Opaque("openai_responses", "web_search_call", {"type": "web_search_call", "id": "w"}),)
            ),
            [{"type": "web_search_call", "id": "w"}],
        ),
    ],
)
def test_a_turn_is_written(message: Message, items: list[Any]) -> None:
    expected = [
        {"type": "message", "role": item[0], "content": [{"type": "input_text", "text": text} for text in item[1]]}
        if isinstance(item, tuple)
        else item
        for item in items
    ]
    assert written(Conversation((message,)))["input"] == expected


def test_several_instructions_stay_apart() -> None:
    body = written(Conversation((HI,), system=(Text("A"), Text("B"))))
    assert "instructions" not in body
    blocks = [{"type": "input_text", "text": text} for text in "AB"]
    assert body["input"] == [{"type": "message", "role": "system", "content": blocks}, SAID_HI]
    assert written(Conversation((HI,), system=(Text(""),)))["instructions"] == ""


@pytest.mark.parametrize(
    ("settings", "fields"),
    [
        (
            {"temperature": 0.0, "top_p": 0.0, "max_output_tokens": 5},
            {"temperature": 0.0, "top_p": 0.0, "max_output_tokens": 5},
        ),
        ({"logprobs": 0}, {"include": ["message.output_text.logprobs"], "top_logprobs": 0}),
        ({"verbosity": "low"}, {"text": {"verbosity": "low"}}),
        ({"response_format": ResponseFormat("json")}, {"text": {"format": {"type": "json_object"}}}),
        (
            {"response_format": ResponseFormat("schema", {"type": "object"})},
            {"text": {"format": {"type": "json_schema", "name": "answer", "schema": {"type": "object"}}}},
        ),
        ({"cache_key": "", "user": ""}, {"prompt_cache_key": "", "user": ""}),
        ({"thinking": Thinking(enabled=False)}, {"reasoning": {"effort": "none"}}),
        (
            {"thinking": Thinking(enabled=True, budget_tokens=1024)},
            {"reasoning": {"effort": "low", "summary": "auto"}, "include": ["reasoning.encrypted_content"]},
        ),
        (
            {"thinking": Thinking(enabled=True, effort="high", shown=False)},
            {"reasoning": {"effort": "high"}, "include": ["reasoning.encrypted_content"]},
        ),
        # Nobody knows whether this model thinks at all.
        ({"thinking": Thinking(enabled=True)}, {}),
        (
            {"thinking": Thinking(budget_tokens=20_000, shown=True), "logprobs": 2},
            {
                "reasoning": {"effort": "high", "summary": "auto"},
                "include": ["reasoning.encrypted_content", "message.output_text.logprobs"],
                "top_logprobs": 2,
            },
        ),
        ({"thinking": Thinking(shown=False)}, {}),
        ({"tool_choice": ToolChoice("required")}, {"tool_choice": "required"}),
        ({"tool_choice": ToolChoice("named", ("f",))}, {"tool_choice": {"type": "function", "name": "f"}}),
    ],
)
def test_settings_are_written(settings: dict[str, Any], fields: dict[str, Any]) -> None:
    body = written(Conversation((HI,), **settings))
    assert body == {"model": "up", "store": False, "input": [SAID_HI]} | fields


def test_long_identifiers_are_shortened_and_stay_apart() -> None:
    users = ["u" * 64, "u" * 65, "u" * 66]
    sent = [written(Conversation((HI,), user=user, cache_key=user)) for user in users]
    assert sent[0]["user"] == users[0]
    assert len({body["user"] for body in sent}) == 3
    assert all(len(body["user"]) == 64 and body["user"] == body["prompt_cache_key"] for body in sent)


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (Tool("f"), {"type": "function", "parameters": {"type": "object", "properties": {}}, "strict": False}),
        (Tool("f", "", {"a": 1}, strict=True), {"description": "", "parameters": {"a": 1}, "strict": True}),
        (
            Tool("f", strict=True),
            {
                "strict": True,
                "parameters": {"type": "object", "properties": {}, "required": [], "additionalProperties": False},
            },
        ),
        (Tool("f", custom=True, format={"type": "text"}), {"type": "custom", "format": {"type": "text"}}),
        (
            Tool("f", custom=True, format={"type": "grammar", "grammar": {"syntax": "regex", "definition": "a"}}),
            {"type": "custom", "format": {"type": "grammar", "syntax": "regex", "definition": "a"}},
        ),
    ],
)
def test_tools_are_never_strict_unless_told(tool: Tool, expected: dict[str, Any]) -> None:
    question = Conversation((HI,), tools=(tool,), tool_choice=ToolChoice("allowed", ("f",), must=True))
    body = written(question)
    assert body["tools"] == [{"type": "function", "name": "f"} | expected]
    entry = {"type": "custom" if tool.custom else "function", "name": "f"}
    assert body["tool_choice"] == {"type": "allowed_tools", "mode": "required", "tools": [entry]}


@pytest.mark.parametrize(
    ("model", "reasons"),
    [("o3", True), ("gpt-5.1", True), ("azure/gpt-6-mini", True), ("gpt-5-chat-latest", False), ("gpt-4o", False)],
)
def test_sealed_reasoning_is_asked_of_models_that_reason(model: str, reasons: bool) -> None:
    assert ("include" in written(Conversation((HI,)), model)) is reasons


@pytest.mark.parametrize(
    ("model", "settings", "dropped"),
    [
        ("gpt-5", {"temperature": 0.0, "top_p": 0.5}, ("temperature", "top_p")),
        ("gpt-5.1", {"temperature": 0.0, "thinking": Thinking(enabled=False)}, ()),
        ("gpt-4o", {"temperature": 0.0}, ()),
        ("gpt-5", {"verbosity": "low"}, ()),
    ],
)
def test_models_that_reason_are_not_told_how_to_sample(
    model: str, settings: dict[str, Any], dropped: tuple[str, ...]
) -> None:
    assert CODEC.rules.fit is not None
    question = Conversation((HI,), **settings)
    fitted, names = CODEC.rules.fit(question, Upstream(model))
    assert names == dropped
    assert fitted == Conversation((HI,), **(settings | dict.fromkeys(dropped)))
    assert CODEC.rules.fit(fitted, Upstream(model)) == (fitted, ())


def test_what_no_item_can_hold_is_left_out_and_named() -> None:
    assert CODEC.rules.fit is not None
    made, linked = Media("image", "image/png", "iVBO"), Media("image", url="https://a")
    result = ToolResult("c", (Text("No."),), is_error=True, custom=True)
    question = Conversation((Message(ASSISTANT, (made, linked)), Message(USER, (result, linked))))
    fitted, names = CODEC.rules.fit(question, Upstream("up"))
    assert names == ("images", "is_error")
    kept = ToolResult("c", (Text("No."),), custom=True)
    assert fitted.messages == (Message(ASSISTANT, (made,)), Message(USER, (kept, linked)))
    (image, *_) = written(fitted)["input"]
    assert image == {"type": "image_generation_call", "id": "ig_0", "status": "completed", "result": "iVBO"}


WORDS = st.text(st.characters(exclude_characters="#", exclude_categories=["Cs"]), max_size=8)
NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
SCHEMAS = st.dictionaries(NAMES, st.none() | st.booleans() | st.integers(-9, 9) | WORDS, max_size=3)
IMAGES = st.builds(
    lambda form, detail: Media("image", detail=detail, **form),
    st.sampled_from(
        [{"media_type": "image/png", "data": "iVBO"}, {"url": "https://a/b"}, {"file_id": "file-1"}],
    ),
    st.sampled_from(["low", "high", "auto"]),
)
DOCUMENTS = st.sampled_from(
    [
        Media("document", "application/pdf", "JVBE", name="a.pdf"),
        Media("document", url="https://a/b.pdf"),
        Media("document", file_id="file-2"),
    ]
)
TEXTS = st.builds(Text, WORDS)
SEALS = st.builds(Sealed, st.just("openai"), WORDS.filter(bool))
CALLS = st.builds(ToolCall, NAMES, NAMES, WORDS, item_id=st.none() | st.just("fc_1")) | st.builds(
    ToolCall, NAMES, NAMES, WORDS, custom=st.just(True), item_id=st.none() | st.just("ctc_1")
)
REASONING = st.builds(
    lambda text, seal, name: Reasoning(text, seal, redacted=not text, id=name),
    WORDS,
    SEALS,
    st.none() | st.just("rs_1"),
)
RESULTS = st.builds(
    ToolResult, NAMES, st.lists(TEXTS | IMAGES | DOCUMENTS, min_size=1, max_size=3).map(tuple), is_error=st.booleans()
)
ANSWERS = st.lists(TEXTS | st.builds(Refusal, WORDS) | CALLS | REASONING, min_size=1, max_size=5).map(
    lambda parts: Message(ASSISTANT, tuple(parts))
)
SAID = (
    st.lists(TEXTS | IMAGES | DOCUMENTS, min_size=1, max_size=3).map(lambda parts: Message(USER, tuple(parts)))
    | RESULTS.map(lambda result: Message(USER, (result,)))
    | st.lists(TEXTS, min_size=1, max_size=2).map(lambda parts: Message(SYSTEM, tuple(parts)))
)
TURNS = st.lists(st.tuples(ANSWERS, SAID), max_size=4).map(lambda pairs: tuple(turn for pair in pairs for turn in pair))
TOOLS = st.builds(Tool, NAMES, st.none() | WORDS, SCHEMAS, strict=st.booleans()) | st.builds(
    Tool, NAMES, st.none() | WORDS, custom=st.just(True), format=st.none() | st.just({"type": "text"})
)
THINKING = st.sampled_from(
    [
        Thinking(effort="high"),
        Thinking(enabled=False, effort="none"),
        Thinking(effort="low", shown=True, summary="auto"),
        Thinking(shown=True, summary="concise"),
    ]
)
QUESTIONS = st.builds(
    Conversation,
    messages=st.tuples(SAID, TURNS).map(lambda both: (both[0], *both[1])),
    system=st.just(()) | TEXTS.map(lambda text: (text,)),
    tools=st.lists(TOOLS, max_size=3).map(tuple),
    tool_choice=st.none() | st.sampled_from([ToolChoice("auto"), ToolChoice("none"), ToolChoice("named", ("f",))]),
    parallel_tool_calls=st.none() | st.booleans(),
    max_output_tokens=st.none() | st.integers(1, 99),
    temperature=st.none() | st.floats(0, 2),
    top_p=st.none() | st.floats(0, 1),
    logprobs=st.none() | st.integers(0, 3),
    response_format=st.none()
    | st.builds(ResponseFormat, st.sampled_from(["text", "json"]))
    | st.builds(ResponseFormat, st.just("schema"), SCHEMAS, NAMES, st.none() | WORDS, st.none() | st.booleans()),
    thinking=st.none() | THINKING,
    verbosity=st.none() | st.just("low"),
    service_tier=st.none() | st.just("flex"),
    user=st.none() | WORDS,
    metadata=st.none() | st.dictionaries(NAMES, WORDS, max_size=2),
    cache_key=st.none() | WORDS,
    cache_life=st.none() | st.just("24h"),
)


@examples(300)
@given(QUESTIONS)
def test_what_is_written_reads_as_it_was(question: Conversation) -> None:
    body = CODEC.write(question, Upstream("up"))
    assert CODEC.question(DIALECT.parse(body)) == question
