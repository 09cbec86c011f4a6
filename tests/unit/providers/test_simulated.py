"""The simulated provider: what each script does."""

import asyncio
import base64
import json
import math
import struct
from typing import Any

import pytest

from enfilade.core.messages import Finish
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.types import StreamFacts
from enfilade.providers.errors import ConnectFailed, ConnectionBroken, ProviderError, ProviderTimeout
from enfilade.providers.simulated.words import VOCABULARY, embed, split_tokens
from enfilade.providers.types import Incoming, Provider
from tests.support.outbound import Outbound

CHATS = ["openai_chat", "anthropic_messages"]
ALL = [*CHATS, "openai_embeddings"]
FIXED = "".join(VOCABULARY)


@pytest.fixture
def sim(outbound: Outbound) -> Provider:
    """The provider, with time limits of its own."""
    timeout = {"first_byte": 60.0, "between_bytes": 30.0}
    return outbound.provider(kind="simulated", key=None, timeout=timeout)


def text_of(dialect: str, body: bytes) -> str:
    """The words of a whole reply."""
    reply = json.loads(body)
    if dialect == "openai_chat":
        return str(reply["choices"][0]["message"]["content"])
    return "".join(block["text"] for block in reply["content"])


async def whole(outbound: Outbound, sim: Provider, model: str, dialect: str = "openai_chat", **changes: Any) -> bytes:
    """A whole reply."""
    return await (await sim.send(outbound.ask(dialect, model=model, **changes))).read()


async def streamed(
    outbound: Outbound, sim: Provider, model: str, dialect: str, **changes: Any
) -> tuple[StreamFacts, bytes, bool]:
    """A stream read to its end: what is known of it, its bytes, and whether it was complete."""
    asked = outbound.ask(dialect, model=model, stream=True, **changes)
    incoming = await sim.send(asked)
    reader = asked.dialect.stream_reader(asked.request)
    passed = b""
    while chunk := await incoming.next_chunk():
        passed += reader.feed(chunk)
    return reader.facts, passed, reader.finish()


