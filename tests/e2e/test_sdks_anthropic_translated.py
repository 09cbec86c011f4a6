"""The official Anthropic SDK against a real process, over models that speak another dialect."""

from typing import Any

import anthropic
import pydantic
import pytest

from tests.support.dialect_models import NATIVE, SPOKEN, UPSTREAMS
from tests.support.sdk import Office, call, collect, entered, joined, untried

pytestmark = pytest.mark.e2e

TEXT = "Good morning to everybody"
SAID = {"max_tokens": 100, "system": "Repeat.", "messages": [{"role": "user", "content": TEXT}]}
TRANSLATED = [name for name in SPOKEN if name != "anthropic_messages"]
NUMBER = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
TOOLS = [{"name": name, "input_schema": NUMBER} for name in ("find_order", "find_bill")]
CALLED = [("find_order", {"number": 1}), ("find_bill", {"number": 1})]


class Order(pydantic.BaseModel):
    """What a structured answer is."""

    number: int


@pytest.mark.parametrize("upstream", TRANSLATED)
async def test_a_message_its_usage_and_its_record(anthropic_client: Any, office: Office, upstream: str) -> None:
    create = anthropic_client.messages.with_raw_response.create
    raw = await call(create, model=f"{upstream}/echo", extra_body={"top_k": 5}, **SAID)
    message = await call(raw.parse)
    assert [block.text for block in message.content] == [TEXT]
    assert (message.role, message.stop_reason, message.stop_sequence) == ("assistant", "end_turn", None)
    record = await office.record(raw.headers["x-request-id"])
    assert record["usage"]["input_tokens"] == message.usage.input_tokens > 0
    assert record["usage"]["output_tokens"] == message.usage.output_tokens == 7
    assert (record["status"], record["dialect"]) == ("ok", "anthropic_messages")
    dropped = raw.headers.get("x-enfilade-dropped")
    assert dropped == (None if upstream == "gemini_generate" else "top_k")


@pytest.mark.parametrize("upstream", TRANSLATED)
async def test_a_stream_is_put_together_by_the_helper(anthropic_client: Any, upstream: str) -> None:
    async with entered(anthropic_client.messages.stream(model=f"{upstream}/text-40", **SAID)) as events:
        seen = await collect(events)
        final = await call(events.get_final_message)
    kinds = [event.type for event in seen if event.type not in {"ping", "text", "content_block_delta"}]
    assert kinds == [
        "message_start",
        "content_block_start",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    pieces = [event.text for event in seen if event.type == "text"]
    assert len(pieces) == 40
    assert final.content[0].text == joined(pieces)
    assert (final.stop_reason, final.usage.output_tokens) == ("end_turn", 40)


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_structured_output_is_parsed_into_the_callers_type(anthropic_client: Any, upstream: str) -> None:
    said = SAID | {"messages": [{"role": "user", "content": '{"number": 1}'}]}
    message = await call(anthropic_client.messages.parse, model=f"{upstream}/echo", **said, output_format=Order)
    assert message.parsed_output == Order(number=1)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_tools_are_called_at_once_and_answered_turn_after_turn(
    anthropic_client: Any, upstream: str, stream: bool
) -> None:
    said: list[Any] = [{"role": "user", "content": "Where is it?"}]
    for turn in range(3):
        asked = await _answer(anthropic_client, upstream, said, stream=stream)
        calls = [block for block in asked.content if block.type == "tool_use"]
        assert [(wanted.name, wanted.input) for wanted in calls] == CALLED
        assert (asked.stop_reason, len({wanted.id for wanted in calls})) == ("tool_use", 2)
        results = [
            {"type": "tool_result", "tool_use_id": wanted.id, "content": f"{wanted.name} {turn}"} for wanted in calls
        ]
        said += [{"role": "assistant", "content": asked.content}, {"role": "user", "content": results}]
        answered = await _answer(anthropic_client, upstream, said, stream=stream)
        text = joined(block.text for block in answered.content)
        assert text.index(f"find_order {turn}") < text.index(f"find_bill {turn}")
        assert answered.stop_reason == "end_turn"
        said += [{"role": "assistant", "content": answered.content}, {"role": "user", "content": "And now?"}]


@pytest.mark.parametrize("upstream", UPSTREAMS)
async def test_functions_are_called_by_the_sdk_itself(anthropic_client: Any, upstream: str) -> None:
    asked: list[int] = []

    def find_order(number: int) -> str:
        """Finds an order."""
        asked.append(number)
        return f"Order {number} is on its way."

    async def find_order_later(number: int) -> str:
        """Finds an order."""
        return find_order(number)

    is_async = isinstance(anthropic_client, anthropic.AsyncAnthropic)
    tool: Any = anthropic.beta_async_tool(find_order_later) if is_async else anthropic.beta_tool(find_order)
    runner = anthropic_client.beta.messages.tool_runner(model=f"{upstream}/tools", tools=[tool], **SAID)
    final = await call(runner.until_done)
    assert asked == [1]
    assert "Order 1 is on its way." in final.content[0].text


@pytest.mark.parametrize("upstream", [NATIVE, "anthropic_messages", "gemini_generate"])
async def test_tokens_are_counted_as_they_are_charged(anthropic_client: Any, upstream: str) -> None:
    asked = {name: value for name, value in SAID.items() if name != "max_tokens"}
    counted = await call(anthropic_client.messages.count_tokens, model=f"{upstream}/echo", tools=TOOLS, **asked)
    answered = await call(anthropic_client.messages.create, model=f"{upstream}/echo", tools=TOOLS, **SAID)
    assert counted.input_tokens == answered.usage.input_tokens > 0


@pytest.mark.parametrize(
    ("script", "kind", "status"),
    [
        ("fail-400", anthropic.BadRequestError, 400),
        ("fail-429-retry-after-20s", anthropic.RateLimitError, 429),
        ("fail-503-retry-after-20s", anthropic.InternalServerError, 529),
    ],
)
@pytest.mark.parametrize("upstream", TRANSLATED)
async def test_failures_of_other_providers_are_the_sdks_typed_errors(
    anthropic_client: Any, upstream: str, script: str, kind: type[anthropic.APIStatusError], status: int
) -> None:
    with pytest.raises(kind) as caught:
        await call(anthropic_client.messages.create, model=untried(f"{upstream}/{script}"), **SAID)
    assert caught.value.status_code == status
    assert caught.value.request_id == caught.value.response.headers["x-request-id"]


@pytest.mark.parametrize("upstream", TRANSLATED)
async def test_a_failure_inside_a_stream_is_raised_while_it_is_read(
    anthropic_client: Any, office: Office, upstream: str
) -> None:
    raw = await call(
        anthropic_client.messages.with_raw_response.create,
        model=f"{upstream}/cut-after-3+text-9",
        stream=True,
        **SAID,
    )
    with pytest.raises(anthropic.APIStatusError):
        await collect(await call(raw.parse))
    record = await office.latest(id=raw.headers["x-request-id"])
    assert (record["status"], record["usage"]["output_tokens"], record["estimated"]) == ("failed", 3, True)


async def _answer(client: Any, upstream: str, said: list[Any], *, stream: bool) -> Any:
    """The answer, called or streamed."""
    asked = {"model": f"{upstream}/tools", "max_tokens": 100, "messages": said, "tools": TOOLS}
    if not stream:
        return await call(client.messages.create, **asked)
    async with entered(client.messages.stream(**asked)) as events:
        return await call(events.get_final_message)
