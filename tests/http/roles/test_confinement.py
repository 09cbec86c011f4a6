"""Rights in one department: what belongs to another cannot be read or written there, by any route."""

import re
from typing import Any

import httpx2
from fastapi.routing import APIRoute

from enfilade.api.admin.security import permission_of
from enfilade.api.admin_app import admin_routers
from tests.http.roles.conftest import Roles
from tests.support.world import ACME_KEY

API = "/api/v1"
NOUNS = ("departments", "users", "applications", "keys", "limits", "budgets", "calls")
THEIRS = {"engineering", "ben@acme.example", "review", "review-key"}
ANY_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
CONFINED = {
    "applications",
    "departments",
    "users",
    "keys",
    "limits",
    "budgets",
    "calls",
    "spend",
    "events",
    "role-assignments",
}
"""What a right may be confined to; everything else refuses rights that are."""
ANYBODYS = {
    (method, f"{API}{route.path}")
    for router in admin_routers()
    for route in router.routes
    if isinstance(route, APIRoute) and (needs := permission_of(route)) and needs.permission is None
    for method in route.methods or ()
}
"""What needs no permission shows everybody their own."""


async def test_no_route_reads_or_writes_what_belongs_to_another_department(roles: Roles) -> None:
    await _use(roles)
    names = {noun: await _theirs(roles, noun) for noun in NOUNS}
    confined = await roles.person("cy@acme.example", role="owner", department="sales")
    paths = (await roles.platform.get("/api/openapi.json")).json()["paths"]
    before = await _state(roles)
    leaks, tried = [], 0
    for path, operations in paths.items():
        noun = path.split("/")[3] if path.startswith(API) else None
        for method in (name.upper() for name in operations):
            for named in names.get(noun or "", ()) or ("01a19c21-7200-7000-8000-00000000dead",):
                address = re.sub(r"\{[^}]*\}", named, path)
                reply = await confined.request(method, address, json=_body(method, noun, named))
                tried += 1
                if not _is_fine(reply, path, named):
                    leaks.append((method, address, reply.status_code, reply.text[:300]))
    assert not leaks
    assert tried > 150
    assert await _state(roles) == before


async def test_lists_and_reports_hold_what_belongs_to_the_department_only(roles: Roles) -> None:
    await _use(roles)
    confined = await roles.person("cy@acme.example", role="owner", department="sales")
    theirs = {identifier for noun in NOUNS for identifier in await _theirs(roles, noun)} | THEIRS
    for noun in (*NOUNS, "events", "role-assignments", "spend?group_by=application", "spend?group_by=user,department"):
        reply = await confined.get(f"{API}/{noun}")
        assert reply.status_code == 200, (noun, reply.text)
        assert not [told for told in theirs if f'"{told}"' in reply.text], (noun, reply.text)
    for noun, own in (("applications", "copilot"), ("users", "ana@acme.example"), ("keys", "copilot-key")):
        assert own in (await confined.get(f"{API}/{noun}")).text
    assert len((await confined.get(f"{API}/calls")).json()["items"]) == 1
    assert len((await confined.get(f"{API}/limits")).json()["items"]) == 1
    assert (await confined.get(f"{API}/spend")).json()["calls"] == 1
    settled = (await confined.get(f"{API}/events?type=CallSettled")).json()["items"]
    assert len(settled) == 1
    for filtered in ("calls?department=engineering", "spend?application=review", "calls?user=ben@acme.example"):
        assert (await confined.get(f"{API}/{filtered}")).status_code == 404, filtered


async def test_a_confined_person_runs_their_department(roles: Roles) -> None:
    confined = await roles.person("cy@acme.example", role="owner", department="sales")
    made = await confined.post(f"{API}/applications", json={"name": "caller", "department": "sales"})
    assert made.status_code == 201, made.text
    for elsewhere in ("engineering", None):
        body = {"name": f"stray {elsewhere}", "department": elsewhere}
        assert (await confined.post(f"{API}/applications", json=body)).status_code in {403, 404}
        moved = await confined.put(f"{API}/applications/caller", json={"name": "caller", "department": elsewhere})
        assert moved.status_code in {403, 404}
    key = await confined.post(f"{API}/keys", json={"name": "caller-key", "application": "caller"})
    assert key.status_code == 201, key.text
    limit = {"scope": "application:caller", "requests": 5, "per": "minute"}
    assert (await confined.post(f"{API}/limits", json=limit)).status_code == 201
    for scope, status in (
        ("tenant", 403),
        ("application:*", 403),
        ("application:review", 404),
        ("key:review-key", 404),
    ):
        refused = await confined.post(f"{API}/limits", json={**limit, "scope": scope})
        assert refused.status_code == status, scope
    user = {"email": "new@acme.example", "department": "sales"}
    assert (await confined.post(f"{API}/users", json=user)).status_code == 201
    raised = await confined.put(f"{API}/users/new@acme.example", json={**user, "roles": ["developer"]})
    assert (raised.status_code, raised.json()["code"]) == (403, "rights_exceeded")


async def test_a_key_of_a_confined_person_is_confined(roles: Roles) -> None:
    confined = await roles.person("cy@acme.example", role="owner", department="sales")
    wide = await confined.post(f"{API}/keys", json={"name": "wide", "roles": ["developer"]})
    assert (wide.status_code, wide.json()["code"]) == (403, "rights_exceeded")
    elsewhere = {"name": "elsewhere", "roles": ["developer"], "confined_to": "department:engineering"}
    assert (await confined.post(f"{API}/keys", json=elsewhere)).status_code == 403
    body = {"name": "narrow", "roles": ["developer"], "confined_to": "department:sales"}
    made = await confined.post(f"{API}/keys", json=body)
    assert made.status_code == 201, made.text
    narrow = roles.house.admin(made.json()["secret"])
    listed = (await narrow.get(f"{API}/applications")).json()["items"]
    assert [item["name"] for item in listed] == ["copilot"]
    assert (await narrow.get(f"{API}/statements")).status_code == 403


