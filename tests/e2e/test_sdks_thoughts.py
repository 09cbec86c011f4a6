"""Sealed thoughts go through the official SDKs and back to their provider, turn after turn, in every dialect."""

import json
from typing import Any

import anthropic
import openai
import pytest
from google.genai import types

from tests.support.sdk import Office, call, collect, entered
from tests.support.thoughtful import ANSWER, RESULTS, SCHEMA, THOUGHTFUL, TOOL

pytestmark = pytest.mark.e2e

ASKED = "Where are they?"
PROVIDERS = pytest.mark.parametrize("provider", THOUGHTFUL, ids=lambda provider: provider.kind)


def either(client: str, sync: object, later: object) -> pytest.MarkDecorator:
    """Whole answers by the sync client, streams by the async one: the other way round is tried elsewhere."""
    pairs = [(sync, False), (later, True)]
    return pytest.mark.parametrize((client, "streamed"), pairs, ids=["whole", "streamed"], indirect=[client])


@either("openai_client", openai.OpenAI, openai.AsyncOpenAI)
@PROVIDERS
async def test_chat_completions_bring_thoughts_back(
    openai_client: Any, office: Office, provider: Any, streamed: bool
) -> None:
    said: list[Any] = [{"role": "user", "content": ASKED}]
    asked: dict[str, Any] = {"tools": [{"type": "function", "function": {"name": TOOL, "parameters": SCHEMA}}]}
    async with office.upstream_model("thinks", provider.kind, *provider.steps(streamed=streamed)) as upstream:
        for number in range(3):
            asked |= {"model": "thinks", "messages": said, "reasoning_effort": "medium"}
            if streamed:
                async with entered(openai_client.chat.completions.stream(**asked)) as events:
                    await collect(events)
                    completion = await call(events.get_final_completion)
            else:
                completion = await call(openai_client.chat.completions.create, **asked)
            message = completion.choices[0].message
            said.append(message)
            for wanted in message.tool_calls or []:
                assert json.loads(wanted.function.arguments) == {"number": number}
                said.append({"role": "tool", "tool_call_id": wanted.id, "content": RESULTS[number]})
        assert said[-1].content == ANSWER
        provider.check(upstream.seen)


@either("openai_client", openai.OpenAI, openai.AsyncOpenAI)
@PROVIDERS
@pytest.mark.parametrize("kept", [False, True], ids=["sent-back", "kept"])
async def test_responses_bring_thoughts_back(
    openai_client: Any, office: Office, provider: Any, streamed: bool, kept: bool
) -> None:
    said: list[Any] = [{"role": "user", "content": ASKED}]
    tools = [{"type": "function", "name": TOOL, "parameters": SCHEMA}]
    asked: dict[str, Any] = {"model": "thinks", "tools": tools, "reasoning": {"effort": "medium"}, "store": kept}
    if not kept:
        asked["include"] = ["reasoning.encrypted_content"]
    response: Any = None
    async with office.upstream_model("thinks", provider.kind, *provider.steps(streamed=streamed)) as upstream:
        for number in range(3):
            if streamed:
                async with entered(openai_client.responses.stream(**asked, input=said)) as events:
                    await collect(events)
                    response = await call(events.get_final_response)
            else:
                response = await call(openai_client.responses.create, **asked, input=said)
            results = [
                {"type": "function_call_output", "call_id": item.call_id, "output": RESULTS[number]}
                for item in response.output
                if item.type == "function_call"
            ]
            if kept:
                said, asked["previous_response_id"] = results, response.id
            else:
                said += [*response.output, *results]
        assert response.output_text == ANSWER
        provider.check(upstream.seen)


@either("anthropic_client", anthropic.Anthropic, anthropic.AsyncAnthropic)
@PROVIDERS
async def test_messages_bring_thoughts_back(
    anthropic_client: Any, office: Office, provider: Any, streamed: bool
) -> None:
    said: list[Any] = [{"role": "user", "content": ASKED}]
    asked: dict[str, Any] = {
        "model": "thinks",
        "max_tokens": 4000,
        "tools": [{"name": TOOL, "input_schema": SCHEMA}],
        "thinking": {"type": "enabled", "budget_tokens": 1024},
    }
    message: Any = None
    async with office.upstream_model("thinks", provider.kind, *provider.steps(streamed=streamed)) as upstream:
        for number in range(3):
            if streamed:
                async with entered(anthropic_client.messages.stream(**asked, messages=said)) as events:
                    message = await call(events.get_final_message)
            else:
                message = await call(anthropic_client.messages.create, **asked, messages=said)
            said.append({"role": "assistant", "content": message.content})
            results = [
                {"type": "tool_result", "tool_use_id": block.id, "content": RESULTS[number]}
                for block in message.content
                if block.type == "tool_use"
            ]
            said += [{"role": "user", "content": results}] if results else []
        assert message.content[-1].text == ANSWER
        provider.check(upstream.seen)


@either("google_client", "sync", "async")
@PROVIDERS
async def test_geminis_contents_bring_thoughts_back(
    google_models: Any, office: Office, provider: Any, streamed: bool
) -> None:
    said = [types.Content(role="user", parts=[types.Part(text=ASKED)])]
    function = types.FunctionDeclaration(name=TOOL, parameters_json_schema=SCHEMA)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        thinking_config=types.ThinkingConfig(include_thoughts=True, thinking_budget=1024),
        max_output_tokens=4000,
    )
    asked: dict[str, Any] = {"model": "thinks", "config": config}
    parts: list[types.Part] = []
    async with office.upstream_model("thinks", provider.kind, *provider.steps(streamed=streamed)) as upstream:
        for number in range(3):
            if streamed:
                chunks = await collect(await call(google_models.generate_content_stream, **asked, contents=said))
                parts = [part for chunk in chunks for part in (chunk.candidates[0].content.parts or [])]
            else:
                reply = await call(google_models.generate_content, **asked, contents=said)
                parts = reply.candidates[0].content.parts
            results = [
                types.Part.from_function_response(
                    name=part.function_call.name or "", response={"output": RESULTS[number]}
                )
                for part in parts
                if part.function_call
            ]
            said += [types.Content(role="model", parts=parts), types.Content(role="user", parts=results)]
        assert "".join(part.text or "" for part in parts if not part.thought) == ANSWER
        provider.check(upstream.seen)
