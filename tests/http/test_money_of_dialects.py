"""Budgets and limits for callers of responses and of Gemini, and for calls that are translated."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import NANO, assert_nothing_held, record_of
from tests.support.dialect_models import declare_dialect_models
from tests.support.house import House, HouseOptions, open_house
from tests.support.rich_requests import RICH
from tests.support.speaking import GENERATING, Asked, question
from tests.support.waiting import eventually
from tests.support.wire_streams import told
from tests.support.world import world

PAIRS = [
    ("openai_responses", "simulated"),
    ("gemini_generate", "simulated"),
    ("gemini_generate", "anthropic_messages"),
    ("anthropic_messages", "gemini_generate"),
]
between = pytest.mark.parametrize(("caller", "family"), PAIRS)
BOUND = 20


@asynccontextmanager
async def tenant(database: Address, clock: ManualClock, **tenant: Any) -> AsyncIterator[House]:
    document = declare_dialect_models(world())
    document["tenants"][0] |= tenant
    async with open_house(database, HouseOptions(document=document, clock=clock)) as house:
        yield house


def asking(caller: str, model: str, *, bound: int = BOUND, stream: bool = False) -> Asked:
    asked = question(caller, model, "Hello", stream=stream)
    if caller == "gemini_generate":
        asked.body["generationConfig"] = {"maxOutputTokens": bound}
    else:
        asked.body["max_output_tokens" if caller == "openai_responses" else "max_tokens"] = bound
    return asked


async def post(house: House, asked: Asked) -> httpx2.Response:
    return await house.client().post(asked.path, json=asked.body)


@between
@pytest.mark.parametrize("stream", [False, True])
async def test_a_budget_is_kept_to_the_nano_dollar(database: Address, caller: str, family: str, stream: bool) -> None:
    budget = {"scope": "tenant", "window": "total", "limit_usd": "0.0005"}
    asked = asking(caller, f"{family}/text-10", stream=stream)
    async with tenant(database, ManualClock(), budgets=[budget]) as house:
        replies = await asyncio.gather(*(post(house, asked) for _ in range(20)))
        good = [reply for reply in replies if reply.status_code == 200]
        bad = [reply for reply in replies if reply.status_code != 200]
        assert good
        assert bad
        for reply in bad:
            assert told(caller, reply.content)[0] == "budget_exhausted"
        records = [await record_of(house, reply.headers["x-request-id"]) for reply in good]
        spent = sum(Decimal(record["cost_usd"]) for record in records)
        assert 0 < spent <= Decimal("0.0005")
        assert all(record["usage"]["output_tokens"] == 10 for record in records)
        (shown,) = (await house.admin().get("/api/v1/budgets")).json()["items"]
        assert Decimal(shown["spent_usd"]) == spent
        await assert_nothing_held(house)


@between
async def test_a_budget_that_cuts_and_one_that_warns(database: Address, caller: str, family: str) -> None:
    cuts = {"scope": "application:copilot", "window": "total", "limit_usd": "0.0003", "action": "cut"}
    warns = {"scope": "tenant", "window": "total", "limit_usd": "0.000001", "action": "warn"}
    asked = asking(caller, f"{family}/text-800+ignores-max", bound=900, stream=True)
    async with tenant(database, ManualClock(), budgets=[cuts, warns]) as house:
        reply = await post(house, asked)
        assert reply.status_code == 200, reply.text
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["estimated"]) == ("cut", True)
        assert 0 < Decimal(record["cost_usd"]) <= Decimal("0.0003")
        assert record["usage"]["output_tokens"] < 200
        await assert_nothing_held(house)


@between
async def test_tokens_requests_and_calls_at_a_time_are_limited(database: Address, caller: str, family: str) -> None:
    clock = ManualClock()
    limits = [
        {"scope": "tenant", "tokens": 400, "per": "minute"},
        {"scope": "application:copilot", "requests": 4, "per": "minute"},
        {"scope": "key:copilot-key", "concurrency": 1},
    ]
    async with tenant(database, clock, limits=limits) as house:
        slow = asyncio.ensure_future(post(house, asking(caller, f"{family}/text-10+slow-5s")))
        await eventually(lambda: bool(house.parts.meter_book.holds))
        second = await post(house, asking(caller, f"{family}/text-10"))
        assert (second.status_code, told(caller, second.content)[0]) == (429, "concurrency_limit_reached")
        clock.advance(5)
        assert (await slow).status_code == 200
        large = await post(house, asking(caller, f"{family}/text-10", bound=900))
        assert (large.status_code, told(caller, large.content)[0]) == (429, "token_limit_reached")
        codes = []
        for _ in range(4):
            reply = await post(house, asking(caller, f"{family}/text-1", bound=1))
            codes.append(reply.status_code if reply.status_code == 200 else told(caller, reply.content)[0])
        assert codes == [200, 200, 200, "request_limit_reached"]
        clock.advance(120)
        assert (await post(house, asking(caller, f"{family}/text-10"))).status_code == 200
        await assert_nothing_held(house)


COUNTS = ("/v1/messages/count_tokens", "/v1beta/models/simulated/tools:countTokens")


@pytest.mark.parametrize("path", COUNTS)
async def test_counting_tokens_is_free_and_counts_as_a_request(database: Address, path: str) -> None:
    clock = ManualClock()
    budgets = [{"scope": "tenant", "window": "total", "limit_usd": "0.000001"}]
    limits = [{"scope": "tenant", "requests": 2, "per": "minute"}, {"scope": "tenant", "tokens": 1, "per": "hour"}]
    async with tenant(database, clock, budgets=budgets, limits=limits) as house:
        for _ in range(2):
            reply = await house.client().post(path, json=RICH[path])
            assert reply.status_code == 200, reply.text
            record = await record_of(house, reply.headers["x-request-id"])
            assert (record["cost_usd"], record["status"], record["estimated"]) == ("0.000000000", "ok", False)
        refused = await house.client().post(path, json=RICH[path])
        assert refused.status_code == 429
        await assert_nothing_held(house)


@pytest.mark.parametrize("method", ["embedContent", "batchEmbedContents"])
@pytest.mark.parametrize("family", ["simulated", "openai_chat"])
async def test_embeddings_by_gemini_cost_their_input(database: Address, method: str, family: str) -> None:
    path = f"/v1beta/models/{family}/tools:{method}"
    body = RICH[f"/v1beta/models/simulated/tools:{method}"]
    budget = {"scope": "tenant", "window": "total", "limit_usd": "1"}
    body = {name: value for name, value in body.items() if name != "taskType"}
    if "requests" in body:
        body = {"requests": [{**body["requests"][0], "model": f"models/{family}/tools"}]}
    async with tenant(database, ManualClock(), budgets=[budget]) as house:
        reply = await house.client().post(path, json=body)
        assert reply.status_code == 200, reply.text
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["usage"]["output_tokens"]) == ("ok", 0)
        assert record["usage"]["input_tokens"] > 0
        assert Decimal(record["cost_usd"]) * NANO == record["usage"]["input_tokens"] * 1000
        await assert_nothing_held(house)


@pytest.mark.parametrize("caller", GENERATING)
async def test_a_call_is_settled_alike_whoever_translates(database: Address, caller: str) -> None:
    async with tenant(database, ManualClock()) as house:
        found = set()
        for family in ("simulated", "openai_chat", "anthropic_messages", "openai_responses", "gemini_generate"):
            for stream in (False, True):
                reply = await post(house, asking(caller, f"{family}/text-7", stream=stream))
                record = await record_of(house, reply.headers["x-request-id"])
                found.add((record["status"], record["usage"]["output_tokens"], record["cost_usd"], record["estimated"]))
        assert len(found) == 1
        await assert_nothing_held(house)
