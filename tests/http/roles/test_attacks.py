"""Ways in which somebody with some rights could come by more, and by which the platform could look in unseen."""

from collections.abc import AsyncIterator
from typing import Any

from httpx2 import AsyncClient

from tests.http.roles.conftest import Roles

API = "/api/v1"
REASON = "Ticket 4711: calls of copilot fail"
WISH = {"kind": "role", "role": "owner", "duration": "1h", "reason": "To see whether it works"}


async def test_nobody_decides_by_a_key_that_they_made_for_somebody_else(roles: Roles) -> None:
    """Whoever holds a key of a person's decides as that person: making one is letting oneself in as them."""
    await roles.owner.post(f"{API}/users", json={"email": "boss@acme.example", "roles": ["owner"]})
    await roles.owner.post(f"{API}/users", json={"email": "lead@acme.example"})
    operator = await roles.person("cy@acme.example", role="operator")
    admin = await roles.person("eve@acme.example", role="admin")
    for client in (operator, admin):
        asked = await client.post(f"{API}/approval-requests", json=WISH)
        assert asked.status_code == 201, asked.text
        made = await client.post(f"{API}/keys", json={"name": "of boss", "user": "boss@acme.example"})
        assert (made.status_code, made.json()["code"]) == (403, "rights_exceeded")
    # A manager has no rights of their own, but decides.
    made = await operator.post(f"{API}/keys", json={"name": "of lead", "user": "lead@acme.example"})
    assert (made.status_code, made.json()["code"]) == (403, "rights_exceeded")
    own = await operator.post(f"{API}/keys", json={"name": "my own", "user": "cy@acme.example"})
    assert own.status_code == 201, own.text
    await roles.owner.post(f"{API}/keys", json={"name": "of lead", "user": "lead@acme.example"})
    taken = await operator.post(f"{API}/keys/of lead/rotate")
    assert (taken.status_code, taken.json()["code"]) == (403, "rights_exceeded")
    named = {"name": "my own", "user": "lead@acme.example"}
    assert (await operator.put(f"{API}/keys/my own", json=named)).status_code == 403


async def test_nobody_gives_roles_that_only_policies_speak_of(roles: Roles) -> None:
    """A role without permissions gives what policies say of it."""
    await roles.owner.post(f"{API}/roles", json={"name": "cleared", "permissions": []})
    await roles.owner.post(f"{API}/roles", json={"name": "clerk", "permissions": ["people:read", "people:write"]})
    operator = await roles.person("cy@acme.example", role="operator")
    clerk = await roles.person("eve@acme.example", role="clerk")
    made = await operator.post(f"{API}/keys", json={"name": "mine", "roles": ["cleared"]})
    assert (made.status_code, made.json()["code"]) == (403, "rights_exceeded")
    given = await clerk.post(f"{API}/users", json={"email": "me@acme.example", "roles": ["cleared"]})
    assert (given.status_code, given.json()["code"]) == (403, "rights_exceeded")
    assert (await roles.admin.post(f"{API}/keys", json={"name": "ours", "roles": ["cleared"]})).status_code == 201
    own = await operator.post(f"{API}/keys", json={"name": "more", "roles": ["operator"], "scopes": ["calls:read"]})
    assert own.status_code == 201, own.text


async def test_nobody_makes_rules_by_which_keys_come_by_more_than_they_have_themselves(roles: Roles) -> None:
    """A key may have an owner's rights, of which its scopes leave little."""
    rule = {"name": "keys", "kinds": ["key_scope"], "stages": [{"reviewers": ["user:ana@acme.example"]}]}
    refused = await roles.admin.post(f"{API}/approval-rules", json=rule)
    assert (refused.status_code, refused.json()["code"]) == (403, "rights_exceeded")
    assert (await roles.owner.post(f"{API}/approval-rules", json=rule)).status_code == 201


async def test_administrators_do_not_provision_themselves_into_owners(roles: Roles) -> None:
    """SCIM changes who is in groups without asking what these may do: that is for owners to entrust."""
    await roles.owner.post(f"{API}/groups", json={"name": "board", "members": []})
    await roles.owner.post(f"{API}/role-assignments", json={"group": "board", "role": "owner"})
    eve = await roles.person("eve@acme.example", role="admin")
    members = {"name": "board", "members": ["eve@acme.example"]}
    assert (await eve.put(f"{API}/groups/board", json=members)).status_code == 403
    group = (await roles.owner.get(f"{API}/groups/board")).json()
    user = (await roles.owner.get(f"{API}/users/eve@acme.example")).json()
    change = {"Operations": [{"op": "add", "path": "members", "value": [{"value": user["id"]}]}]}
    joined = await eve.patch(f"/scim/v2/Groups/{group['id']}", json=change)
    assert joined.status_code == 403, joined.text
    made = await eve.post(f"{API}/keys", json={"name": "directory", "roles": ["provisioning"]})
    assert (made.status_code, made.json()["code"]) == (403, "rights_exceeded")
    role = {"name": "clerk", "permissions": ["provisioning:write"]}
    assert (await eve.post(f"{API}/roles", json=role)).status_code == 403


