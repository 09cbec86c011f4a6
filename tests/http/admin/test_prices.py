"""Prices over the admin API: set, listed, imported, adjusted, compared; and what they do to calls."""

from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from enfilade.core.clock import ManualClock, to_datetime
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, world

DOLLAR = 10**9


async def _get(client: AsyncClient, path: str, **params: Any) -> Any:
    reply = await client.get(f"/api/v1/{path}", params=params)
    assert reply.status_code == 200, reply.text
    return reply.json()


async def _put(client: AsyncClient, path: str, body: Any, status: int = 200, **params: Any) -> Any:
    reply = await client.put(f"/api/v1/{path}", json=body, params=params)
    assert reply.status_code == status, reply.text
    return reply.json()


async def _call(house: House, model: str = "chat") -> Response:
    body = {"model": model, "messages": [{"role": "user", "content": "hello"}]}
    return await house.client(ACME_KEY).post("/v1/chat/completions", json=body)


async def _now(owner: AsyncClient, model: str = "chat") -> tuple[str | None, Any]:
    deployment = (await _get(owner, f"prices/{model}"))["deployments"][0]
    return deployment["source"], deployment["price"]


async def test_a_model_without_a_price_is_refused_with_what_to_do_until_it_has_one(database: Address) -> None:
    document = world()
    document["models"][1]["price"] = None
    async with open_house(database, HouseOptions(document=document)) as house:
        refused = await _call(house)
        assert refused.status_code == 403
        assert refused.json()["error"]["code"] == "unpriced_model"
        assert "enfilade price set" in refused.text

        await _put(house.admin(), "prices/chat", {"price": {"free": True}})
        free = await _call(house)

        assert (free.status_code, free.headers["x-enfilade-cost-usd"]) == (200, "0.000000000")


async def test_a_price_holds_from_its_beginning_until_before_its_end_and_overlaps_are_refused(
    database: Address,
) -> None:
    clock = ManualClock()
    async with open_house(database, HouseOptions(clock=clock)) as house:
        owner = house.admin()
        start = to_datetime(clock.now_ns()) + timedelta(hours=1)
        sale = {"effective_from": start.isoformat(), "effective_to": (start + timedelta(hours=1)).isoformat()}
        price = {"input": 3, "requests": "0.5", "long_context": [{"above": 9, "input": 4}]}

        await _put(owner, "prices/chat", {"price": price, "reason": "a sale"} | sale)
        shown = await _put(owner, "prices/chat", {"price": price, "reason": "a sale"} | sale)
        inside = (start + timedelta(minutes=30)).isoformat()
        refusal = await _put(owner, "prices/chat", {"price": {"input": 9}, "effective_from": inside}, 422)

        assert [entry["reason"] for entry in shown["overrides"]] == [None, "a sale"]
        assert refusal["code"] == "overlapping_prices"
        assert sale["effective_from"][:16] in refusal["detail"]
        assert inside[:16] in refusal["detail"]
        for hours, expected in ((0, 1), (1, 3), (0.9999, 3), (0.0001, None)):
            clock.advance(hours * 3600)
            _, found = await _now(house.admin())
            assert (found or {}).get("input") == expected
        end = (await _get(house.admin(), "prices/chat"))["deployments"][0]
        assert (end["source"], end["next_change"]) == (None, None)


async def test_a_list_is_imported_whole_or_not_at_all_and_twice_changes_nothing(house: House) -> None:
    owner = house.admin()
    await owner.delete("/api/v1/prices/chat")
    prices = [
        {"model": "sim/echo", "input": 5, "output": 6, "service_tiers": {"batch": {"input": 2}}},
        {"model": "sim/*", "input": 7},
    ]

    planned = await _put(owner, "price-lists/eu", {"prices": prices}, dry_run=True)
    assert (await _get(owner, "price-lists"), (await _now(owner))[1]) == ([], None)
    done = await _put(owner, "price-lists/eu", {"prices": prices})
    again = await _put(owner, "price-lists/eu", {"prices": prices})

    assert planned["differences"] == done["differences"]
    assert [(d["action"], d["model"], d["what"], d["new"]) for d in done["differences"]] == [
        ("added", "sim/*", "input", "7"),
        ("added", "sim/echo", "input", "5"),
        ("added", "sim/echo", "output", "6"),
        ("added", "sim/echo", "batch: input", "2"),
    ]
    assert (done["version"], done["changed"], again["version"], again["changed"]) == (1, True, 1, False)
    source, price = await _now(owner)
    assert (source, price["input"], price["service_tiers"]["batch"]["input"]) == ("file:eu@1:sim/echo", 5, 2)
    assert (await _call(house)).status_code == 200


