"""What keys keep of their rights, how long they live, whose a leaked secret is, and when they were used last."""

from datetime import timedelta
from typing import Any

from enfilade.core.clock import to_datetime
from enfilade.identity.secrets import has_checksum
from tests.http.roles.conftest import Roles
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY

API = "/api/v1"
CHAT = {"model": "simulated/echo", "messages": [{"role": "user", "content": "Good morning"}], "max_tokens": 9}


async def _issue(home: Roles, name: str, **fields: Any) -> str:
    reply = await home.owner.post(f"{API}/keys", json={"name": name, **fields})
    assert reply.status_code == 201, reply.text
    secret: str = reply.json()["secret"]
    return secret


SCOPES = [
    # scopes, a chat, a chat with another model, an embedding, whether the other model is listed
    ([], 200, 200, 200, True),
    (["calls:chat"], 200, 200, 403, True),
    (["calls:embeddings"], 403, 403, 200, True),
    (["model:simulated/echo"], 200, 403, 200, False),
    (["model:simulated/*", "calls:chat"], 200, 403, 403, False),
    (["dialect:openai_chat"], 200, 200, 403, True),
    (["dialect:anthropic_messages"], 403, 403, 403, True),
    (["applications:read"], 403, 403, 403, True),
]


async def test_scopes_bound_the_calls_of_a_key(roles: Roles) -> None:
    for number, (scopes, chat, other, embed, is_listed) in enumerate(SCOPES):
        client = roles.house.client(await _issue(roles, f"scoped {number}", application="copilot", scopes=scopes))
        answers = [
            (await client.post("/v1/chat/completions", json=CHAT)).status_code,
            (await client.post("/v1/chat/completions", json={**CHAT, "model": "chat"})).status_code,
            (await client.post("/v1/embeddings", json={"model": "simulated/echo", "input": "x"})).status_code,
        ]
        assert answers == [chat, other, embed], scopes
        names = {model["id"] for model in (await client.get("/v1/models")).json()["data"]}
        assert ("chat" in names) is is_listed, scopes
        kept = "calls:chat" in scopes or not scopes or "model:simulated/echo" in scopes
        # What is stored of responses is reached by whoever may call for them.
        assert (await client.get("/v1/conversations")).status_code == (200 if kept else 403), scopes


async def test_scopes_narrow_roles_and_grant_nothing(roles: Roles) -> None:
    both = roles.house.admin(await _issue(roles, "reader", roles=["admin"], scopes=["keys:read", "calls:read"]))
    assert (await both.get(f"{API}/keys")).status_code == 200
    assert (await both.get(f"{API}/applications")).status_code == 403
    lacking = roles.house.admin(await _issue(roles, "lacking", roles=["developer"], scopes=["keys:write"]))
    assert (await lacking.post(f"{API}/keys", json={"name": "x", "application": "copilot"})).status_code == 403
    for wrong in ("keys:everything", "calls:", "model:", "tenants:manage", "dialect:*"):
        refused = await roles.owner.post(f"{API}/keys", json={"name": "w", "roles": ["admin"], "scopes": [wrong]})
        assert (refused.status_code, refused.json()["code"]) == (422, "invalid_specification"), wrong


async def test_whoever_lacks_a_right_issues_no_key_with_it_but_a_narrower_one(roles: Roles) -> None:
    operator = roles.house.admin(await _issue(roles, "op", roles=["operator"]))
    body = {"name": "more", "roles": ["admin"]}
    assert (await operator.post(f"{API}/keys", json=body)).status_code == 403
    # Policies speak of roles: who may not give a role gives it with scopes neither.
    assert (await operator.post(f"{API}/keys", json={**body, "scopes": ["keys:read"]})).status_code == 403
    own = {"name": "less", "roles": ["operator"], "scopes": ["keys:read"]}
    assert (await operator.post(f"{API}/keys", json=own)).status_code == 201
    body["roles"] = ["owner"]
    assert (await roles.admin.post(f"{API}/keys", json=body)).status_code == 403
    assert (await roles.admin.post(f"{API}/keys", json={**body, "scopes": ["keys:read"]})).status_code == 201
    widened = await roles.admin.put(f"{API}/keys/more", json=body)
    assert (widened.status_code, widened.json()["code"]) == (403, "rights_exceeded")
    provisioning = await roles.admin.post(f"{API}/keys", json={"name": "scim", "scopes": ["scim"]})
    assert (provisioning.status_code, provisioning.json()["code"]) == (403, "rights_exceeded")


