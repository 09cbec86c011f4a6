"""Spend over the admin API: what a report says, in pages, of whom; and roll-ups made anew."""

import json
from typing import Any

from enfilade.core.clock import ManualClock
from enfilade.costs.spend.rollups import ROLL_UP_EVERY_S
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, ACME_USER_KEY, GLOBEX_KEY

MONEY = ("cost_usd", "provider_usd", "list_usd", "saved_usd", "could_save_usd", "overrun_usd")


async def _call(house: House, key: str, model: str = "simulated/text-5", **metadata: str) -> None:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}], "max_tokens": 50}
    headers = {"x-enfilade-metadata": json.dumps(metadata)} if metadata else {}
    await house.client(key).post("/v1/chat/completions", json=body, headers=headers)


async def _get(client: Any, path: str = "spend", **params: str) -> Any:
    reply = await client.get(f"/api/v1/{path}", params=params)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def test_a_group_says_what_its_calls_came_to(house: House) -> None:
    await _call(house, ACME_KEY, team="red")
    await _call(house, ACME_KEY, "simulated/fail-500", team="red")
    await _call(house, ACME_KEY, "no-such-model", team="blue")
    client = house.admin(ACME_ADMIN_KEY)
    report = await _get(client, group_by="application,day")
    (group,) = report["groups"]
    assert [key["by"] for key in group["keys"]] == ["application", "day"]
    name, identifier = group["keys"][0]["name"], group["keys"][0]["id"]
    assert (await _get(client, f"applications/{name}"))["id"] == identifier
    assert group["keys"][1] == {"by": "day", "name": report["from"][:8] + group["keys"][1]["name"][-2:], "id": None}
    assert (group["tenant"], group["calls"], group["failures"], group["refused"]) == ("acme", 3, 1, 1)
    assert group["tokens"] == sum(group["tokens_by_kind"].values()) > 0
    assert group["latency_p50_ms"] <= group["latency_p95_ms"] <= group["latency_p99_ms"]
    assert {name: report["total"][name] for name in MONEY} == {name: group[name] for name in MONEY}
    teams = await _get(client, group_by="metadata:team")
    assert {group["keys"][0]["name"]: group["calls"] for group in teams["groups"]} == {"red": 2, "blue": 1}


async def test_reports_in_pages_and_of_some_calls_are_the_same_before_and_after_the_roll_up(house: House) -> None:
    for key in (ACME_KEY, ACME_USER_KEY, GLOBEX_KEY):
        await _call(house, key)
    owner, acme = house.admin(), house.admin(ACME_ADMIN_KEY)
    seen = []
    for _ in range(2):
        pages: list[Any] = []
        cursor: dict[str, str] = {}
        while cursor or not pages:
            page = await _get(owner, group_by="key,hour", sort="time", limit="1", **cursor)
            pages += page["groups"]
            cursor = {"cursor": page["next"]} if page["next"] else {}
        whole = await _get(owner, group_by="key,hour", sort="time")
        assert [group["keys"] for group in pages] == [group["keys"] for group in whole["groups"]]
        assert len(pages) == 3
        name = next(group["keys"][0]["name"] for group in pages if group["tenant"] == "acme")
        one = await _get(acme, group_by="model", key=name)
        assert one["calls"] == 1
        assert (await _get(acme, group_by="model", model="another"))["groups"] == []
        seen.append((pages, one))
        await house.parts.roll_ups.catch_up()
    assert seen[0] == seen[1]


async def test_what_cannot_be_answered_is_refused_with_what_to_do(house: House) -> None:
    owner, acme = house.admin(), house.admin(ACME_ADMIN_KEY)
    for client, query, status, code in (
        (acme, "group_by=colour", 422, "invalid_rule"),
        (acme, "group_by=model,day,user", 422, "invalid_rule"),
        (acme, "group_by=metadata:team,user", 422, "invalid_rule"),
        (acme, "group_by=model&sort=time", 422, "invalid_rule"),
        (acme, "from=2026-11-03&to=2026-11-01", 422, "invalid_rule"),
        (acme, "group_by=model&cursor=%21", 400, "invalid_cursor"),
        (acme, "group_by=model&cursor=WzEsMiwzXQ", 400, "invalid_cursor"),
        (acme, "group_by=model&cursor=WyIiLDk5OTk5OTk5OTk5OTk5OTk5OTk5LCIiXQ", 400, "invalid_cursor"),
        (acme, "application=nobody", 404, "application_not_found"),
        (owner, "application=notebook", 400, "tenant_required"),
        (acme, "limit=0", 422, "invalid_request"),
    ):
        reply = await client.get(f"/api/v1/spend?{query}")
        assert (reply.status_code, reply.json()["code"]) == (status, code), (query, reply.text)
    colour = (await acme.get("/api/v1/spend?group_by=colour")).json()
    assert "metadata:NAME" in colour["detail"]


async def test_roll_ups_are_made_anew_for_the_platform_alone(house: House) -> None:
    await _call(house, ACME_KEY)
    owner = house.admin()
    before = await _get(owner, group_by="tenant,model")
    await house.parts.roll_ups.catch_up()
    started = await owner.post("/api/v1/spend/rebuild", params={"tenant": "acme"})
    assert (started.status_code, started.json()) == (202, {"tenants": 1})
    assert (await _get(owner, "spend/roll-ups"))["rebuilding"] == 1
    await house.parts.roll_ups.catch_up()
    status = await _get(owner, "spend/roll-ups")
    assert status["rebuilding"] == 0
    assert status["caught_up_at"] is not None
    assert (await _get(owner, group_by="tenant,model"))["groups"] == before["groups"]
    refused = await house.admin(ACME_ADMIN_KEY).post("/api/v1/spend/rebuild")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_missing")


async def test_the_job_runs_by_itself_and_tells_how_far_it_is(database: Address) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house:
        await _call(house, ACME_KEY)

        async def rolled_up() -> bool:
            clock.advance(ROLL_UP_EVERY_S)
            return (await _get(house.admin(), "spend/roll-ups"))["caught_up_at"] is not None

        await eventually(rolled_up)
        await eventually(lambda: house.parts.roll_ups.lag_s < 10_000)
        metrics = (await house.client(None).get("/metrics")).text
        assert "enfilade_spend_rollup_lag_seconds" in metrics
