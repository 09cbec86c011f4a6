"""Raises, carry-over and fiscal windows as administrators and callers meet them; many calls against one budget."""

import asyncio
from decimal import Decimal
from typing import Any

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import CHAT, error_of, question
from tests.support.house import House, HouseOptions, open_house
from tests.support.money import NOTHING, TEN, ask, budgets_of, money, paid
from tests.support.world import ACME_KEY, ACME_USER_KEY, GLOBEX_ADMIN_KEY

TIGHT = {"scope": "tenant", "window": "day", "limit_usd": "0.000001"}
NEVER_ID = "01a19c21-7200-7000-8000-00000000dead"


async def only_budget(house: House) -> dict[str, Any]:
    (budget,) = await budgets_of(house)
    return budget


async def raise_it(house: House, **body: Any) -> Any:
    budget = await only_budget(house)
    given = {"until": "2026-11-02", "reason": "the fair"} | body
    return await house.admin().post(f"/api/v1/budgets/{budget['id']}/raises", json=given)


async def event_data(house: House, kind: str) -> list[dict[str, Any]]:
    items = (await house.admin().get("/api/v1/events?limit=200")).json()["items"]
    return [event["event"]["data"] for event in items if event["type"] == kind]


async def test_a_raise_is_in_force_with_the_next_call_is_listed_and_can_be_ended(database: Address) -> None:
    async with money(database, ManualClock(), TIGHT) as house:
        assert (await ask(house)).status_code == 402
        made = await raise_it(house, by_usd="0.5")
        assert made.status_code == 201, made.text
        assert made.json()["until"].startswith("2026-11-03T00:00:00")
        spent = await paid(house)
        budget = await only_budget(house)
        assert (budget["limit_usd"], budget["raised_usd"]) == ("0.000001000", "0.500000000")
        assert (budget["carried_usd"], budget["effective_limit_usd"]) == ("0.000000000", "0.500001000")
        assert Decimal(budget["left_usd"]) == Decimal("0.500001") - spent
        assert budget["window_start"].startswith("2026-11-02T00:00:00")
        raises = f"/api/v1/budgets/{budget['id']}/raises"
        (listed,) = (await house.admin().get(raises)).json()["items"]
        assert (listed["state"], listed["reason"], listed["amount_usd"]) == ("running", "the fair", "0.500000000")

        ended = await house.admin().delete(f"{raises}/{listed['id']}")
        assert ended.status_code == 204, ended.text
        assert (await ask(house)).status_code == 402
        again = await house.admin().delete(f"{raises}/{listed['id']}")
        assert (again.status_code, again.json()["code"]) == (409, "raise_ended")
        (listed,) = (await house.admin().get(raises)).json()["items"]
        assert (listed["state"], listed["ended_at"] is None) == ("ended", False)
        (raised,), (end,) = await event_data(house, "BudgetRaised"), await event_data(house, "BudgetRaiseEnded")
        assert raised == end | {"reason": "the fair"}
        assert (raised["budget"], raised["amount_usd"]) == (budget["id"], "0.500000000")


async def test_a_raise_passes_by_the_clock_also_when_nothing_ran_then(database: Address) -> None:
    clock = ManualClock()
    async with money(database, clock, TIGHT) as house:
        assert (await raise_it(house, to_usd="0.5", until="2026-11-02T14:00:00+00:00")).status_code == 201
        await paid(house)
    clock.advance(2 * 3600)
    async with open_house(database, HouseOptions(document=None, clock=clock)) as again:
        refused = await ask(again)
        assert (refused.status_code, error_of(CHAT, refused)["details"]["raised_usd"]) == (402, "0.000000000")
        budget = await only_budget(again)
        (listed,) = (await again.admin().get(f"/api/v1/budgets/{budget['id']}/raises")).json()["items"]
        assert listed["state"] == "passed"
        assert await event_data(again, "BudgetRaiseEnded") == []


NO_RAISES: list[tuple[dict[str, Any], str | None]] = [
    ({"by_usd": "0"}, "by_usd"),
    ({"to_usd": "0.000001"}, "to_usd"),
    ({"by_usd": 1, "to_usd": 2}, "by_usd"),
    ({}, "by_usd"),
    ({"by_usd": 1, "until": "2026-11-01"}, "until"),
    ({"by_usd": 1, "until": "soon"}, "until"),
    ({"by_usd": 1, "reason": "   "}, "reason"),
    ({"by_usd": -1}, None),
    ({"by_usd": 1, "reason": ""}, None),
]


async def test_a_raise_that_means_nothing_is_refused(house: House) -> None:
    made = await house.admin().post("/api/v1/budgets?tenant=acme", json=TIGHT)
    assert made.status_code == 201, made.text
    for body, param in NO_RAISES:
        refused = await raise_it(house, **({"until": "2999-12-31"} | body))
        assert refused.status_code == 422, (body, refused.text)
        if param is not None:
            assert (refused.json()["code"], refused.json()["param"]) == ("invalid_rule", param)
    assert (await only_budget(house))["raised_usd"] == "0.000000000"


