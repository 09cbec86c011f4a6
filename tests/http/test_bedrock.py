"""Callers of every dialect and models at Bedrock, through the whole program."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.house import House
from tests.support.strict_bedrock import (
    ACCESS_KEY,
    API_KEY,
    REGION,
    SECRET_KEY,
    SESSION,
    Failure,
    Reply,
    StrictBedrock,
    open_bedrock,
)
from tests.support.world import world

CLAUDE = "us.anthropic.claude-sonnet-4-5-20250929-v1:0"
SEALED = "c2VhbGVk"
THOUGHT = {"reasoningContent": {"reasoningText": {"text": "Let me look.", "signature": "c2lnbmF0dXJl"}}}
CALL = {"toolUse": {"toolUseId": "tooluse_1", "name": "look", "input": {"at": "the sky"}}}
TOOL = {"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}


def document(bedrock: StrictBedrock) -> dict[str, Any]:
    """A world with a Bedrock: signed, and with an API key."""
    made = world()
    common = {"kind": "bedrock", "base_url": bedrock.url, "region": REGION, "allow_private_network": True}
    secrets = {"aws_access_key_id": ACCESS_KEY, "aws_secret_access_key": SECRET_KEY, "aws_session_token": SESSION}
    made["providers"] += [
        common | {"name": "signed", "options": {name: {"value": value} for name, value in secrets.items()}},
        common | {"name": "keyed", "api_key": {"value": API_KEY}},
    ]
    for name, provider, model in (
        ("claude", "signed", CLAUDE),
        ("nova", "keyed", "amazon.nova-pro-v1:0"),
        ("titan", "signed", "amazon.titan-embed-text-v2:0"),
        ("cohere", "keyed", "cohere.embed-english-v3"),
    ):
        made["models"].append(
            {
                "name": name,
                "deployments": [{"provider": provider, "model": model}],
                "max_output_tokens": 1000,
                "context_window": 10_000,
                "price": {"input": 1, "output": 2, "cached_input": 0.5},
            }
        )
    return made


@pytest.fixture
async def bedrock(house: House) -> AsyncIterator[StrictBedrock]:
    """A Bedrock, known to the house."""
    async with open_bedrock() as made:
        await house.apply(document(made))
        yield made


def events(text: str) -> list[Any]:
    """The data of a stream's events."""
    lines = [line[6:] for line in text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


async def chat(house: House, model: str, **more: Any) -> Any:
    body = {"model": model, "messages": [{"role": "user", "content": "Hi"}]} | more
    answer = await house.client().post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer


@pytest.mark.parametrize("model", ["claude", "nova"])
async def test_a_chat_is_answered(house: House, bedrock: StrictBedrock, model: str) -> None:
    usage = {"inputTokens": 30, "outputTokens": 12, "cacheReadInputTokens": 8, "cacheReadInputTokenCount": 8}
    bedrock.will(Reply(usage=usage | {"totalTokens": 50}))
    answer = await chat(house, model, max_tokens=20, temperature=0, stop="END")
    assert answer.json()["choices"][0]["message"]["content"] == "Good morning, 世界"
    assert answer.json()["choices"][0]["finish_reason"] == "stop"
    told = answer.json()["usage"]
    assert (told["prompt_tokens"], told["completion_tokens"]) == (38, 12)
    assert told["prompt_tokens_details"]["cached_tokens"] == 8
    assert answer.headers["x-enfilade-cost-usd"] == "0.000058000"
    assert bedrock.asked[0]["inferenceConfig"] == {"maxTokens": 20, "temperature": 0.0, "stopSequences": ["END"]}


@pytest.mark.parametrize("model", ["claude", "nova"])
async def test_a_chat_is_streamed(house: House, bedrock: StrictBedrock, model: str) -> None:
    answer = await chat(house, model, stream=True, stream_options={"include_usage": True})
    chunks = events(answer.text)
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert said == "Good morning, 世界"
    assert chunks[-1]["usage"]["prompt_tokens"] == 30
    assert answer.text.rstrip().endswith("data: [DONE]")


async def test_messages_go_to_claude_in_its_own_dialect(house: House, bedrock: StrictBedrock) -> None:
    """To the byte, but for what InvokeModel wants elsewhere."""
    body = {"model": "claude", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "unheard_of": [1]}
    client = house.client()
    whole = await client.post("/v1/messages", json=body, headers={"anthropic-beta": "b-1"})
    assert whole.status_code == 200, whole.text
    assert whole.json()["content"] == [{"type": "text", "text": "Good morning, 世界"}]
    assert bedrock.asked[0]["unheard_of"] == [1]
    assert bedrock.asked[0]["anthropic_beta"] == ["b-1"]
    streamed = await client.post("/v1/messages", json=body | {"stream": True})
    found = events(streamed.text)
    assert (found[0]["type"], found[-1]["type"]) == ("message_start", "message_stop")
    assert (
        "".join(event["delta"]["text"] for event in found if "text" in event.get("delta", {})) == "Good morning, 世界"
    )


@pytest.mark.parametrize("stream", [False, True])
async def test_messages_are_translated_for_other_models(house: House, bedrock: StrictBedrock, stream: bool) -> None:
    body = {"model": "nova", "max_tokens": 9, "messages": [{"role": "user", "content": "Hi"}], "stream": stream}
    answer = await house.client().post("/v1/messages", json=body)
    assert answer.status_code == 200, answer.text
    if stream:
        found = events(answer.text)
        text = "".join(event["delta"]["text"] for event in found if event.get("delta", {}).get("type") == "text_delta")
        assert found[-1]["type"] == "message_stop"
    else:
        text = answer.json()["content"][0]["text"]
    assert text == "Good morning, 世界"


@pytest.mark.parametrize("stream", [False, True])
async def test_a_loop_of_tools_keeps_its_thoughts(house: House, bedrock: StrictBedrock, stream: bool) -> None:
    """What the model thought and signed comes back to it over a caller of another dialect; ids and arguments as well."""
    bedrock.will(Reply(blocks=[THOUGHT, {"reasoningContent": {"redactedContent": SEALED}}, CALL], stop="tool_use"))
    ask = {"type": "message", "role": "user", "content": "What colour?"}
    tools = [{"type": "function", "name": "look", "parameters": {"type": "object", "properties": {}}}]
    body = {
        "model": "claude",
        "input": [ask],
        "tools": tools,
        "stream": stream,
        "include": ["reasoning.encrypted_content"],
    }
    client = house.client()
    answer = await client.post("/v1/responses", json=body)
    assert answer.status_code == 200, answer.text
    output = events(answer.text)[-1]["response"]["output"] if stream else answer.json()["output"]
    call = next(item for item in output if item["type"] == "function_call")
    assert json.loads(call["arguments"]) == {"at": "the sky"}
    bedrock.will(Reply(blocks=[{"text": "Blue."}]))
    result = {"type": "function_call_output", "call_id": call["call_id"], "output": "blue"}
    again = await client.post("/v1/responses", json=body | {"input": [ask, *output, result], "stream": False})
    assert again.status_code == 200, again.text
    turns = bedrock.asked[1]["messages"]
    assert turns[1]["content"] == [THOUGHT, {"reasoningContent": {"redactedContent": SEALED}}, CALL]
    assert turns[2]["content"] == [{"toolResult": {"toolUseId": "tooluse_1", "content": [{"text": "blue"}]}}]


async def test_what_gemini_asks_is_translated(house: House, bedrock: StrictBedrock) -> None:
    body = {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be."}]},
    }
    answer = await house.client().post("/v1beta/models/nova:generateContent", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["candidates"][0]["content"]["parts"][0]["text"] == "Good morning, 世界"
    assert bedrock.asked[0]["system"] == [{"text": "Be."}]


async def test_tokens_are_counted(house: House, bedrock: StrictBedrock) -> None:
    body = {"model": "claude", "messages": [{"role": "user", "content": "Hi"}]}
    answer = await house.client().post("/v1/messages/count_tokens", json=body)
    assert (answer.status_code, answer.json()) == (200, {"input_tokens": 11}), answer.text


@pytest.mark.parametrize("model", ["titan", "cohere"])
async def test_embeddings_are_made(house: House, bedrock: StrictBedrock, model: str) -> None:
    answer = await house.client().post("/v1/embeddings", json={"model": model, "input": "one two three"})
    assert answer.status_code == 200, answer.text
    assert len(answer.json()["data"][0]["embedding"]) == 4
    assert answer.json()["usage"]["prompt_tokens"] == 3
    assert answer.headers["x-enfilade-cost-usd"] == "0.000003000"


async def test_several_texts_are_refused_where_the_model_takes_one(house: House, bedrock: StrictBedrock) -> None:
    answer = await house.client().post("/v1/embeddings", json={"model": "titan", "input": ["a", "b"]})
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] == "input"
    assert not bedrock.asked


async def test_a_schema_is_kept(house: House, bedrock: StrictBedrock) -> None:
    schema = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "required": ["a"],
        "additionalProperties": False,
    }
    bedrock.will(Reply(blocks=[{"text": '{"a":"b"}'}]))
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": True}}
    answer = await chat(house, "claude", response_format=wanted)
    assert json.loads(answer.json()["choices"][0]["message"]["content"]) == {"a": "b"}
    found = bedrock.asked[0]["outputConfig"]["textFormat"]["structure"]["jsonSchema"]
    assert json.loads(found["schema"]) == schema


