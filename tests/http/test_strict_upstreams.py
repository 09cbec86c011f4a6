"""Callers of every dialect, services that refuse what the real ones refuse, and the whole program between them."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from enfilade.core.messages import Finish
from enfilade.providers.adapters import openai as openai_adapter
from tests.support.callers import CALLERS
from tests.support.callers.caller import PIXEL
from tests.support.strict.types import ODD, PLAIN, Call, Hide, Reply, Say, Spent, Style, Think
from tests.support.strict_house import FINISHES, MODELS, StrictHouse, calling, open_strict_house

SPENT = Spent(input=50, cached=20, output=17, reasoning=6)
WITHOUT_THOUGHTS = replace(SPENT, reasoning=0)
GREETING = Reply(parts=[Say("Good morning, 世界 \U0001f30d")], spent=SPENT)
TOOLS = ("weather", "time")
RAIN, CLOCK = Call("weather", {"city": "Zürich"}), Call("time", {"city": "東京"})
BOTH = [False, True]
MANNERS = {"mistral": Style(whole_calls=True)}
THOUGHTS = {
    "openai_chat": "reasoning_content",
    "anthropic_messages": "messages.content.thinking",
    "openai_responses": "reasoning",
}


def odd(service: str) -> Style:
    """All oddities that the service may have at once."""
    return replace(ODD, whole_calls=MANNERS.get(service, PLAIN).whole_calls)


@pytest.fixture
def responses_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """OpenAI speaks chat as well, which may be preferred; here it speaks responses alone."""
    paths = {"openai_responses": "/responses", "openai_embeddings": "/embeddings"}
    monkeypatch.setattr(openai_adapter, "ADAPTER", replace(openai_adapter.ADAPTER, paths=paths))


@pytest.mark.parametrize("service", sorted(MODELS))
async def test_a_text_and_an_image_are_answered(database: Any, service: str) -> None:
    async with open_strict_house(database, service) as strict:
        await texts_and_images(strict, service)


async def test_a_text_and_an_image_are_answered_by_responses(database: Any, responses_alone: None) -> None:
    async with open_strict_house(database, "openai") as strict:
        await texts_and_images(strict, "openai")


async def texts_and_images(strict: StrictHouse, service: str) -> None:
    upstream = strict.services[service]
    manners = [(False, PLAIN), (True, MANNERS.get(service, PLAIN)), (True, odd(service))]
    for dialect, (stream, style) in product(CALLERS, manners):
        upstream.will(replace(GREETING, style=style))
        caller = calling(dialect, service, stream=stream)
        caller.instructs("Be brief.", "Be kind.")
        caller.asks("What is it?", image=service != "deepseek")
        reply, heard, completion = await strict.send(caller, service)
        assert heard.text == "Good morning, 世界 \U0001f30d"
        assert heard.finish == FINISHES[dialect]["stop"], (dialect, stream)
        sent = str(upstream.asked[-1].body)
        assert ("Be brief." in sent, "Be kind." in sent) == (True, True)
        assert (PIXEL in sent) is (service != "deepseek")
        usage = completion.usage
        assert usage is not None, (dialect, stream, style)
        assert (usage.input_tokens, usage.cached_input_tokens, usage.output_tokens) == (50, 20, 17), (dialect, stream)
        record = await strict.record(reply)
        told = record["usage"]
        assert (told["input_tokens"], told["cached_input_tokens"], told["output_tokens"]) == (50, 20, 17)
        assert (told["reasoning_tokens"], record["estimated"], record["status"]) == (6, False, "ok"), (dialect, told)
        assert reply.headers.get("x-enfilade-dropped") is None, (dialect, reply.headers["x-enfilade-dropped"])


@pytest.mark.parametrize("service", sorted(MODELS))
async def test_tools_are_used_over_three_turns(database: Any, service: str) -> None:
    async with open_strict_house(database, service) as strict:
        for dialect, stream in product(CALLERS, BOTH):
            await loop_of_tools(strict, dialect, service, stream=stream)


async def test_tools_are_used_over_three_turns_by_responses(database: Any, responses_alone: None) -> None:
    async with open_strict_house(database, "openai") as strict:
        for dialect, stream in product(CALLERS, BOTH):
            await loop_of_tools(strict, dialect, "openai", stream=stream)


async def loop_of_tools(strict: StrictHouse, dialect: str, service: str, *, stream: bool) -> None:
    """Two calls at once, of which one fails; one more; an answer; and another question after all that."""
    upstream, style = strict.services[service], odd(service)
    upstream.will(
        Reply(parts=[Say("Let me look."), RAIN, CLOCK], serial="1", spent=WITHOUT_THOUGHTS, style=style),
        Reply(parts=[CLOCK], serial="2", spent=WITHOUT_THOUGHTS, style=style),
        Reply(parts=[Say("It rains.")], serial="3", spent=WITHOUT_THOUGHTS, style=style),
        Reply(parts=[Say("Welcome.")], serial="4", spent=WITHOUT_THOUGHTS, style=style),
    )
    caller = calling(dialect, service, stream=stream)
    caller.has_tools(*TOOLS)
    caller.asks("Is it raining, and what time is it?")
    _, heard, completion = await strict.send(caller, service)
    assert (heard.text, heard.finish) == ("Let me look.", FINISHES[dialect]["calls"]), (dialect, service)
    assert [(name, arguments) for _, name, arguments in heard.calls] == [
        ("weather", {"city": "Zürich"}),
        ("time", {"city": "東京"}),
    ]
    assert completion.finish is Finish.TOOL_CALLS
    first, second = (identifier for identifier, _, _ in heard.calls)
    caller.answers([(first, "weather", "It rains."), (second, "time", "No such clock.")], errors=[second])
    reply, heard, _ = await strict.send(caller, service)
    assert [(name, arguments) for _, name, arguments in heard.calls] == [("time", {"city": "東京"})]
    sent = str(upstream.asked[-1].body)
    # Gemini's callers give a streamed text back in the pieces in which it came.
    assert ("It rains." in sent, "No such clock." in sent, "Let m" in sent) == (True, True, True)
    dropped = reply.headers.get("x-enfilade-dropped")
    assert dropped in {None, "is_error", "messages.is_error"}, (dialect, service, dropped)
    caller.answers([(heard.calls[0][0], "time", "12:00")])
    _, heard, _ = await strict.send(caller, service)
    assert (heard.text, heard.finish) == ("It rains.", FINISHES[dialect]["stop"])
    caller.asks("Thank you!")
    _, heard, _ = await strict.send(caller, service)
    assert heard.text == "Welcome."


@pytest.mark.parametrize("service", ["anthropic", "gemini", "openai", "responses", "deepseek"])
async def test_thoughts_survive_a_loop_of_tools(database: Any, service: str, request: pytest.FixtureRequest) -> None:
    if service == "responses":
        request.getfixturevalue("responses_alone")
        service = "openai"
    async with open_strict_house(database, service, models={"deepseek": "deepseek-reasoner"}) as strict:
        for dialect, stream in product(CALLERS, BOTH):
            await loop_with_thoughts(strict, dialect, service, stream=stream)


async def loop_with_thoughts(strict: StrictHouse, dialect: str, service: str, *, stream: bool) -> None:
    """The services know their thoughts again, and miss them."""
    upstream, style = strict.services[service], odd(service)
    before = len(upstream.asked)
    thoughts = [Think("I should look \n twice 世界")] + ([Hide()] if service == "anthropic" else [])
    upstream.will(
        Reply(parts=[*thoughts, RAIN, CLOCK], serial="1", style=style),
        Reply(parts=[Think("And again."), CLOCK], serial="2", style=style),
        Reply(parts=[Think("So it does."), Say("It rains.")], serial="3", style=style),
        Reply(parts=[Say("Welcome.")], serial="4", style=style),
    )
    caller = calling(dialect, service, stream=stream)
    caller.has_tools(*TOOLS)
    caller.thinks()
    caller.asks("Is it raining, and what time is it?")
    for _ in range(2):
        reply, heard, _ = await strict.send(caller, service)
        # Gemini shows summaries of its thoughts, but wants only the signatures back.
        dropped = reply.headers.get("x-enfilade-dropped")
        assert dropped is None or (service, dropped) == ("gemini", THOUGHTS[dialect]), (dialect, service, dropped)
        caller.answers([(identifier, name, "Fine.") for identifier, name, _ in heard.calls])
    _, heard, completion = await strict.send(caller, service)
    assert heard.text == "It rains."
    assert completion.usage is not None
    assert completion.usage.reasoning_tokens == 5
    caller.asks("Thank you!")
    assert (await strict.send(caller, service))[1].text == "Welcome."
    bodies = [asked.body for asked in upstream.asked[before:]]
    kept = [thoughts_in(body) for body in bodies]
    # OpenAI's chat shows no thoughts. Gemini's calls and texts are signed, not what it shows of its thoughts.
    expected = {
        "gemini": [0, 1, 2],
        "anthropic": [0, 2, 3],
        "openai": [0, 1, 2],
        "deepseek": [0, 1, 2],
    }[service]
    if service == "openai" and dialect == "openai_chat" and strict.services["openai"].asked[0].operation != "responses":
        expected = [0, 0, 0]
    assert kept[:3] == expected, (dialect, service, stream, kept)


def thoughts_in(body: dict[str, Any]) -> int:
    """How many thoughts a request brings back."""
    turns = body.get("messages") or body.get("contents") or body.get("input") or []
    found = 0
    for turn in turns:
        found += turn.get("type") == "reasoning" or "reasoning_content" in turn
        blocks = turn.get("content") or turn.get("parts")
        for block in blocks if isinstance(blocks, list) else ():
            found += block.get("type") in {"thinking", "redacted_thinking"} or "thoughtSignature" in block
    return found
