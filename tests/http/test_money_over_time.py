"""What counts for which model, and in which window; what is cut, and what is told when a budget changes."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import CHAT, NANO, assert_nothing_held, error_of, model, question
from tests.support.house import House, HouseOptions, open_house
from tests.support.money import NOTHING, TEN, ask, budgets_of, dearer_from, figures, ledger, money, paid
from tests.support.raw_http import connected, request


async def crossed(house: House) -> list[tuple[str, str]]:
    """The thresholds that were told of, with the limit that they were of."""
    events = (await house.admin().get("/api/v1/events?limit=200")).json()["items"]
    told = [event["event"]["data"] for event in events if event["type"] == "BudgetThresholdCrossed"]
    return sorted((data["share"], data["limit_usd"]) for data in told)


async def change_budget(house: House, **changes: Any) -> None:
    """Change the only budget, and let the change be in force."""
    (budget,) = await budgets_of(house)
    body = {name: budget[name] for name in ("limit_usd", "alerts", "action")} | changes
    reply = await house.admin().put(f"/api/v1/budgets/{budget['id']}", json=body)
    assert reply.status_code == 200, reply.text
    await house.parts.directory.refresh()


# A model without a price, whose fallback has one.

UNPRICED = (
    {"name": "plain", "deployments": [{"provider": "sim", "model": "echo"}], "fallbacks": ["spare"]},
    model("spare", "sim/text-5"),
)


@pytest.mark.parametrize(
    "limit",
    [
        pytest.param({"requests": 1, "per": "hour"}, id="requests"),
        pytest.param({"tokens": 115, "per": "hour"}, id="tokens"),
    ],
)
async def test_the_limits_of_the_model_that_will_answer_count_when_the_one_asked_for_has_no_price(
    database: Address, limit: dict[str, Any]
) -> None:
    limits = ({"scope": "tenant", "model": "spare"} | limit,)
    clock = ManualClock()
    async with money(database, clock, limits=limits, models=UNPRICED) as house:
        first = await ask(house, "plain")
        assert (first.status_code, first.headers["x-enfilade-model"]) == (200, "spare")
        refused = await ask(house, "plain")
        assert (refused.status_code, error_of(CHAT, refused)["details"]["model"]) == (429, "spare")
        clock.advance(2 * 3600)
        assert (await ask(house, "plain")).status_code == 200


async def test_the_budgets_of_the_model_that_will_answer_count_when_the_one_asked_for_has_no_price(
    database: Address,
) -> None:
    budgets: list[dict[str, Any]] = [
        {"scope": "tenant", "model": "spare", "window": "day", "limit_usd": "0.0003"},
        {"scope": "tenant", "model": "plain", "window": "day", "limit_usd": 0},
    ]
    async with money(database, ManualClock(), *budgets, models=UNPRICED) as house:
        spent = await paid(house, "plain")
        shown = {budget["model"]: Decimal(budget["spent_usd"]) for budget in await budgets_of(house)}
        assert shown == {"spare": spent, "plain": 0}
        while (reply := await ask(house, "plain")).status_code == 200:
            spent += Decimal(reply.headers["x-enfilade-cost-usd"])
            assert spent <= Decimal("0.0003")
        details = error_of(CHAT, reply)["details"]
        assert (reply.status_code, details["model"], Decimal(details["spent_usd"])) == (402, "spare", spent)


# A call that comes in one window and is admitted in the next.


@asynccontextmanager
async def begun(house: House) -> AsyncIterator[Callable[[], Awaitable[Decimal]]]:
    """A call whose head was read; gives what sends its body and returns what it cost."""
    whole = request(CHAT, question(CHAT, TEN), headers={"expect": "100-continue"})
    head, _, body = whole.partition(b"\r\n\r\n")
    async with connected(house) as connection:
        await connection.send(head + b"\r\n\r\n")
        assert (await connection.reply()).status == 100  # Said when the body is waited for: the call has begun.

        async def end() -> Decimal:
            await connection.send(body)
            reply = await connection.reply()
            assert reply.status == 200, reply.body
            return Decimal(reply.headers["x-enfilade-cost-usd"])

        yield end


async def test_a_call_counts_in_the_window_in_which_it_is_admitted(database: Address) -> None:
    clock = ManualClock(datetime(2026, 11, 2, 12, 59, 59, tzinfo=UTC))
    one, two = (datetime(2026, 11, 2, hour, tzinfo=UTC) for hour in (13, 14))
    async with money(database, clock, {"scope": "tenant", "window": "hour", "limit_usd": 1}) as house:
        await paid(house)
        async with begun(house) as end:
            clock.advance(2)
            spent = await paid(house)
            spent += await end()
        for listed in (await house.admin().get("/api/v1/calls")).json()["items"]:
            assert (await house.admin().get(f"/api/v1/calls/{listed['id']}")).json() == listed
        assert await figures(house) == (spent, NOTHING, two)
        assert await ledger(house, one, two) == spent
        span = {"from": one.isoformat(), "to": two.isoformat(), "group_by": "model"}
        report = await house.admin().get("/api/v1/spend", params=span)
        assert Decimal(report.json()["total_usd"]) == spent
    async with open_house(database, HouseOptions(document=None, clock=clock)) as again:
        assert await figures(again) == (spent, NOTHING, two)


async def test_a_call_is_charged_by_the_price_of_the_moment_in_which_it_is_admitted(database: Address) -> None:
    clock = ManualClock(datetime(2026, 11, 2, 12, 59, 59, tzinfo=UTC))
    async with money(database, clock, {"scope": "tenant", "window": "day", "limit_usd": 1}) as house:
        cheap = await paid(house)
        await dearer_from(house, datetime(2026, 11, 2, 13, tzinfo=UTC))
        async with begun(house) as end:
            clock.advance(2)
            dear = await end()
        assert dear == 10 * cheap
        await assert_nothing_held(house)


# What is cut, and what is told.


async def test_a_budget_that_cuts_leaves_an_answer_whole_that_exact_counting_fits(database: Address) -> None:
    body = question(CHAT, "simulated/text-500", max_tokens=500)
    body["messages"][0]["content"] = "Good morning" + " " * 200
    size = len(request(CHAT, body).partition(b"\r\n\r\n")[2])
    # Input counted by its bytes would leave 450 tokens of output.
    limit = Decimal(size * 1000 + 450 * 2000) / NANO
    budget = {"scope": "tenant", "window": "total", "limit_usd": str(limit), "action": "cut"}
    async with money(database, ManualClock(), budget) as house:
        reply = await house.client().post(CHAT, json=body)
        assert reply.status_code == 200
        (choice,) = reply.json()["choices"]
        assert (choice["finish_reason"], reply.json()["usage"]["completion_tokens"]) == ("stop", 500)
        (record,) = (await house.admin().get("/api/v1/calls")).json()["items"]
        assert record["status"] == "ok"


@pytest.mark.parametrize("limit", ["0.0001", "0.00006"])
async def test_a_threshold_that_a_lower_limit_puts_below_what_is_spent_is_told_of_once(
    database: Address, limit: str
) -> None:
    budget = {"scope": "tenant", "window": "day", "limit_usd": 1, "alerts": [0.5], "action": "warn"}
    async with money(database, ManualClock(), budget) as house:
        while (await figures(house))[0] < Decimal(limit) / 2:
            await paid(house)
        assert await crossed(house) == []
        await change_budget(house, limit_usd=limit)
        assert await crossed(house) == []
        await paid(house)
        told = [("0.5", f"{Decimal(limit):.9f}")]
        assert await crossed(house) == told
        await paid(house)
        assert await crossed(house) == told


async def test_a_threshold_of_a_raised_limit_is_told_of_again(database: Address) -> None:
    budget = {"scope": "tenant", "window": "day", "limit_usd": "0.00006", "alerts": [0.5], "action": "warn"}
    async with money(database, ManualClock(), budget) as house:
        await paid(house)
        await paid(house)
        assert [share for share, _ in await crossed(house)] == ["0.5"]
        await change_budget(house, limit_usd="0.0005")
        await paid(house)
        assert [share for share, _ in await crossed(house)] == ["0.5"]
        while (await figures(house))[0] < Decimal("0.00025"):
            await paid(house)
        await paid(house)
        assert await crossed(house) == [("0.5", "0.000060000"), ("0.5", "0.000500000")]
