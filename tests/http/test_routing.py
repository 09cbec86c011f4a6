"""Which deployment answers: weights, order, fallbacks, retries, breakers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.gateway.breaker import FAILURES_TO_OPEN, OPEN_S
from enfilade.storage.address import Address
from tests.support.data_plane import (
    CHAT,
    UP_ENVIRONMENT,
    answers_well,
    assert_nothing_held,
    driven,
    error_of,
    model,
    provider,
    question,
    record_of,
    whole_reply,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.upstream import Upstream, hang_up, open_upstream, reply, silence
from tests.support.world import world

OK = reply(whole_reply(CHAT))


@asynccontextmanager
async def simulated(database: Address, clock: ManualClock, *models: dict[str, Any]) -> AsyncIterator[House]:
    """A house with these models, all at the simulated provider."""
    document = world()
    document["models"] += models
    document["tenants"][0]["budgets"] = [{"scope": "tenant", "window": "total", "limit_usd": 1000}]
    async with open_house(database, HouseOptions(document=document, clock=clock)) as house:
        yield house


@asynccontextmanager
async def two_upstreams(database: Address, clock: ManualClock) -> AsyncIterator[tuple[House, Upstream, Upstream]]:
    """A house whose model `m` has a first and a second deployment."""
    async with open_upstream(OK) as one, open_upstream(OK) as two:
        document = world()
        document["providers"] += [provider(one, CHAT, "one"), provider(two, CHAT, "two")]
        document["models"].append(model("m", "one/a", "two/b"))
        options = HouseOptions(document=document, clock=clock, environment=UP_ENVIRONMENT)
        async with open_house(database, options) as house:
            yield house, one, two


async def asked(house: House, clock: ManualClock, name: str, step: float = 0.05) -> tuple[Any, dict[str, Any]]:
    """The reply to a call, and its record."""
    got = await driven(clock, house.client().post(CHAT, json=question(CHAT, name)), step)
    return got, await record_of(house, got.headers["x-request-id"])


async def test_ordered_deployments_are_tried_in_their_order(database: Address) -> None:
    clock = ManualClock()
    async with two_upstreams(database, clock) as (house, one, two):
        for _ in range(5):
            got, record = await asked(house, clock, "m")
            assert got.headers["x-enfilade-deployment"] == record["deployment"] == "one/a"
        one.will(reply({}, 500))
        got, record = await asked(house, clock, "m")
        assert (got.status_code, record["deployment"], record["attempts"]) == (200, "two/b", 2)
        assert (len(one.seen), len(two.seen)) == (6, 1)
        assert (one.seen[-1].json["model"], two.seen[-1].json["model"]) == ("a", "b")
        assert record["cost_usd"] == "0.000018000"  # The failed attempt cost nothing.


async def test_weights_share_the_calls_out(database: Address) -> None:
    clock = ManualClock()
    places = ["text-1", "text-2", "text-3"]
    weighted = model("w", *(f"sim/{place}" for place in places), strategy="weighted")
    for place, weight in zip(weighted["deployments"], (8, 2, 0), strict=True):
        place["weight"] = weight
    async with simulated(database, clock, weighted) as house:
        client = house.client()
        replies = await asyncio.gather(*(client.post(CHAT, json=question(CHAT, "w")) for _ in range(200)))
        answered = Counter(got.headers["x-enfilade-deployment"] for got in replies)
        # The dice are seeded. Of 200 calls, 160 are expected at the first; six standard deviations are 34.
        assert 126 <= answered["sim/text-1"] <= 194
        assert answered["sim/text-2"] == 200 - answered["sim/text-1"]


async def test_a_deployment_of_weight_nothing_is_used_when_all_others_fail(database: Address) -> None:
    clock = ManualClock()
    spare = model("s", "sim/fail-500", "sim/text-3", strategy="weighted")
    spare["deployments"][1]["weight"] = 0
    async with simulated(database, clock, spare) as house:
        got, record = await asked(house, clock, "s")
        assert (got.status_code, record["deployment"], record["attempts"]) == (200, "sim/text-3", 2)


async def test_a_fallback_answers_at_its_own_price_and_is_named(database: Address) -> None:
    clock = ManualClock()
    models = [
        model("main", "sim/fail-503", fallbacks=["spare"]),
        model("spare", "sim/text-5", price={"input": 10, "output": 20}),
    ]
    async with simulated(database, clock, *models) as house:
        got, record = await asked(house, clock, "main")
        assert got.status_code == 200
        assert got.headers["x-enfilade-model"] == record["model"] == "spare"
        usage = record["usage"]
        nano = usage["input_tokens"] * 10_000 + usage["output_tokens"] * 20_000
        assert record["cost_usd"] == got.headers["x-enfilade-cost-usd"] == f"0.{nano:09d}"
        await assert_nothing_held(house)


@pytest.mark.parametrize("script", ["fail-400", "fail-413"])
async def test_what_the_caller_must_mend_is_neither_retried_nor_sent_elsewhere(database: Address, script: str) -> None:
    clock = ManualClock()
    models = [model("main", f"sim/{script}", "sim/text-5", fallbacks=["spare"]), model("spare", "sim/text-5")]
    async with simulated(database, clock, *models) as house:
        got, record = await asked(house, clock, "main")
        assert (got.status_code, record["attempts"]) == (int(script[-3:]), 1)


@pytest.mark.parametrize(
    "script", ["fail-401", "fail-403", "fail-404", "unreachable", "fail-429", "fail-529", "fail-409"]
)
async def test_what_another_deployment_may_do_better_is_sent_there(database: Address, script: str) -> None:
    clock = ManualClock()
    async with simulated(database, clock, model("main", f"sim/{script}", "sim/text-5")) as house:
        got, record = await asked(house, clock, "main")
        assert (got.status_code, record["attempts"], record["deployment"]) == (200, 2, "sim/text-5")


@pytest.mark.parametrize(
    ("script", "attempts"), [("fail-503-then-ok", 2), ("fail-429-then-ok-2", 3), ("fail-500-then-ok-5", 3)]
)
async def test_a_fault_that_may_pass_is_retried_after_a_while(database: Address, script: str, attempts: int) -> None:
    clock = ManualClock()
    async with simulated(database, clock) as house:
        got, record = await asked(house, clock, f"simulated/{script}")
        assert got.status_code == (502 if attempts == 3 and "500" in script else 200)
        assert record["attempts"] == attempts
        assert record["latency_ms"] >= 125 * (attempts - 1)  # At least half of the shortest back-off, each time.
        await assert_nothing_held(house)


async def test_a_retry_waits_as_long_as_the_provider_asks(database: Address) -> None:
    clock = ManualClock()
    async with two_upstreams(database, clock) as (house, one, two):
        for upstream in (one, two):
            upstream.will(reply({}, 429, {"retry-after": "4"}), OK)
        call = asyncio.ensure_future(house.client().post(CHAT, json=question(CHAT, "m")))
        await two.was_asked()
        began = clock.monotonic()
        got = await driven(clock, call)
        record = await record_of(house, got.headers["x-request-id"])
        assert (got.status_code, record["attempts"]) == (200, 3)
        assert clock.monotonic() - began >= 4
        assert record["latency_ms"] >= 4000


async def test_a_provider_that_asks_for_too_much_patience_is_given_up_and_its_wish_passed_on(database: Address) -> None:
    async with simulated(database, ManualClock()) as house:
        # The clock stands still: an attempt to wait would never end.
        got = await house.client().post(CHAT, json=question(CHAT, "simulated/fail-429-retry-after-30s"))
        assert got.status_code == 429
        assert got.headers["retry-after"] == "30"
        assert error_of(CHAT, got)["code"] == "provider_rate_limited"
        assert (await record_of(house, got.headers["x-request-id"]))["attempts"] == 1


async def test_a_lost_attempt_stays_charged_when_another_deployment_answers(database: Address) -> None:
    clock = ManualClock()
    async with two_upstreams(database, clock) as (house, one, _two):
        one.will(hang_up)
        got, record = await asked(house, clock, "m")
        assert (got.status_code, record["deployment"], record["estimated"]) == (200, "two/b", True)
        body_bytes = len(one.seen[0].body.replace(b'"a"', b'"m"'))
        worst = body_bytes * 1000 + 100 * 2000
        assert abs(float(record["cost_usd"]) * 1e9 - (worst + 18_000)) <= 20_000  # Blanks in the caller's JSON.
        assert float(record["cost_usd"]) * 1e9 > 18_000 + 100 * 2000


async def test_nothing_is_tried_again_once_a_stream_has_begun(database: Address) -> None:
    clock = ManualClock()
    async with simulated(database, clock, model("m", "sim/text-9+cut-after-3", "sim/text-5")) as house:
        got = await house.client().post(CHAT, json=question(CHAT, "m", stream=True))
        assert b"provider_connection_broken" in got.content
        assert (await record_of(house, got.headers["x-request-id"]))["attempts"] == 1


async def test_a_deployment_that_keeps_failing_is_left_alone_and_tried_again_later(database: Address) -> None:
    clock = ManualClock()
    async with two_upstreams(database, clock) as (house, one, two):
        one.will(reply({}, 500))
        for _ in range(FAILURES_TO_OPEN):
            got, _ = await asked(house, clock, "m", step=0)
            assert got.status_code == 200
        assert len(one.seen) == FAILURES_TO_OPEN
        for _ in range(3):
            got, record = await asked(house, clock, "m", step=0)
            assert (record["deployment"], record["attempts"]) == ("two/b", 1)
        assert len(one.seen) == FAILURES_TO_OPEN  # Left alone.
        metrics = (await house.client(None).get("/metrics")).text
        assert 'enfilade_breaker_open{deployment="one/a"} 1.0' in metrics
        assert 'enfilade_breaker_open{deployment="two/b"} 0.0' in metrics

        clock.advance(OPEN_S + 0.1)
        await asked(house, clock, "m", step=0)
        assert len(one.seen) == FAILURES_TO_OPEN + 1  # One call finds out that it is still broken,
        clock.advance(OPEN_S + 0.1)
        await asked(house, clock, "m", step=0)
        assert len(one.seen) == FAILURES_TO_OPEN + 1  # and then it is left alone for longer.
        clock.advance(OPEN_S)
        one.will(OK)
        _, record = await asked(house, clock, "m", step=0)
        assert record["deployment"] == "one/a"
        _, record = await asked(house, clock, "m", step=0)
        assert record["deployment"] == "one/a"
        assert len(two.seen) == FAILURES_TO_OPEN + 5


async def test_when_all_deployments_are_left_alone_the_caller_is_told_when_to_come_back(database: Address) -> None:
    clock = ManualClock()
    async with two_upstreams(database, clock) as (house, one, two):
        for upstream in (one, two):
            upstream.will(reply({}, 500))
        for _ in range(3):
            await asked(house, clock, "m", step=0.01)
        seen = len(one.seen)
        got = await house.client().post(CHAT, json=question(CHAT, "m"))
        assert got.status_code == 503
        assert error_of(CHAT, got)["code"] == "no_deployment"
        assert 1 <= int(got.headers["retry-after"]) <= OPEN_S
        assert len(one.seen) == seen
        await answers_well(house)


@pytest.mark.parametrize("status", [400, 429])
async def test_a_refused_request_or_a_rate_limit_says_nothing_against_a_deployment(
    database: Address, status: int
) -> None:
    clock = ManualClock()
    async with two_upstreams(database, clock) as (house, one, _two):
        one.will(reply({}, status, {"retry-after": "60"}))
        for _ in range(FAILURES_TO_OPEN + 1):
            await asked(house, clock, "m", step=0)
        one.will(OK)
        _, record = await asked(house, clock, "m", step=0)
        assert record["deployment"] == "one/a"


async def test_a_trial_whose_caller_leaves_leaves_room_for_the_next(database: Address) -> None:
    clock = ManualClock()
    async with two_upstreams(database, clock) as (house, one, _two):
        one.will(reply({}, 500))
        for _ in range(FAILURES_TO_OPEN):
            await asked(house, clock, "m", step=0)
        clock.advance(OPEN_S + 0.1)
        one.will(silence)
        call = asyncio.ensure_future(house.client().post(CHAT, json=question(CHAT, "m")))
        await one.was_asked(FAILURES_TO_OPEN + 1)
        call.cancel()
        await assert_nothing_held(house)
        one.will(OK)
        _, record = await asked(house, clock, "m", step=0)
        assert record["deployment"] == "one/a"
