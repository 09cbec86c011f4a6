"""The official OpenAI SDK's Responses API against a real process, over models of every dialect."""

import json
from typing import Any

import pydantic
import pytest

from tests.support.dialect_models import UPSTREAMS, WITHOUT_SCHEMAS
from tests.support.sdk import Office, call, collect, entered, joined

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"
NUMBER = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "name": name, "parameters": NUMBER, "strict": True} for name in ("find_order", "find_bill")
]


class Order(pydantic.BaseModel):
    """What a structured answer is."""

    number: int


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_response_its_usage_and_its_record(openai_client: Any, office: Office, upstream: str) -> None:
    raw = await call(openai_client.responses.with_raw_response.create, model=f"{upstream}/echo", input=TEXT)
    response = raw.parse()
    assert (response.output_text, response.status, response.error) == (TEXT, "completed", None)
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens
    record = await office.record(raw.headers["x-request-id"])
    assert record["usage"]["input_tokens"] == response.usage.input_tokens > 0
    assert record["usage"]["output_tokens"] == response.usage.output_tokens == 7
    assert record["cost_usd"] == raw.headers["x-enfilade-cost-usd"] != "0.000000000"
    assert (record["status"], record["dialect"], record["stream"]) == ("ok", "openai_responses", False)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_stream_is_put_together_by_the_helper(openai_client: Any, office: Office, upstream: str) -> None:
    async with entered(openai_client.responses.stream(model=f"{upstream}/text-40", input=TEXT)) as events:
        seen = await collect(events)
        final = await call(events.get_final_response)
    kinds = [event.type for event in seen]
    assert kinds[:4] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.content_part.added",
    ]
    assert kinds[-4:] == [
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in seen] == list(range(len(seen)))
    deltas = [event.delta for event in seen if event.type == "response.output_text.delta"]
    assert len(deltas) == 40
    assert final.output_text == joined(deltas)
    assert final.usage.output_tokens == 40
    record = await office.latest(model=f"{upstream}/text-40", stream=True, dialect="openai_responses")
    assert (record["status"], record["usage"]["output_tokens"]) == ("ok", 40)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_bound_on_the_output_leaves_it_incomplete(openai_client: Any, upstream: str) -> None:
    response = await call(openai_client.responses.create, model=f"{upstream}/text-50", input=TEXT, max_output_tokens=16)
    assert (response.status, response.incomplete_details.reason) == ("incomplete", "max_output_tokens")
    assert response.usage.output_tokens == 16


@pytest.mark.parametrize("model", [*(f"{upstream}/echo" for upstream in UPSTREAMS), f"{WITHOUT_SCHEMAS}/tools"])
async def test_structured_output_is_parsed_into_the_callers_type(openai_client: Any, model: str) -> None:
    said = {"model": model, "input": '{"number": 1}', "text_format": Order}
    response = await call(openai_client.responses.parse, **said)
    assert response.output_parsed == Order(number=1)
    async with entered(openai_client.responses.stream(**said)) as events:
        await collect(events)
        streamed = await call(events.get_final_response)
    assert streamed.output_parsed == Order(number=1)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_tools_are_called_at_once_and_answered_turn_after_turn(
    openai_client: Any, upstream: str, kept: bool
) -> None:
    """The caller sends the whole history each time, or only what is new and the response that it continues."""
    said: list[Any] = [{"role": "user", "content": "Where is it?"}]
    previous: str | None = None
    for turn in range(3):
        asked = await _response(openai_client, upstream, said, previous=previous, kept=kept)
        calls = [item for item in asked.output if item.type == "function_call"]
        assert [(item.name, json.loads(item.arguments)) for item in calls] == [
            ("find_order", {"number": 1}),
            ("find_bill", {"number": 1}),
        ]
        results = [
            {"type": "function_call_output", "call_id": item.call_id, "output": f"{item.name} {turn}"} for item in calls
        ]
        said = results if kept else [*said, *asked.output, *results]
        answered = await _response(openai_client, upstream, said, previous=asked.id if kept else None, kept=kept)
        assert answered.output_text.index(f"find_order {turn}") < answered.output_text.index(f"find_bill {turn}")
        more = {"role": "user", "content": "And now?"}
        said, previous = ([more], answered.id) if kept else ([*said, *answered.output, more], None)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_streamed_tool_call_is_put_together_by_the_helper(openai_client: Any, upstream: str) -> None:
    manager = openai_client.responses.stream(model=f"{upstream}/tools", input=TEXT, tools=TOOLS)
    async with entered(manager) as events:
        seen = await collect(events)
        final = await call(events.get_final_response)
    assert [(item.name, json.loads(item.arguments)) for item in final.output] == [
        ("find_order", {"number": 1}),
        ("find_bill", {"number": 1}),
    ]
    ended = [event for event in seen if event.type == "response.function_call_arguments.done"]
    assert [event.arguments for event in ended] == [item.arguments for item in final.output]


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_response_is_continued_by_its_id_and_kept_until_it_is_deleted(
    openai_client: Any, upstream: str
) -> None:
    first = await call(openai_client.responses.create, model=f"{upstream}/echo", input="One.", instructions="Repeat.")
    second = await call(
        openai_client.responses.create, model=f"{upstream}/echo", input="Two.", previous_response_id=first.id
    )
    assert (second.output_text, second.previous_response_id) == ("Two.", first.id)
    assert second.usage.input_tokens > first.usage.input_tokens

    again = await call(openai_client.responses.retrieve, second.id)
    assert (again.output_text, again.id, again.usage) == ("Two.", second.id, second.usage)
    items = await collect(await call(openai_client.responses.input_items.list, second.id))
    assert [item.content[0].text for item in items] == ["Two."]
    await call(openai_client.responses.delete, second.id)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_conversation_keeps_what_was_said(openai_client: Any, upstream: str) -> None:
    talk = await call(openai_client.conversations.create, metadata={"topic": "numbers"})
    for words in ("One.", "Two."):
        response = await call(
            openai_client.responses.create, model=f"{upstream}/echo", input=words, conversation=talk.id
        )
        assert (response.output_text, response.conversation.id) == (words, talk.id)
    items = await collect(await call(openai_client.conversations.items.list, talk.id, order="asc"))
    assert [(item.role, item.content[0].text) for item in items] == [
        ("user", "One."),
        ("assistant", "One."),
        ("user", "Two."),
        ("assistant", "Two."),
    ]
    assert (await call(openai_client.conversations.retrieve, talk.id)).metadata == {"topic": "numbers"}
    assert (await call(openai_client.conversations.delete, talk.id)).deleted


async def _response(client: Any, upstream: str, said: list[Any], *, previous: str | None, kept: bool) -> Any:
    continued = {"previous_response_id": previous} if previous else {}
    return await call(
        client.responses.create, model=f"{upstream}/tools", input=said, tools=TOOLS, store=kept, **continued
    )
