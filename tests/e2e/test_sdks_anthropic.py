"""The official Anthropic SDK, unchanged but for its address and key, against a real process."""

import json
from typing import Any

import anthropic
import pytest

from tests.support.sdk import PIXEL, Office, call, collect, entered, joined
from tests.support.upstream import reply, stream
from tests.support.world import ACME_USER_KEY

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"
SAID = {"max_tokens": 100, "messages": [{"role": "user", "content": TEXT}]}
TOOL = {
    "name": "find_order",
    "description": "Finds an order.",
    "input_schema": {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]},
}
MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "upstream-1",
    "content": [{"type": "text", "text": "Yes."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 3, "cache_read_input_tokens": 5, "cache_creation_input_tokens": 0},
}


async def test_a_message_its_usage_and_its_record(anthropic_client: Any, office: Office) -> None:
    raw = await call(anthropic_client.messages.with_raw_response.create, model="simulated/echo", **SAID)
    message = await call(raw.parse)
    assert [block.text for block in message.content] == [TEXT]
    assert message.stop_reason == "end_turn"
    record = await office.record(raw.headers["x-request-id"])
    assert record["usage"]["input_tokens"] == message.usage.input_tokens > 0
    assert record["usage"]["output_tokens"] == message.usage.output_tokens == 7
    assert record["cost_usd"] == raw.headers["x-enfilade-cost-usd"] != "0.000000000"
    assert (record["status"], record["dialect"], record["stream"]) == ("ok", "anthropic_messages", False)


async def test_a_bound_on_the_output_ends_it_with_max_tokens(anthropic_client: Any) -> None:
    message = await call(anthropic_client.messages.create, model="simulated/text-50", **SAID | {"max_tokens": 5})
    assert (message.stop_reason, message.usage.output_tokens) == ("max_tokens", 5)


async def test_the_system_prompt_is_counted_and_not_answered(anthropic_client: Any) -> None:
    without = await call(anthropic_client.messages.create, model="simulated/echo", **SAID)
    with_it = await call(anthropic_client.messages.create, model="simulated/echo", system="Answer briefly.", **SAID)
    assert with_it.content[0].text == TEXT
    assert with_it.usage.input_tokens > without.usage.input_tokens


async def test_a_raw_stream_brings_every_event(anthropic_client: Any, office: Office) -> None:
    raw = await call(anthropic_client.messages.with_raw_response.create, model="simulated/text-40", stream=True, **SAID)
    events = await collect(await call(raw.parse))
    kinds = [event.type for event in events]
    assert (kinds[0], kinds[-1]) == ("message_start", "message_stop")
    assert kinds.count("content_block_delta") == 40
    (last,) = [event for event in events if event.type == "message_delta"]
    assert (last.delta.stop_reason, last.usage.output_tokens) == ("end_turn", 40)
    record = await office.record(raw.headers["x-request-id"])
    assert (record["status"], record["stream"], record["usage"]["output_tokens"]) == ("ok", True, 40)


async def test_the_stream_helper_puts_the_message_together(anthropic_client: Any) -> None:
    async with entered(anthropic_client.messages.stream(model="simulated/echo", **SAID)) as events:
        pieces = await collect(events.text_stream)
        final = await call(events.get_final_message)
    assert joined(pieces) == TEXT
    assert final.content[0].text == TEXT
    assert final.usage.output_tokens == len(pieces) == 7


async def test_a_stream_that_its_reader_closes_is_recorded_as_abandoned(anthropic_client: Any, office: Office) -> None:
    model = "simulated/text-90+pace-50ms"
    raw = await call(anthropic_client.messages.with_raw_response.create, model=model, stream=True, **SAID)
    events = await call(raw.parse)
    if isinstance(anthropic_client, anthropic.AsyncAnthropic):
        assert await anext(aiter(events))
    else:
        assert await call(next, iter(events))
    await call(events.close)
    record = await office.latest(id=raw.headers["x-request-id"])
    assert (record["status"], record["estimated"]) == ("abandoned", True)
    assert record["usage"]["output_tokens"] < 90


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_tool_use_goes_out_and_its_result_comes_back(anthropic_client: Any, streamed: bool) -> None:
    asked = {"model": "simulated/tools", "tools": [TOOL], "tool_choice": {"type": "auto"}, "max_tokens": 100}
    if streamed:
        async with entered(anthropic_client.messages.stream(**asked, messages=SAID["messages"])) as events:
            message = await call(events.get_final_message)
    else:
        message = await call(anthropic_client.messages.create, **asked, messages=SAID["messages"])
    assert message.stop_reason == "tool_use"
    (wanted,) = [block for block in message.content if block.type == "tool_use"]
    assert (wanted.name, wanted.input) == ("find_order", {"number": 1})

    result = {"type": "tool_result", "tool_use_id": wanted.id, "content": "It is on its way."}
    turns = [
        *SAID["messages"],
        {"role": "assistant", "content": message.content},
        {"role": "user", "content": [result]},
    ]  # type: ignore[misc]
    answered = await call(anthropic_client.messages.create, **asked, messages=turns)
    assert answered.stop_reason == "end_turn"


