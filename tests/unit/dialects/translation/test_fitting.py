"""A question as its target takes it: dropped, refused, renamed, moved, in one place for all dialects."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    Part,
    Question,
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
from enfilade.dialects.codec import Rules
from enfilade.dialects.errors import NotTranslatable
from enfilade.dialects.seals import envelope
from enfilade.dialects.traits import Traits
from enfilade.dialects.translation.fitting import fit
from enfilade.dialects.translation.losses import Losses
from enfilade.dialects.translation.types import Aim, Memo

USER = Message(Role.USER, (Text("Hello"),))
WEATHER = Tool("weather", "Tells it", {"type": "object", "properties": {"city": {"type": "string"}}})
SCHEMA = {"type": "object", "properties": {"n": {"type": "integer"}}}
IMAGE = Media("image", "image/png", data="aGk=")


class Fitted:
    """What became of a question."""

    def __init__(self, question: Any, *, strict: bool = False, names: dict[str, str] | None = None, **aim: Any) -> None:
        """Fit it to the aim's rules, given as keywords, or to an aim with `traits` and `lacks`."""
        rest = {name: aim.pop(name) for name in ("traits", "lacks") if name in aim}
        self.losses = Losses(names or {}, "target", strict=strict)
        self.memo = Memo("mine")
        self.question = fit(question, Aim(rules=Rules(**aim), **rest), self.losses, self.memo)

    @property
    def dropped(self) -> list[str]:
        """The caller's fields that were left out."""
        return self.losses.dropped


def asking(*messages: Message, **settings: Any) -> Conversation:
    return Conversation(messages or (USER,), **settings)


def turn(*parts: Part, role: Role = Role.USER, name: str | None = None) -> Message:
    return Message(role, parts, name)


def refused(question: Any, **aim: Any) -> str:
    with pytest.raises(NotTranslatable) as refusal:
        Fitted(question, **aim)
    assert refusal.value.param is not None
    assert f"`{refusal.value.param}`" in refusal.value.message
    return refusal.value.param


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("temperature", 0.0),
        ("top_p", 0.5),
        ("top_k", 0),
        ("seed", 0),
        ("frequency_penalty", 0.0),
        ("presence_penalty", 1.0),
        ("verbosity", "low"),
        ("service_tier", "flex"),
        ("user", ""),
        ("metadata", {}),
        ("cache_key", "k"),
        ("cache_life", "24h"),
    ],
)
def test_what_only_nudges_is_taken_or_dropped_by_the_callers_name(name: str, value: Any) -> None:
    question = asking(**{name: value})
    assert Fitted(question, takes=frozenset({name})).question == question
    without = Fitted(question, names={name: "theirs"})
    assert without.question == asking()
    assert without.dropped == ["theirs"]
    assert refused(question, strict=True) == name
    for less in ({"lacks": frozenset({name})}, {"traits": Traits(lacks=frozenset({name}))}):
        assert Fitted(question, takes=frozenset({name}), **less).dropped == [name]


@pytest.mark.parametrize(
    ("settings", "param"),
    [
        ({"logit_bias": {"1": 2.0}}, "logit_bias"),
        ({"logprobs": 0}, "logprobs"),
        ({"choices": 2}, "choices"),
        ({"modalities": ("text", "audio")}, "modalities"),
        ({"stop": ("x",)}, "stop"),
        ({"foreign": ("background",)}, "background"),
        ({"tools": (Tool("web", hosted=Opaque("other", "web_search", {})),)}, "tools"),
        ({"tools": (WEATHER,), "parallel_tool_calls": False}, "parallel_tool_calls"),
        ({"tools": (WEATHER,), "tool_choice": ToolChoice("required")}, "tool_choice"),
    ],
)
def test_what_the_answer_depends_on_is_refused(settings: dict[str, Any], param: str) -> None:
    assert refused(asking(**settings), tool_choices=frozenset({"auto"})) == param


def test_text_alone_as_modality_and_parallel_calls_as_usual_are_nothing_to_refuse() -> None:
    fitted = Fitted(asking(modalities=("text",), parallel_tool_calls=True))
    assert fitted.question.parallel_tool_calls is None
    assert fitted.dropped == []
    assert Fitted(asking(parallel_tool_calls=False)).dropped == []


