"""What else callers of every dialect want of services that refuse what the real ones refuse: forms of the answer, choices
of tools, sampling, instructions between turns, embeddings, counts.
"""

import json
from itertools import product
from typing import Any

import pytest

from enfilade.core.messages import Finish
from tests.support.callers import CALLERS
from tests.support.callers.caller import Caller
from tests.support.strict.types import Call, Decline, Reply, Say
from tests.support.strict_house import FINISHES, MODELS, StrictHouse, calling, open_strict_house

PLACE = {"city": "Zürich"}
STANDING_IN = "json_answer"
"""The tool by which services without a mode for JSON are brought to it."""
BOTH = [False, True]


@pytest.mark.parametrize("service", sorted(MODELS))
async def test_an_answer_has_the_form_that_was_asked_for(database: Any, service: str) -> None:
    async with open_strict_house(database, service) as strict:
        for dialect, stream, kind in product(CALLERS, BOTH, ("schema", "json")):
            if service == "deepseek" and (kind == "schema" or dialect == "anthropic_messages"):
                continue  # It has no schemas, which is said before it is asked.
            caller = calling(dialect, service, stream=stream)
            caller.asks("Where are you? Say it in JSON.")
            caller.wants_schema() if kind == "schema" else caller.wants_json()
            text = await json_answer(strict, caller, service)
            assert json.loads(text) == PLACE, (dialect, stream, kind)


async def json_answer(strict: StrictHouse, caller: Caller, service: str) -> str:
    """The text of the answer; a service that was given the tool that stands in must use it."""
    upstream = strict.services[service]
    upstream.will(Reply(parts=[Say(json.dumps(PLACE))]))
    _, heard, completion = await strict.send(caller, service)
    if STANDING_IN in json.dumps(upstream.asked[-1].body):
        caller.forgets()
        upstream.will(Reply(parts=[Call(STANDING_IN, PLACE)]))
        _, heard, completion = await strict.send(caller, service)
    assert not heard.calls
    assert heard.finish == FINISHES[caller.dialect]["stop"]
    assert completion.finish is Finish.STOP
    return heard.text


async def test_json_that_a_caller_need_not_speak_of_is_spoken_of(database: Any) -> None:
    """OpenAI refuses its mode for JSON unless a message has the word in it; Gemini's callers cannot know."""
    async with open_strict_house(database, "chat", "openai") as strict:
        for service, stream in product(strict.services, BOTH):
            caller = calling("gemini_generate", service, stream=stream)
            caller.asks("Where are you?")
            caller.wants_json()
            assert json.loads(await json_answer(strict, caller, service)) == PLACE


@pytest.mark.parametrize("service", sorted(MODELS))
async def test_tools_are_chosen_as_was_asked_for(database: Any, service: str) -> None:
    async with open_strict_house(database, service) as strict:
        upstream = strict.services[service]
        for dialect, must in product(CALLERS, ("required", "weather")):
            upstream.will(Reply(parts=[Call("weather", {})]))
            caller = calling(dialect, service, stream=True)
            caller.has_tools("weather", "time", must=must)
            caller.asks("Is it raining?")
            _, heard, _ = await strict.send(caller, service)
            assert [(name, arguments) for _, name, arguments in heard.calls] == [("weather", {})]
            body = upstream.asked[-1].body
            choice = json.dumps(body.get("tool_choice") or body.get("toolConfig"))
            assert any(word in choice for word in ("required", "any", "ANY", "weather")), (dialect, choice)
            assert ("weather" in choice) is (must == "weather"), (dialect, choice)


SAMPLING: dict[str, dict[str, Any]] = {
    "openai_chat": {"temperature": 1.8, "top_p": 0.9, "stop": ["END"], "seed": 0, "max_completion_tokens": 5},
    "anthropic_messages": {"temperature": 0, "stop_sequences": ["END"], "top_k": 5, "max_tokens": 5},
    "openai_responses": {"temperature": 0.2, "top_p": 1, "max_output_tokens": 20, "user": "ana"},
    "gemini_generate": {
        "generationConfig": {
            "temperature": 0,
            "topP": 0.5,
            "topK": 4,
            "seed": 3,
            "stopSequences": ["a", "b", "c", "d"],
            "maxOutputTokens": 5,
            "thinkingConfig": {"thinkingBudget": 0},
        }
    },
}


@pytest.mark.parametrize("service", sorted(MODELS))
async def test_sampling_is_said_as_the_service_takes_it(database: Any, service: str) -> None:
    """Also where the bound is below the least that the service takes."""
    async with open_strict_house(database, service) as strict:
        for dialect, stream in product(CALLERS, BOTH):
            if dialect in STRICTER.get(service, ()):
                continue
            caller = calling(dialect, service, stream=stream)
            caller.body |= SAMPLING[dialect]
            caller.asks("Hello")
            _, heard, _ = await strict.send(caller, service)
            assert heard.text == "Good morning, 世界"


STRICTER = {"openai": {"openai_chat", "openai_responses"}, "anthropic": {"anthropic_messages"}}
"""Callers of these say to their own services what those refuse."""


