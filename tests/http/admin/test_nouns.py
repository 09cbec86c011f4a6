"""Every noun is made, read, listed, changed and removed in the same way."""

import asyncio
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import pytest
from httpx2 import AsyncClient, Response

pytestmark = pytest.mark.asyncio(loop_scope="module")


@dataclass(frozen=True)
class Noun:
    """How to exercise one."""

    path: str
    body: dict[str, Any]
    change: dict[str, Any]
    events: tuple[str, str, str]
    named_by: str = "name"
    tenant: str | None = "acme"
    other: dict[str, Any] = field(default_factory=dict)
    """What makes another one of its kind."""

    @property
    def query(self) -> dict[str, str]:
        return {} if self.tenant is None else {"tenant": self.tenant}

    def at(self, shown: dict[str, Any]) -> str:
        return f"/api/v1/{self.path}/{quote(str(shown[self.named_by]), safe='')}"

    def another(self, number: int) -> dict[str, Any]:
        return self.body | {name: value.format(number) for name, value in self.other.items()}


NOUNS = [
    Noun(
        "tenants",
        {"name": "initech", "region": "eu", "time_zone": "Europe/Vienna", "allowed_models": ["chat"]},
        {"region": "us", "max_tokens_per_request": 5},
        ("TenantCreated", "TenantChanged", "TenantRemoved"),
        tenant=None,
        other={"name": "initech-{}"},
    ),
    Noun(
        "users",
        {"email": "new@acme.example", "department": "sales", "roles": ["developer"]},
        {"department": None, "roles": ["auditor"]},
        ("UserCreated", "UserChanged", "UserRemoved"),
        named_by="email",
        other={"email": "new{}@acme.example"},
    ),
    Noun(
        "applications",
        {"name": "new app", "department": "sales"},
        {"allowed_models": ["chat"], "cache": {"ttl": "5m"}, "store_responses": False, "response_days": 3},
        ("ApplicationCreated", "ApplicationChanged", "ApplicationRemoved"),
        other={"name": "app {}"},
    ),
    Noun(
        "keys",
        {"name": "new-key", "application": "copilot"},
        {"expires": "2999-01-01", "allowed_ips": ["10.0.0.0/8"]},
        ("KeyIssued", "KeyChanged", "KeyRevoked"),
        other={"name": "key-{}"},
    ),
    Noun(
        "limits",
        {"scope": "tenant", "requests": 1_000_000, "per": "day"},
        {"amount": 7},
        ("LimitCreated", "LimitChanged", "LimitRemoved"),
        named_by="id",
        other={"model": "model-{}"},
    ),
    Noun(
        "budgets",
        {"scope": "tenant", "window": "year", "limit_usd": 1_000_000},
        {"limit_usd": "12.5", "alerts": [0.8], "action": "warn"},
        ("BudgetCreated", "BudgetChanged", "BudgetRemoved"),
        named_by="id",
        other={"model": "model-{}"},
    ),
    Noun(
        "providers",
        {"name": "up", "kind": "openai_compatible", "base_url": "https://up.example/v1"},
        {"region": "us-east-1", "max_concurrency": 5, "timeout": {"total": "30s"}},
        ("ProviderCreated", "ProviderChanged", "ProviderRemoved"),
        tenant=None,
        other={"name": "up-{}"},
    ),
    Noun(
        "models",
        {"name": "org/new", "deployments": [{"provider": "sim", "model": "echo"}], "price": {"input": 1, "output": 2}},
        {"fallbacks": ["chat"], "price": {"input": "0.5", "output": 2}, "max_output_tokens": 9},
        ("ModelCreated", "ModelChanged", "ModelRemoved"),
        tenant=None,
        other={"name": "org/new-{}"},
    ),
    Noun(
        "aliases",
        {"name": "quality", "model": "chat"},
        {"model": None, "rules": [{"use": "chat", "when": {"task": "code"}}]},
        ("AliasCreated", "AliasChanged", "AliasRemoved"),
        tenant=None,
        other={"name": "alias-{}"},
    ),
]
ALL = pytest.mark.parametrize("noun", NOUNS, ids=[noun.path for noun in NOUNS])
NAMED = pytest.mark.parametrize("noun", [pytest.param(noun, id=noun.path) for noun in NOUNS if noun.named_by != "id"])


@ALL
async def test_the_life_of_a_noun(owner: AsyncClient, noun: Noun) -> None:
    made = await _create(owner, noun)
    shown, at = made.json(), noun.at(made.json())
    assert made.headers["etag"] == f'"{shown["version"]}"'
    again = await owner.post(f"/api/v1/{noun.path}", json=noun.body, params=noun.query)
    assert again.status_code == 409

    read = await owner.get(at, params=noun.query)
    assert (read.status_code, read.headers["etag"]) == (200, made.headers["etag"])
    assert read.json() == {name: value for name, value in shown.items() if name != "secret"}
    assert _listed(read.json()) in await _all(owner, noun, 500)

    body = noun.change if noun.named_by == "id" else noun.body | noun.change
    changed = await owner.put(at, json=body, params=noun.query, headers={"if-match": made.headers["etag"]})
    assert changed.status_code == 200, changed.text
    assert changed.headers["etag"] != made.headers["etag"]
    assert changed.json() == (await owner.get(at, params=noun.query)).json() != read.json()
    same = await owner.put(at, json=body, params=noun.query)
    assert (same.status_code, same.headers["etag"]) == (200, changed.headers["etag"])

    for stale in (
        await owner.put(at, json=body, params=noun.query, headers={"if-match": made.headers["etag"]}),
        await owner.delete(at, params=noun.query, headers={"if-match": made.headers["etag"]}),
    ):
        assert (stale.status_code, stale.json()["code"]) == (412, "version_mismatch")
    gone = await owner.delete(at, params=noun.query, headers={"if-match": changed.headers["etag"]})
    assert (gone.status_code, gone.content) == (204, b"")
    for reply in (
        await owner.get(at, params=noun.query),
        await owner.delete(at, params=noun.query),
        await owner.put(at, json=body, params=noun.query),
    ):
        assert reply.status_code == 404, reply.text
        assert reply.headers["content-type"] == "application/problem+json"
    assert shown[noun.named_by] not in [item[noun.named_by] for item in await _all(owner, noun, 500)]
    assert await _recorded(owner, noun) == set(noun.events)