def test_one_forced_tool_is_not_refused_because_calls_may_be_parallel() -> None:
    named = ToolChoice("named", ("weather",))
    fitted = Fitted(asking(tools=(WEATHER,), tool_choice=named, parallel_tool_calls=False))
    assert (fitted.question.parallel_tool_calls, fitted.dropped) == (None, ["parallel_tool_calls"])


def test_a_temperature_is_brought_into_the_targets_range() -> None:
    fitted = Fitted(asking(temperature=1.7), takes=frozenset({"temperature"}), temperature=(0.0, 1.0))
    assert (fitted.question.temperature, fitted.dropped) == (1.0, ["temperature"])


def test_stop_sequences_are_counted_and_looked_at() -> None:
    takes = frozenset({"stop"})
    assert Fitted(asking(stop=("a", "b")), takes=takes, max_stop=2).question.stop == ("a", "b")
    assert refused(asking(stop=("a", "b")), takes=takes, max_stop=1) == "stop"
    assert refused(asking(stop=("a", "b")), takes=takes, traits=Traits(max_stop=1)) == "stop"
    assert refused(asking(stop=("\n",)), takes=takes, blank_stop=False) == "stop"


@pytest.mark.parametrize(
    ("thinking", "dropped"),
    [
        (Thinking(enabled=True, budget_tokens=1024), ["thinking"]),
        (Thinking(effort="high"), ["thinking"]),
        (Thinking(enabled=False), []),
        (Thinking(effort="none"), []),
    ],
)
def test_thinking_is_dropped_where_there_is_none(thinking: Thinking, dropped: list[str]) -> None:
    fitted = Fitted(asking(thinking=thinking))
    assert (fitted.question.thinking, fitted.dropped) == (None, dropped)
    assert Fitted(asking(thinking=thinking), takes=frozenset({"thinking"})).question.thinking == thinking


def test_what_is_harmless_is_named_and_strict_callers_are_refused() -> None:
    assert Fitted(asking(harmless=("store",))).dropped == ["store"]
    assert refused(asking(harmless=("store",)), strict=True) == "store"


# Tools


def test_names_and_ids_that_are_not_allowed_are_mapped_stably_and_lead_back() -> None:
    name, identifier = "search.the web/now", "call|with=strange chars"
    question = asking(
        USER,
        turn(ToolCall(identifier, name, "{}"), role=Role.ASSISTANT),
        turn(ToolResult(identifier, (Text("found"),), name=name)),
        tools=(Tool(name),),
        tool_choice=ToolChoice("named", (name,)),
    )
    first, second = (Fitted(question, tool_id=r"[a-zA-Z0-9_-]+") for _ in range(2))
    assert first.question == second.question
    (tool,) = first.question.tools
    call, result = first.question.messages[1].parts[0], first.question.messages[2].parts[0]
    assert re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", tool.name)
    assert first.question.tool_choice.names == (tool.name,) == (call.name,) == (result.name,)
    assert call.id == result.call_id
    assert re.fullmatch(r"[a-zA-Z0-9_-]+", call.id)
    assert first.memo.names == {tool.name: name}


@given(st.lists(st.text(min_size=1, max_size=80), min_size=1, max_size=20, unique=True))
def test_different_ids_stay_different_and_all_are_allowed(identifiers: list[str]) -> None:
    calls = tuple(ToolCall(identifier, "f", "{}") for identifier in identifiers)
    for pattern in (r"[a-zA-Z0-9_-]+", r"[a-zA-Z0-9]{9}", r"[a-zA-Z0-9_.:-]{1,64}"):
        fitted = Fitted(asking(turn(*calls, role=Role.ASSISTANT)), traits=Traits(tool_id_pattern=pattern))
        ids = [part.id for part in fitted.question.messages[0].parts]
        assert len(set(ids)) == len(identifiers)
        assert all(re.fullmatch(pattern, one) for one in ids)


def test_allowed_tools_become_those_that_are_offered() -> None:
    tools = (WEATHER, Tool("time"))
    for must, expected in ((True, ToolChoice("required")), (False, ToolChoice("auto"))):
        fitted = Fitted(asking(tools=tools, tool_choice=ToolChoice("allowed", ("time",), must=must)))
        assert fitted.question.tools == (Tool("time"),)
        assert fitted.question.tool_choice == expected


