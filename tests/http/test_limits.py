"""Limits of requests, tokens and calls at once: who is refused, what they are told, and when they may come back."""

import asyncio
from typing import Any

import httpx2
import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    MESSAGES,
    PATHS,
    STREAMING,
    assert_nothing_held,
    error_of,
    events_of,
    question,
    record_of,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.waiting import eventually
from tests.support.world import ACME_KEY, ACME_USER_KEY, GLOBEX_KEY, world

ECHO = "simulated/echo"


def limited(clock: ManualClock, *limits: dict[str, Any]) -> HouseOptions:
    """Options with these limits for the first tenant."""
    document = world()
    document["tenants"][0]["limits"] = list(limits)
    return HouseOptions(document=document, clock=clock)


async def ask(house: House, key: str = ACME_KEY, name: str = ECHO, path: str = CHAT, **more: Any) -> httpx2.Response:
    headers = more.pop("headers", {})
    return await house.client(key).post(path, json=question(path, name, **more), headers=headers)


@pytest.mark.parametrize("path", PATHS)
async def test_more_requests_than_allowed_are_refused_until_the_window_has_passed(database: Address, path: str) -> None:
    clock = ManualClock()
    options = limited(clock, {"scope": "application:copilot", "requests": 3, "per": "minute"})
    async with open_house(database, options) as house:
        for _ in range(3):
            assert (await ask(house, path=path)).status_code == 200
            clock.advance(5)
        refused = await ask(house, path=path)
        assert refused.status_code == 429
        error = error_of(path, refused)
        assert (error["code"], error["type"]) == ("request_limit_reached", "rate_limit_error")
        details = error["details"]
        assert (details["scope"], details["limit"], details["per"], details["left"]) == ("application", 3, "minute", 0)
        wait = int(refused.headers["retry-after"])
        assert wait - 1 < details["resets_in_s"] <= wait
        assert wait * 1000 - 1000 < int(refused.headers["retry-after-ms"]) <= wait * 1000
        record = await record_of(house, refused.headers["x-request-id"])
        assert (record["status"], record["http_status"], record["cost_usd"]) == ("refused", 429, "0.000000000")

        clock.advance(wait - 2)
        assert (await ask(house, path=path)).status_code == 429
        clock.advance(2)
        assert (await ask(house, path=path)).status_code == 200  # The first has left the window; the second has not.
        assert (await ask(house, path=path)).status_code == 429
        await assert_nothing_held(house)


async def test_refused_calls_use_up_nothing(database: Address) -> None:
    clock = ManualClock()
    limits = [{"scope": "tenant", "requests": 3, "per": "hour"}, {"scope": "tenant", "tokens": 500, "per": "hour"}]
    async with open_house(database, limited(clock, *limits)) as house:
        for _ in range(5):
            refused = await ask(house, max_tokens=900)
            assert error_of(CHAT, refused)["code"] == "token_limit_reached"
        for _ in range(3):
            assert (await ask(house, max_tokens=5)).status_code == 200
        assert error_of(CHAT, await ask(house, max_tokens=5))["code"] == "request_limit_reached"


async def test_tokens_are_held_at_their_worst_case_and_settled_at_what_was_used(database: Address) -> None:
    clock = ManualClock()
    options = limited(clock, {"scope": "tenant", "tokens": 1000, "per": "minute"})
    async with open_house(database, options) as house:
        # Each call may need some 800 tokens, and takes about ten: many fit one after the other, two at once do not.
        for _ in range(10):
            assert (await ask(house, max_tokens=800)).status_code == 200
        slow = asyncio.ensure_future(ask(house, name="simulated/slow-5s", max_tokens=800))
        await eventually(lambda: bool(house.parts.meter_book.holds))
        refused = await ask(house, max_tokens=800)
        assert refused.status_code == 429
        error = error_of(CHAT, refused)
        assert error["code"] == "token_limit_reached"
        assert error["details"]["scope"] == "tenant"
        assert error["details"]["needed"] > error["details"]["left"]
        clock.advance(6)
        assert (await slow).status_code == 200
        assert (await ask(house, max_tokens=800)).status_code == 200


async def test_a_call_larger_than_its_limit_is_not_told_to_come_back(database: Address) -> None:
    options = limited(ManualClock(), {"scope": "tenant", "tokens": 50, "per": "minute"})
    async with open_house(database, options) as house:
        refused = await ask(house, max_tokens=500)
        assert refused.status_code == 429
        assert "retry-after" not in refused.headers
        assert refused.headers["x-should-retry"] == "false"
        assert "larger than the limit" in error_of(CHAT, refused)["message"]