@ALL
async def test_pages_hold_everything_once(owner: AsyncClient, noun: Noun) -> None:
    made = [await _create(owner, noun, noun.another(number)) for number in range(5)]
    try:
        whole = await _all(owner, noun, 500)
        for size in (1, 2, len(whole)):
            assert await _all(owner, noun, size) == whole
        assert len({item[noun.named_by] for item in whole}) == len(whole) >= 5
    finally:
        for reply in made:
            await owner.delete(noun.at(reply.json()), params=noun.query)


@ALL
async def test_of_changes_at_the_same_time_to_the_same_version_one_succeeds(owner: AsyncClient, noun: Noun) -> None:
    made = await _create(owner, noun)
    at, tag = noun.at(made.json()), made.headers["etag"]
    bodies = [noun.change if noun.named_by == "id" else noun.body | noun.change for _ in range(6)]
    if noun.path == "limits":
        bodies = [{"amount": number} for number in range(6)]
    elif noun.path == "budgets":
        bodies = [{"limit_usd": number} for number in range(6)]
    replies = await asyncio.gather(
        *(owner.put(at, json=body, params=noun.query, headers={"if-match": tag}) for body in bodies)
    )
    assert sorted(reply.status_code for reply in replies) == [200] + [412] * 5
    assert (await owner.delete(at, params=noun.query)).status_code == 204


@ALL
async def test_of_creations_at_the_same_time_one_succeeds(owner: AsyncClient, noun: Noun) -> None:
    path = f"/api/v1/{noun.path}"
    replies = await asyncio.gather(*(owner.post(path, json=noun.body, params=noun.query) for _ in range(6)))
    assert sorted(reply.status_code for reply in replies) == [201] + [409] * 5
    made = next(reply for reply in replies if reply.status_code == 201)
    assert (await owner.delete(noun.at(made.json()), params=noun.query)).status_code == 204


@NAMED
async def test_a_name_cannot_be_changed(owner: AsyncClient, noun: Noun) -> None:
    made = await _create(owner, noun)
    reply = await owner.put(noun.at(made.json()), json=noun.another(9), params=noun.query)
    assert (reply.status_code, reply.json()["param"]) == (400, noun.named_by)
    await owner.delete(noun.at(made.json()), params=noun.query)


async def test_a_department_is_made_listed_and_removed_once_nothing_is_in_it(owner: AsyncClient) -> None:
    query = {"tenant": "acme"}
    made = await owner.post("/api/v1/departments", json={"name": "legal"}, params=query)
    assert made.status_code == 201
    user = {"email": "lawyer@acme.example", "department": "legal"}
    assert (await owner.post("/api/v1/users", json=user, params=query)).status_code == 201
    refused = await owner.delete("/api/v1/departments/legal", params=query)
    assert (refused.status_code, refused.json()["code"]) == (409, "still_in_use")
    assert (await owner.delete("/api/v1/users/lawyer@acme.example", params=query)).status_code == 204
    assert (await owner.delete("/api/v1/departments/legal", params=query)).status_code == 204
    assert (await owner.get("/api/v1/departments/legal", params=query)).status_code == 404


async def test_the_platform_must_say_which_tenant_it_means(owner: AsyncClient) -> None:
    for path, body in (
        ("departments", {"name": "x"}),
        ("users", {"email": "a@b.example"}),
        ("applications", {"name": "x"}),
    ):
        reply = await owner.post(f"/api/v1/{path}", json=body)
        assert (reply.status_code, reply.json()["code"]) == (400, "tenant_required")
        unknown = await owner.post(f"/api/v1/{path}", json=body, params={"tenant": "nobody"})
        assert (unknown.status_code, unknown.json()["code"]) == (404, "tenant_not_found")


@pytest.mark.parametrize("path", ["providers/sim", "models/chat"])
async def test_what_is_still_used_is_not_removed(owner: AsyncClient, path: str) -> None:
    reply = await owner.delete(f"/api/v1/{path}")
    assert (reply.status_code, reply.json()["code"]) == (409, "still_in_use")


async def _create(owner: AsyncClient, noun: Noun, body: dict[str, Any] | None = None) -> Response:
    reply = await owner.post(f"/api/v1/{noun.path}", json=body or noun.body, params=noun.query)
    assert reply.status_code == 201, reply.text
    return reply


async def _all(owner: AsyncClient, noun: Noun, size: int) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await owner.get(f"/api/v1/{noun.path}", params={**noun.query, "limit": str(size), **cursor})).json()
        assert len(page["items"]) <= size
        items += map(_listed, page["items"])
        if page["next"] is None:
            return items
        cursor = {"cursor": page["next"]}


def _listed(item: dict[str, Any]) -> dict[str, Any]:
    """Without the hints, which are shown with one key only."""
    return {name: value for name, value in item.items() if name != "hints"}


async def _recorded(owner: AsyncClient, noun: Noun) -> set[str]:
    found = set()
    for kind in noun.events:
        page = (await owner.get("/api/v1/events", params={"type": kind, "limit": 500})).json()
        actors = {event["event"]["actor"] for event in page["items"]}
        assert any(actor.startswith("key:") for actor in actors), actors
        found.add(kind)
    return found
