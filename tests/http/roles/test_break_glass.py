"""Breaking the glass: who comes into a tenant so leaves a trace of every act, for a time, and is looked into."""

from typing import Any

import pytest
from httpx2 import AsyncClient

from enfilade.configuration.errors import InvalidDocument
from enfilade.configuration.service import read_document
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.scopes import key_scope
from tests.http.roles.conftest import GLASS_KEY, OPERATOR_KEY, Roles, document

API = "/api/v1"
REASON = "Ticket 4711: calls of copilot fail"


@pytest.fixture
def glass(roles: Roles) -> AsyncClient:
    """One of the platform's people who has no standing rights in tenants."""
    return roles.house.admin(GLASS_KEY)


async def test_the_role_alone_opens_no_tenant(roles: Roles, glass: AsyncClient) -> None:
    for noun in ("calls", "events", "users", "keys", "applications"):
        for tenant in ({"tenant": "acme"}, {}):
            reply = await glass.get(f"{API}/{noun}", params=tenant)
            assert (reply.status_code, reply.json()["code"]) == (403, "permission_missing"), noun
    assert (await glass.get(f"{API}/break-glass")).json()["items"] == []


async def test_every_act_under_it_is_an_event_in_both_logs(roles: Roles, glass: AsyncClient) -> None:
    opened = await _open(glass)
    assert (await glass.get(f"{API}/calls", params={"tenant": "acme"})).status_code == 200
    assert (await glass.get(f"{API}/users/ana@acme.example", params={"tenant": "acme"})).status_code == 200
    changed = {"name": "copilot", "department": "sales", "strict": True}
    done = await glass.put(f"{API}/applications/copilot", params={"tenant": "acme"}, json=changed)
    assert done.status_code == 200, done.text
    (seen,) = (await roles.owner.get(f"{API}/break-glass")).json()["items"]
    assert (seen["id"], seen["reason"], seen["state"], seen["tenant"]) == (opened["id"], REASON, "open", "acme")
    wanted = [("GET", f"{API}/calls"), ("GET", f"{API}/users/(an address)"), ("PUT", f"{API}/applications/copilot")]
    for log in (await _events(roles.owner), await _events(roles.platform, PLATFORM_ID)):
        used = [event for event in log if event["type"] == "BreakGlassUsed"]
        assert [(event["data"]["method"], event["data"]["path"]) for event in used] == wanted
        assert all(event["data"]["id"] == opened["id"] for event in used)
        assert [event["data"]["reason"] for event in log if event["type"] == "BreakGlassOpened"] == [REASON]
    change = next(event for event in await _events(roles.owner) if event["type"] == "ApplicationChanged")
    assert change["actor"] == f"break_glass:{opened['id']}"


async def test_it_opens_one_tenant_and_nothing_that_outlasts_it(roles: Roles, glass: AsyncClient) -> None:
    await _open(glass)
    for method, path, body in (
        ("GET", "calls?tenant=globex", None),
        ("GET", "calls", None),
        ("POST", "keys?tenant=acme", {"name": "back door", "roles": ["admin"]}),
        ("POST", "users?tenant=acme", {"email": "me@acme.example", "roles": ["admin"]}),
        ("POST", "role-assignments?tenant=acme", {"role": "admin", "user": "ana@acme.example"}),
        ("PUT", "security-settings?tenant=acme", {}),
        ("POST", "providers", {"name": "x", "kind": "simulated"}),
    ):
        reply = await glass.request(method, f"{API}/{path}", json=body)
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_missing"), path


async def test_it_ends_by_itself_and_when_it_is_ended(roles: Roles, glass: AsyncClient) -> None:
    await _open(glass, duration="10m")
    roles.clock.advance(599)
    glass = roles.house.admin(GLASS_KEY)  # Connections that were idle so long are closed.
    assert (await glass.get(f"{API}/calls", params={"tenant": "acme"})).status_code == 200
    roles.clock.advance(1)
    assert (await glass.get(f"{API}/calls", params={"tenant": "acme"})).status_code == 403
    again = await _open(glass)
    assert (await glass.get(f"{API}/calls", params={"tenant": "acme"})).status_code == 200
    assert (await roles.admin.post(f"{API}/break-glass/{again['id']}/end")).status_code == 403
    ended = await roles.owner.post(f"{API}/break-glass/{again['id']}/end")
    assert (ended.status_code, ended.json()["state"]) == (200, "unreviewed")
    assert (await glass.get(f"{API}/calls", params={"tenant": "acme"})).status_code == 403
    assert (await glass.post(f"{API}/break-glass/{again['id']}/end")).status_code == 200
    for wrong in ({"duration": "5h"}, {"duration": "1s"}, {"reason": "because"}, {"tenant": "nobody"}):
        body = {"tenant": "acme", "reason": REASON, **wrong}
        assert (await glass.post(f"{API}/break-glass", json=body)).status_code in {404, 422}, wrong


async def test_somebody_else_reviews_it_once_it_is_over(roles: Roles, glass: AsyncClient) -> None:
    opened = await _open(glass)
    address, note = f"{API}/break-glass/{opened['id']}/review", {"note": "Looked into with the team"}
    early = await roles.owner.post(address, json=note)
    assert (early.status_code, early.json()["code"]) == (409, "break_glass_open")
    await glass.post(f"{API}/break-glass/{opened['id']}/end")
    assert len((await roles.owner.get(f"{API}/break-glass?unreviewed=true")).json()["items"]) == 1
    assert (await glass.post(address, json=note)).status_code == 403
    assert (await roles.admin.post(address, json=note)).status_code == 403
    reviewed = await roles.owner.post(address, json=note)
    assert (reviewed.status_code, reviewed.json()["state"]) == (200, "reviewed")
    assert (await roles.owner.get(f"{API}/break-glass?unreviewed=true")).json()["items"] == []
    again = await roles.platform.post(address, json={"note": "Nothing to see here"})
    assert (again.status_code, again.json()["code"]) == (409, "already_exists")
    (kept,) = (await roles.owner.get(f"{API}/break-glass")).json()["items"]
    assert kept["review_note"] == note["note"], "the platform's people do not replace what a tenant's owner found"
    own = (await roles.platform.post(f"{API}/break-glass", json={"tenant": "acme", "reason": REASON})).json()
    await roles.platform.post(f"{API}/break-glass/{own['id']}/end")
    refused = await roles.platform.post(f"{API}/break-glass/{own['id']}/review", json=note)
    assert (refused.status_code, refused.json()["code"]) == (403, "rights_exceeded")