async def test_a_users_key_follows_what_the_user_may_now(roles: Roles) -> None:
    client = await roles.key_of("cy@acme.example")
    assert (await client.get(f"{API}/applications")).status_code == 403
    body = {"email": "cy@acme.example", "department": "sales", "roles": ["developer"]}
    assert (await roles.owner.put(f"{API}/users/cy@acme.example", json=body)).status_code == 200
    assert (await client.get(f"{API}/applications")).status_code == 200
    assert (await client.get(f"{API}/keys")).status_code == 403
    assert (await roles.owner.put(f"{API}/users/cy@acme.example", json={**body, "roles": []})).status_code == 200
    assert (await client.get(f"{API}/applications")).status_code == 403


async def test_groups_give_what_is_assigned_to_them(roles: Roles) -> None:
    client = await roles.key_of("eve@acme.example")
    group = {"name": "readers", "members": ["eve@acme.example"]}
    assert (await roles.owner.post(f"{API}/groups", json=group)).status_code == 201
    given = await roles.owner.post(f"{API}/role-assignments", json={"role": "owner", "group": "readers"})
    assert (await client.get(f"{API}/keys")).status_code == 200
    crowd = {**group, "members": ["eve@acme.example", "ben@acme.example"]}
    joined = await roles.admin.put(f"{API}/groups/readers", json=crowd)
    assert (joined.status_code, joined.json()["code"]) == (403, "rights_exceeded"), "the group may do more"
    assert (await roles.admin.delete(f"{API}/groups/readers")).status_code == 403
    assert (await roles.owner.delete(f"{API}/role-assignments/{given.json()['id']}")).status_code == 204
    assert (await client.get(f"{API}/keys")).status_code == 403
    assert (await roles.admin.put(f"{API}/groups/readers", json=crowd)).status_code == 200


async def test_roles_of_ones_own(roles: Roles) -> None:
    role = {"name": "reader", "permissions": ["applications:read"], "description": "Looks at programs"}
    assert (await roles.admin.post(f"{API}/roles", json=role)).status_code == 201
    for wrong, status in (
        ({**role, "name": "more", "permissions": ["security:write"]}, 403),
        ({**role, "name": "alien", "permissions": ["tenants:manage"]}, 422),
        ({**role, "name": "owner"}, 409),
        (role, 409),
    ):
        assert (await roles.admin.post(f"{API}/roles", json=wrong)).status_code == status, wrong
    client = await roles.person("eve@acme.example", role="reader")
    assert (await client.get(f"{API}/applications")).status_code == 200
    assert (await client.get(f"{API}/keys")).status_code == 403
    own = roles.house.admin(await _issue(roles, "of reader", user="eve@acme.example", roles=["reader"]))
    assert (await own.get(f"{API}/applications")).status_code == 200
    removed = await roles.admin.delete(f"{API}/roles/reader")
    assert (removed.status_code, removed.json()["code"]) == (409, "still_in_use")
    assert (await roles.admin.put(f"{API}/roles/reader", json={**role, "permissions": []})).status_code == 200
    assert (await own.get(f"{API}/applications")).status_code == 403
    grown = {**role, "permissions": ["security:write"]}
    assert (await roles.owner.put(f"{API}/roles/reader", json=grown)).status_code == 200
    assert (await roles.admin.put(f"{API}/roles/reader", json=role)).status_code == 403
    assert (await roles.admin.delete(f"{API}/roles/reader")).status_code == 403
    given = await roles.admin.post(f"{API}/role-assignments", json={"role": "reader", "user": "ana@acme.example"})
    assert given.status_code == 403


async def test_nobody_changes_or_removes_who_may_do_more(roles: Roles) -> None:
    boss = {"email": "boss@acme.example", "roles": ["owner"]}
    assert (await roles.admin.post(f"{API}/users", json=boss)).status_code == 403
    assert (await roles.owner.post(f"{API}/users", json=boss)).status_code == 201
    address = f"{API}/users/boss@acme.example"
    for refused in (await roles.admin.put(address, json={**boss, "roles": []}), await roles.admin.delete(address)):
        assert (refused.status_code, refused.json()["code"]) == (403, "rights_exceeded")
    lowered = await roles.admin.put(f"{API}/keys/acme-owner", json={"name": "acme-owner", "roles": ["admin"]})
    assert (lowered.status_code, lowered.json()["code"]) == (403, "rights_exceeded")


