"""What the tests of the data plane share: a model behind a scripted provider, and what must hold after every call."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, TypeVar

import httpx2

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.upstream import Upstream
from tests.support.waiting import eventually
from tests.support.world import world

T = TypeVar("T")

CHAT, EMBEDDINGS, MESSAGES = "/v1/chat/completions", "/v1/embeddings", "/v1/messages"
PATHS = (CHAT, EMBEDDINGS, MESSAGES)
STREAMING = (CHAT, MESSAGES)
UP_KEY = "zQ7kPw3mVx9Lr2Tn-provider-secret"
"""A provider's key of no form that anybody would recognise."""
UP_ENVIRONMENT = {"UP_API_KEY": UP_KEY}
MODEL = "up-model"
NANO = Decimal(1_000_000_000)
INPUT_NANO, OUTPUT_NANO = 1000, 2000
"""What a token of `up-model` costs."""


def question(path: str, model: str = MODEL, **more: Any) -> dict[str, Any]:
    """A good request in the dialect of `path`."""
    if path == EMBEDDINGS:
        return {"model": model, "input": "Good morning"} | more
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Good morning"}]}
    return body | ({"max_tokens": 100} if path == MESSAGES else {}) | more


def whole_reply(path: str) -> dict[str, Any]:
    """A provider's reply to `question`: 12 tokens in, 3 out (none for embeddings)."""
    if path == EMBEDDINGS:
        data = [{"object": "embedding", "index": 0, "embedding": [0.5, 0.25]}]
        return {"object": "list", "data": data, "model": "m", "usage": {"prompt_tokens": 12, "total_tokens": 12}}
    if path == MESSAGES:
        return {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": "m",
            "content": [{"type": "text", "text": "Yes."}],
            "stop_reason": "end_turn",
            "usage": {"input_tokens": 12, "output_tokens": 3},
        }
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "m",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Yes."}}],
        "usage": {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15},
    }


def provider(upstream: Upstream, path: str, name: str = "up", **more: Any) -> dict[str, Any]:
    """The declaration of a provider that speaks the dialect of `path` at `upstream`."""
    is_messages = path == MESSAGES
    declared = {
        "name": name,
        "kind": "anthropic" if is_messages else "openai_compatible",
        "base_url": upstream.url.removesuffix("/v1") if is_messages else upstream.url,
        "api_key": {"env": "UP_API_KEY"},
        "allow_private_network": True,
    }
    return declared | more


def model(name: str, *deployments: str, **more: Any) -> dict[str, Any]:
    """The declaration of a model at `provider/upstream-model` deployments: 1,000 and 2,000 nano-dollars a token."""
    places = [dict(zip(("provider", "model"), place.split("/", 1), strict=True)) for place in deployments]
    declared = {
        "name": name,
        "deployments": places,
        "max_output_tokens": 100,
        "price": {"input": 1, "output": 2},
        "strategy": "ordered",
    }
    return declared | more


def served(upstream: Upstream, path: str = CHAT, **more: Any) -> dict[str, Any]:
    """The world with `up-model` at `upstream`; `more` goes to the provider's declaration."""
    document = world()
    document["providers"].append(provider(upstream, path, **more))
    document["models"].append(model(MODEL, "up/m"))
    # A budget that nobody reaches shows what is held.
    document["tenants"][0]["budgets"] = [{"scope": "tenant", "window": "total", "limit_usd": 1000}]
    return document


@asynccontextmanager
async def house_at(
    database: Address, upstream: Upstream, path: str = CHAT, *, options: HouseOptions | None = None, **more: Any
) -> AsyncIterator[House]:
    """A house in which `up-model` is served by `upstream`."""
    options = options or HouseOptions()
    options.document = served(upstream, path, **more)
    options.environment = UP_ENVIRONMENT
    async with open_house(database, options) as house:
        yield house


async def record_of(house: House, call_id: str) -> dict[str, Any]:
    """The record of a call, once it is written."""
    found: list[httpx2.Response] = []

    async def is_there() -> bool:
        found[:] = [await house.admin().get(f"/api/v1/calls/{call_id}")]
        return found[0].status_code == 200

    await eventually(is_there)
    record: dict[str, Any] = found[0].json()
    return record


async def only_record(house: House) -> dict[str, Any]:
    """The record of the one call that was made."""
    found: list[dict[str, Any]] = []

    async def is_there() -> bool:
        reply = await house.admin().get("/api/v1/calls")
        found[:] = reply.json()["items"]
        return bool(found)

    await eventually(is_there)
    assert len(found) == 1
    return found[0]


