"""The official OpenAI SDK, unchanged but for its address and key, against a real process."""

import base64
import json
import struct
from typing import Any

import openai
import pydantic
import pytest

from tests.support.sdk import (
    PIXEL,
    Office,
    call,
    collect,
    entered,
    joined,
)
from tests.support.upstream import reply, stream
from tests.support.world import ACME_USER_KEY

pytestmark = pytest.mark.e2e

SAID = [{"role": "user", "content": "Good morning to everybody"}]
TOOL = {
    "type": "function",
    "function": {
        "name": "find_order",
        "parameters": {
            "type": "object",
            "properties": {"number": {"type": "integer"}, "note": {"type": "string"}},
            "required": ["number"],
        },
    },
}
COMPLETION = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1,
    "model": "upstream-1",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}],
    "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
}


async def test_a_completion_its_usage_and_its_record(openai_client: Any, office: Office) -> None:
    raw = await call(openai_client.chat.completions.with_raw_response.create, model="simulated/echo", messages=SAID)
    completion = raw.parse()
    assert completion.choices[0].message.content == "Good morning to everybody"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage.total_tokens == completion.usage.prompt_tokens + completion.usage.completion_tokens

    record = await office.record(raw.headers["x-request-id"])
    assert completion._request_id == record["id"]
    assert record["usage"]["input_tokens"] == completion.usage.prompt_tokens
    assert record["usage"]["output_tokens"] == completion.usage.completion_tokens == 7
    assert record["cost_usd"] == raw.headers["x-enfilade-cost-usd"] != "0.000000000"
    assert (record["status"], record["stream"], record["estimated"]) == ("ok", False, False)
    assert raw.headers["x-enfilade-deployment"] == record["deployment"]


async def test_a_bound_on_the_output_ends_it_with_length(openai_client: Any) -> None:
    completion = await call(
        openai_client.chat.completions.create, model="simulated/text-50", messages=SAID, max_completion_tokens=5
    )
    assert completion.choices[0].finish_reason == "length"
    assert completion.usage.completion_tokens == 5


@pytest.mark.parametrize("asks_usage", [True, False])
async def test_a_stream_with_usage_for_those_who_asked(openai_client: Any, office: Office, asks_usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if asks_usage else {}
    raw = await call(
        openai_client.chat.completions.with_raw_response.create,
        model="simulated/text-40",
        messages=SAID,
        stream=True,
        **options,
    )
    chunks = await collect(raw.parse())
    assert len([chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]) == 40
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    record = await office.record(raw.headers["x-request-id"])
    assert (record["status"], record["stream"], record["usage"]["output_tokens"]) == ("ok", True, 40)
    reported = [chunk.usage for chunk in chunks if chunk.usage is not None]
    if asks_usage:
        assert [usage.completion_tokens for usage in reported] == [40]
        assert chunks[-1].enfilade["cost_usd"] == record["cost_usd"]
    else:
        assert reported == []


async def test_the_stream_helper_puts_the_completion_together(openai_client: Any) -> None:
    async with entered(openai_client.chat.completions.stream(model="simulated/echo", messages=SAID)) as events:
        seen = await collect(events)
        final = await call(events.get_final_completion)
    assert joined(event.delta for event in seen if event.type == "content.delta") == SAID[0]["content"]
    assert final.choices[0].message.content == SAID[0]["content"]


async def test_a_stream_that_its_reader_closes_is_recorded_as_abandoned(openai_client: Any, office: Office) -> None:
    raw = await call(
        openai_client.chat.completions.with_raw_response.create,
        model="simulated/text-900+pace-20ms",
        messages=SAID,
        stream=True,
    )
    chunks = raw.parse()
    if isinstance(openai_client, openai.AsyncOpenAI):
        assert await anext(aiter(chunks))
    else:
        assert await call(next, iter(chunks))
    await call(chunks.close)
    record = await office.latest(id=raw.headers["x-request-id"])
    assert (record["status"], record["estimated"]) == ("abandoned", True)
    assert record["usage"]["output_tokens"] < 900


async def test_a_tool_call_goes_out_and_its_result_comes_back(openai_client: Any) -> None:
    asked = await call(
        openai_client.chat.completions.create, model="simulated/tools", messages=SAID, tools=[TOOL], tool_choice="auto"
    )
    assert asked.choices[0].finish_reason == "tool_calls"
    message = asked.choices[0].message
    (wanted,) = message.tool_calls
    assert wanted.function.name == "find_order"
    assert json.loads(wanted.function.arguments) == {"number": 1, "note": "example"}

    result = {"role": "tool", "tool_call_id": wanted.id, "content": "It is on its way."}
    answered = await call(
        openai_client.chat.completions.create, model="simulated/tools", messages=[*SAID, message, result], tools=[TOOL]
    )
    assert answered.choices[0].finish_reason == "stop"
    assert answered.choices[0].message.tool_calls is None


async def test_a_streamed_tool_call_is_put_together_by_the_helper(openai_client: Any) -> None:
    manager = openai_client.chat.completions.stream(model="simulated/tools", messages=SAID, tools=[TOOL])
    async with entered(manager) as events:
        await collect(events)
        final = await call(events.get_final_completion)
    (wanted,) = final.choices[0].message.tool_calls
    assert (wanted.function.name, json.loads(wanted.function.arguments)["number"]) == ("find_order", 1)


async def test_structured_output_is_parsed_into_the_callers_type(openai_client: Any) -> None:
    class Order(pydantic.BaseModel):
        number: int

    completion = await call(
        openai_client.chat.completions.parse,
        model="simulated/echo",
        messages=[{"role": "user", "content": '{"number": 7}'}],
        response_format=Order,
    )
    assert completion.choices[0].message.parsed == Order(number=7)


async def test_embeddings_are_the_same_as_floats_and_as_base64(openai_client: Any, office: Office) -> None:
    given = {"model": "simulated/echo", "input": ["one door", "another door"], "dimensions": 16}
    raw = await call(openai_client.embeddings.with_raw_response.create, **given)  # The SDK asks for base64 by itself.
    unpacked = raw.parse()
    floats = await call(openai_client.embeddings.create, **given, encoding_format="float")
    encoded = await call(openai_client.embeddings.create, **given, encoding_format="base64")
    for index in range(2):
        exact = floats.data[index].embedding
        packed = base64.b64decode(encoded.data[index].embedding)
        assert len(exact) == 16
        assert unpacked.data[index].embedding == pytest.approx(exact, abs=1e-6)
        assert struct.unpack("<16f", packed) == pytest.approx(exact, abs=1e-6)
    assert floats.data[0].embedding != floats.data[1].embedding
    record = await office.record(raw.headers["x-request-id"])
    assert record["usage"]["input_tokens"] == floats.usage.total_tokens > 0


async def test_what_the_gateway_does_not_know_reaches_the_provider_untouched(
    openai_client: Any, office: Office
) -> None:
    messages = [
        {"role": "developer", "content": "Answer briefly."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}", "detail": "low"}},
            ],
        },
    ]
    asked = {"messages": messages, "temperature": 0, "seed": 0, "tools": [TOOL], "max_completion_tokens": 9}
    async with office.upstream_model("seen", "openai_compatible", reply(COMPLETION)) as upstream:
        completion = await call(
            openai_client.chat.completions.create,
            model="seen",
            **asked,
            extra_body={"of_tomorrow": {"deep": [1, None]}},
        )
        (seen,) = upstream.seen
    assert completion.choices[0].message.content == "Yes."
    assert seen.json == {**asked, "model": "upstream-1", "of_tomorrow": {"deep": [1, None]}}
    assert seen.header("authorization") == "Bearer sk-upstream-secret"


