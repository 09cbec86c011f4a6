"""Responses that are kept and continued, from OpenAI's SDK through the line to a provider that is told nothing of it."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import openai
import pytest

from enfilade.storage.address import Address
from tests.support.data_plane import UP_ENVIRONMENT, model, provider
from tests.support.house import House, HouseOptions, open_house
from tests.support.sdk import forget_surroundings
from tests.support.upstream import Step, Upstream, open_upstream, reply, stream
from tests.support.world import ACME_KEY, GLOBEX_KEY, world

SILENT_KEY = "acme-silent-application-key-with-enough-characters"
RESPONSES = "/v1/responses"


def response_object(text: str, **more: Any) -> dict[str, Any]:
    """A provider's reply."""
    part = {"type": "output_text", "text": text, "annotations": []}
    message = {"id": f"msg_{text}", "type": "message", "role": "assistant", "status": "completed", "content": [part]}
    usage = {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 3,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    }
    return {
        "id": "resp_upstream",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": "m",
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": usage,
        "store": False,
        "previous_response_id": None,
    } | more


def answer(text: str) -> Step:
    """A whole reply."""
    return reply(response_object(text))


def streamed(text: str) -> Step:
    """The same, streamed: the events that a provider sends at least."""
    begun = response_object(text, status="in_progress", output=[], usage=None)
    whole = response_object(text)
    message = whole["output"][0]
    place = {"item_id": message["id"], "output_index": 0, "content_index": 0}
    empty = {"type": "output_text", "text": "", "annotations": []}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": message | {"content": [], "status": "in_progress"},
        },
        {"type": "response.content_part.added", "part": empty} | place,
        {"type": "response.output_text.delta", "delta": text, "logprobs": []} | place,
        {"type": "response.output_text.done", "text": text, "logprobs": []} | place,
        {"type": "response.content_part.done", "part": message["content"][0]} | place,
        {"type": "response.output_item.done", "output_index": 0, "item": message},
        {"type": "response.completed", "response": whole},
    ]
    return stream([_event(number, event) for number, event in enumerate(events)])


def _event(number: int, event: dict[str, Any]) -> bytes:
    body = json.dumps(event | {"sequence_number": number})
    return f"event: {event['type']}\ndata: {body}\n\n".encode()


@dataclass
class Desk:
    """A house in front of a scripted provider, and OpenAI's SDK."""

    house: House
    upstream: Upstream
    sdk: Any

    def sent(self) -> list[dict[str, Any]]:
        """The bodies that the provider got."""
        return [json.loads(request.body) for request in self.upstream.seen]


@asynccontextmanager
async def desk_for(database: Address, *steps: Step) -> AsyncIterator[Desk]:
    """See `Desk`."""
    async with open_upstream(*steps) as upstream:
        document = world()
        document["providers"].append(provider(upstream, RESPONSES, kind="openai"))
        document["models"].append(model("up-model", "up/gpt-4.1", capabilities=[]))
        acme = document["tenants"][0]
        acme["applications"].append({"name": "silent", "store_responses": False})
        acme["keys"].append({"name": "silent-key", "application": "silent", "secret": {"value": SILENT_KEY}})
        options = HouseOptions(document=document, environment=UP_ENVIRONMENT)
        async with (
            open_house(database, options) as house,
            openai.AsyncOpenAI(base_url=f"{house.url}/v1", api_key=ACME_KEY, max_retries=0) as sdk,
        ):
            yield Desk(house, upstream, sdk)


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    forget_surroundings(monkeypatch)