async def settle() -> None:
    """Let every task run until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


@pytest.mark.parametrize("dialect", CHATS)
async def test_echo_repeats_what_the_user_said_last(outbound: Outbound, sim: Provider, dialect: str) -> None:
    words = "Größe: 3 €, and\nthe rest 世界"
    messages = [{"role": "user", "content": "first"}, {"role": "assistant", "content": "mid"}]
    messages.append({"role": "user", "content": words})
    body = await whole(outbound, sim, "echo", dialect, messages=messages)
    assert text_of(dialect, body) == words
    facts, _, complete = await streamed(outbound, sim, "echo", dialect, messages=messages)
    assert complete
    assert facts.finish is Finish.STOP
    assert facts.events == len(split_tokens(words))


@pytest.mark.parametrize("dialect", CHATS)
@pytest.mark.parametrize("count", [0, 1, 30])
async def test_a_fixed_text_has_so_many_tokens_whole_and_streamed(
    outbound: Outbound, sim: Provider, dialect: str, count: int
) -> None:
    body = await whole(outbound, sim, f"text-{count}", dialect, max_tokens=50)
    facts = outbound.dialects.get(dialect).read_reply(body)
    assert facts.usage is not None
    assert facts.usage.output_tokens == count
    assert text_of(dialect, body) == (FIXED * 3)[: len(text_of(dialect, body))]
    in_stream, _, complete = await streamed(outbound, sim, f"text-{count}", dialect, max_tokens=50)
    assert complete
    assert (in_stream.usage, in_stream.finish) == (facts.usage, facts.finish)
    assert in_stream.events == count


@pytest.mark.parametrize("dialect", CHATS)
async def test_the_output_bound_is_kept_unless_the_script_ignores_it(
    outbound: Outbound, sim: Provider, dialect: str
) -> None:
    kept = outbound.dialects.get(dialect).read_reply(await whole(outbound, sim, "text-30", dialect, max_tokens=7))
    assert kept.usage is not None
    assert (kept.usage.output_tokens, kept.finish) == (7, Finish.LENGTH)
    body = await whole(outbound, sim, "text-30+ignores-max", dialect, max_tokens=7)
    ignored = outbound.dialects.get(dialect).read_reply(body)
    assert ignored.usage is not None
    assert (ignored.usage.output_tokens, ignored.finish) == (30, Finish.STOP)


@pytest.mark.parametrize("dialect", ALL)
async def test_the_input_is_charged_as_was_said_beforehand(outbound: Outbound, sim: Provider, dialect: str) -> None:
    asked = outbound.ask(dialect, model="echo")
    facts = asked.dialect.read_reply(await (await sim.send(asked)).read())
    assert facts.usage is not None
    assert facts.usage.input_tokens > 0
    assert facts.usage.input_tokens == sim.exact_input(asked.dialect, asked.request)


def tools_of(dialect: str, *names: str) -> list[dict[str, Any]]:
    """Tools with a property of each type."""
    types = ("string", "integer", "number", "boolean", "array", "object")
    schema = {"type": "object", "properties": {f"a_{kind}": {"type": kind} for kind in types}}
    if dialect == "openai_chat":
        return [{"type": "function", "function": {"name": name, "parameters": schema}} for name in names]
    return [{"name": name, "input_schema": schema} for name in names]


@pytest.mark.parametrize("dialect", CHATS)
async def test_tools_are_called_with_arguments_of_the_right_types(
    outbound: Outbound, sim: Provider, dialect: str
) -> None:
    tools = tools_of(dialect, "weather", "clock")
    reply = json.loads(await whole(outbound, sim, "tools", dialect, tools=tools))
    if dialect == "openai_chat":
        assert reply["choices"][0]["finish_reason"] == "tool_calls"
        assert reply["choices"][0]["message"]["content"] is None
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in reply["choices"][0]["message"]["tool_calls"]
        ]
    else:
        assert reply["stop_reason"] == "tool_use"
        calls = [(block["id"], block["name"], block["input"]) for block in reply["content"]]
    assert [name for _, name, _ in calls] == ["weather", "clock"]
    assert len({call_id for call_id, _, _ in calls}) == 2
    assert calls[0][2] == {
        "a_string": "example",
        "a_integer": 1,
        "a_number": 1.5,
        "a_boolean": True,
        "a_array": [],
        "a_object": {},
    }
    facts, passed, complete = await streamed(outbound, sim, "tools", dialect, tools=tools)
    assert complete
    assert facts.finish is Finish.TOOL_CALLS
    assert b"weather" in passed
    assert b"clock" in passed


@pytest.mark.parametrize("dialect", CHATS)
async def test_one_tool_is_called_when_one_is_wanted(outbound: Outbound, sim: Provider, dialect: str) -> None:
    openai = dialect == "openai_chat"
    named = {"type": "function", "function": {"name": "clock"}} if openai else {"type": "tool", "name": "clock"}
    tools = tools_of(dialect, "weather", "clock")
    body = await whole(outbound, sim, "tools", dialect, tools=tools, tool_choice=named)
    assert b"clock" in body
    assert b"weather" not in body
    single: dict[str, Any] = {"parallel_tool_calls": False}
    if not openai:
        single = {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}}
    body = await whole(outbound, sim, "tools", dialect, tools=tools, **single)
    assert b"weather" in body
    assert b"clock" not in body


@pytest.mark.parametrize("dialect", CHATS)
async def test_after_a_tools_result_there_is_an_answer(outbound: Outbound, sim: Provider, dialect: str) -> None:
    if dialect == "openai_chat":
        call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
        turns = [
            {"role": "user", "content": "Rain?"},
            {"role": "assistant", "content": None, "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "c1", "content": "yes"},
        ]
    else:
        turns = [
            {"role": "user", "content": "Rain?"},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "c1", "name": "weather", "input": {}}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "yes"}]},
        ]
    body = await whole(outbound, sim, "tools+text-3", dialect, messages=turns, tools=tools_of(dialect, "weather"))
    assert outbound.dialects.get(dialect).read_reply(body).finish is Finish.STOP
    assert text_of(dialect, body) == FIXED[: len("one row of ")]
    repeated = await whole(outbound, sim, "tools", dialect, messages=turns, tools=tools_of(dialect, "weather"))
    assert text_of(dialect, repeated) == "yes"


async def test_embeddings_are_unit_vectors_that_depend_on_the_text_alone(outbound: Outbound, sim: Provider) -> None:
    async def vectors(**changes: Any) -> list[Any]:
        reply = json.loads(await whole(outbound, sim, "echo", "openai_embeddings", **changes))
        assert [entry["index"] for entry in reply["data"]] == list(range(len(reply["data"])))
        return [entry["embedding"] for entry in reply["data"]]

    one, other, again = await vectors(input=["one", "other", "one"])
    assert one == again
    assert one != other
    assert len(one) == 64
    assert math.isclose(sum(value * value for value in one), 1.0)
    assert await vectors(input="one") == [one]
    (short,) = await vectors(input="one", dimensions=5)
    assert len(short) == 5
    (packed,) = await vectors(input="one", encoding_format="base64")
    assert list(struct.unpack("<64f", base64.b64decode(packed))) == pytest.approx(one)
    assert len(await vectors(input=[[1, 2], [3]])) == 2
    assert len(await vectors(input=[1, 2, 3])) == 1


def test_any_number_of_dimensions_is_filled() -> None:
    for dimensions in (1, 8, 9, 4096):
        assert len(embed("x", dimensions)) == dimensions


@pytest.mark.parametrize("dialect", ALL)
async def test_latency_is_the_clocks(outbound: Outbound, sim: Provider, dialect: str) -> None:
    sending = asyncio.create_task(whole(outbound, sim, "echo+slow-2s", dialect))
    await settle()
    outbound.clock.advance(1.9)
    await settle()
    assert not sending.done()
    outbound.clock.advance(0.2)
    assert await sending


@pytest.mark.parametrize("dialect", CHATS)
async def test_a_pace_spreads_the_chunks(outbound: Outbound, sim: Provider, dialect: str) -> None:
    asked = outbound.ask(dialect, model="text-3+pace-20ms", stream=True)
    incoming = await sim.send(asked)
    assert await incoming.next_chunk()
    for _ in range(3):
        reading = asyncio.create_task(incoming.next_chunk())
        await settle()
        assert not reading.done()
        outbound.clock.advance(0.02)
        assert await reading
    assert await incoming.next_chunk()
    assert await incoming.next_chunk() == b""


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize(
    ("model", "status", "retry_after"),
    [("fail-429-retry-after-2s", 429, 2.0), ("fail-503", 503, None), ("fail-400", 400, None), ("fail-529", 529, None)],
)
async def test_a_status_fails_every_time_like_a_real_one(
    outbound: Outbound, sim: Provider, dialect: str, model: str, status: int, retry_after: float | None
) -> None:
    for attempt in (1, 2, 5):
        asked = outbound.ask(dialect, model=model, attempt=attempt)
        with pytest.raises(ProviderError) as failure:
            await sim.send(asked)
        assert failure.value.upstream_status == status
        assert failure.value.retry_after == retry_after
        assert not asked.sent


@pytest.mark.parametrize(("model", "failures"), [("fail-503-then-ok", 1), ("fail-429-then-ok-3", 3)])
async def test_it_works_after_so_many_attempts_of_the_same_call(
    outbound: Outbound, sim: Provider, model: str, failures: int
) -> None:
    for _ in range(2):  # Another call begins again.
        for attempt in range(1, failures + 1):
            with pytest.raises(ProviderError):
                await sim.send(outbound.ask(model=model, attempt=attempt))
        assert await (await sim.send(outbound.ask(model=model, attempt=failures + 1))).read()


async def test_every_second_call_of_a_flaky_model_fails(outbound: Outbound, sim: Provider) -> None:
    for _ in range(3):
        with pytest.raises(ProviderError) as failure:
            await whole(outbound, sim, "flaky-500")
        assert failure.value.upstream_status == 500
        assert await whole(outbound, sim, "flaky-500")


async def test_flaky_models_do_not_fill_the_memory(outbound: Outbound, sim: Provider) -> None:
    for number in range(1, 2500):
        with pytest.raises(ProviderError):
            await whole(outbound, sim, f"flaky-500+text-{number}")
    assert len(sim._calls) <= 1001  # type: ignore[attr-defined]


async def test_an_unreachable_model_was_sent_nothing(outbound: Outbound, sim: Provider) -> None:
    asked = outbound.ask(model="unreachable")
    with pytest.raises(ConnectFailed):
        await sim.send(asked)
    assert not asked.sent


@pytest.mark.parametrize("dialect", CHATS)
@pytest.mark.parametrize("count", [0, 1, 3])
async def test_a_cut_comes_after_so_many_chunks(outbound: Outbound, sim: Provider, dialect: str, count: int) -> None:
    asked = outbound.ask(dialect, model=f"text-10+cut-after-{count}", stream=True)
    incoming = await sim.send(asked)
    reader = asked.dialect.stream_reader(asked.request)
    for _ in range(count + 1):
        reader.feed(await incoming.next_chunk())
    with pytest.raises(ConnectionBroken) as failure:
        await incoming.next_chunk()
    assert failure.value.may_have_cost
    assert reader.facts.events == count
    assert not reader.finish()
    with pytest.raises(ConnectionBroken):
        await whole(outbound, sim, f"text-10+cut-after-{count}", dialect)


@pytest.mark.parametrize("dialect", CHATS)
@pytest.mark.parametrize("count", [0, 2])
async def test_an_error_comes_in_the_stream_after_so_many_chunks(
    outbound: Outbound, sim: Provider, dialect: str, count: int
) -> None:
    facts, passed, complete = await streamed(outbound, sim, f"text-10+error-after-{count}", dialect)
    assert not complete
    assert "simulated error" in (facts.error or "")
    assert facts.events == count
    assert b"simulated error" not in passed


@pytest.mark.parametrize("dialect", ALL)
async def test_garbage_is_no_reply_of_any_dialect(outbound: Outbound, sim: Provider, dialect: str) -> None:
    body = await whole(outbound, sim, "garbage", dialect)
    with pytest.raises(UnreadableReply):
        outbound.dialects.get(dialect).read_reply(body)
    if dialect in CHATS:
        facts, _, complete = await streamed(outbound, sim, "garbage", dialect)
        assert not complete
        assert facts.usage is None


async def expire(outbound: Outbound, reading: "asyncio.Task[Any]", seconds: float) -> None:
    """The task ends in a timeout after so many seconds, and not before."""
    await settle()
    outbound.clock.advance(seconds - 0.5)
    await settle()
    assert not reading.done()
    outbound.clock.advance(1)
    with pytest.raises(ProviderTimeout) as failure:
        await reading
    assert failure.value.may_have_cost


@pytest.mark.parametrize("dialect", ALL)
@pytest.mark.parametrize("model", ["hang", "slow-61s", "hang-after-0"])
async def test_a_hang_before_the_reply_lasts_as_long_as_the_limit(
    outbound: Outbound, sim: Provider, dialect: str, model: str
) -> None:
    asked = outbound.ask(dialect, model=model)
    await expire(outbound, asyncio.create_task(sim.send(asked)), 60)
    assert asked.sent


@pytest.mark.parametrize("dialect", CHATS)
async def test_a_hang_in_the_reply_lasts_as_long_as_the_limit(outbound: Outbound, sim: Provider, dialect: str) -> None:
    incoming = await sim.send(outbound.ask(dialect, model="text-9+hang-after-2", stream=True))
    for _ in range(3):
        assert await incoming.next_chunk()
    await expire(outbound, asyncio.create_task(incoming.next_chunk()), 30)
    reading = asyncio.create_task(whole(outbound, sim, "text-9+hang-after-2", dialect))
    await expire(outbound, reading, 30)


@pytest.mark.parametrize("dialect", ALL)
async def test_usage_may_be_missing(outbound: Outbound, sim: Provider, dialect: str) -> None:
    body = await whole(outbound, sim, "echo+no-usage", dialect)
    assert outbound.dialects.get(dialect).read_reply(body).usage is None
    assert b'"usage"' not in body


async def test_usage_in_a_stream_may_be_missing(outbound: Outbound, sim: Provider) -> None:
    facts, _, complete = await streamed(outbound, sim, "text-3+no-usage", "openai_chat")
    assert complete
    assert facts.usage is None
    assert facts.events == 3


async def test_a_stream_that_was_given_up_gives_no_more(outbound: Outbound, sim: Provider) -> None:
    incoming: Incoming = await sim.send(outbound.ask(model="text-9", stream=True))
    assert await incoming.next_chunk()
    incoming.abort()
    incoming.abort()
    with pytest.raises(ConnectionBroken):
        await incoming.next_chunk()