async def test_models_are_listed_and_retrieved(openai_client: Any) -> None:
    listed = {model.id for model in await collect(await call(openai_client.models.list))}
    assert {"chat", "fast"} <= listed
    assert (await call(openai_client.models.retrieve, "simulated/text-3")).id == "simulated/text-3"
    with pytest.raises(openai.NotFoundError) as refusal:
        await call(openai_client.models.retrieve, "nowhere")
    assert refusal.value.code == "model_not_found"


async def test_a_stream_of_a_real_provider_is_passed_on_as_it_came(openai_client: Any, office: Office) -> None:
    def chunk(**fields: Any) -> bytes:
        base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "upstream-1"}
        return b"data: " + json.dumps(base | fields).encode() + b"\n\n"

    words = ["One ", "two ", "three."]
    parts = [chunk(choices=[{"index": 0, "delta": {"content": word}, "finish_reason": None}]) for word in words]
    parts.append(chunk(choices=[{"index": 0, "delta": {}, "finish_reason": "stop"}]))
    parts.append(chunk(choices=[], usage=COMPLETION["usage"]))
    async with office.upstream_model("spoken", "openai_compatible", stream([*parts, b"data: [DONE]\n\n"])) as upstream:
        chunks = await collect(
            await call(openai_client.chat.completions.create, model="spoken", messages=SAID, stream=True)
        )
        assert upstream.seen[0].json["stream_options"] == {"include_usage": True}
        record = await office.latest(model="spoken", status="ok")
    assert [part.choices[0].delta.content for part in chunks[:3]] == words
    assert all(part.usage is None for part in chunks)
    assert (record["usage"]["input_tokens"], record["usage"]["output_tokens"]) == (12, 3)


async def test_a_persons_key_stands_for_the_person(openai_client: Any, office: Office) -> None:
    asking = openai_client.with_options(api_key=ACME_USER_KEY)
    raw = await call(asking.chat.completions.with_raw_response.create, model="fast", messages=SAID)
    record = await office.record(raw.headers["x-request-id"])
    assert (record["user"], record["model"]) == ("ana@acme.example", "chat")
