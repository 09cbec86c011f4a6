"""What goes out in Anthropic's form and is read again says the same."""

import json
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.messages import (
    Completion,
    Conversation,
    Finish,
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
from enfilade.core.usage import Usage
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.anthropic_messages import DIALECT
from enfilade.dialects.members.anthropic_messages.codec import MessagesCodec
from enfilade.dialects.members.anthropic_messages.usage import MESSAGES, usage_object
from tests.support.properties import examples

CODEC = MessagesCodec()
ASKED = DIALECT.parse(b'{"model":"c","max_tokens":9,"messages":[{"role":"user","content":"Hi"}]}')
WORDS = (
    st.text(alphabet='ab"é\n€\\', min_size=1, max_size=6)
    .filter(lambda text: not text.isspace())
    .map(lambda text: "x" + text + "x")
)
NAMES = st.from_regex(r"[a-zA-Z0-9_-]{1,12}", fullmatch=True)
MARKS: st.SearchStrategy[Any] = st.sampled_from([None, "5m", "1h"])
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.sampled_from(
    [
        {"type": "object", "properties": {}, "additionalProperties": False},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/a"}}, "$defs": {"a": {"type": "string"}}}
        | {"additionalProperties": False},
    ]
)
TEXTS = st.builds(Text, text=WORDS, cache=MARKS)
MEDIA = st.one_of(
    st.builds(
        Media,
        kind=st.just("image"),
        media_type=st.just("image/png"),
        data=st.sampled_from(["", "iVBO+/=="]),
        cache=MARKS,
    ),
    st.builds(Media, kind=st.just("image"), url=WORDS, cache=MARKS),
    st.builds(Media, kind=st.just("document"), file_id=WORDS, name=st.none() | WORDS, cache=MARKS),
    st.builds(Media, kind=st.just("document"), media_type=st.just("text/plain"), text=WORDS, name=st.none() | WORDS),
)
SEALS = st.builds(Sealed, origin=st.just("anthropic"), value=NAMES)
CALLS = st.builds(
    ToolCall, id=NAMES, name=NAMES, arguments=st.sampled_from(["{}", '{"a": 1.50}', '{"b":[null]}']), cache=MARKS
)
RESULTS = st.builds(
    ToolResult,
    call_id=NAMES,
    content=st.lists(TEXTS | MEDIA, max_size=2).map(tuple),
    is_error=st.booleans(),
    cache=MARKS,
)
OPAQUE = st.just(Opaque("anthropic_messages", "container_upload", {"type": "container_upload", "file_id": "f"}))
THOUGHTS = st.one_of(
    st.builds(Reasoning, text=WORDS | st.just(""), seal=SEALS), st.builds(Reasoning, seal=SEALS, redacted=st.just(True))
)
OF_USER: st.SearchStrategy[Any] = st.tuples(
    st.lists(RESULTS, max_size=2), st.lists(TEXTS | MEDIA | OPAQUE, min_size=1, max_size=3)
).map(lambda pair: Message(Role.USER, (*pair[0], *pair[1])))
OF_ASSISTANT: st.SearchStrategy[Any] = st.lists(TEXTS | CALLS | THOUGHTS | OPAQUE, min_size=1, max_size=3).map(
    lambda parts: Message(Role.ASSISTANT, tuple(parts))
)
TURNS = st.lists(st.tuples(OF_USER, OF_ASSISTANT), max_size=2).flatmap(
    lambda pairs: OF_USER.map(lambda last: (*(turn for pair in pairs for turn in pair), last))
)
TOOLS = st.builds(
    Tool, name=NAMES, description=st.none() | WORDS, parameters=SCHEMAS, strict=st.none() | st.booleans(), cache=MARKS
)
CHOICES = st.sampled_from([None, ToolChoice("auto"), ToolChoice("required"), ToolChoice("named", ("n",))])
QUESTIONS = st.builds(
    Conversation,
    messages=TURNS,
    system=st.lists(TEXTS, max_size=2).map(tuple),
    tools=st.lists(TOOLS, min_size=1, max_size=2).map(tuple),
    tool_choice=CHOICES,
    max_output_tokens=st.integers(1, 10**9),
    temperature=st.none() | st.sampled_from([0.0, 0.25, 1.0]),
    top_k=st.none() | st.integers(0, 99),
    stop=st.lists(WORDS, max_size=2).map(tuple),
    response_format=st.none() | SCHEMAS.map(lambda schema: ResponseFormat("schema", schema=schema)),
    service_tier=st.sampled_from([None, "auto", "default"]),
    user=st.none() | WORDS,
    thinking=st.sampled_from([None, Thinking(enabled=False)]),
)


@examples(80)
@given(question=QUESTIONS)
def test_a_question_written_and_read_again_is_the_same(question: Conversation) -> None:
    body = CODEC.write(question, Upstream("claude-opus-4-6", stream=True))
    request = DIALECT.parse(body)
    assert request.stream
    assert request.model == "claude-opus-4-6"
    assert CODEC.question(request) == question


@examples(50)
@given(
    budget=st.none() | st.integers(1024, 9000),
    effort=st.sampled_from([None, "low", "high", "max"]),
    shown=st.none() | st.booleans(),
)
def test_thinking_written_and_read_again_is_the_same(
    budget: int | None, effort: str | None, shown: bool | None
) -> None:
    thinking = Thinking(enabled=True, budget_tokens=budget, effort=effort, shown=shown)
    question = Conversation((Message(Role.USER, (Text("Hi"),)),), max_output_tokens=10_000, thinking=thinking)
    assert CODEC.question(DIALECT.parse(CODEC.write(question, Upstream("claude-opus-4-6")))) == question


FIGURES = st.integers(0, 10**6)


@examples(100)
@given(plain=FIGURES, read=FIGURES, short=FIGURES, long=FIGURES, output=FIGURES, thoughts=FIGURES)
def test_usage_is_turned_round_and_back_exactly(
    plain: int, read: int, short: int, long: int, output: int, thoughts: int
) -> None:
    usage = Usage(plain + read + short + long, read, short, long, output + thoughts, thoughts)
    written = usage_object(usage)
    assert written["input_tokens"] == plain
    assert MESSAGES.usage(written) == usage


PARTS: st.SearchStrategy[list[Part]] = st.lists(TEXTS | CALLS | THOUGHTS, min_size=1, max_size=4)


@examples(100)
@given(parts=PARTS)
def test_an_answer_comes_back_as_it_was_given(parts: list[Part]) -> None:
    """A caller sends the blocks of the answer back; what they mean is what was answered, marks apart."""
    plain = tuple(
        msgspec.structs.replace(part, cache=None) if isinstance(part, Text | ToolCall) else part for part in parts
    )
    body = CODEC.render(Completion("m", "c", 0, plain, Finish.STOP, Usage()), ASKED)
    content = json.loads(body)["content"]
    again = json.dumps({"model": "c", "max_tokens": 1, "messages": [{"role": "assistant", "content": content}]})
    (turn,) = CODEC.question(DIALECT.parse(again.encode())).messages
    assert json.dumps([_plain(part) for part in turn.parts]) == json.dumps([_plain(part) for part in plain])


def _plain(part: Part) -> Any:
    found = msgspec.to_builtins(part)
    if "arguments" in found:
        found["arguments"] = json.loads(found["arguments"])
    return found
