"""What happened and what it cost: calls, spend, events, prices, budgets; and keys over their life."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.support.house import House
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, ACME_USER_KEY, GLOBEX_KEY


async def _call(house: House, key: str, model: str = "simulated/echo") -> str:
    body = {"model": model, "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 10}
    reply = await house.client(key).post("/v1/chat/completions", json=body)
    return str(reply.headers["x-request-id"])


async def _get(client: AsyncClient, path: str, **params: Any) -> Any:
    reply = await client.get(f"/api/v1/{path}", params=params)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_calls_are_listed_newest_first_filtered_and_in_pages(house: House) -> None:
    made = [await _call(house, key) for key in (ACME_KEY, ACME_USER_KEY, GLOBEX_KEY, ACME_KEY)]
    failed = await _call(house, ACME_KEY, "simulated/fail-400")
    owner = house.admin()
    newest = [failed, *reversed(made)]
    assert [call["id"] for call in (await _get(owner, "calls"))["items"]] == newest

    walked: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await _get(owner, "calls", limit=2, **cursor)
        walked += [call["id"] for call in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert walked == newest

    async def ids(**filters: str) -> list[str]:
        return [call["id"] for call in (await _get(owner, "calls", **filters))["items"]]

    assert await ids(tenant="globex") == [made[2]]
    assert await ids(tenant="acme", user="ana@acme.example") == [made[1]]
    assert await ids(tenant="acme", application="copilot") == [failed, made[3], made[0]]
    assert await ids(tenant="acme", key="ana-key") == [made[1]]
    assert await ids(tenant="acme", department="engineering") == []
    assert await ids(status="failed") == [failed]
    assert await ids(model="simulated/fail-400") == [failed]
    assert await ids(to="2020-01-01") == []
    assert await ids(**{"from": "2999-01-01"}) == []
    refused = await owner.get("/api/v1/calls", params={"application": "copilot"})
    assert refused.json()["code"] == "tenant_required"
    unknown = await owner.get("/api/v1/calls", params={"tenant": "acme", "application": "notebook"})
    assert unknown.status_code == 404


async def test_spend_adds_up_however_it_is_grouped(house: House) -> None:
    for key in (ACME_KEY, ACME_USER_KEY, GLOBEX_KEY):
        await _call(house, key)
    owner = house.admin()
    whole = await _get(owner, "spend")
    costs = [call["cost_usd"] for call in (await _get(owner, "calls"))["items"]]
    nano = sum(int(cost.replace(".", "")) for cost in costs)
    assert int(whole["total_usd"].replace(".", "")) == nano > 0
    assert (whole["calls"], whole["groups"]) == (3, [])
    for grouping in ("tenant", "department", "application", "user", "key", "model", "day"):
        report = await _get(owner, "spend", group_by=grouping)
        assert sum(int(group["cost_usd"].replace(".", "")) for group in report["groups"]) == nano
        assert sum(group["calls"] for group in report["groups"]) == 3
    groups = (await _get(owner, "spend", group_by="tenant"))["groups"]
    tenants = {group["keys"][0]["name"]: group["calls"] for group in groups}
    assert tenants == {"acme": 2, "globex": 1}
    assert (await _get(house.admin(ACME_ADMIN_KEY), "spend"))["calls"] == 2
    assert (await _get(owner, "spend", **{"from": "2020-01-01", "to": "2020-12-31"}))["total_usd"] == "0.000000000"


async def test_a_budget_shows_what_is_spent_and_when_it_ends(house: House) -> None:
    owner = house.admin()
    for window in ("day", "total"):
        body = {"scope": "application:copilot", "window": window, "limit_usd": 1}
        reply = await owner.post("/api/v1/budgets", json=body, params={"tenant": "acme"})
        assert reply.status_code == 201
    cost = (await _get(owner, f"calls/{await _call(house, ACME_KEY)}"))["cost_usd"]
    day, total = (await _get(owner, "budgets", tenant="acme"))["items"]
    assert day["spent_usd"] == total["spent_usd"] == cost
    assert day["held_usd"] == total["held_usd"] == "0.000000000"
    assert day["limit_usd"] == "1.000000000"
    assert datetime.fromisoformat(day["resets_at"]) > datetime.now(UTC)
    assert total["resets_at"] is None


async def test_a_price_is_set_from_now_or_later_and_never_for_the_past(house: House) -> None:
    owner = house.admin()
    later = datetime.now(UTC) + timedelta(days=1)
    for moment, status in ((later, 200), (later - timedelta(days=2), 400)):
        body = {"price": {"input": 9}, "effective_from": moment.isoformat()}
        assert (await owner.put("/api/v1/prices/chat", json=body)).status_code == status
    prices = await _get(owner, "prices/chat")
    assert prices["deployments"][0]["price"]["input"] == 1
    assert [override["price"]["input"] for override in prices["overrides"]] == [1, 9]
    assert (await owner.put("/api/v1/prices/chat", json={"price": {"free": True}})).status_code == 200
    free = await _call(house, ACME_KEY, "chat")
    assert (await _get(owner, f"calls/{free}"))["cost_usd"] == "0.000000000"
    assert (await owner.delete("/api/v1/prices/chat")).status_code == 204
    # Nobody says what it costs any more: it is refused.
    refused = await _get(owner, f"calls/{await _call(house, ACME_KEY, 'chat')}")
    assert (refused["status"], refused["error"]) == ("refused", "unpriced_model")


async def test_events_say_who_did_what_without_a_gap(house: House) -> None:
    admin = house.admin(ACME_ADMIN_KEY)
    assert (await admin.post("/api/v1/departments", json={"name": "legal"})).status_code == 201
    call = await _call(house, ACME_KEY)
    events = (await _get(admin, "events", limit=500))["items"]
    assert [event["seq"] for event in events] == list(range(len(events)))
    made = next(event for event in events if event["event"]["data"].get("name") == "legal")
    who = await _get(house.admin(), "keys/acme-admin", tenant="acme")
    assert made["event"]["actor"] == f"key:{who['id']}"
    settled = [event for event in events if event["type"] == "CallSettled"]
    assert call in str(settled[-1]["event"])
    assert (await _get(admin, "events", type="CallSettled"))["items"] == settled


@pytest.mark.parametrize("grace", ["0s", "1h"])
async def test_a_rotated_key_has_a_new_secret_and_the_old_one_for_its_grace(house: House, grace: str) -> None:
    admin = house.admin(ACME_ADMIN_KEY)
    body = {"name": "rotating", "application": "copilot"}
    old = (await admin.post("/api/v1/keys", json=body)).json()["secret"]
    new = (await admin.post("/api/v1/keys/rotating/rotate", json={"grace": grace})).json()["secret"]
    assert old != new
    assert (await house.client(new).get("/v1/models")).status_code == 200
    assert (await house.client(old).get("/v1/models")).status_code == (200 if grace == "1h" else 401)
    assert (await admin.delete("/api/v1/keys/rotating")).status_code == 204
    for secret in (old, new):
        assert (await house.client(secret).get("/v1/models")).status_code == 401
    assert "secret" not in (await admin.get("/api/v1/keys")).text


@pytest.mark.parametrize("secret", ["short", "x" * 31, "ü" * 40, "x" * 40 + "\n"])
async def test_a_weak_secret_is_refused(house: House, secret: str) -> None:
    body = {"name": "weak", "application": "copilot", "secret": {"value": secret}}
    reply = await house.admin(ACME_ADMIN_KEY).post("/api/v1/keys", json=body)
    assert reply.status_code == 422
    assert secret not in reply.text


async def test_a_secret_that_somebody_has_already_is_refused_without_saying_whose(house: House) -> None:
    body = {"name": "same", "application": "copilot", "secret": {"value": GLOBEX_KEY}}
    reply = await house.admin(ACME_ADMIN_KEY).post("/api/v1/keys", json=body)
    assert reply.status_code == 409
    assert "globex" not in reply.text
    assert (await house.client(GLOBEX_KEY).get("/api/v1/whoami")).json()["tenant"] == "globex"
