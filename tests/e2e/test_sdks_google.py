"""The official Google Gen AI SDK, unchanged but for its address and key, against a real process."""

from typing import Any

import pydantic
import pytest
from google.genai import types

from tests.support.dialect_models import NATIVE, UPSTREAMS, WITHOUT_SCHEMAS
from tests.support.sdk import Office, call, collect, joined

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"
NUMBER = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
TOOLS = types.Tool(
    function_declarations=[
        types.FunctionDeclaration(name="find_order", description="Finds an order.", parameters_json_schema=NUMBER),
        types.FunctionDeclaration(name="find_bill", description="Finds a bill.", parameters_json_schema=NUMBER),
    ]
)


class Order(pydantic.BaseModel):
    """What a structured answer is."""

    number: int


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_an_answer_its_usage_and_its_record(google_models: Any, office: Office, upstream: str) -> None:
    reply = await call(google_models.generate_content, model=f"{upstream}/echo", contents=TEXT)
    assert reply.text == TEXT
    assert reply.candidates[0].finish_reason is types.FinishReason.STOP
    usage = reply.usage_metadata
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    headers = reply.sdk_http_response.headers
    record = await office.record(headers["x-request-id"])
    assert record["usage"]["input_tokens"] == usage.prompt_token_count > 0
    assert record["usage"]["output_tokens"] == usage.candidates_token_count == 7
    assert record["cost_usd"] == headers["x-enfilade-cost-usd"] != "0.000000000"
    assert (record["status"], record["dialect"], record["stream"]) == ("ok", "gemini_generate", False)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_stream_brings_text_in_pieces_and_usage_at_its_end(
    google_models: Any, office: Office, upstream: str
) -> None:
    chunks = await collect(
        await call(google_models.generate_content_stream, model=f"{upstream}/text-40", contents="Tell me something")
    )
    assert len([chunk for chunk in chunks if chunk.text]) == 40
    assert [chunk.candidates[0].finish_reason for chunk in chunks if chunk.candidates[0].finish_reason] == [
        types.FinishReason.STOP
    ]
    assert chunks[-1].usage_metadata.candidates_token_count == 40
    record = await office.record(chunks[0].sdk_http_response.headers["x-request-id"])
    assert (record["status"], record["stream"], record["usage"]["output_tokens"]) == ("ok", True, 40)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_bound_on_the_output_ends_it_with_max_tokens(google_models: Any, upstream: str) -> None:
    reply = await call(
        google_models.generate_content,
        model=f"{upstream}/text-50",
        contents=TEXT,
        config=types.GenerateContentConfig(max_output_tokens=16, system_instruction="Answer briefly."),
    )
    assert reply.candidates[0].finish_reason is types.FinishReason.MAX_TOKENS
    assert reply.usage_metadata.candidates_token_count == 16


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_tools_are_called_at_once_and_answered_turn_after_turn(
    google_models: Any, upstream: str, stream: bool
) -> None:
    contents = [types.Content(role="user", parts=[types.Part(text="Where is it?")])]
    for turn in range(3):
        parts = await _answer(google_models, upstream, contents, stream=stream)
        calls = [part.function_call for part in parts if part.function_call]
        assert [(wanted.name, wanted.args) for wanted in calls] == [
            ("find_order", {"number": 1}),
            ("find_bill", {"number": 1}),
        ]
        results = [
            types.Part(
                function_response=types.FunctionResponse(
                    id=wanted.id, name=wanted.name, response={"output": f"{wanted.name} {turn}"}
                )
            )
            for wanted in calls
        ]
        contents += [types.Content(role="model", parts=parts), types.Content(role="user", parts=results)]
        said = await _answer(google_models, upstream, contents, stream=stream)
        text = joined(part.text for part in said)
        assert text.index(f"find_order {turn}") < text.index(f"find_bill {turn}")
        contents += [types.Content(role="model", parts=said), types.Content(role="user", parts=[types.Part(text="?")])]


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_functions_are_called_by_the_sdk_itself(google_models: Any, upstream: str) -> None:
    asked: list[int] = []

    def find_order(number: int) -> str:
        """Finds an order."""
        asked.append(number)
        return f"Order {number} is on its way."

    reply = await call(
        google_models.generate_content,
        model=f"{upstream}/tools",
        contents="Where is it?",
        config=types.GenerateContentConfig(tools=[find_order]),
    )
    assert asked == [1]
    assert "Order 1 is on its way." in reply.text
    assert len(reply.automatic_function_calling_history) == 3