def test_no_tools_are_offered_where_none_can_be_forbidden() -> None:
    fitted = Fitted(asking(tools=(WEATHER,), tool_choice=ToolChoice("none")), tool_choices=frozenset({"auto"}))
    assert (fitted.question.tools, fitted.question.tool_choice) == ((), None)


def test_a_free_text_tool_becomes_a_function_with_one_text() -> None:
    tool = Tool("sql", "Runs it", custom=True, format={"type": "grammar", "definition": "start: WORD"})
    history = turn(ToolCall("c", "sql", "SELECT 1", custom=True), role=Role.ASSISTANT)
    fitted = Fitted(asking(USER, history, tools=(tool,)))
    (sent,) = fitted.question.tools
    assert sent.parameters["required"] == ["input"]
    assert "start: WORD" in sent.parameters["properties"]["input"]["description"]
    assert fitted.question.messages[1].parts == (ToolCall("c", "sql", '{"input":"SELECT 1"}'),)
    assert fitted.memo.custom == {"sql"}
    assert fitted.dropped == ["tools.format"]
    assert Fitted(asking(tools=(tool,)), custom_tools=True).question.tools == (tool,)


# A response format without a place of its own


def test_a_schema_becomes_a_tool_that_must_be_used() -> None:
    wanted = ResponseFormat("schema", SCHEMA, "answer", "The answer")
    alone = Fitted(asking(response_format=wanted))
    assert alone.question.tools == (Tool("json_answer", "The answer", SCHEMA),)
    assert alone.question.tool_choice == ToolChoice("named", ("json_answer",))
    assert (alone.memo.forced, alone.memo.wrapped) == ("json_answer", False)
    beside = Fitted(asking(response_format=wanted, tools=(WEATHER,)))
    assert [tool.name for tool in beside.question.tools] == ["weather", "json_answer"]
    assert beside.question.tool_choice == ToolChoice("required")
    native = Fitted(asking(response_format=wanted), response_formats=frozenset({"schema"}))
    assert native.question.response_format == wanted
    lacking = Fitted(
        asking(response_format=wanted), response_formats=frozenset({"schema"}), lacks=frozenset({"json_schema"})
    )
    assert lacking.memo.forced == "json_answer"


def test_a_schema_of_something_else_than_an_object_is_wrapped_with_its_definitions() -> None:
    schema = {"type": "array", "items": {"$ref": "#/$defs/n"}, "$defs": {"n": {"type": "integer"}}}
    fitted = Fitted(asking(response_format=ResponseFormat("schema", schema)))
    (tool,) = fitted.question.tools
    assert tool.parameters["properties"] == {"value": {"type": "array", "items": {"$ref": "#/$defs/n"}}}
    assert tool.parameters["$defs"] == {"n": {"type": "integer"}}
    assert fitted.memo.wrapped


# Turns


def test_instructions_between_the_turns_join_those_at_the_beginning_or_stay() -> None:
    question = asking(USER, turn(Text("Be brief."), role=Role.SYSTEM), USER, system=(Text("Be kind."),))
    joined = Fitted(question).question
    assert joined.system == (Text("Be kind."), Text("Be brief."))
    assert joined.messages == (USER, USER)
    assert Fitted(question, system_turns=True).question == question


def test_empty_texts_refusals_names_and_marks_go_where_there_is_no_place() -> None:
    question = asking(
        turn(Text(""), Text("a", cache="5m"), name="ana"),
        turn(Refusal("No."), role=Role.ASSISTANT),
        USER,
        tools=(Tool("f", cache="1h"),),
        system=(Text("s", cache="1h"), Text("")),
    )
    fitted = Fitted(question, empty_texts=False, names={"cache": "cache_control", "name": "messages.name"})
    assert fitted.question == asking(
        turn(Text("a")), turn(Text("No."), role=Role.ASSISTANT), USER, tools=(Tool("f"),), system=(Text("s"),)
    )
    assert sorted(fitted.dropped) == ["cache_control", "messages.name"]
    kept = Fitted(question, names={}, cache_marks=True, refusals=True)
    assert kept.question.messages[1] == question.messages[1]
    assert kept.question.system == question.system


def test_an_assistants_last_turn_is_refused_where_it_would_not_be_continued() -> None:
    question = asking(USER, turn(Text("{"), role=Role.ASSISTANT))
    assert Fitted(question).question == question
    assert refused(question, prefill=False) == "messages"