async def said(desk: Desk, *, streams: bool, **fields: Any) -> Any:
    """The final response to a request, streamed or not."""
    if not streams:
        return await desk.sdk.responses.create(model="up-model", **fields)
    async with desk.sdk.responses.stream(model="up-model", **fields) as events:
        async for event in events:
            if event.type in {"response.created", "response.completed"} and fields.get("store") is not False:
                assert event.response.id != "resp_upstream"
        return await events.get_final_response()


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_response_is_continued_and_its_provider_is_told_nothing_of_it(database: Address, streams: bool) -> None:
    step = streamed if streams else answer
    async with desk_for(database, step("one"), step("two"), step("three")) as desk:
        first = await said(desk, streams=streams, input="ask one", instructions="Be brief.")
        second = await said(desk, streams=streams, input="ask two", previous_response_id=first.id)
        await said(desk, streams=streams, input="ask three", previous_response_id=second.id, store=False)
        assert (first.output_text, second.output_text) == ("one", "two")
        assert (second.previous_response_id, first.id == second.id) == (first.id, False)
        texts = [_texts(body["input"]) for body in desk.sent()]
        assert texts == [
            ["ask one"],
            ["ask one", "one", "ask two"],
            ["ask one", "one", "ask two", "two", "ask three"],
        ]
        for body in desk.sent():
            assert body["store"] is False
            assert not {"previous_response_id", "conversation"} & body.keys()
        assert ["instructions" in body for body in desk.sent()] == [True, False, False]
        found = await desk.sdk.responses.retrieve(second.id)
        assert (found.output_text, found.previous_response_id) == ("two", first.id)
        listed = (await desk.house.client().get(RESPONSES)).json()["data"]
        assert [entry["id"] for entry in listed] == [second.id, first.id]


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "streamed"])
async def test_a_conversation_grows_by_each_response(database: Address, streams: bool) -> None:
    step = streamed if streams else answer
    async with desk_for(database, step("one"), step("two")) as desk:
        talk = await desk.sdk.conversations.create()
        first = await said(desk, streams=streams, input="ask one", conversation=talk.id)
        await said(desk, streams=streams, input="ask two", conversation={"id": talk.id})
        assert first.conversation.id == talk.id
        assert _texts(desk.sent()[1]["input"]) == ["ask one", "one", "ask two"]
        assert not {"previous_response_id", "conversation"} & desk.sent()[1].keys()
        items = [item async for item in desk.sdk.conversations.items.list(talk.id, order="asc")]
        assert [item.content[0].text for item in items] == ["ask one", "one", "ask two", "two"]


async def test_what_belongs_to_others_cannot_be_continued(database: Address) -> None:
    async with desk_for(database, answer("one")) as desk:
        kept = await said(desk, streams=False, input="the plans of acme")
        talk = await desk.sdk.conversations.create(items=[{"role": "user", "content": "the plans of acme"}])
        stranger = desk.sdk.with_options(api_key=GLOBEX_KEY)
        for reference, kind in (
            ({"previous_response_id": kept.id}, openai.BadRequestError),
            ({"conversation": talk.id}, openai.NotFoundError),
        ):
            with pytest.raises(kind) as refused:
                await stranger.responses.create(model="up-model", input="go on", **reference)
            assert refused.value.code in {"previous_response_not_found", "conversation_not_found"}
            assert "plans" not in str(refused.value)
        assert len(desk.sent()) == 1


async def test_a_reference_to_an_item_never_reaches_a_provider(database: Address) -> None:
    async with desk_for(database, answer("one")) as desk:
        for item in ({"type": "item_reference", "id": "msg_of_another_tenant"}, {"id": "msg_of_another_tenant"}):
            for store in (True, False):
                with pytest.raises(openai.BadRequestError) as refused:
                    await desk.sdk.responses.create(model="up-model", input=[item], store=store)
                assert refused.value.code == "invalid_item"
        assert desk.sent() == []


async def test_an_application_that_keeps_nothing_is_answered_all_the_same(database: Address) -> None:
    async with desk_for(database, answer("one")) as desk:
        silent = desk.sdk.with_options(api_key=SILENT_KEY)
        found = await silent.responses.create(model="up-model", input="ask one")
        assert (found.output_text, found.store) == ("one", False)
        with pytest.raises(openai.BadRequestError) as refused:
            await silent.responses.create(model="up-model", input="ask two", store=True)
        assert (refused.value.code, refused.value.param) == ("storing_refused", "store")
        assert (await desk.house.client(SILENT_KEY).get(RESPONSES)).json()["data"] == []
        assert len(desk.sent()) == 1


async def test_over_a_provider_that_speaks_chat_only_state_is_the_same(database: Address) -> None:
    async with desk_for(database) as desk:
        first = await desk.sdk.responses.create(model="simulated/echo", input="Good morning")
        second = await desk.sdk.responses.create(
            model="simulated/echo", input="And now?", previous_response_id=first.id
        )
        assert (first.output_text, second.output_text) == ("Good morning", "And now?")
        found = await desk.sdk.responses.retrieve(second.id)
        assert (found.output_text, found.previous_response_id) == ("And now?", first.id)
        assert second.usage.input_tokens > first.usage.input_tokens


def _texts(items: Any) -> list[str]:
    if isinstance(items, str):
        return [items]
    contents = [item["content"] for item in items]
    return [content if isinstance(content, str) else content[0]["text"] for content in contents]
