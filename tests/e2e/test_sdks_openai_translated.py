"""The official OpenAI SDK's chat completions against a real process, over models that speak another dialect."""

import json
from typing import Any

import openai
import pydantic
import pytest

from tests.support.dialect_models import SPOKEN, UPSTREAMS, WITHOUT_SCHEMAS
from tests.support.sdk import Office, call, collect, entered, joined

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"
SAID = [{"role": "system", "content": "Repeat."}, {"role": "user", "content": TEXT}]
TRANSLATED = [name for name in SPOKEN if name != "openai_chat"]
NUMBER = {
    "type": "object",
    "properties": {"number": {"type": "integer"}},
    "required": ["number"],
    "additionalProperties": False,
}
TOOLS = [
    {"type": "function", "function": {"name": name, "parameters": NUMBER, "strict": True}}
    for name in ("find_order", "find_bill")
]
CALLED = [("find_order", {"number": 1}), ("find_bill", {"number": 1})]


class Order(pydantic.BaseModel):
    """What a structured answer is."""

    number: int


@pytest.mark.parametrize("upstream", TRANSLATED)
async def test_a_completion_its_usage_and_its_record(openai_client: Any, office: Office, upstream: str) -> None:
    raw = await call(
        openai_client.chat.completions.with_raw_response.create, model=f"{upstream}/echo", messages=SAID, seed=7
    )
    completion = raw.parse()
    assert (completion.choices[0].message.content, completion.choices[0].finish_reason) == (TEXT, "stop")
    record = await office.record(raw.headers["x-request-id"])
    assert record["usage"]["input_tokens"] == completion.usage.prompt_tokens > 0
    assert record["usage"]["output_tokens"] == completion.usage.completion_tokens == 7
    assert (record["status"], record["dialect"]) == ("ok", "openai_chat")
    dropped = raw.headers.get("x-enfilade-dropped")
    assert dropped == (None if upstream == "gemini_generate" else "seed")


@pytest.mark.parametrize("asks_usage", [True, False])
@pytest.mark.parametrize("upstream", TRANSLATED)
async def test_a_stream_is_put_together_by_the_helper(openai_client: Any, upstream: str, asks_usage: bool) -> None:
    options = {"stream_options": {"include_usage": True}} if asks_usage else {}
    manager = openai_client.chat.completions.stream(model=f"{upstream}/text-40", messages=SAID, **options)
    async with entered(manager) as events:
        seen = await collect(events)
        final = await call(events.get_final_completion)
    deltas = [event.delta for event in seen if event.type == "content.delta" and event.delta]
    assert len(deltas) == 40
    assert final.choices[0].message.content == joined(deltas)
    assert (final.choices[0].message.role, final.choices[0].finish_reason) == ("assistant", "stop")
    assert (final.usage is not None) == asks_usage
    if asks_usage:
        assert final.usage.completion_tokens == 40


@pytest.mark.parametrize("model", [*(f"{upstream}/echo" for upstream in TRANSLATED), f"{WITHOUT_SCHEMAS}/tools"])
async def test_structured_output_is_parsed_into_the_callers_type(openai_client: Any, model: str) -> None:
    said = {"model": model, "messages": [{"role": "user", "content": '{"number": 1}'}], "response_format": Order}
    completion = await call(openai_client.chat.completions.parse, **said)
    assert completion.choices[0].message.parsed == Order(number=1)
    assert (completion.choices[0].finish_reason, completion.choices[0].message.tool_calls) == ("stop", None)
    async with entered(openai_client.chat.completions.stream(**said)) as events:
        await collect(events)
        streamed = await call(events.get_final_completion)
    assert streamed.choices[0].message.parsed == Order(number=1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_tools_are_called_at_once_and_answered_turn_after_turn(
    openai_client: Any, upstream: str, stream: bool
) -> None:
    said: list[Any] = [*SAID]
    for turn in range(3):
        asked = await _answer(openai_client, upstream, said, stream=stream)
        calls = asked.message.tool_calls
        assert [(wanted.function.name, json.loads(wanted.function.arguments)) for wanted in calls] == CALLED
        assert (asked.finish_reason, len({wanted.id for wanted in calls})) == ("tool_calls", 2)
        results = [
            {"role": "tool", "tool_call_id": wanted.id, "content": f"{wanted.function.name} {turn}"} for wanted in calls
        ]
        answered = await _answer(openai_client, upstream, [*said, asked.message, *results], stream=stream)
        text = answered.message.content
        assert text.index(f"find_order {turn}") < text.index(f"find_bill {turn}")
        assert (answered.finish_reason, answered.message.tool_calls or None) == ("stop", None)
        said = [*said, asked.message, *results, answered.message, {"role": "user", "content": "And now?"}]


@pytest.mark.parametrize(
    ("choice", "called"),
    [("required", CALLED), ({"type": "function", "function": {"name": "find_bill"}}, CALLED[1:])],
    ids=["required", "named"],
)
@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_the_choice_of_a_tool_is_kept(
    openai_client: Any, upstream: str, choice: Any, called: list[tuple[str, Any]]
) -> None:
    completion = await call(
        openai_client.chat.completions.create,
        model=f"{upstream}/tools",
        messages=SAID,
        tools=TOOLS,
        tool_choice=choice,
    )
    calls = completion.choices[0].message.tool_calls
    assert [(wanted.function.name, json.loads(wanted.function.arguments)) for wanted in calls] == called


@pytest.mark.parametrize("upstream", TRANSLATED)
async def test_a_failure_inside_a_stream_is_raised_while_it_is_read(
    openai_client: Any, office: Office, upstream: str
) -> None:
    raw = await call(
        openai_client.chat.completions.with_raw_response.create,
        model=f"{upstream}/cut-after-3+text-9",
        messages=SAID,
        stream=True,
    )
    with pytest.raises(openai.APIError) as caught:
        await collect(raw.parse())
    assert caught.value.code == "provider_connection_broken"
    record = await office.latest(id=raw.headers["x-request-id"])
    assert (record["status"], record["usage"]["output_tokens"], record["estimated"]) == ("failed", 3, True)


async def test_embeddings_come_from_a_model_of_another_dialect(openai_client: Any) -> None:
    asked = {"model": "gemini_generate/echo", "input": ["one door", "another door"], "dimensions": 16}
    unpacked = await call(openai_client.embeddings.create, **asked)  # The SDK asks for base64 by itself.
    floats = await call(openai_client.embeddings.create, **asked, encoding_format="float")
    assert [len(entry.embedding) for entry in unpacked.data] == [16, 16]
    for index in range(2):
        assert unpacked.data[index].embedding == pytest.approx(floats.data[index].embedding, abs=1e-6)


async def _answer(client: Any, upstream: str, said: list[Any], *, stream: bool) -> Any:
    """The answer's only choice, called or streamed."""
    asked = {"model": f"{upstream}/tools", "messages": said, "tools": TOOLS}
    if not stream:
        return (await call(client.chat.completions.create, **asked)).choices[0]
    async with entered(client.chat.completions.stream(**asked)) as events:
        await collect(events)
        final = await call(events.get_final_completion)
    return final.choices[0]
