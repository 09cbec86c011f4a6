"""Budgets: what does not fit is refused, cut or only told of, and what is spent is exact."""

import asyncio
from decimal import Decimal
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
    UP_ENVIRONMENT,
    answers_well,
    error_of,
    events_of,
    model,
    question,
    record_of,
)
from tests.support.house import House, HouseOptions, open_house
from tests.support.waiting import eventually
from tests.support.world import ACME_KEY, ACME_USER_KEY, GLOBEX_KEY, world

TEN = "simulated/text-10"


def budgeted(clock: ManualClock, *budgets: dict[str, Any]) -> HouseOptions:
    """Options with these budgets for the first tenant, and a model that goes on beyond its bound."""
    document = world()
    document["tenants"][0]["budgets"] = list(budgets)
    document["models"].append(model("bold", "sim/text-500+ignores-max", max_output_tokens=1000))
    return HouseOptions(document=document, clock=clock, environment=UP_ENVIRONMENT)


async def ask(house: House, key: str = ACME_KEY, name: str = TEN, path: str = CHAT, **more: Any) -> httpx2.Response:
    return await house.client(key).post(path, json=question(path, name, **more))


async def shown(house: House) -> dict[str, Any]:
    """The tenant's only budget as the admin API shows it."""
    items = (await house.admin().get("/api/v1/budgets")).json()["items"]
    assert len(items) == 1
    budget: dict[str, Any] = items[0]
    return budget


async def event_types(house: House) -> list[str]:
    reply = await house.admin().get("/api/v1/events?limit=200")
    return [event["type"] for event in reply.json()["items"]]


@pytest.mark.parametrize("path", PATHS)
async def test_what_a_budget_does_not_cover_is_refused_with_all_that_one_needs_to_know(
    database: Address, path: str
) -> None:
    clock = ManualClock()
    budget = {"scope": "department:sales", "window": "day", "limit_usd": "0.000001"}
    async with open_house(database, budgeted(clock, budget)) as house:
        refused = await ask(house, path=path)
        assert refused.status_code == 402
        error = error_of(path, refused)
        assert error["code"] == "budget_exhausted"
        assert error["type"] == ("billing_error" if path == MESSAGES else "insufficient_quota")
        details = error["details"]
        assert details["scope"] == "department"
        assert (details["limit_usd"], details["window"]) == ("0.000001000", "day")
        assert (details["spent_usd"], details["held_usd"]) == ("0.000000000", "0.000000000")
        assert Decimal(details["needed_usd"]) > Decimal("0.000001")
        assert 0 < details["resets_in_s"] <= 12 * 3600  # It is noon.
        assert int(refused.headers["retry-after"]) >= details["resets_in_s"] > int(refused.headers["retry-after"]) - 1
        record = await record_of(house, refused.headers["x-request-id"])
        assert (record["status"], record["error"], record["cost_usd"]) == ("refused", "budget_exhausted", "0.000000000")
        await answers_well_as(house, GLOBEX_KEY)


async def answers_well_as(house: House, key: str) -> None:
    assert (await ask(house, key)).status_code == 200


async def test_a_budget_is_spent_to_what_fits_and_is_full_again_in_the_next_window(database: Address) -> None:
    clock = ManualClock()
    budget = {"scope": "tenant", "window": "hour", "limit_usd": "0.0005"}
    async with open_house(database, budgeted(clock, budget)) as house:
        spent = Decimal(0)
        while (reply := await ask(house, max_tokens=10)).status_code == 200:
            spent += Decimal(reply.headers["x-enfilade-cost-usd"])
            assert spent <= Decimal("0.0005")
        assert reply.status_code == 402
        assert Decimal(0) < spent <= Decimal("0.0005")
        details = error_of(CHAT, reply)["details"]
        assert Decimal(details["spent_usd"]) == spent
        assert spent + Decimal(details["needed_usd"]) > Decimal("0.0005")
        assert (await shown(house))["spent_usd"] == details["spent_usd"]
        assert (await shown(house))["resets_at"].startswith("2026-11-02T13:00:00")

        clock.advance(details["resets_in_s"] - 1)
        assert (await ask(house, max_tokens=10)).status_code == 402
        clock.advance(1)
        assert (await ask(house, max_tokens=10)).status_code == 200
        assert Decimal((await shown(house))["spent_usd"]) < spent


async def test_running_calls_hold_their_worst_case_and_give_back_the_rest(database: Address) -> None:
    clock = ManualClock()
    budget = {"scope": "tenant", "window": "total", "limit_usd": "0.0025"}
    async with open_house(database, budgeted(clock, budget)) as house:
        running = asyncio.ensure_future(ask(house, name="simulated/text-3+slow-5s", max_tokens=900))
        await eventually(lambda: bool(house.parts.meter_book.holds))
        held = Decimal((await shown(house))["held_usd"])
        assert Decimal("0.0018") < held < Decimal("0.0025")
        refused = await ask(house, max_tokens=900)
        assert refused.status_code == 402
        details = error_of(CHAT, refused)["details"]
        assert Decimal(details["held_usd"]) == held
        assert details["resets_in_s"] is None
        assert "retry-after" not in refused.headers  # Nobody knows when.
        clock.advance(6)
        reply = await running
        assert reply.status_code == 200
        after = await shown(house)
        assert (after["held_usd"], after["spent_usd"]) == ("0.000000000", reply.headers["x-enfilade-cost-usd"])
        assert (await ask(house, max_tokens=900)).status_code == 200