@pytest.mark.parametrize("script", ["slow-5s+text-3", "hang", "slow-5s+garbage", "slow-5s+cut-after-0"])
@pytest.mark.parametrize("is_stream", [True, False])
async def test_calls_at_once_are_counted_until_they_end_however_they_end(
    database: Address, script: str, is_stream: bool
) -> None:
    clock = ManualClock()
    options = limited(clock, {"scope": "application:copilot", "concurrency": 2})
    async with open_house(database, options) as house:
        running = [asyncio.ensure_future(ask(house, name=f"simulated/{script}", stream=is_stream)) for _ in range(2)]
        await eventually(lambda: len(house.parts.meter_book.holds) == 2)
        refused = await ask(house)
        assert refused.status_code == 429
        error = error_of(CHAT, refused)
        assert error["code"] == "concurrency_limit_reached"
        assert (error["details"]["scope"], error["details"]["limit"], error["details"]["active"]) == (
            "application",
            2,
            2,
        )
        assert refused.headers["retry-after"] == "1"
        assert (await ask(house, ACME_USER_KEY)).status_code == 200  # Somebody else is not concerned.
        clock.advance(70)
        await asyncio.gather(*running)
        assert (await ask(house)).status_code == 200
        await assert_nothing_held(house)


async def test_callers_who_leave_free_their_places(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, limited(clock, {"scope": "tenant", "concurrency": 5})) as house:
        for _ in range(4):
            calls = [asyncio.ensure_future(ask(house, name="simulated/hang")) for _ in range(5)]
            await eventually(lambda: len(house.parts.meter_book.holds) == 5)
            assert (await ask(house)).status_code == 429
            for call in calls:
                call.cancel()
            await assert_nothing_held(house)
        assert (await ask(house)).status_code == 200


async def test_a_limit_for_each_user_counts_each_by_themselves(database: Address) -> None:
    clock = ManualClock()
    options = limited(clock, {"scope": "user:*", "requests": 1, "per": "minute"})
    async with open_house(database, options) as house:
        ana, ben = ({"x-enfilade-user": f"{name}@acme.example"} for name in ("ana", "ben"))
        assert (await ask(house, headers=ana)).status_code == 200
        assert (await ask(house, headers=ben)).status_code == 200
        refused = await ask(house, headers=ana)
        assert (refused.status_code, error_of(CHAT, refused)["details"]["scope"]) == (429, "user")
        assert (await ask(house, ACME_USER_KEY)).status_code == 429  # The same person by another way.
        assert (await ask(house)).status_code == 200  # No user, no limit.


async def test_a_limit_for_a_model_concerns_that_model(database: Address) -> None:
    clock = ManualClock()
    options = limited(clock, {"scope": "tenant", "model": "simulated/text-*", "requests": 1, "per": "minute"})
    async with open_house(database, options) as house:
        assert (await ask(house, name="simulated/text-1")).status_code == 200
        refused = await ask(house, name="simulated/text-1")
        assert refused.status_code == 429
        assert error_of(CHAT, refused)["details"]["model"] == "simulated/text-*"
        assert (await ask(house)).status_code == 200
        assert (await ask(house, GLOBEX_KEY, "simulated/text-1")).status_code == 200


async def test_replies_say_what_is_left_in_the_dialects_headers(database: Address) -> None:
    clock = ManualClock()
    limits = [
        {"scope": "tenant", "requests": 10, "per": "minute"},
        {"scope": "application:copilot", "requests": 5, "per": "minute"},
        {"scope": "tenant", "tokens": 10_000, "per": "minute"},
    ]
    async with open_house(database, limited(clock, *limits)) as house:
        chat = await ask(house)
        assert chat.headers["x-ratelimit-limit-requests"] == "5"
        assert chat.headers["x-ratelimit-remaining-requests"] == "4"
        assert chat.headers["x-ratelimit-limit-tokens"] == "10000"
        assert 0 < int(chat.headers["x-ratelimit-remaining-tokens"]) < 10_000
        assert chat.headers["x-ratelimit-reset-requests"].endswith("s")
        message = await ask(house, path=MESSAGES)
        assert message.headers["anthropic-ratelimit-requests-limit"] == "5"
        assert message.headers["anthropic-ratelimit-requests-remaining"] == "3"
        assert message.headers["anthropic-ratelimit-requests-reset"].startswith("2026-11-02T12:01")


@pytest.mark.parametrize("path", STREAMING)
async def test_a_tenants_bound_for_one_request_shortens_the_answer_or_refuses_it(database: Address, path: str) -> None:
    document = world()
    document["tenants"][0]["max_tokens_per_request"] = 60
    async with open_house(database, HouseOptions(document=document)) as house:
        more: dict[str, Any] = {"max_tokens": 20} if path == MESSAGES else {}
        short = await ask(house, name="simulated/text-500", path=path, **more)
        assert short.status_code == 200
        record = await record_of(house, short.headers["x-request-id"])
        assert record["usage"]["total_tokens"] <= 60
        refused = await ask(house, name="simulated/text-500", path=path, max_tokens=500)
        assert refused.status_code == 400
        error = error_of(path, refused)
        assert (error["code"], error["details"]["limit"]) == ("tokens_per_request_exceeded", 60)
        streamed = await ask(house, name="simulated/text-500", path=path, stream=True, **more)
        assert len(events_of(streamed.content)) < 70
        await assert_nothing_held(house)