async def assert_nothing_held(house: House) -> None:
    """No call is running, no money is held, and what is spent is the sum of the calls."""
    await eventually(lambda: not house.parts.meter_book.holds)
    await house.parts.writer.flush()
    async with house.unit(house.tenant_id("acme")) as unit:
        ledger = int(await unit.fetch_value("SELECT coalesce(sum(amount_nano), 0)::bigint FROM ledger"))
    budgets = (await house.admin().get("/api/v1/budgets")).json()["items"]
    for budget in budgets:
        assert budget["held_usd"] == "0.000000000", budget
    if len(budgets) == 1 and budgets[0]["scope"] == "tenant":
        assert Decimal(budgets[0]["spent_usd"]) * NANO == ledger


def cost_of(record: Mapping[str, Any]) -> Decimal:
    """What a record's tokens cost at `up-model`, in dollars."""
    usage = record["usage"]
    nano: int = usage["input_tokens"] * INPUT_NANO + usage["output_tokens"] * OUTPUT_NANO
    return nano / NANO


async def answers_well(house: House, path: str = CHAT) -> None:
    """The house still takes a good call."""
    good = await house.client().post(path, json=question(path, "simulated/echo"))
    assert good.status_code == 200, good.text


def error_of(path: str, reply: httpx2.Response) -> dict[str, Any]:
    """The error object of a reply, which must have the form of the dialect of `path` and tell no inner things."""
    assert reply.headers["content-type"] == "application/json"
    return checked_error(path, reply.content)


def checked_error(path: str, body: bytes) -> dict[str, Any]:
    """See `error_of`."""
    text = body.decode()
    for inner in ("Traceback", 'File "', ".py", "msgspec", "asyncpg", UP_KEY, "127.0.0.1"):
        assert inner not in text, text
    content = json.loads(text)
    error: dict[str, Any] = content["error"]
    assert isinstance(error["message"], str)
    assert error["message"]
    assert isinstance(error["type"], str)
    assert error["code"].replace("_", "").isalpha()
    if path == MESSAGES:
        assert content["type"] == "error"
    else:
        assert "param" in error
    return error


async def driven(clock: ManualClock, work: Awaitable[T], step: float = 0.05) -> T:
    """The result of `work`, with the clock moved on for as long as it takes."""
    task = asyncio.ensure_future(work)
    while not task.done():
        await asyncio.wait({task}, timeout=0.002)
        clock.advance(step)
    return task.result()


def sse(*events: Mapping[str, Any] | str, named: bool = False) -> list[bytes]:
    """Server-sent events; with `named`, each with the name of its type."""
    written = []
    for event in events:
        data = event if isinstance(event, str) else json.dumps(event, separators=(",", ":"))
        name = f"event: {event['type']}\n" if named and not isinstance(event, str) else ""
        written.append(f"{name}data: {data}\n\n".encode())
    return written


def chat_chunk(content: str | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """A chunk of a chat completion."""
    delta = {} if content is None else {"content": content}
    head = {"id": "c1", "object": "chat.completion.chunk", "created": 1, "model": "m"}
    return head | {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]} | more


CHAT_USAGE = {"prompt_tokens": 12, "completion_tokens": 3, "total_tokens": 15}


def chat_stream(*words: str, usage: Mapping[str, Any] | None = CHAT_USAGE) -> list[bytes]:
    """A whole chat stream: the words, the finish, the usage if there is any, the end."""
    null = {} if usage is None else {"usage": None}
    chunks: list[Mapping[str, Any] | str] = [chat_chunk("", **null)]
    chunks += [chat_chunk(word, **null) for word in words]
    chunks.append(chat_chunk(None, "stop", **null))
    if usage is not None:
        chunks.append(chat_chunk(None) | {"choices": [], "usage": usage})
    return sse(*chunks, "[DONE]")


def message_stream(*words: str, with_usage: bool = True) -> list[bytes]:
    """A whole stream of a message."""
    start: dict[str, Any] = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "model": "m",
        "content": [],
        "stop_reason": None,
    }
    usage = {"usage": {"input_tokens": 12, "output_tokens": 1}} if with_usage else {}
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}}
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words
    ]
    return sse(
        {"type": "message_start", "message": start | usage},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        end | ({"usage": {"output_tokens": 3}} if with_usage else {}),
        {"type": "message_stop"},
        named=True,
    )


def streamed(path: str, *words: str) -> list[bytes]:
    """A whole stream in the dialect of `path`."""
    return message_stream(*words) if path == MESSAGES else chat_stream(*words)


def events_of(body: bytes | Iterable[bytes]) -> list[dict[str, Any]]:
    """The data of the events in a body, `[DONE]` left out."""
    text = (body if isinstance(body, bytes) else b"".join(body)).decode()
    lines = [line[6:] for line in text.split("\n") if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]