async def test_thinking_is_said_as_the_service_takes_it(database: Any) -> None:
    """A budget within the bound, no sampling beside it, no tool that must be used."""
    async with open_strict_house(database, "anthropic") as strict:
        for dialect, effort, bound in product(("openai_chat", "openai_responses"), ("low", "high"), (100, 1500, 6000)):
            for must in (None, "required", "weather"):
                caller = calling(dialect, "anthropic", stream=False)
                caller.has_tools("weather", must=must)
                caller.asks("Hello")
                caller.body["temperature"] = 0.3
                caller.body |= (
                    {"reasoning_effort": effort, "max_completion_tokens": bound}
                    if dialect == "openai_chat"
                    else {"reasoning": {"effort": effort}, "max_output_tokens": bound}
                )
                _, heard, _ = await strict.send(caller, "anthropic")
                assert heard.text == "Good morning, 世界"
                sent = strict.services["anthropic"].asked[-1].body
                assert sent["max_tokens"] == bound
                thinks = sent.get("thinking", {}).get("type") == "enabled"
                assert thinks is (bound > 1024 and must is None), (effort, bound, must, sent)


@pytest.mark.parametrize("service", sorted(MODELS))
async def test_instructions_between_turns_are_kept(database: Any, service: str) -> None:
    async with open_strict_house(database, service) as strict:
        for dialect in ("openai_chat", "openai_responses"):
            caller = calling(dialect, service, stream=False)
            caller.instructs("First.")
            caller.asks("One")
            await strict.send(caller, service)
            turns = caller.body["messages" if dialect == "openai_chat" else "input"]
            turns.append({"role": "system", "content": "Between."})
            caller.asks("Two")
            caller.asks("Three")
            _, heard, _ = await strict.send(caller, service)
            assert heard.text == "Good morning, 世界"
            sent = json.dumps(strict.services[service].asked[-1].body)
            assert all(word in sent for word in ("First.", "Between.", "One", "Two", "Three")), (dialect, sent)


async def test_a_refusal_is_told(database: Any) -> None:
    async with open_strict_house(database, "chat", "openai", "anthropic") as strict:
        for dialect, service, stream in product(CALLERS, strict.services, BOTH):
            strict.services[service].will(Reply(parts=[Decline("I will not.")]))
            caller = calling(dialect, service, stream=stream)
            caller.asks("Do it.")
            _, heard, completion = await strict.send(caller, service)
            assert heard.text == "I will not.", (dialect, service, stream)
            assert completion.finish in {Finish.STOP, Finish.REFUSAL, Finish.CONTENT_FILTER}


@pytest.mark.parametrize("service", sorted(MODELS))
async def test_an_answer_that_reached_its_length_says_so(database: Any, service: str) -> None:
    async with open_strict_house(database, service) as strict:
        for dialect, stream in product(CALLERS, BOTH):
            strict.services[service].will(Reply(parts=[Say("Good mor")], finish="length"))
            caller = calling(dialect, service, stream=stream)
            caller.asks("Hello")
            _, heard, completion = await strict.send(caller, service)
            assert (heard.text, heard.finish) == ("Good mor", FINISHES[dialect]["length"])
            assert completion.finish is Finish.LENGTH


async def test_embeddings_are_made(database: Any) -> None:
    models = {"gemini": "gemini-embedding-001", "openai": "text-embedding-3-small"}
    async with open_strict_house(database, "openai", "gemini", models=models) as strict:
        for service in strict.services:
            for inputs in ("one", ["one", "two"]):
                body: dict[str, Any] = {"model": f"at-{service}", "input": inputs, "dimensions": 4}
                reply = await strict.client.post("/v1/embeddings", json=body | {"encoding_format": "float"})
                assert reply.status_code == 200, (reply.text, strict.services[service].refusals)
                vectors = [entry["embedding"] for entry in reply.json()["data"]]
                assert [len(vector) for vector in vectors] == [4] * (1 if isinstance(inputs, str) else 2)
                packed = await strict.client.post("/v1/embeddings", json=body | {"encoding_format": "base64"})
                assert isinstance(packed.json()["data"][0]["embedding"], str)
            content = {"parts": [{"text": "one"}]}
            asked = {"content": content, "outputDimensionality": 4}
            reply = await strict.client.post(f"/v1beta/models/at-{service}:embedContent", json=asked)
            assert reply.status_code == 200, (reply.text, strict.services[service].refusals)
            assert len(reply.json()["embedding"]["values"]) == 4
            assert not strict.services[service].refusals


async def test_tokens_are_counted(database: Any) -> None:
    async with open_strict_house(database, "anthropic", "gemini") as strict:
        for service in strict.services:
            messages = {"model": f"at-{service}", "messages": [{"role": "user", "content": "Hi"}], "system": "Be."}
            reply = await strict.client.post("/v1/messages/count_tokens", json=messages)
            assert (reply.status_code, reply.json()) == (200, {"input_tokens": 23}), (service, reply.text)
            contents = {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]}
            reply = await strict.client.post(f"/v1beta/models/at-{service}:countTokens", json=contents)
            assert (reply.status_code, reply.json()["totalTokens"]) == (200, 23), (service, reply.text)
            assert not strict.services[service].refusals
