"""Callers of every dialect, models of every dialect: the whole program between them."""

from collections.abc import AsyncIterator
from itertools import product
from typing import Any

import pytest

from enfilade.core.messages import Finish, Text, ToolCall
from tests.support.house import House, HouseOptions, open_house
from tests.support.speaking import GENERATING, answered, continued, question
from tests.support.world import world

NATIVE = ("openai_chat", "anthropic_messages", "openai_responses", "gemini_generate")


def document(**application: Any) -> dict[str, Any]:
    """A world in which `DIALECT/…` is a simulated model that speaks that dialect alone."""
    found = world()
    for dialect in NATIVE:
        found["providers"].append({"name": dialect, "kind": "simulated", "options": {"speaks": dialect}})
        found["models"].append(
            found["models"][0] | {"name": f"{dialect}/*", "deployments": [{"provider": dialect, "model": "*"}]}
        )
    found["tenants"][0]["applications"][0] |= application
    return found


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    async with open_house(database, HouseOptions(document=document())) as opened:
        yield opened


@pytest.mark.parametrize("stream", [False, True])
async def test_any_caller_is_answered_by_any_model(house: House, stream: bool) -> None:
    for caller, upstream in product(GENERATING, NATIVE):
        asked = question(caller, f"{upstream}/echo", "Good morning, world", stream=stream)
        reply = await house.client().post(asked.path, json=asked.body)
        assert reply.status_code == 200, (caller, upstream, reply.text)
        completion = answered(caller, reply, stream=stream)
        assert "".join(part.text for part in completion.parts if isinstance(part, Text)) == "Good morning, world"
        assert completion.finish is Finish.STOP
        assert completion.usage is not None
        assert (completion.usage.input_tokens, completion.usage.output_tokens) == (9, 5)
        record = (await house.admin().get(f"/api/v1/calls/{reply.headers['x-request-id']}")).json()
        assert (record["dialect"], record["status"], record["estimated"]) == (caller, "ok", False)
        assert (record["usage"]["input_tokens"], record["usage"]["output_tokens"]) == (9, 5)


@pytest.mark.parametrize("stream", [False, True])
async def test_tools_are_called_and_answered_between_any_two(house: House, stream: bool) -> None:
    for caller, upstream in product(GENERATING, NATIVE):
        asked = question(caller, f"{upstream}/tools", "Is it raining?", stream=stream, tools=True)
        reply = await house.client().post(asked.path, json=asked.body)
        assert reply.status_code == 200, (caller, upstream, reply.text)
        completion = answered(caller, reply, stream=stream)
        calls = [part for part in completion.parts if isinstance(part, ToolCall)]
        assert [(call.name, call.arguments.replace(" ", "")) for call in calls] == [("weather", '{"city":"example"}')]
        assert completion.finish is Finish.TOOL_CALLS
        assert calls[0].id
        if not stream:
            again = continued(caller, asked, reply.json(), "It rains.")
            second = await house.client().post(again.path, json=again.body)
            assert second.status_code == 200, (caller, upstream, second.text)
            assert answered(caller, second, stream=False).finish is Finish.STOP


async def test_what_is_left_out_is_named_in_the_reply_and_the_record(house: House) -> None:
    asked = question("openai_chat", "anthropic_messages/echo", "Hello")
    reply = await house.client().post(asked.path, json=asked.body | {"seed": 7, "frequency_penalty": 0.5})
    assert reply.status_code == 200
    assert reply.headers["x-enfilade-dropped"] == "seed, frequency_penalty"


async def test_what_cannot_be_left_out_is_refused_by_its_name(house: House) -> None:
    asked = question("openai_chat", "anthropic_messages/echo", "Hello")
    for field, value in (("logit_bias", {"50256": -100}), ("n", 2), ("logprobs", True)):
        reply = await house.client().post(asked.path, json=asked.body | {field: value})
        assert reply.status_code == 400, reply.text
        assert (reply.json()["error"]["param"], reply.json()["error"]["code"]) == (field, "not_translatable")
        record = (await house.admin().get(f"/api/v1/calls/{reply.headers['x-request-id']}")).json()
        assert (record["cost_usd"], record["error"]) == ("0.000000000", "not_translatable")


async def test_a_strict_application_is_refused_what_would_be_left_out(database: Any) -> None:
    async with open_house(database, HouseOptions(document=document(strict=True))) as house:
        asked = question("openai_chat", "anthropic_messages/echo", "Hello")
        reply = await house.client().post(asked.path, json=asked.body | {"seed": 7})
        assert (reply.status_code, reply.json()["error"]["param"]) == (400, "seed")
        assert (await house.client().post(asked.path, json=asked.body)).status_code == 200


async def test_tokens_are_counted_where_a_provider_counts_and_estimated_where_none_does(house: House) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "A" * 40_000}}
    messages = [{"role": "user", "content": [{"type": "text", "text": "x" * 400}, image]}]
    said = {"messages": messages}
    for model, path, body, expected in (
        ("simulated/echo", "/v1/messages/count_tokens", {"model": "simulated/echo", **said}, 104),
        ("openai_chat/echo", "/v1/messages/count_tokens", {"model": "openai_chat/echo", **said}, 1_704),
        ("openai_chat/echo", "/v1beta/models/openai_chat%2Fecho:countTokens", {"contents": "x" * 400}, 104),
    ):
        reply = await house.client().post(path, json=body)
        assert reply.status_code == 200, reply.text
        assert (reply.json().get("input_tokens") or reply.json()["totalTokens"]) == expected
        estimated = None if model == "simulated/echo" else "input_tokens"
        assert reply.headers.get("x-enfilade-estimated") == estimated
        record = (await house.admin().get(f"/api/v1/calls/{reply.headers['x-request-id']}")).json()
        assert (record["status"], record["cost_usd"], record["estimated"]) == ("ok", "0.000000000", False)
        assert record["usage"]["total_tokens"] == 0