async def test_what_the_gateway_does_not_know_reaches_the_provider_untouched(
    anthropic_client: Any, office: Office
) -> None:
    image = {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PIXEL}}
    words = {"type": "text", "text": "What is this?", "cache_control": {"type": "ephemeral"}}
    asked = {
        "max_tokens": 50,
        "system": [{"type": "text", "text": "Answer briefly.", "cache_control": {"type": "ephemeral"}}],
        "messages": [{"role": "user", "content": [image, words]}],
        "tools": [TOOL],
        "thinking": {"type": "disabled"},
        "stop_sequences": ["END"],
    }
    unheard_of = {"temperature": 0, "of_tomorrow": {"deep": [1, None]}}
    async with office.upstream_model("painted", "anthropic", reply(MESSAGE)) as upstream:
        raw = await call(
            anthropic_client.messages.with_raw_response.create,
            model="painted",
            **asked,
            extra_headers={"anthropic-beta": "something-2026-01-01"},
            extra_body=unheard_of,
        )
        (seen,) = upstream.seen
    message = await call(raw.parse)
    assert (message.content[0].text, message.usage.cache_read_input_tokens) == ("Yes.", 5)
    assert seen.path == "/v1/messages"
    assert seen.json == {**asked, **unheard_of, "model": "upstream-1"}
    assert seen.header("x-api-key") == "sk-upstream-secret"
    assert seen.header("anthropic-beta") == "something-2026-01-01"
    assert seen.header("anthropic-version") == anthropic_client.default_headers["anthropic-version"]
    usage = (await office.record(raw.headers["x-request-id"]))["usage"]
    assert (usage["input_tokens"], usage["cached_input_tokens"], usage["output_tokens"]) == (17, 5, 3)


async def test_a_stream_with_thinking_is_passed_on_as_it_came(anthropic_client: Any, office: Office) -> None:
    async with office.upstream_model("thought", "anthropic", stream(_thinking_stream())):
        async with entered(anthropic_client.messages.stream(model="thought", **SAID)) as events:
            final = await call(events.get_final_message)
        record = await office.latest(model="thought", status="ok")
    thought, said = final.content
    assert (thought.type, thought.thinking, thought.signature) == ("thinking", "Hm.", "sealed")
    assert (said.text, final.stop_reason) == ("Yes.", "end_turn")
    assert (record["usage"]["input_tokens"], record["usage"]["output_tokens"]) == (12, 9)


async def test_models_are_listed_and_retrieved(anthropic_client: Any) -> None:
    listed = {model.id for model in await collect(await call(anthropic_client.models.list))}
    assert {"chat", "fast"} <= listed
    found = await call(anthropic_client.models.retrieve, "chat")
    assert (found.id, found.type, found.display_name) == ("chat", "model", "chat")


async def test_a_key_is_taken_as_a_bearer_token_too(anthropic_client: Any, office: Office) -> None:
    asking = anthropic_client.with_options(api_key=None, auth_token=ACME_USER_KEY)
    raw = await call(asking.messages.with_raw_response.create, model="fast", **SAID)
    assert (await office.record(raw.headers["x-request-id"]))["user"] == "ana@acme.example"


def _thinking_stream() -> list[bytes]:
    start = MESSAGE | {"content": [], "stop_reason": None, "usage": {"input_tokens": 12, "output_tokens": 1}}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "Hm."}},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "sealed"}},
        {"type": "content_block_stop", "index": 0},
        {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
        {"type": "ping"},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Yes."}},
        {"type": "content_block_stop", "index": 1},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": 9},
        },
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode() for event in events]