async def test_roles_are_given_where_one_has_them_and_to_ones_own_people(roles: Roles) -> None:
    confined = await roles.person("cy@acme.example", role="admin", department="sales")
    for body, status in (
        ({"role": "operator", "user": "ana@acme.example", "department": "sales"}, 201),
        ({"role": "operator", "user": "ana@acme.example", "application": "copilot"}, 201),
        ({"role": "operator", "user": "ana@acme.example", "department": "engineering"}, 403),
        ({"role": "operator", "user": "ana@acme.example", "application": "review"}, 403),
        ({"role": "operator", "user": "ana@acme.example"}, 403),
        ({"role": "owner", "user": "ana@acme.example", "department": "sales"}, 403),
        ({"role": "operator", "user": "ben@acme.example", "department": "sales"}, 403),
    ):
        reply = await confined.post(f"{API}/role-assignments", json=body)
        assert reply.status_code == status, (body, reply.text)
    given = (await roles.owner.get(f"{API}/role-assignments")).json()["items"]
    own = next(item for item in given if item["application"] == "copilot")
    assert (await confined.delete(f"{API}/role-assignments/{own['id']}")).status_code == 204
    higher = next(item for item in given if item["user"] == "cy@acme.example")
    assert (await confined.delete(f"{API}/role-assignments/{higher['id']}")).status_code == 204, "it is their own"
    assert (await confined.get(f"{API}/applications")).status_code == 403


async def test_rights_in_one_application(roles: Roles) -> None:
    await _use(roles)
    confined = await roles.person("eve@acme.example", role="admin", application="review")
    assert [item["name"] for item in (await confined.get(f"{API}/applications")).json()["items"]] == ["review"]
    assert [item["name"] for item in (await confined.get(f"{API}/keys")).json()["items"]] == ["review-key"]
    assert (await confined.get(f"{API}/departments")).json()["items"] == []
    assert (await confined.get(f"{API}/users")).json()["items"] == []
    calls = (await confined.get(f"{API}/calls")).json()["items"]
    assert [call["application"] for call in calls] == ["review"]
    assert (await confined.get(f"{API}/calls/{calls[0]['id']}/costs")).status_code == 200
    assert (await confined.put(f"{API}/applications/copilot", json={"name": "copilot"})).status_code == 404


async def _use(roles: Roles) -> None:
    """A call in each department."""
    secret = (await roles.owner.post(f"{API}/keys", json={"name": "of review", "application": "review"})).json()
    for key in (ACME_KEY, secret["secret"]):
        body = {"model": "simulated/echo", "messages": [{"role": "user", "content": "Good morning"}], "max_tokens": 9}
        reply = await roles.house.client(key).post("/v1/chat/completions", json=body)
        assert reply.status_code == 200, reply.text
    assert (await roles.owner.delete(f"{API}/keys/of review")).status_code == 204
    roles.clock.advance(1)
    await roles.house.parts.roll_ups.catch_up()


async def _theirs(roles: Roles, noun: str) -> list[str]:
    """Ids and names of what belongs to the other department."""
    found = []
    for item in (await roles.owner.get(f"{API}/{noun}")).json()["items"]:
        name = item.get("name") or item.get("email")
        about = {
            name,
            item.get("application"),
            item.get("department"),
            item.get("user"),
            *str(item.get("scope")).split(":"),
        }
        if about & THEIRS:
            found += [told for told in (item["id"], name) if told]
    assert found, noun
    return found


async def _state(roles: Roles) -> dict[str, Any]:
    """All that the tenant's owner sees of what could be changed."""
    state = {}
    for noun in (*NOUNS, "roles", "role-assignments", "security-settings", "groups", "use-cases", "access"):
        reply = (await roles.owner.get(f"{API}/{noun}")).json()
        items = reply.get("items", reply)
        if isinstance(items, list):
            items = [{key: value for key, value in item.items() if key != "last_used_at"} for item in items]
        state[noun] = items
    return state


def _body(method: str, noun: str | None, named: str) -> dict[str, Any] | None:
    if method not in {"POST", "PUT"}:
        return None
    bodies: dict[str | None, dict[str, Any]] = {
        "departments": {"name": "invented"},
        "users": {"email": named if "@" in named else "ben@acme.example", "department": "sales"},
        "applications": {"name": named, "department": "engineering"},
        "keys": {"name": named, "application": "review"},
        "limits": {"amount": 1} if method == "PUT" else {"scope": "application:review", "requests": 1, "per": "day"},
        "budgets": {"limit_usd": 1},
    }
    return bodies.get(noun, {})


def _is_fine(reply: httpx2.Response, path: str, named: str) -> bool:
    """Whether nothing was told and nothing done."""
    told = [name for name in THEIRS if f'"{name}"' in reply.text]
    method, noun = reply.request.method, path.split("/")[3] if path.startswith(API) else None
    if (method, path) in ANYBODYS:
        return reply.status_code < 500 and not told
    if noun in CONFINED and method == "GET" and "{" not in path:
        return not told
    # A name that is taken is taken in the whole tenant, and a fault of a body is told before anything is looked for.
    return reply.status_code in ({403, 404, 405, 409, 422} if noun in CONFINED else {401, 403, 404, 405})