@pytest.mark.parametrize(
    "media",
    [
        IMAGE,
        Media("image", url="https://example.org/a.png"),
        Media("document", file_id="file-1"),
        Media("audio", "audio/wav", data="aGk="),
        Media("document", "text/plain", text="words"),
    ],
)
def test_media_go_in_forms_that_the_target_takes(media: Media) -> None:
    form = next(name for name in ("data", "url", "file_id", "text") if getattr(media, name) is not None)
    question = asking(turn(media))
    allowed = {media.kind: frozenset({form})}
    assert Fitted(question, media=allowed).question == question
    assert refused(question) == "messages"
    assert refused(question, media={media.kind: frozenset({"nothing"})}) == "messages"
    lacks = frozenset({media.kind if media.kind == "audio" else f"{media.kind}s"})
    assert refused(question, media=allowed, lacks=lacks) == "messages"


@pytest.mark.parametrize("where", [lambda media: media, lambda media: ToolResult("a", (media,))])
def test_files_that_another_provider_keeps_are_refused(where: Callable[[Media], Part]) -> None:
    allowed: dict[str, Any] = {
        "media": {"document": frozenset({"data", "file_id"})},
        "result_media": frozenset({"document"}),
        "file_id": r"own_.*",
    }
    for media in (Media("document", file_id="own_1"), Media("document", data="JVBERi0=")):
        question = asking(turn(where(media)))
        assert Fitted(question, **allowed).question == question
    assert refused(asking(turn(where(Media("document", file_id="file-1")))), **allowed) == "messages"


def test_media_in_tool_results_follow_all_results_where_they_cannot_stay() -> None:
    question = asking(
        turn(ToolResult("a", (Text("see"), IMAGE))),
        turn(ToolResult("b", (Text("none"),))),
        turn(Text("So?")),
    )
    allowed = {"image": frozenset({"data"})}
    moved = Fitted(question, media=allowed).question
    assert moved.messages == (
        turn(ToolResult("a", (Text("see"),))),
        turn(ToolResult("b", (Text("none"),))),
        turn(Text("From the result of tool call a:"), IMAGE),
        turn(Text("So?")),
    )
    assert Fitted(question, media=allowed, result_media=frozenset({"image"})).question == question


def test_blocks_of_another_provider_are_refused() -> None:
    assert refused(asking(turn(Opaque("other", "web_search_result", {}), role=Role.ASSISTANT))) == "messages"


# Reasoning


def test_seals_go_back_to_their_own_family_and_to_no_other() -> None:
    seal = Sealed("gemini", "c2ln")
    carried = Sealed("anthropic", envelope(seal))
    question = asking(
        turn(
            Reasoning("thought", carried),
            Text("said", seal=carried),
            ToolCall("a", "f", "{}", seal=carried),
            Reasoning("", Sealed("anthropic", "own"), redacted=True),
            role=Role.ASSISTANT,
        ),
        USER,
    )
    home = Fitted(question, seals=frozenset({"gemini"}))
    assert home.question.messages[0].parts == (
        Reasoning("thought", seal),
        Text("said", seal=seal),
        ToolCall("a", "f", "{}", seal=seal),
    )
    assert home.dropped == ["reasoning"]
    own = Fitted(question, seals=frozenset({"anthropic"}))
    assert own.question.messages[0].parts == (
        Text("said"),
        ToolCall("a", "f", "{}"),
        Reasoning("", Sealed("anthropic", "own"), redacted=True),
    )
    text = Fitted(question, unsealed_reasoning=True)
    assert text.question.messages[0].parts == (Reasoning("thought"), Text("said"), ToolCall("a", "f", "{}"))


# Embeddings


def test_embeddings_lose_hints_and_are_refused_what_changes_the_vectors() -> None:
    question = Question(("a",), dimensions=4, task="query", title="t", user="u")
    assert Fitted(question, takes=frozenset({"dimensions"})).dropped == ["task", "title", "user"]
    assert refused(question) == "dimensions"
    assert refused(Question((), token_inputs=((1, 2),))) == "inputs"
    assert refused(Question(("a",), foreign=("input_type",))) == "input_type"
    assert Fitted(Question(("a",), harmless=("x",))).dropped == ["x"]