async def test_a_later_version_keeps_what_it_does_not_name_unless_it_is_told_to_prune(house: House) -> None:
    owner = house.admin()
    await owner.delete("/api/v1/prices/chat")
    await _put(owner, "price-lists/eu", {"prices": [{"model": "sim/echo", "input": 5}, {"model": "a", "input": 4}]})

    kept = await _put(owner, "price-lists/eu", {"prices": [{"model": "a", "input": 5}]})
    assert [(d["action"], d["old"], d["new"], d["percent"]) for d in kept["differences"]] == [
        ("changed", "4", "5", "+25.00")
    ]
    assert (await _now(owner))[0] == "file:eu@2:sim/echo"
    pruned = await _put(owner, "price-lists/eu", {"prices": [{"model": "a", "input": 5}]}, prune=True)

    assert [(d["action"], d["model"]) for d in pruned["differences"]] == [("removed", "sim/echo")]
    assert (await _now(owner))[0] is None
    assert [v["version"] for v in await _get(owner, "price-lists")] == [1, 2, 3]
    first = await _get(owner, "price-lists/eu", version=1)
    assert [entry["model"] for entry in first["prices"]] == ["a", "sim/echo"]
    changes = await _get(owner, "price-lists/eu/differences", old=1, new=3)
    assert [(d["action"], d["model"]) for d in changes] == [("changed", "a"), ("removed", "sim/echo")]


async def test_everything_that_is_wrong_in_a_list_is_said_at_once(house: House) -> None:
    owner = house.admin()
    entries = [
        {"model": "good", "input": 1},
        {"model": "m", "imput": 1},
        {"input": 1},
        {"model": "m", "input": -1},
        {"model": "o", "input": 1, "from": "2027-01-01", "to": "2027-03-01"},
        {"model": "o", "input": 2, "from": "2027-02-01"},
        {"model": "t", "input": 1, "long_context": [{"above": 1}]},
        "nonsense",
        {"model": "e", "input": 1, "from": "2027-01-01", "to": "2026-01-01"},
        {"model": "f", "input": 1, "free": True},
    ]

    refusal = await _put(owner, "price-lists/eu", {"prices": entries}, 422)

    faults = {fault["path"]: fault["message"] for fault in refusal["details"]["faults"]}
    assert faults.keys() == {
        "prices[1].imput",
        "prices[2].model",
        "prices[3].input",
        "prices[5]",
        "prices[6].long_context[0]",
        "prices[7]",
        "prices[8].to",
        "prices[9]",
    }
    assert "did you mean `input`" in faults["prices[1].imput"]
    assert "prices[4]" in faults["prices[5]"]
    assert await _get(owner, "price-lists") == []


async def test_discounts_and_markups_make_each_tenants_price(house: House) -> None:
    owner = house.admin()
    agreed = {"kind": "discount", "provider": "sim", "percent": "250bp", "reason": "contract 7"}
    await _put(owner, "price-adjustments", agreed)
    await _put(owner, "price-adjustments", {"kind": "markup", "tenant": "acme", "percent": 20})
    found = await _put(owner, "price-adjustments", {"kind": "markup", "tenant": "acme", "percent": 20})
    assert [(a["kind"], a["tenant"], a["percent"]) for a in found] == [
        ("discount", None, "2.5"),
        ("markup", "acme", "20"),
    ]

    target = house.parts.catalogue.entry("chat").targets[0]  # type: ignore[union-attr]
    sheets = [
        house.parts.prices.sheet_for(target.price, house.tenant_id(name), "sim", "chat", house.parts.clock.now_ns())
        for name in ("acme", "globex")
    ]
    assert [sheet.base.of("input") for sheet in sheets if sheet] == [1_170_000_000, 975_000_000]
    assert [sheet.contracted and sheet.contracted.base.of("input") for sheet in sheets if sheet] == [975_000_000, None]

    ended = await owner.post("/api/v1/price-adjustments/end", json={"kind": "markup", "tenant": "acme"})
    assert [a["kind"] for a in ended.json()] == ["discount"]
    assert [a["percent"] for a in await _get(owner, "price-adjustments", history=True)] == ["2.5", "20", None]


async def test_a_call_costs_its_tenant_what_the_markup_makes_of_it(house: House) -> None:
    before = await _call(house)
    await _put(house.admin(), "price-adjustments", {"kind": "markup", "tenant": "acme", "percent": 100})
    after = await _call(house)

    cost = [int(reply.headers["x-enfilade-cost-usd"].replace(".", "")) for reply in (before, after)]
    assert cost[1] == 2 * cost[0] > 0


