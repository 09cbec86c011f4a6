"""Forecasts, movers, savings, alerts and the rules of anomalies, over HTTP and at the command line."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
import pytest_asyncio
from typer.testing import CliRunner

from enfilade.cli.root import ROOT as CLI
from enfilade.core.clock import ManualClock
from tests.support.histories import Cost, write_history
from tests.support.house import House, HouseOptions, open_house
from tests.support.parts import NOON
from tests.support.postgres import TestServer
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, OWNER_KEY, world

pytestmark = pytest.mark.asyncio(loop_scope="module")
USD = 10**9
HOUR = timedelta(hours=1)
BUDGETS = [
    {"scope": "tenant", "window": "month", "limit_usd": 2000, "alerts": [0.5]},
    {"scope": "application:copilot", "window": "total", "limit_usd": 1, "action": "warn"},
    {"scope": "application:*", "window": "week", "limit_usd": 50},
    {"scope": "department:sales", "window": "minute", "limit_usd": 50},
]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def busy(server: TestServer) -> AsyncIterator[House]:
    """Acme has spent 2 USD an hour for two months, and 50 USD in this one."""
    document = world()
    document["tenants"][0]["budgets"] = BUDGETS
    document["tenants"][0]["anomalies"] = {"scopes": ["application", "model"]}
    options = HouseOptions(clock=ManualClock(), document=document)
    async with server.database() as database, open_house(database, options) as house:
        tenant = house.tenant_id("acme")
        async with house.unit(tenant) as unit:
            copilot = await unit.fetch_value(
                "SELECT id::text FROM applications WHERE name = 'copilot' AND tenant_id = $1", tenant
            )
        costs = [Cost(NOON - hour * HOUR, 2 * USD, application=copilot, saved=USD) for hour in range(1, 60 * 24)]
        costs.append(Cost(NOON, 50 * USD, application=copilot, could=5 * USD))
        await write_history(house.parts, tenant, costs)
        await house.parts.roll_ups.catch_up()
        await house.parts.anomalies.look()
        yield house


async def get(house: House, path: str, key: str = ACME_ADMIN_KEY, **params: str) -> Any:
    reply = await house.client(key).get(f"/api/v1{path}", params=params)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def run(house: House, *words: str, key: str = ACME_ADMIN_KEY) -> str:
    """What a command prints for people."""
    environment = {"ENFILADE_URL": house.url, "ENFILADE_KEY": key}
    result = await asyncio.to_thread(CliRunner().invoke, CLI, ["spend", *words], env=environment)
    assert result.exit_code == 0, result.output
    return str(result.output)


async def test_a_months_end_is_foretold_with_a_range(busy: House) -> None:
    (item,) = (await get(busy, "/forecast"))["items"]
    assert (item["name"], item["kind"], item["basis"]) == ("acme", "tenant", "backtested")
    assert item["spent_usd"] == "122.000000000"
    assert float(item["low_usd"]) <= float(item["expected_usd"]) <= float(item["high_usd"])
    assert float(item["expected_usd"]) == pytest.approx(122 + 28.5 * 48, rel=0.02)
    (item,) = (await get(busy, "/forecast", by="application", window="day"))["items"]
    assert (item["name"], item["window_end"]) == ("copilot", "2026-11-03T00:00:00Z")
    printed = await run(busy, "forecast")
    assert "acme" in printed
    assert "$122.00" in printed
    assert "eight of ten" in printed
    assert json.loads(await run(busy, "forecast", "--json"))["items"][0]["kind"] == "tenant"


async def test_budgets_are_foretold_in_their_own_windows(busy: House) -> None:
    items = (await get(busy, "/forecast", by="budget"))["items"]
    found = {(item["kind"], item["window"]): item for item in items}
    month, total = found["tenant", "month"], found["application", "total"]
    assert month["budget"]["used_up_at"] is None
    assert (total["expected_usd"], total["window_end"], total["budget"]["days_left"]) == (None, None, 0.0)
    assert found["application", "week"]["budget"]["days_left"] == 0.0
    assert ("department", "minute") not in found
    printed = await run(busy, "forecast", "--by", "budget")
    assert "not within this window" in printed
    assert "used up" in printed


async def test_movers_are_told_with_their_causes(busy: House) -> None:
    found = await get(busy, "/movers", by="application", period="day")
    (item,) = found["items"]
    assert (item["name"], item["status"]) == ("copilot", "same")
    assert found["before"]["from"] == "2026-11-01T00:00:00Z"
    assert found["after"] == {"from": "2026-11-02T00:00:00Z", "to": "2026-11-02T12:00:00Z", "total_usd": "24.000000000"}
    found = await get(busy, "/movers", by="model", period="quarter")
    (item,) = found["items"]
    parts = [float(item[f"{part}_usd"]) for part in ("price", "volume", "other")]
    assert sum(parts) == float(item["difference_usd"]) == float(found["difference_usd"])
    assert "Nothing has changed." in await run(busy, "movers", "--period", "day")
    assert "chat" in await run(busy, "movers", "--by", "model", "--period", "quarter")


async def test_savings_come_with_advice(busy: House) -> None:
    found = await get(busy, "/savings", **{"from": "2026-11-02", "to": "2026-11-02"})
    assert (found["saved_by_provider_usd"], found["could_save_usd"]) == ("12.000000000", "5.000000000")
    (item,) = found["items"]
    assert (item["application"], item["model"], item["advice"]) == ("copilot", "chat", "reply_cache")
    assert "cache: {ttl: 1h}" in await run(busy, "savings", "--from", "2026-11-02", "--to", "2026-11-02")


async def test_alerts_are_one_list(busy: House) -> None:
    call = {"model": "chat", "messages": [{"role": "user", "content": "Good morning"}]}
    await busy.client(ACME_KEY).post("/v1/chat/completions", json=call)
    items = (await get(busy, "/alerts"))["items"]
    assert {item["type"] for item in items} == {"CostAnomalyDetected", "BudgetExhausted"}
    assert [item["at"] for item in items] == sorted((item["at"] for item in items), reverse=True)
    names = {(item["data"]["scope"], item["scope"]) for item in items if item["type"] == "CostAnomalyDetected"}
    assert names == {("application", "copilot"), ("model", "chat")}
    page = await get(busy, "/alerts", limit="1", type="CostAnomalyDetected,BudgetThresholdCrossed")
    following = await get(busy, "/alerts", limit="1", type="CostAnomalyDetected", cursor=page["next"])
    assert (page["items"][0]["seq"] > following["items"][0]["seq"], following["next"]) == (True, None)
    assert (await get(busy, "/alerts", GLOBEX_ADMIN_KEY))["items"] == []
    assert len((await get(busy, "/alerts", OWNER_KEY))["items"]) == len(items)
    printed = await run(busy, "alerts")
    assert "application copilot: $50.00 in the hour of 2026-11-02 12:00; usually $2.00, 25.0 times as much" in printed
    assert len(json.loads(await run(busy, "alerts", "--json", "--limit", "2"))) == 2


@pytest.mark.parametrize(
    ("path", "params", "status"),
    [
        ("/alerts", {"type": "CallSettled"}, 400),
        ("/alerts", {"cursor": "x"}, 400),
        ("/forecast", {"by": "moon"}, 422),
        ("/movers", {"period": "fortnight"}, 422),
        ("/savings", {"from": "2026-11-02", "to": "2026-11-01"}, 422),
        ("/savings", {"from": "soon"}, 400),
    ],
)
async def test_what_cannot_be_answered_is_refused(busy: House, path: str, params: dict[str, str], status: int) -> None:
    reply = await busy.client(ACME_ADMIN_KEY).get(f"/api/v1{path}", params=params)
    assert reply.status_code == status, reply.text
    assert reply.json()["code"]


async def test_a_tenant_without_any_spending_gets_clear_words(busy: House) -> None:
    for path in ("/forecast", "/movers", "/savings"):
        assert (await get(busy, path, GLOBEX_ADMIN_KEY))["items"] == []
    assert "nothing to foretell" in await run(busy, "forecast", key=GLOBEX_ADMIN_KEY)
    assert "No alerts." in await run(busy, "alerts", key=GLOBEX_ADMIN_KEY)


async def test_the_rules_of_anomalies_can_be_read_set_and_taken_back(busy: House) -> None:
    admin = busy.client(GLOBEX_ADMIN_KEY)
    defaults = (await admin.get("/api/v1/anomaly-rules")).json()
    assert (defaults["enabled"], defaults["factor"]) == (True, 2)
    changed = await admin.put("/api/v1/anomaly-rules", json={"factor": "3.50", "least_usd": 10, "scopes": ["tenant"]})
    assert (changed.status_code, changed.json()["factor"]) == (200, 3.5)
    assert (await admin.get("/api/v1/anomaly-rules")).json() == changed.json()
    exported = (await busy.admin().get("/api/v1/configuration")).json()
    rules = {tenant["name"]: tenant.get("anomalies") for tenant in exported["tenants"]}
    assert rules["globex"] == {"factor": 3.5, "least_usd": 10, "scopes": ["tenant"]}
    assert rules["acme"] == {"scopes": ["application", "model"]}
    assert (await admin.delete("/api/v1/anomaly-rules")).status_code == 204
    assert (await admin.get("/api/v1/anomaly-rules")).json() == defaults
    refusals: list[dict[str, Any]] = [{"factor": 0.5}, {"scopes": []}, {"scopes": ["planet"]}, {"factr": 2}]
    for wrong in (*refusals, {"scopes": ["tenant", "tenant"]}):
        refused = await admin.put("/api/v1/anomaly-rules", json=wrong)
        assert refused.status_code == 422, wrong
    unsaid = await busy.client(OWNER_KEY).get("/api/v1/anomaly-rules")
    assert unsaid.json()["code"] == "tenant_required"