async def test_the_tightest_of_several_budgets_is_named(database: Address) -> None:
    clock = ManualClock()
    budgets: list[dict[str, Any]] = [
        {"scope": "tenant", "window": "month", "limit_usd": 100},
        {"scope": "department:sales", "window": "week", "limit_usd": 10},
        {"scope": "application:copilot", "window": "day", "limit_usd": "0.00001"},
        {"scope": "user:*", "window": "day", "limit_usd": 1},
        {"scope": "key:copilot-key", "window": "year", "limit_usd": 1},
    ]
    async with open_house(database, budgeted(clock, *budgets)) as house:
        refused = await ask(house)
        assert (refused.status_code, error_of(CHAT, refused)["details"]["scope"]) == (402, "application")
        assert (await ask(house, ACME_USER_KEY)).status_code == 200  # The same department, another way in.
        items = (await house.admin().get("/api/v1/budgets")).json()["items"]
        assert {item["held_usd"] for item in items} == {"0.000000000"}


async def test_a_budget_that_warns_lets_calls_through_and_tells_of_its_thresholds_once(database: Address) -> None:
    clock = ManualClock()
    budget = {"scope": "tenant", "window": "day", "limit_usd": "0.0001", "action": "warn", "alerts": [0.5, 1.0]}
    async with open_house(database, budgeted(clock, budget)) as house:
        for _ in range(8):
            assert (await ask(house, max_tokens=10)).status_code == 200
        assert Decimal((await shown(house))["spent_usd"]) > Decimal("0.0001")
        events = (await house.admin().get("/api/v1/events?limit=200")).json()["items"]
        crossed = [event["event"]["data"] for event in events if event["type"] == "BudgetThresholdCrossed"]
        assert sorted(Decimal(data["share"]) for data in crossed) == [Decimal("0.5"), Decimal(1)]
        assert all(data["scope"] == "tenant" and data["limit_usd"] == "0.000100000" for data in crossed)
        for data in crossed:
            assert Decimal(data["spent_usd"]) >= Decimal(data["share"]) * Decimal("0.0001")
        clock.advance(24 * 3600)
        for _ in range(8):
            assert (await ask(house, max_tokens=10)).status_code == 200
        assert (await event_types(house)).count("BudgetThresholdCrossed") == 4  # A new day.


async def test_an_exhausted_budget_is_told_once_per_window(database: Address) -> None:
    clock = ManualClock()
    budget = {"scope": "tenant", "window": "hour", "limit_usd": "0.000001"}
    async with open_house(database, budgeted(clock, budget)) as house:
        for _ in range(3):
            assert (await ask(house)).status_code == 402
        assert (await event_types(house)).count("BudgetExhausted") == 1
        clock.advance(3600)
        assert (await ask(house)).status_code == 402
        assert (await event_types(house)).count("BudgetExhausted") == 2


@pytest.mark.parametrize("path", STREAMING)
async def test_a_budget_that_cuts_ends_the_stream_where_it_is_used_up(database: Address, path: str) -> None:
    clock = ManualClock()
    budget = {"scope": "tenant", "window": "total", "limit_usd": "0.0003", "action": "cut"}
    async with open_house(database, budgeted(clock, budget)) as house:
        reply = await ask(house, name="bold", path=path, stream=True, max_tokens=900)
        assert reply.status_code == 200
        events = events_of(reply.content)
        if path == CHAT:
            assert events[-1]["choices"][0]["finish_reason"] == "length"
            assert reply.content.endswith(b"data: [DONE]\n\n")
        else:
            assert [event["type"] for event in events[-3:]] == ["content_block_stop", "message_delta", "message_stop"]
            assert events[-2]["delta"]["stop_reason"] == "max_tokens"
        assert 10 < len(events) < 200
        record = await record_of(house, reply.headers["x-request-id"])
        assert (record["status"], record["estimated"]) == ("cut", True)
        after = await shown(house)
        assert after["held_usd"] == "0.000000000"
        assert Decimal(after["spent_usd"]) == Decimal(record["cost_usd"]) <= Decimal("0.0003")


async def test_a_budget_that_cuts_shortens_whole_replies_through_their_bound(database: Address) -> None:
    clock = ManualClock()
    budget = {"scope": "tenant", "window": "total", "limit_usd": "0.0003", "action": "cut"}
    async with open_house(database, budgeted(clock, budget)) as house:
        reply = await ask(house, name="simulated/text-500", max_tokens=900)
        assert reply.status_code == 200
        assert reply.json()["choices"][0]["finish_reason"] == "length"
        assert Decimal(reply.headers["x-enfilade-cost-usd"]) <= Decimal("0.0003")
        while (last := await ask(house, name="simulated/text-500", max_tokens=900)).status_code == 200:
            assert Decimal(last.headers["x-enfilade-cost-usd"]) > 0
        assert last.status_code == 402  # Not even the input and one token.
        assert Decimal((await shown(house))["spent_usd"]) <= Decimal("0.0003")


async def test_a_model_without_a_price_is_refused_and_a_free_one_is_free(database: Address) -> None:
    document = world()
    document["models"] += [
        {"name": "unpriced", "deployments": [{"provider": "sim", "model": "echo"}]},
        model("free", "sim/echo", price={"free": True}),
    ]
    async with open_house(database, HouseOptions(document=document)) as house:
        refused = await ask(house, name="unpriced")
        assert (refused.status_code, error_of(CHAT, refused)["code"]) == (403, "unpriced_model")
        free = await ask(house, name="free")
        assert (free.status_code, free.headers["x-enfilade-cost-usd"]) == (200, "0.000000000")
        await answers_well(house)
