"""What Anthropic's services do not take together, or not with the model."""

import json
from typing import Any

import msgspec
import pytest

from enfilade.core.messages import (
    Conversation,
    Message,
    Reasoning,
    Role,
    Sealed,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from enfilade.dialects.anthropic.fitting import BUDGETS, DEFAULT_MAX_TOKENS, fit
from enfilade.dialects.anthropic.models import generation
from enfilade.dialects.codec import Upstream
from enfilade.dialects.members.anthropic_messages import DIALECT

HI = Message(Role.USER, (Text("Hi"),))
CALL = ToolCall("t", "n", "{}")
RESULT = Message(Role.USER, (ToolResult("t", (Text("a"),)),))
OLD, BOTH, NEW = "claude-sonnet-4-5", "claude-opus-4-6", "claude-opus-4-8"
SOME = Thinking(enabled=True, budget_tokens=2000)


def fitted(model: str, **settings: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The body, and what was left out of it."""
    said: dict[str, Any] = {"messages": (HI,), "max_output_tokens": 9000}
    question = Conversation(**(said | settings))
    once, dropped = fit(question, Upstream(model))
    assert fit(once, Upstream(model)) == (once, ())
    codec = DIALECT.codec
    assert codec is not None
    body = codec.write(question, Upstream(model))
    assert codec.write(once, Upstream(model)) == body
    return json.loads(body), dropped


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("claude-2.1", (2, 0)),
        ("anthropic.claude-v2", (2, 0)),
        ("claude-instant-1.2", (2, 0)),
        ("claude-3-haiku-20240307", (3, 0)),
        ("claude-3-5-sonnet-20241022", (3, 5)),
        ("anthropic/claude-3.7-sonnet", (3, 7)),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", (4, 0)),
        ("claude-sonnet-4@20250514", (4, 0)),
        ("claude-opus-4-1-20250805", (4, 1)),
        ("anthropic/claude-opus-4.5", (4, 5)),
        ("anthropic.claude-opus-4-6-v1", (4, 6)),
        ("claude-fable-5-2", (5, 2)),
        ("claude-sonnet-5", (5, 0)),
        ("claude-mythos-preview", (5, 0)),
        ("our-own-name", (4, 6)),
    ],
)
def test_a_name_says_the_generation(name: str, number: tuple[int, int]) -> None:
    assert generation(name) == number


@pytest.mark.parametrize(
    ("model", "said", "thinking", "effort"),
    [
        (OLD, Thinking(effort="low"), {"type": "enabled", "budget_tokens": 2048}, None),
        (OLD, Thinking(enabled=True), {"type": "enabled", "budget_tokens": BUDGETS["medium"]}, None),
        (
            OLD,
            Thinking(effort="minimal", shown=False),
            {"type": "enabled", "budget_tokens": 1024, "display": "omitted"},
            None,
        ),
        (OLD, Thinking(budget_tokens=5), {"type": "enabled", "budget_tokens": 1024}, None),
        (OLD, Thinking(budget_tokens=0), {"type": "disabled"}, None),
        (OLD, Thinking(effort="none"), {"type": "disabled"}, None),
        (OLD, Thinking(enabled=False), {"type": "disabled"}, None),
        (OLD, Thinking(shown=True), None, None),
        (BOTH, Thinking(effort="high"), {"type": "adaptive"}, "high"),
        (BOTH, Thinking(effort="minimal", summary="auto"), {"type": "adaptive", "display": "summarized"}, "low"),
        (BOTH, Thinking(effort="xhigh"), {"type": "adaptive"}, "high"),
        (BOTH, Thinking(enabled=True), {"type": "adaptive"}, None),
        (
            BOTH,
            Thinking(enabled=True, effort="low", budget_tokens=3000),
            {"type": "enabled", "budget_tokens": 3000},
            "low",
        ),
        (BOTH, Thinking(enabled=False), {"type": "disabled"}, None),
        (NEW, Thinking(effort="xhigh"), {"type": "adaptive"}, "xhigh"),
        (NEW, Thinking(budget_tokens=2000), {"type": "adaptive"}, "low"),
        (NEW, Thinking(budget_tokens=99_000), {"type": "adaptive"}, "xhigh"),
        (NEW, Thinking(enabled=False, effort="low"), None, "low"),
    ],
)
def test_thinking_as_the_model_is_told(model: str, said: Thinking, thinking: Any, effort: str | None) -> None:
    body, dropped = fitted(model, thinking=said)
    assert body.get("thinking") == thinking
    assert body.get("output_config", {}).get("effort") == effort
    assert body["max_tokens"] == 9000
    assert dropped == ()


def test_a_model_that_cannot_think_is_not_told_to() -> None:
    body, dropped = fitted("claude-3-5-haiku-latest", thinking=SOME, temperature=0.5)
    assert (body.get("thinking"), body["temperature"], dropped) == (None, 0.5, ("thinking",))
    assert "thinking" not in fitted("claude-3-5-haiku-latest", thinking=Thinking(enabled=False))[0]


@pytest.mark.parametrize(
    ("given", "budget", "maximum", "left"),
    [
        (None, 10_000, 10_000 + DEFAULT_MAX_TOKENS, 10_000),
        (20_000, 10_000, 20_000, 10_000),
        (10_000, 10_000, 10_000, 7500),
        (1025, 10_000, 1025, 1024),
        (1024, 10_000, 1024, None),
        (5, 1024, 5, None),
    ],
)
def test_a_budget_stays_below_the_maximum(given: int | None, budget: int, maximum: int, left: int | None) -> None:
    body, dropped = fitted(OLD, thinking=Thinking(enabled=True, budget_tokens=budget), max_output_tokens=given)
    assert body["max_tokens"] == maximum
    assert body["thinking"] == ({"type": "disabled"} if left is None else {"type": "enabled", "budget_tokens": left})
    assert dropped == (("thinking",) if left is None else ())


@pytest.mark.parametrize(
    ("settings", "dropped"),
    [
        ({"temperature": 1.0, "top_p": 0.95}, ()),
        ({"temperature": 0.0}, ("temperature",)),
        ({"top_k": 0}, ("top_k",)),
        ({"top_p": 0.5}, ("top_p",)),
        ({"temperature": 0.5, "top_k": 3, "top_p": 0.9}, ("top_k", "temperature", "top_p")),
    ],
)
def test_sampling_gives_way_to_thinking(settings: dict[str, Any], dropped: tuple[str, ...]) -> None:
    for model in (OLD, BOTH):
        body, left_out = fitted(model, thinking=SOME, **settings)
        assert left_out == dropped
        assert body["thinking"]["type"] == "enabled"
        assert {name for name in settings if name in body} == settings.keys() - set(dropped)


def test_without_thinking_sampling_stays_unless_the_model_refuses_it() -> None:
    assert fitted("claude-3-opus-20240229", temperature=0.0, top_p=0.5, top_k=1)[1] == ()
    assert fitted(OLD, temperature=0.0, top_k=1)[1] == ()
    assert fitted(OLD, temperature=0.0, top_p=0.5)[1] == ("top_p",)
    body, dropped = fitted(NEW, temperature=1.0, top_p=0.5, top_k=1)
    assert dropped == ("temperature", "top_p", "top_k")
    assert not {"temperature", "top_p", "top_k"} & body.keys()


@pytest.mark.parametrize("choice", [ToolChoice("required"), ToolChoice("named", ("n",))])
def test_thinking_gives_way_to_a_tool_that_must_be_used(choice: ToolChoice) -> None:
    for model, told in ((OLD, {"type": "disabled"}), (BOTH, {"type": "disabled"}), (NEW, None)):
        body, dropped = fitted(model, thinking=Thinking(enabled=True), tools=(Tool("n"),), tool_choice=choice)
        assert body.get("thinking") == told
        assert body["tool_choice"]["type"] in {"any", "tool"}
        assert dropped == ("thinking",)
    assert fitted(OLD, thinking=SOME, tools=(Tool("n"),), tool_choice=ToolChoice("auto"))[1] == ()


def test_thinking_gives_way_to_a_turn_that_is_to_be_continued() -> None:
    begun = (HI, Message(Role.ASSISTANT, (Text("It is"),)))
    body, dropped = fitted(OLD, thinking=SOME, messages=begun)
    assert (body["thinking"], dropped) == ({"type": "disabled"}, ("thinking",))


@pytest.mark.parametrize(
    ("turns", "thinks"),
    [
        ((Message(Role.ASSISTANT, (CALL,)), RESULT), False),
        ((Message(Role.ASSISTANT, (Text("a"), CALL)), RESULT), False),
        ((Message(Role.ASSISTANT, (Reasoning("a"), CALL)), RESULT), False),
        ((Message(Role.ASSISTANT, (Reasoning("a", Sealed("anthropic", "s")), CALL)), RESULT), True),
        ((Message(Role.ASSISTANT, (CALL,)), RESULT, HI), True),
        ((Message(Role.ASSISTANT, (CALL,)), RESULT, Message(Role.ASSISTANT, (Text("b"),)), HI), True),
    ],
)
def test_a_loop_of_tools_that_began_without_thoughts_goes_on_without(turns: tuple[Message, ...], thinks: bool) -> None:
    body, dropped = fitted(OLD, thinking=SOME, messages=(HI, *turns), tools=(Tool("n"),))
    assert (body["thinking"]["type"] == "enabled") is thinks
    assert dropped == (() if thinks else ("thinking",))
    adaptive, kept = fitted(NEW, thinking=SOME, messages=(HI, *turns), tools=(Tool("n"),))
    assert (adaptive["thinking"], kept) == ({"type": "adaptive"}, ())


@pytest.mark.parametrize(
    ("tier", "written"),
    [("auto", "auto"), ("priority", "auto"), ("default", "standard_only"), ("flex", None), ("scale", None)],
)
def test_tiers(tier: str, written: str | None) -> None:
    body, dropped = fitted(OLD, service_tier=tier)
    assert body.get("service_tier") == written
    assert dropped == (() if written else ("service_tier",))


def test_what_fits_is_not_touched() -> None:
    question = Conversation((HI,), max_output_tokens=5, temperature=0.0, thinking=Thinking(enabled=False))
    assert fit(question, Upstream(OLD))[0] == question
    assert fit(msgspec.structs.replace(question, thinking=None), Upstream(NEW))[1] == ("temperature",)