async def test_a_tenant_bounds_how_long_keys_live(roles: Roles) -> None:
    assert (await roles.owner.put(f"{API}/security-settings", json={"max_key_lifetime": "30d"})).status_code == 200
    now = to_datetime(roles.clock.now_ns())
    for days, status in ((None, 422), (31, 422), (29, 201)):
        expires = None if days is None else (now + timedelta(days=days)).isoformat()
        body = {"name": f"for {days} days", "application": "copilot", "expires": expires}
        assert (await roles.owner.post(f"{API}/keys", json=body)).status_code == status
    unchanged = await roles.owner.put(f"{API}/keys/copilot-key", json={"name": "copilot-key", "application": "copilot"})
    assert unchanged.status_code == 200, "what was there before lives on"
    assert (await roles.owner.post(f"{API}/keys/copilot-key/rotate")).status_code == 200


async def test_whose_a_leaked_secret_is(roles: Roles) -> None:
    secret = await _issue(roles, "leaked", application="copilot")
    assert has_checksum(secret)
    hint = secret[:14]
    (found,) = (await roles.admin.get(f"{API}/keys", params={"hint": hint})).json()["items"]
    assert (found["name"], found["revoked_at"]) == ("leaked", None)
    assert (await roles.admin.delete(f"{API}/keys/leaked")).status_code == 204
    (found,) = (await roles.admin.get(f"{API}/keys", params={"hint": hint})).json()["items"]
    assert found["revoked_at"] is not None
    elsewhere = roles.house.admin("globex-administrator-key-with-enough-characters")
    assert (await elsewhere.get(f"{API}/keys", params={"hint": hint})).json()["items"] == []
    assert (await roles.admin.get(f"{API}/keys", params={"hint": secret})).status_code == 422


async def test_when_a_key_was_used_last(roles: Roles) -> None:
    house, client = roles.house, roles.house.client(ACME_KEY)
    read = f"{API}/keys/copilot-key"
    assert (await roles.owner.get(read)).json()["last_used_at"] is None
    assert (await client.post("/v1/chat/completions", json=CHAT)).status_code == 200
    assert (await roles.owner.get(read)).json()["last_used_at"] is None, "nothing is written while calls wait"
    await house.parts.key_uses.flush()
    first = (await roles.owner.get(read)).json()["last_used_at"]
    assert first is not None
    roles.clock.advance(20)
    await client.get("/v1/models")
    written = await _versions(roles)
    await house.parts.key_uses.flush()
    assert await _versions(roles) == written, "the same minute is not written twice"
    roles.clock.advance(60)
    await client.get("/v1/models")
    await house.parts.key_uses.flush()

    async def is_written() -> bool:
        found = str((await roles.owner.get(read)).json()["last_used_at"])
        return found > str(first)

    # The process wakes at the minute too, and may have taken what there was to write.
    await eventually(is_written)
    assert (await house.client(ACME_KEY[:-1]).get("/v1/models")).status_code == 401


async def test_rotations_within_the_grace_keep_each_secret_for_its_own_time(roles: Roles) -> None:
    first = await _issue(roles, "turning", application="copilot")
    rotate = f"{API}/keys/turning/rotate"
    second = (await roles.owner.post(rotate, json={"grace": "2h"})).json()["secret"]
    roles.clock.advance(3600)
    third = (await roles.owner.post(rotate, json={"grace": "2h"})).json()["secret"]
    assert await _working(roles, first, second, third) == [True, True, True]
    roles.clock.advance(3600)
    assert await _working(roles, first, second, third) == [False, True, True]
    fourth = (await roles.owner.post(rotate, json={"grace": "0s"})).json()["secret"]
    assert await _working(roles, first, second, third, fourth) == [False, False, False, True]


async def test_a_repeated_request_shows_the_secret_to_nobody(roles: Roles) -> None:
    headers = {"idempotency-key": "the-same-key"}
    body = {"name": "once", "application": "copilot"}
    made = await roles.owner.post(f"{API}/keys", json=body, headers=headers)
    secret = made.json()["secret"]
    again = await roles.owner.post(f"{API}/keys", json=body, headers=headers)
    assert (again.json()["secret"], again.headers["idempotency-replayed"]) == (None, "true")
    other = await roles.house.admin(ACME_ADMIN_KEY).post(f"{API}/keys", json=body, headers=headers)
    assert other.status_code == 409
    for text in (
        again.text,
        other.text,
        roles.house.log_lines(),
        (await roles.owner.get(f"{API}/events?limit=500")).text,
    ):
        assert secret not in text


async def _working(roles: Roles, *secrets: str) -> list[bool]:
    return [(await roles.house.client(secret).get("/v1/models")).status_code == 200 for secret in secrets]


async def _versions(roles: Roles) -> list[Any]:
    """Which transaction wrote each row last."""
    async with roles.house.unit() as unit:
        return [tuple(row) for row in await unit.fetch("SELECT key_id, xmin::text FROM key_uses ORDER BY key_id")]