async def test_nobody_reviews_their_own_broken_glass_by_another_credential(roles: Roles) -> None:
    """A person's session, and each of a person's keys, has a name of its own in the log."""
    people = {"email": "pat@platform.example", "roles": ["owner"]}
    assert (await roles.platform.post(f"{API}/users?tenant=platform", json=people)).status_code == 201
    one, other = [await _platform_key(roles, name, "pat@platform.example") for name in ("one", "other")]
    opened = (await one.post(f"{API}/break-glass", json={"tenant": "acme", "reason": REASON})).json()
    await one.post(f"{API}/break-glass/{opened['id']}/end")
    reviewed = await other.post(f"{API}/break-glass/{opened['id']}/review", json={"note": "Nothing to see here"})
    assert (reviewed.status_code, reviewed.json()["code"]) == (403, "rights_exceeded")
    someone_else = await roles.platform.post(f"{API}/break-glass/{opened['id']}/review", json={"note": "It was fine"})
    assert someone_else.status_code == 200, someone_else.text


async def test_a_key_with_scopes_does_not_act_as_its_person(roles: Roles) -> None:
    """Its scopes name what is left of it, and deciding about requests is none of them."""
    await roles.owner.post(f"{API}/users", json={"email": "boss@acme.example", "roles": ["owner"]})
    whole = await roles.key_of("ana@acme.example", roles=[])
    asked = await whole.post(f"{API}/approval-requests", json=WISH)
    assert asked.status_code == 201, asked.text
    boss = await roles.key_of("boss@acme.example", scopes=["calls:chat", "approvals:review"])
    acts: tuple[tuple[str, str, Any], ...] = (
        ("POST", "approval-requests", WISH),
        ("POST", f"approval-requests/{asked.json()['id']}/approve", {}),
        ("POST", "emergency-access", WISH),
        ("PUT", "approval-delegations/ana@acme.example", {"ends_at": "2099-01-01T00:00:00Z"}),
        ("DELETE", "sessions/mine", None),
    )
    for method, path, body in acts:
        reply = await boss.request(method, f"{API}/{path}", json=body)
        assert (reply.status_code, reply.json()["code"]) == (403, "permission_missing"), path
    assert (await boss.get(f"{API}/whoami")).status_code == 200


async def test_whoever_is_not_known_does_not_have_much_read(roles: Roles) -> None:
    """Routes are asked who may call them after the body was read as JSON."""
    large = b'{"name": [' + b'"x",' * 30_000 + b'"x"]}'
    json = {"content-type": "application/json"}

    async def in_pieces() -> AsyncIterator[bytes]:
        yield large

    for client in (roles.house.client(None), roles.house.client("enf_nobody")):
        for body in (large, in_pieces()):
            reply = await client.post(f"{API}/roles", content=body, headers=json)
            assert (reply.status_code, reply.headers["content-type"]) == (401, "application/problem+json")
        for body in (large, in_pieces()):
            reply = await client.post("/auth/local/sign-in", content=body, headers=json)
            assert (reply.status_code, reply.json()["code"]) == (413, "body_too_large")
    assert (await roles.owner.post(f"{API}/roles", content=large, headers=json)).status_code == 422


LISTS = [
    "users",
    "groups",
    "departments",
    "applications",
    "keys",
    "roles",
    "role-assignments",
    "sessions",
    "issuers",
    "approval-rules",
    "use-cases",
    "approval-requests",
    "access-grants",
    "emergency-access",
    "access-reviews",
    "access-review-schedules",
]


async def test_lists_of_all_tenants_leave_those_out_that_let_nobody_in(roles: Roles) -> None:
    before = {noun: await _tenants_in(roles.platform, noun) for noun in LISTS}
    assert {"users", "keys", "applications"} <= {noun for noun, tenants in before.items() if "acme" in tenants}
    await roles.owner.put(f"{API}/security-settings", json={"operator_access": "break_glass"})
    for noun in LISTS:
        now = await _tenants_in(roles.platform, noun)
        assert "acme" not in now, noun
        assert now == before[noun] - {"acme"}, noun
    assert "acme" in await _tenants_in(roles.platform, "tenants", "name")


async def test_what_needs_no_permission_shows_the_platform_nothing_of_a_closed_tenant(roles: Roles) -> None:
    eve = await roles.key_of("eve@acme.example", roles=[])
    asked = await eve.post(f"{API}/approval-requests", json=WISH)
    assert asked.status_code == 409, asked.text  # Nobody is an owner there yet.
    await roles.owner.post(f"{API}/users", json={"email": "boss@acme.example", "roles": ["owner"]})
    asked = await eve.post(f"{API}/approval-requests", json=WISH)
    path = f"{API}/approval-requests/{asked.json()['id']}"
    assert (await roles.platform.get(path, params={"tenant": "acme"})).status_code == 200
    await roles.owner.put(f"{API}/security-settings", json={"operator_access": "break_glass"})
    assert (await roles.platform.get(path, params={"tenant": "acme"})).status_code == 404
    listed = await roles.platform.get(f"{API}/approval-requests", params={"tenant": "acme"})
    assert listed.json()["items"] == []


async def _tenants_in(client: AsyncClient, noun: str, field: str = "tenant") -> set[str]:
    reply = await client.get(f"{API}/{noun}", params={"limit": 3})
    assert reply.status_code == 200, (noun, reply.text)
    found: set[str] = {item[field] for item in reply.json()["items"] if field in item}
    while following := reply.json()["next"]:
        reply = await client.get(f"{API}/{noun}", params={"limit": 3, "cursor": following})
        found |= {item[field] for item in reply.json()["items"] if field in item}
    return found


async def _platform_key(roles: Roles, name: str, user: str) -> AsyncClient:
    body: dict[str, Any] = {"name": name, "user": user, "roles": ["owner"]}
    made = await roles.platform.post(f"{API}/keys", json=body)
    assert made.status_code == 201, made.text
    return roles.house.admin(made.json()["secret"])