async def test_a_tenant_may_let_the_platforms_people_in_so_only(roles: Roles) -> None:
    operator = roles.house.admin(OPERATOR_KEY)
    assert (await operator.get(f"{API}/calls", params={"tenant": "acme"})).status_code == 200
    demand = {"operator_access": "break_glass"}
    assert (await roles.admin.put(f"{API}/security-settings", json=demand)).status_code == 403
    assert (await roles.owner.put(f"{API}/security-settings", json=demand)).status_code == 200
    for client in (operator, roles.platform):
        for noun in ("calls", "users", "keys", "applications"):
            reply = await client.get(f"{API}/{noun}", params={"tenant": "acme"})
            assert (reply.status_code, reply.json()["code"]) == (403, "break_glass_required"), noun
        assert (await client.get(f"{API}/spend", params={"tenant": "acme"})).status_code == 200
        assert (await client.get(f"{API}/calls", params={"tenant": "globex"})).status_code == 200
        everybodys = await client.get(f"{API}/calls")
        assert (everybodys.status_code, everybodys.json()["code"]) == (400, "tenant_required")
    for method, path, body in (
        ("POST", "keys", {"name": "back door", "roles": ["admin"]}),
        ("PUT", "security-settings", {"operator_access": "standing"}),
        ("GET", "events", None),
    ):
        refused = await roles.platform.request(method, f"{API}/{path}", params={"tenant": "acme"}, json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "break_glass_required"), path
    await roles.platform.post(f"{API}/break-glass", json={"tenant": "acme", "reason": REASON})
    assert (await roles.platform.get(f"{API}/events", params={"tenant": "acme"})).status_code == 200
    assert (await roles.owner.get(f"{API}/calls")).status_code == 200


AROUND: list[dict[str, Any]] = [
    {"keys": [{"name": "back door", "roles": ["admin"]}]},
    {"keys": [{"name": "back door", "application": "copilot"}]},
    {"users": [{"email": "me@acme.example", "roles": ["admin"]}]},
    {"roles": [{"name": "reader", "permissions": ["calls:read"]}]},
    {"role_assignments": [{"role": "admin", "user": "ana@acme.example"}]},
    {"security": {"operator_access": "standing"}},
    {"issuers": [{"name": "mine", "url": "https://login.example.com", "client_id": "x", "roles": {"us": ["owner"]}}]},
    {"groups": [{"name": "board", "members": ["ana@acme.example"]}]},
    {"access": {"default": "allow"}},
    {"approval_rules": [{"name": "ours", "kinds": ["model"], "stages": [{"reviewers": ["manager"]}]}]},
    {"accounts": {"require_second_factor": "never"}},
    {"departments": [{"name": "ours"}]},
]


async def test_a_document_is_no_way_around_the_glass(roles: Roles) -> None:
    await roles.owner.put(f"{API}/security-settings", json={"operator_access": "break_glass"})
    operator = key_scope(PLATFORM_ID, "01a19c21-7200-7000-8000-000000000001", ("owner",))
    for more in AROUND:
        content = document()
        for name, entries in more.items():
            acme = content["tenants"][0]
            acme[name] = [*acme.get(name, []), *entries] if isinstance(entries, list) else entries
        with pytest.raises(InvalidDocument) as refusal:
            await roles.house.parts.configuration.apply(operator, read_document(content))
        assert refusal.value.details["cause"] == "break_glass_required"
    # Nor is one that names less.
    content = document()
    content["tenants"][0]["keys"] = []
    with pytest.raises(InvalidDocument) as refusal:
        await roles.house.parts.configuration.apply(operator, read_document(content), prune=True)
    assert refusal.value.details["cause"] == "break_glass_required"
    # What the platform runs and bills it changes, and exports.
    content = document()
    content["tenants"][0]["limits"][0]["requests"] = 7
    applied = await roles.house.parts.configuration.apply(operator, read_document(content))
    assert [change.kind for change in applied.changes] == ["limit"]
    exported = (await roles.platform.get(f"{API}/configuration")).json()["tenants"]
    acme, globex = sorted(exported, key=lambda tenant: str(tenant["name"]))
    assert {"limits", "budgets", "security"} <= acme.keys()
    assert acme.keys().isdisjoint({"users", "keys", "applications", "departments"})
    assert {"users", "keys", "applications"} <= globex.keys()
    assert "users" in (await roles.owner.get(f"{API}/configuration")).json()["tenants"][0]


async def _open(client: AsyncClient, **more: Any) -> dict[str, Any]:
    reply = await client.post(f"{API}/break-glass", json={"tenant": "acme", "reason": REASON, **more})
    assert reply.status_code == 201, reply.text
    opened: dict[str, Any] = reply.json()
    return opened


async def _events(client: AsyncClient, tenant: str | None = None) -> list[dict[str, Any]]:
    items = (await client.get(f"{API}/events?limit=500")).json()["items"]
    return [item["event"] for item in items if tenant in (None, item["tenant"])]