async def test_a_raise_of_another_tenants_budget_does_not_exist(database: Address) -> None:
    async with money(database, ManualClock(), TIGHT) as house:
        made = (await raise_it(house, by_usd="0.5")).json()
        mine = f"/api/v1/budgets/{made['budget']}/raises"
        other = house.client(GLOBEX_ADMIN_KEY)
        for reply in (
            await other.get(mine),
            await other.delete(f"{mine}/{made['id']}"),
            await other.post(mine, json={"by_usd": 1, "until": "2026-12-31", "reason": "x"}),
            await house.admin().get(f"/api/v1/budgets/{NEVER_ID}/raises"),
        ):
            assert (reply.status_code, reply.json()["code"]) == (404, "budget_not_found")
        gone = await house.admin().delete(f"{mine}/{NEVER_ID}")
        assert (gone.status_code, gone.json()["code"]) == (404, "raise_not_found")


async def test_what_was_left_yesterday_is_carried_over_once(database: Address) -> None:
    clock = ManualClock()
    budget = TIGHT | {"limit_usd": "0.01", "carry_over": True, "carry_over_limit_usd": "0.005"}
    async with money(database, clock, budget) as house:
        spent = await paid(house)
        assert (await only_budget(house))["carried_usd"] == "0.000000000"  # Made today.
        clock.advance(86_400)
        shown = await only_budget(house)
        assert (shown["carried_usd"], shown["effective_limit_usd"]) == ("0.005000000", "0.015000000")
        body = {"limit_usd": "0.01", "carry_over": True}
        assert (await house.admin().put(f"/api/v1/budgets/{shown['id']}", json=body)).status_code == 200
        assert Decimal((await only_budget(house))["carried_usd"]) == Decimal("0.01") - spent
        clock.advance(86_400)
        assert (await only_budget(house))["effective_limit_usd"] == "0.020000000"
        exported = (await house.admin().get("/api/v1/configuration?tenant=acme")).json()
        assert exported["tenants"][0]["budgets"][0]["carry_over"] is True


async def test_a_budget_with_a_fiscal_month_says_when_it_began_and_when_it_ends(house: House) -> None:
    body = {"scope": "tenant", "window": "year", "limit_usd": 1, "month_starts_on": 6, "year_starts_in": 4}
    made = await house.admin().post("/api/v1/budgets?tenant=acme", json=body)
    assert made.status_code == 201, made.text
    start, end = made.json()["window_start"], made.json()["resets_at"]
    assert (start[4:10], end[4:10], int(end[:4]) - int(start[:4])) == ("-04-06", "-04-06", 1)


async def test_a_budget_that_means_nothing_is_refused(house: House) -> None:
    changes: list[dict[str, Any]] = [
        {"month_starts_on": 29},
        {"month_starts_on": 0},
        {"year_starts_in": 13},
        {"window": "week", "month_starts_on": 5},
        {"window": "month", "year_starts_in": 4},
        {"window": "total", "carry_over": True},
        {"carry_over_limit_usd": 5},
        {"limit_usd": -1},
        {"window": "fortnight"},
        {"scope": "planet:earth"},
    ]
    for change in changes:
        refused = await house.admin().post("/api/v1/budgets?tenant=acme", json=TIGHT | {"window": "month"} | change)
        assert refused.status_code == 422, (change, refused.text)
    assert await budgets_of(house) == []


async def test_two_budgets_of_one_scope_with_different_windows_both_hold(database: Address) -> None:
    clock = ManualClock()
    day, month = (TIGHT | {"window": window, "limit_usd": "0.0005"} for window in ("day", "month"))
    async with money(database, clock, day, month) as house:
        spent = NOTHING
        while (reply := await ask(house, max_tokens=10)).status_code == 200:
            spent += Decimal(reply.headers["x-enfilade-cost-usd"])
        clock.advance(86_400)
        refused = await ask(house, max_tokens=10)
        assert error_of(CHAT, refused)["details"]["window"] == "month"
        assert {budget["window"]: Decimal(budget["spent_usd"]) for budget in await budgets_of(house)} == {
            "day": 0,
            "month": spent,
        }


async def test_a_budget_of_zero_stops_what_costs_and_lets_through_what_is_free(database: Address) -> None:
    free = {"name": "free", "deployments": [{"provider": "sim", "model": "echo"}], "price": {"free": True}}
    async with money(database, ManualClock(), TIGHT | {"limit_usd": 0}, models=[free]) as house:
        assert (await ask(house)).status_code == 402
        assert (await ask(house, "free")).status_code == 200


async def test_two_hundred_calls_at_once_never_overspend_a_budget_that_their_departments_share(
    database: Address,
) -> None:
    limit = Decimal("0.002")
    budget = {"scope": "department:sales", "window": "day", "limit_usd": str(limit)}
    async with money(database, ManualClock(), budget) as house:
        # Both of the sales department: an application's key, and a person's.
        clients = [house.client(key) for key in (ACME_KEY, ACME_USER_KEY)]
        body = question(CHAT, TEN, max_tokens=20)
        replies = await asyncio.gather(*(clients[number % 2].post(CHAT, json=body) for number in range(200)))
        statuses = [reply.status_code for reply in replies]
        assert set(statuses) == {200, 402}
        spent = sum(Decimal(r.headers["x-enfilade-cost-usd"]) for r in replies if r.status_code == 200)
        shown = await only_budget(house)
        assert Decimal(shown["spent_usd"]) == spent <= limit
        assert (shown["held_usd"], Decimal(shown["left_usd"])) == ("0.000000000", limit - spent)
        refused = next(reply for reply in replies if reply.status_code == 402)
        details = error_of(CHAT, refused)["details"]
        needed = Decimal(details["needed_usd"])
        assert Decimal(details["spent_usd"]) + Decimal(details["held_usd"]) + needed > limit