async def test_a_schema_is_a_tool_where_the_model_has_no_place_for_it(house: House, bedrock: StrictBedrock) -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string"}}}
    used = {"toolUse": {"toolUseId": "t", "name": "json_answer", "input": {"a": "b"}}}
    bedrock.will(Reply(blocks=[used], stop="tool_use"))
    wanted = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
    answer = await chat(house, "nova", response_format=wanted, stream=True)
    chunks = events(answer.text)
    said = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks if chunk["choices"])
    assert json.loads(said) == {"a": "b"}
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks if chunk["choices"]][-1] == "stop"
    assert "outputConfig" not in bedrock.asked[0]
    (tool,) = bedrock.asked[0]["toolConfig"]["tools"]
    assert tool["toolSpec"]["inputSchema"]["json"] == schema


async def test_json_is_a_tool_that_must_be_used(house: House, bedrock: StrictBedrock) -> None:
    """And comes back as text."""
    used = {"toolUse": {"toolUseId": "t", "name": "json_answer", "input": {"a": 1}}}
    bedrock.will(Reply(blocks=[used], stop="tool_use"))
    answer = await chat(house, "claude", response_format={"type": "json_object"})
    choice = answer.json()["choices"][0]
    assert json.loads(choice["message"]["content"]) == {"a": 1}
    assert choice["finish_reason"] == "stop"
    assert bedrock.asked[0]["toolConfig"]["toolChoice"] == {"tool": {"name": "json_answer"}}


