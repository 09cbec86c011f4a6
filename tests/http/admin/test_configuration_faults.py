"""A document with a fault changes nothing, and the answer says where the fault is."""

from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.support.world import world

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAULTS: list[tuple[str, Any, str, str]] = [
    ("tenants[1].budgets[0].window", "fortnight", "tenants[1].budgets[0].window", "'minute', 'hour'"),
    ("tenants[1].users[0].department", "nowhere", "tenants[1].users[0]", "nowhere"),
    ("tenants[1].keys[0].application", "nothing", "tenants[1].keys[0]", "nothing"),
    ("tenants[1].keys[0].allowed_ips", ["10.0.0.0/99"], "tenants[1].keys[0].allowed_ips", "10.0.0.0/99"),
    ("tenants[1].keys[0].secret", {"value": "short"}, "tenants[1].keys[0].secret", "32"),
    ("tenants[1].keys[0].roles", ["monitor"], "tenants[1].keys[0].roles", "admin"),
    ("tenants[1].time_zone", "Mars/Olympus", "tenants[1].time_zone", "Europe/Vienna"),
    ("tenants[1].isolation", "schema", "tenants[1].isolation", "by moving"),
    (
        "tenants[1].limits",
        [{"scope": "team:x", "requests": 1, "per": "day"}],
        "tenants[1].limits[0].scope",
        "user:EMAIL",
    ),
    ("tenants[1].limits", [{"scope": "tenant", "requests": 1}], "tenants[1].limits[0]", "per"),
    ("tenants[1].limits", [{"scope": "tenant"}], "tenants[1].limits[0]", "one of requests, tokens or concurrency"),
    ("tenants[1].departmens", [], "tenants[1].departmens", "did you mean `departments`?"),
    ("tenants[1].budgets[0].limit", 5, "tenants[1].budgets[0].limit", "did you mean `limit_usd`?"),
    ("tenants[1].applications[0].zzz", 5, "tenants[1].applications[0].zzz", "known here are name, department"),
    ("teants", [], "teants", "did you mean `tenants`?"),
    ("models[1].price.imput", 5, "models[1].price.imput", "did you mean `input`?"),
    ("models[1].strategy", "psychic", "models[1].strategy", "ordered, weighted"),
    ("models[1].deployments", [], "models[1].deployments", "at least 1"),
    ("models[1].deployments[0].provider", "nobody", "models[1].deployments", "nobody"),
    ("models[1].fallbacks", ["unheard-of"], "models[1].fallbacks[0]", "unheard-of"),
    ("models[1].price", {"output": 1}, "models[1].price", "input"),
    ("providers[0].kind", "opnai", "providers[0].kind", "openai"),
    ("providers[0].api_key", {"env": "A", "value": "B"}, "providers[0].api_key", "one of"),
    ("providers[0].timeout", {"total": "soon"}, "providers[0].timeout.total", "5s"),
    ("aliases[0].model", "unheard-of", "aliases[0].model", "unheard-of"),
    ("aliases[0].rules", [{"use": "chat", "when": {"mood": "good"}}], "aliases[0]", "either"),
    ("keys[0].roles", ["emperor"], "keys[0].roles", "owner"),
    ("version", 2, "version", "1"),
]


@pytest.mark.parametrize(
    ("at", "value", "path", "says"), FAULTS, ids=[f"{at}-{n}" for n, (at, *_) in enumerate(FAULTS)]
)
async def test_a_fault_changes_nothing_and_says_where_it_is(
    owner: AsyncClient, at: str, value: Any, path: str, says: str
) -> None:
    before = (await owner.get("/api/v1/configuration")).json()
    document = world()
    document["tenants"][0]["departments"].append({"name": "made-before-the-fault"})
    document["tenants"][1]["budgets"] = [{"scope": "tenant", "window": "day", "limit_usd": 1}]
    _put(document, at, value)
    for action in ("plan", "apply"):
        reply = await owner.post(f"/api/v1/configuration/{action}", json=document)
        assert reply.status_code == 422, reply.text
        problem = reply.json()
        places = {(problem.get("details") or {}).get("path"): problem["detail"]}
        places |= {error["path"].removeprefix("body."): error["message"] for error in problem.get("errors") or []}
        found = next((place for place in places if place and place.startswith(path)), None)
        assert found is not None, problem
        assert says in places[found]
    assert (await owner.get("/api/v1/configuration")).json() == before


def _put(document: Any, at: str, value: Any) -> None:
    *way, last = at.replace("[", ".[").split(".")
    for step in way:
        document = document[int(step[1:-1])] if step.startswith("[") else document[step]
    document[last] = value