@pytest.mark.parametrize("model", [*(f"{upstream}/echo" for upstream in UPSTREAMS), f"{WITHOUT_SCHEMAS}/tools"])
@pytest.mark.parametrize("described", ["class", "json_schema"])
async def test_structured_output_is_parsed_into_the_callers_type(
    google_models: Any, model: str, described: str
) -> None:
    schema = {"response_schema": Order} if described == "class" else {"response_json_schema": Order.model_json_schema()}
    config = types.GenerateContentConfig(response_mime_type="application/json", **schema)
    reply = await call(google_models.generate_content, model=model, contents='{"number": 1}', config=config)
    assert reply.candidates[0].finish_reason is types.FinishReason.STOP
    assert Order.model_validate_json(reply.text) == Order(number=1)
    if described == "class":
        assert reply.parsed == Order(number=1)


@pytest.mark.parametrize("upstream", [NATIVE, "openai_chat", "gemini_generate"])
async def test_one_text_and_several_are_embedded(google_models: Any, upstream: str) -> None:
    one = await call(google_models.embed_content, model=f"{upstream}/echo", contents="one door")
    config = types.EmbedContentConfig(output_dimensionality=16)
    several = await call(
        google_models.embed_content, model=f"{upstream}/echo", contents=["one door", "another door"], config=config
    )
    assert len(one.embeddings) == 1
    assert len(one.embeddings[0].values) == 64
    assert [len(embedding.values) for embedding in several.embeddings] == [16, 16]
    assert several.embeddings[0].values != several.embeddings[1].values


@pytest.mark.parametrize("upstream", [NATIVE, "anthropic_messages", "gemini_generate"])
async def test_tokens_are_counted_as_they_are_charged(google_models: Any, upstream: str) -> None:
    counted = await call(google_models.count_tokens, model=f"{upstream}/echo", contents=TEXT)
    answered = await call(google_models.generate_content, model=f"{upstream}/echo", contents=TEXT)
    assert counted.total_tokens == answered.usage_metadata.prompt_token_count


async def test_models_are_listed_and_retrieved(google_models: Any) -> None:
    listed = {model.name for model in await collect(await call(google_models.list))}
    assert {"models/chat", "models/fast"} <= listed
    found = await call(google_models.get, model="chat")
    assert (found.name, found.display_name) == ("models/chat", "chat")
    assert "generateContent" in found.supported_actions


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_a_chat_remembers_what_was_said(google_chats: Any, upstream: str) -> None:
    chat = await call(google_chats.create, model=f"{upstream}/echo")
    first = await call(chat.send_message, "One.")
    chunks = await collect(await call(chat.send_message_stream, "Two."))
    assert (first.text, joined(chunk.text for chunk in chunks)) == ("One.", "Two.")
    assert chunks[-1].usage_metadata.prompt_token_count > first.usage_metadata.prompt_token_count
    # A stream is remembered chunk by chunk, and only if every one of them is valid in the SDK's eyes.
    remembered = chat.get_history(curated=True)
    assert joined(part.text for content in remembered for part in content.parts) == "One.One.Two.Two."


async def _answer(models: Any, upstream: str, contents: list[types.Content], *, stream: bool) -> list[types.Part]:
    """The answer's parts, called or streamed."""
    asked = {
        "model": f"{upstream}/tools",
        "contents": contents,
        "config": types.GenerateContentConfig(tools=[TOOLS]),
    }
    if stream:
        chunks = await collect(await call(models.generate_content_stream, **asked))
        return [part for chunk in chunks for part in (chunk.candidates[0].content.parts or [])]
    reply = await call(models.generate_content, **asked)
    return list(reply.candidates[0].content.parts)