async def test_an_overload_is_tried_again_and_a_refusal_told(house: House, bedrock: StrictBedrock) -> None:
    bedrock.will(Failure(status=429, name="ModelNotReadyException"), Reply())
    assert (await chat(house, "claude")).json()["choices"][0]["message"]["content"]
    bedrock.will(Failure(status=400, name="ValidationException", message="The value is too odd."))
    body = {"model": "claude", "messages": [{"role": "user", "content": "Hi"}]}
    refused = await house.client().post("/v1/chat/completions", json=body)
    assert refused.status_code == 400
    assert "The value is too odd." in refused.json()["error"]["message"]


@pytest.mark.parametrize(
    "broken", [Reply(exception=("modelStreamErrorException", "broke"), after=3), Reply(cut=True, after=3)]
)
async def test_a_stream_that_breaks_says_so(house: House, bedrock: StrictBedrock, broken: Reply) -> None:
    """An error event, and nothing that looks like an end."""
    bedrock.will(broken)
    answer = await house.client().post(
        "/v1/chat/completions", json={"model": "nova", "messages": [{"role": "user", "content": "Hi"}], "stream": True}
    )
    assert "error" in events(answer.text)[-1]
    assert "[DONE]" not in answer.text


async def test_what_bedrock_has_no_place_for_is_named(house: House, bedrock: StrictBedrock) -> None:
    answer = await chat(house, "nova", seed=5, user="ana", frequency_penalty=0.5)
    assert set(answer.headers["x-enfilade-dropped"].replace(" ", "").split(",")) == {
        "seed",
        "user",
        "frequency_penalty",
    }
    body = {"model": "nova", "messages": [{"role": "user", "content": "Hi"}], "logprobs": True}
    refused = await house.client().post("/v1/chat/completions", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "logprobs")


async def test_what_converse_cannot_say_is_said_in_claudes_own_dialect(house: House, bedrock: StrictBedrock) -> None:
    tools = [{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]
    answer = await chat(house, "claude", tools=tools, parallel_tool_calls=False, user="ana")
    assert answer.json()["choices"][0]["message"]["content"] == "Good morning, 世界"
    assert bedrock.asked[0]["tool_choice"] == {"type": "auto", "disable_parallel_tool_use": True}
    assert answer.headers["x-enfilade-dropped"] == "user"
    body = {
        "model": "nova",
        "messages": [{"role": "user", "content": "Hi"}],
        "tools": tools,
        "parallel_tool_calls": False,
    }
    refused = await house.client().post("/v1/chat/completions", json=body)
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "parallel_tool_calls")


async def test_no_secret_of_bedrock_is_shown(house: House, bedrock: StrictBedrock) -> None:
    await chat(house, "claude")
    client = house.admin()
    read = [
        await client.get(path) for path in ("/api/v1/providers", "/api/v1/configuration", "/api/v1/events?limit=200")
    ]
    text = "".join(one.text for one in read) + house.log_lines()
    for secret in (SECRET_KEY, SESSION, API_KEY, ACCESS_KEY):
        assert secret not in text