async def test_a_markup_needs_its_tenant_and_a_margin_is_nobody_elses_business(house: House) -> None:
    nobody = await _put(house.admin(), "price-adjustments", {"kind": "markup", "percent": 20}, 422)
    unknown = await _put(house.admin(), "price-adjustments", {"kind": "markup", "tenant": "x", "percent": 1}, 404)
    theirs = await house.client(ACME_ADMIN_KEY).get("/api/v1/price-adjustments")
    exported = await house.client(ACME_ADMIN_KEY).get("/api/v1/configuration")

    assert "tenant" in nobody["detail"]
    assert unknown["code"] == "tenant_not_found"
    assert theirs.status_code == 403
    assert "markup" not in exported.text


async def test_exchange_rates_have_days_and_sources(house: House) -> None:
    owner = house.admin()
    await _put(owner, "currencies/EUR", {"rate": "0.92", "effective_from": "2026-11-01", "source": "ECB"})
    await _put(owner, "currencies/EUR", {"rate": 0.95, "effective_from": "2026-12-01"})
    found = await _put(owner, "currencies/EUR", {"rate": 0.95, "effective_from": "2026-12-01"})

    assert [(r["rate"], r["effective_from"], r["source"]) for r in found] == [
        ("0.92", "2026-11-01", "ECB"),
        ("0.95", "2026-12-01", None),
    ]
    for path, body in (("USD", {"rate": 1}), ("EUR", {"rate": 0}), ("EUR", {"rate": "much"}), ("eu", {"rate": 1})):
        await _put(owner, f"currencies/{path}", body, 422)


async def test_what_is_declared_twice_changes_nothing_and_what_is_exported_declares_the_same(database: Address) -> None:
    clock = ManualClock()
    document = world()
    document["models"][1]["price_changes"] = [
        {"from": "2026-12-01", "price": {"input": 3, "seconds": 1}},
        {"from": "2027-01-01", "to": "2027-02-01", "price": {"free": True}},
    ]
    document["discounts"] = [{"provider": "sim", "percent": "2.5"}]
    document["tenants"][0]["markups"] = [{"model": "chat", "percent": 20, "from": "2027-01-01", "reason": "plan B"}]
    document["currencies"] = [{"currency": "EUR", "rate": "0.92", "from": "2026-11-01", "source": "ECB"}]

    async with open_house(database, HouseOptions(clock=clock, document=document)) as house:

        async def plan(body: Any) -> Any:
            reply = await house.admin().post("/api/v1/configuration/plan", json=body, params={"prune": True})
            assert reply.status_code == 200, reply.text
            return [f"{change['action']} {change['kind']}" for change in reply.json()["changes"]]

        exported = (await house.admin().get("/api/v1/configuration")).json()
        chat = next(model for model in exported["models"] if model["name"] == "chat")
        assert await plan(document) == []
        assert await plan(exported) == []
        assert chat["price_changes"][0]["from"] == "2026-12-01T00:00:00Z"
        assert exported["tenants"][0]["markups"][0]["percent"] == "20"
        # The same document means the same at any time: each change has become the price when its time has come.
        clock.advance(timedelta(days=30).total_seconds())
        assert ((await _now(house.admin()))[1]["input"], await plan(document)) == (3, [])
        clock.advance(timedelta(days=45).total_seconds())
        assert ((await _now(house.admin()))[1]["free"], await plan(document)) == (True, [])
        clock.advance(timedelta(days=30).total_seconds())
        assert ((await _now(house.admin()))[1], await plan(document)) == (None, [])
        assert await plan(world()) == ["change price", "remove discount", "remove markup"]


async def test_books_are_listed_and_compared_with_a_list(house: House) -> None:
    owner = house.admin()
    (book,) = await _get(owner, "price-books")
    same = await _get(owner, "price-books/differences", old=book["version"])
    prices = [{"model": "openai/gpt-4o", "input": "1.25", "output": 10}, {"model": "openai/nothing", "input": 1}]
    compared = await owner.post("/api/v1/price-books/differences", json={"prices": prices})
    unknown = await owner.get("/api/v1/price-books/differences", params={"old": "genai-prices/0.0.0"})

    assert (book["in_use"], book["readable"], same) == (True, True, [])
    found = {(d["model"], d["what"]): (d["action"], d["old"], d["new"], d["percent"]) for d in compared.json()}
    assert found["openai/gpt-4o", "input"] == ("changed", "2.5", "1.25", "-50.00")
    assert found["openai/nothing", "input"] == ("added", None, "1", None)
    assert ("openai/gpt-4o", "output") not in found
    assert (unknown.status_code, unknown.json()["code"]) == (404, "price_list_not_found")


@pytest.mark.parametrize("path", ["prices", "price-lists", "price-adjustments", "price-books", "currencies"])
async def test_prices_are_the_platforms_business(house: House, path: str) -> None:
    assert (await house.client(ACME_ADMIN_KEY).get(f"/api/v1/{path}")).status_code == 403
