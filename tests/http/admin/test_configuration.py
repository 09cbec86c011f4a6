"""The platform as one document: planned, applied, exported, pruned."""

import asyncio
import copy
import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from httpx2 import AsyncClient

from tests.support.documents import KEY_SECRET, PROVIDER_SECRET, full
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_ADMIN_KEY, ACME_AUDITOR_KEY, world

EXAMPLES = Path(__file__).parents[3] / "examples"


async def _apply(client: AsyncClient, document: Any, *, prune: bool = False, action: str = "apply") -> dict[str, Any]:
    reply = await client.post(f"/api/v1/configuration/{action}", json=document, params={"prune": prune})
    assert reply.status_code == 200, reply.text
    result: dict[str, Any] = reply.json()
    return result


def _lines(result: dict[str, Any]) -> set[str]:
    return {
        f"{change['action']} {change['kind']} {change['tenant'] or ''}/{change['name']}" for change in result["changes"]
    }


async def _export(client: AsyncClient) -> Any:
    reply = await client.get("/api/v1/configuration")
    assert reply.status_code == 200, reply.text
    return reply.json()


def _demo() -> Any:
    return yaml.safe_load((EXAMPLES / "demo.yaml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("document", [world, full, _demo], ids=["small", "full", "demo"])
async def test_applying_twice_changes_nothing(house: House, document: Any) -> None:
    client = house.admin()
    await _apply(client, document())
    before = await _export(client)
    again = await _apply(client, document())
    assert (again["changes"], again["keys"], again["revision"]) == ([], [], None)
    assert await _export(client) == before


@pytest.mark.parametrize("document", [world, full, _demo], ids=["small", "full", "demo"])
async def test_what_is_exported_and_applied_changes_nothing(house: House, document: Any) -> None:
    client = house.admin()
    await _apply(client, document())
    exported = await _export(client)
    assert (await _apply(client, exported))["changes"] == []
    assert (await _apply(client, exported, prune=True))["changes"] == []
    text = yaml.safe_dump(exported, sort_keys=False, allow_unicode=True)
    assert (await _apply(client, yaml.safe_load(text)))["changes"] == []


async def test_what_is_exported_makes_the_same_platform_elsewhere(house: House, server: Any) -> None:
    """All but the secrets: keys are made anew, and what was sealed here has to be given there."""
    document = full()
    document["providers"][1]["api_key"] = {"env": "OTHER_API_KEY"}
    await _apply(house.admin(), document, prune=True)
    exported = await _export(house.admin())
    async with server.database() as elsewhere, open_house(elsewhere, HouseOptions(document=None)) as other:
        await other.apply({"keys": world()["keys"]})
        result = await _apply(other.admin(), exported)
        assert {key["name"] for key in result["keys"]} == {"ops", "copilot-prod", "ana", "admin"}
        assert all(key["secret"].startswith("enf_") for key in result["keys"])
        assert await _export(other.admin()) == exported


async def test_a_plan_says_what_would_change_and_changes_nothing(house: House) -> None:
    client = house.admin()
    before, events = await _export(client), await _events(client)
    document = world()
    document["models"][1]["price"]["input"] = 3
    document["models"].append({"name": "new", "deployments": [{"provider": "sim", "model": "echo"}]})
    document["tenants"][0]["departments"].append({"name": "legal"})
    document["tenants"][0]["users"][0]["roles"] = ["auditor"]
    document["tenants"][0]["keys"].append({"name": "extra", "application": "copilot"})
    document["tenants"][0]["limits"] = [{"scope": "tenant", "concurrency": 9}]
    del document["tenants"][1]
    expected = {
        "change price /chat",
        "create model /new",
        "create department acme/legal",
        "change user acme/ana@acme.example",
        "create key acme/extra",
        "create limit acme/tenant concurrency",
    }
    plan = await _apply(client, document, action="plan")
    assert _lines(plan) == expected
    assert (plan["keys"], plan["revision"]) == ([], None)
    pruned = await _apply(client, document, action="plan", prune=True)
    assert _lines(pruned) == expected | {"remove tenant /globex"}
    assert await _export(client) == before
    assert await _events(client) == events

    result = await _apply(client, document)
    assert result["changes"] == plan["changes"]
    assert [key["name"] for key in result["keys"]] == ["extra"]
    assert result["revision"] > 0


async def _events(client: AsyncClient) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor = None
    while True:
        page = (
            await client.get("/api/v1/events", params={"limit": 500} | ({"cursor": cursor} if cursor else {}))
        ).json()
        items += page["items"]
        cursor = page["next"]
        if cursor is None:
            return items


async def test_pruning_removes_what_is_not_named_and_nothing_else(house: House) -> None:
    client = house.admin()
    document = full()
    document["tenants"] += world()["tenants"]
    await _apply(client, document)
    less = copy.deepcopy(document)
    initech = less["tenants"][0]
    initech["departments"].pop()
    initech["limits"] = initech["limits"][:-2]
    initech["budgets"].pop(0)
    initech["keys"].pop()
    less["aliases"].pop()
    del less["tenants"][2]
    kept = await _apply(client, less)
    assert kept["changes"] == []
    result = await _apply(client, less, prune=True)
    assert _lines(result) == {
        "remove limit initech/tenant requests",
        "remove limit initech/key:copilot-prod concurrency",
        "remove budget initech/application:copilot per month",
        "remove key initech/admin",
        "remove department initech/R and D",
        "remove tenant /globex",
        "remove alias /auto",
        "remove model /simulated/*",
        "remove model /chat",
    }
    assert (await _apply(client, less, prune=True))["changes"] == []
    # The platform's own keys stay, though the document names only one of them.
    names = {key["name"] for key in (await client.get("/api/v1/keys")).json()["items"] if key["tenant"] == "platform"}
    assert names == {"owner", "ops"}


async def test_pruning_with_what_is_still_referred_to_changes_nothing(house: House) -> None:
    client = house.admin()
    before = await _export(client)
    document = world()
    document["models"].pop(1)
    document["tenants"].pop()
    reply = await client.post("/api/v1/configuration/apply", json=document, params={"prune": True})
    assert reply.status_code in {409, 422}, reply.text
    assert "chat" in reply.json()["detail"]
    assert await _export(client) == before


async def test_applying_at_the_same_time_makes_everything_once(house: House) -> None:
    client = house.admin()
    results = await asyncio.gather(*(_apply(client, full()) for _ in range(4)))
    made = [result for result in results if result["changes"]]
    assert len(made) == 1
    assert sum(len(result["keys"]) for result in results) == 3
    created = [event for event in await _events(client) if event["type"] == "ConfigurationApplied"]
    assert len(created) == 2  # The house's own document was the first.


async def test_secrets_are_in_no_export_plan_reply_event_or_log(house: House) -> None:
    client = house.admin()
    for action in ("plan", "apply", "apply"):
        result = await _apply(client, full(), action=action)
        text = json.dumps([result, await _export(client), await _events(client)])
        assert PROVIDER_SECRET not in text
        assert KEY_SECRET not in text
    for noun in ("providers", "keys"):
        text = (await client.get(f"/api/v1/{noun}")).text
        assert PROVIDER_SECRET not in text
        assert KEY_SECRET not in text
    bad = full()
    bad["tenants"][0]["keys"][0]["secret"] = {"value": KEY_SECRET, "valu": 1}
    bad["providers"][1]["api_key"]["value"] = {"nested": PROVIDER_SECRET}
    reply = await client.post("/api/v1/configuration/apply", json=bad)
    assert reply.status_code == 422
    assert PROVIDER_SECRET not in reply.text
    assert KEY_SECRET not in reply.text
    assert PROVIDER_SECRET not in house.log_lines()
    assert KEY_SECRET not in house.log_lines()


async def test_a_sealed_secret_is_kept_where_the_document_refers_to_it_and_given_to_nobody_else(house: House) -> None:
    client = house.admin()
    await _apply(client, full())
    exported = await _export(client)
    position = next(i for i, provider in enumerate(exported["providers"]) if provider["name"] == "sealed")
    assert exported["providers"][position]["api_key"] == {"sealed": "provider:sealed"}
    exported["providers"][position]["base_url"] = "https://attacker.example"
    reply = await client.post("/api/v1/configuration/apply", json=exported)
    assert reply.status_code == 422
    assert reply.json()["details"]["path"] == f"providers[{position}].api_key"
    again = full()
    again["providers"][1]["api_key"]["value"] = "another-secret"
    assert _lines(await _apply(client, again)) == {"change provider /sealed"}


async def test_a_tenants_key_exports_its_own_tenant_only_and_applies_nothing(house: House) -> None:
    for key in (ACME_ADMIN_KEY, ACME_AUDITOR_KEY):
        client = house.admin(key)
        exported = await _export(client)
        assert [tenant["name"] for tenant in exported["tenants"]] == ["acme"]
        assert set(exported) == {"version", "tenants"}
        assert "globex" not in json.dumps(exported)
        for action in ("plan", "apply"):
            reply = await client.post(f"/api/v1/configuration/{action}", json={"version": 1})
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_missing")


async def test_the_published_schema_accepts_what_is_exported_and_refuses_a_misspelling(house: House) -> None:

    client = house.admin()
    await _apply(client, full())
    schema = (await client.get("/api/v1/configuration/schema")).json()
    validator = jsonschema_rs.validator_for(schema)
    for document in (await _export(client), full(), world()):
        validator.validate(document)
    assert not validator.is_valid({"version": 1, "teants": []})
