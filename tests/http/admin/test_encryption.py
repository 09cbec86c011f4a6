"""Keys over the admin API: how they stand, rotation, withdrawal, destruction, and persons who are erased."""

from typing import Any

import pytest
from httpx2 import AsyncClient

from tests.support.house import House
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, ACME_USER_KEY, GLOBEX_KEY

ACME = {"tenant": "acme"}
QUESTION = {"model": "chat", "input": "my secret question"}


async def test_what_is_kept_is_sealed_under_the_person_and_read_back(house: House) -> None:
    caller = house.client(ACME_USER_KEY)
    kept = await _ask(caller)
    await _ask(house.client(ACME_KEY))
    status = (await house.admin().get("/api/v1/encryption/key", params=ACME)).json()
    assert (status["state"], status["subjects"], status["outdated_subjects"]) == ("active", 2, 0)
    assert [version["state"] for version in status["versions"]] == ["active"]
    found = await caller.get(f"/v1/responses/{kept}/input_items")
    assert "my secret question" in found.text
    async with house.parts.database.owner() as owner:
        await owner.execute("SET ROLE enfilade_operator")
        rows = await owner.fetch("SELECT input, reply FROM enfilade_shared.responses")
    assert len(rows) == 2
    assert all(b"secret" not in part and part[0] == 2 for row in rows for part in row)


async def test_a_rotated_key_seals_what_is_new_and_opens_what_is_old(house: House) -> None:
    caller, owner = house.client(ACME_USER_KEY), house.admin()
    before = await _ask(caller)
    versions = (await owner.post("/api/v1/encryption/rotate", params=ACME)).json()
    assert [(one["version"], one["state"]) for one in versions] == [(1, "retired"), (2, "active")]
    after = await _ask(caller, previous_response_id=before)
    for kept in (before, after):
        assert (await caller.get(f"/v1/responses/{kept}")).status_code == 200
    renewed = await owner.post("/api/v1/encryption/rewrap")
    assert renewed.status_code == 200
    status = (await owner.get("/api/v1/encryption/key", params=ACME)).json()
    assert status["outdated_subjects"] == 0
    assert (await caller.get(f"/v1/responses/{before}")).status_code == 200
    assert await _events(owner, "TenantKeyRotated") == [{"version": 2}]


async def test_a_withdrawn_key_ends_calls_and_reads_until_it_is_restored(house: House) -> None:
    caller, owner = house.client(ACME_USER_KEY), house.admin()
    kept = await _ask(caller)
    withdrawn = await owner.post("/api/v1/encryption/withdraw", params=ACME)
    assert (withdrawn.status_code, withdrawn.json()["state"]) == (200, "withdrawn")
    for refused in (
        await caller.post("/v1/chat/completions", json={"model": "chat", "messages": [_said("hello")]}),
        await caller.post("/v1/messages", json={"model": "chat", "max_tokens": 5, "messages": [_said("hello")]}),
        await caller.post("/v1/responses", json=QUESTION),
        await caller.post("/v1/responses", json=QUESTION | {"previous_response_id": kept}),
        await caller.get(f"/v1/responses/{kept}"),
        await caller.post("/v1/conversations", json={}),
    ):
        assert refused.status_code == 403
        assert "withdrawn" in refused.text
        assert "my secret question" not in refused.text
    assert (await house.client(GLOBEX_KEY).post("/v1/responses", json=QUESTION)).status_code == 200
    again = await owner.post("/api/v1/encryption/withdraw", params=ACME)
    assert (again.status_code, again.json()["code"]) == (403, "encryption_key_withdrawn")
    restored = await owner.post("/api/v1/encryption/restore", params=ACME)
    assert restored.json()["state"] == "active"
    assert (await caller.get(f"/v1/responses/{kept}")).status_code == 200
    assert (await owner.post("/api/v1/encryption/restore", params=ACME)).json()["code"] == "key_state_conflict"
    assert await _events(owner, "TenantKeyWithdrawn", "TenantKeyRestored") == [{"versions": [1]}, {"versions": [1]}]


async def test_what_the_platform_withdrew_a_tenants_owner_neither_restores_nor_destroys(house: House) -> None:
    platform, owner = house.admin(), house.admin(await _owner_key(house))
    kept = await _ask(house.client(ACME_USER_KEY))
    own = (await owner.post("/api/v1/encryption/withdraw")).json()
    assert (own["state"], own["withdrawn_by"]) == ("withdrawn", "tenant")
    assert (await owner.post("/api/v1/encryption/withdraw")).json()["code"] == "encryption_key_withdrawn"
    assert (await owner.post("/api/v1/encryption/restore")).json()["withdrawn_by"] is None
    assert (await owner.post("/api/v1/encryption/withdraw")).status_code == 200
    # What the tenant withdrew, the platform may withdraw too; from then on it is the platform's to give back.
    taken_over = (await platform.post("/api/v1/encryption/withdraw", params=ACME)).json()
    assert (taken_over["state"], taken_over["withdrawn_by"]) == ("withdrawn", "platform")
    for verb, body in (("restore", None), ("destroy", {"confirm": "acme"})):
        refused = await owner.post(f"/api/v1/encryption/{verb}", json=body)
        assert (refused.status_code, refused.json()["code"]) == (403, "withdrawn_by_platform"), verb
    for verb in ("withdraw", "rotate"):
        refused = await owner.post(f"/api/v1/encryption/{verb}")
        assert (refused.status_code, refused.json()["code"]) == (403, "encryption_key_withdrawn"), verb
    refused = await owner.put("/api/v1/encryption/master-key", json={"service": None})
    assert (refused.status_code, refused.json()["code"]) == (403, "encryption_key_withdrawn")
    shown = (await owner.get("/api/v1/encryption/key")).json()
    assert (shown["state"], shown["withdrawn_by"]) == ("withdrawn", "platform")
    assert (await platform.post("/api/v1/encryption/restore", params=ACME)).json()["state"] == "active"
    assert (await house.client(ACME_USER_KEY).get(f"/v1/responses/{kept}")).status_code == 200


async def test_a_destroyed_key_takes_everything_with_it_after_a_confirmation(house: House) -> None:
    caller, owner = house.client(ACME_USER_KEY), house.admin()
    kept = await _ask(caller)
    unconfirmed = await owner.post("/api/v1/encryption/destroy", params=ACME, json={"confirm": "globex"})
    assert unconfirmed.status_code == 400
    assert (await caller.get(f"/v1/responses/{kept}")).status_code == 200
    destroyed = await owner.post("/api/v1/encryption/destroy", params=ACME, json={"confirm": "acme"})
    assert destroyed.json()["state"] == "destroyed"
    for refused in (await caller.get(f"/v1/responses/{kept}"), await caller.post("/v1/responses", json=QUESTION)):
        assert refused.status_code == 403
        assert "destroyed" in refused.text
    for verb in ("restore", "rotate"):
        assert (await owner.post(f"/api/v1/encryption/{verb}", params=ACME)).status_code in {403, 409}
    async with house.parts.database.owner() as connection:
        wrapped = await connection.fetchval(
            "SELECT count(wrapped) FROM enfilade.tenant_keys WHERE tenant_id = $1", house.tenant_id("acme")
        )
    assert wrapped == 0


async def test_an_erased_person_leaves_an_id_and_events(house: House) -> None:
    caller, copilot, owner = house.client(ACME_USER_KEY), house.client(ACME_KEY), house.admin()
    await _ask(caller)
    shared = (await copilot.post("/v1/conversations", json={"items": [_item("from the application")]})).json()["id"]
    named = {"x-enfilade-user": "ana@acme.example"}
    mine = (await copilot.post("/v1/responses", json=QUESTION, headers=named)).json()["id"]
    added = await copilot.post(f"/v1/conversations/{shared}/items", json={"items": [_item("from ana")]}, headers=named)
    assert added.status_code == 200
    erased = await owner.post("/api/v1/users/ana@acme.example/erase", params=ACME)
    assert erased.status_code == 200
    (identifier,) = erased.json()["ids"]
    assert (await caller.get("/v1/responses")).status_code == 401
    assert (await copilot.get(f"/v1/responses/{mine}")).status_code == 404
    left = await copilot.get(f"/v1/conversations/{shared}/items")
    assert "from the application" in left.text
    assert "from ana" not in left.text
    assert (await owner.get("/api/v1/users/ana@acme.example", params=ACME)).status_code == 404
    async with house.parts.database.owner() as connection:
        await connection.execute("SET ROLE enfilade_operator")
        row = await connection.fetchrow("SELECT u::text FROM enfilade_shared.users u WHERE id = $1", identifier)
        keys = await connection.fetch(
            "SELECT wrapped FROM enfilade_shared.subject_keys WHERE subject_id = $1", identifier
        )
    assert "ana" not in row[0]
    assert keys
    assert all(key["wrapped"] is None for key in keys)
    told = await owner.get("/api/v1/events", params=ACME | {"limit": 100})
    assert "ana@acme.example" not in told.text
    assert {"SubjectKeyDestroyed", "UserErased"} <= {event["type"] for event in told.json()["items"]}
    again = await owner.post(f"/api/v1/users/{identifier}/erase", params=ACME)
    assert (again.status_code, again.json()["ids"]) == (200, [identifier])
    assert (await owner.post("/api/v1/users/nobody@acme.example/erase", params=ACME)).status_code == 404


async def test_nothing_is_kept_for_a_person_who_is_erased_while_a_call_runs(house: House) -> None:
    async with house.unit() as unit:
        await unit.act_in(house.tenant_id("acme"))
        user = await house.parts.identity.users.get(unit, "ana@acme.example")
        await house.parts.sealing.encryption.erase_subject(unit, user.id)
    await house.parts.directory.refresh()
    reply = await house.client(ACME_USER_KEY).post("/v1/responses", json=QUESTION)
    assert reply.status_code == 200
    assert (await house.client(ACME_USER_KEY).get("/v1/responses")).json()["data"] == []


async def test_the_installation_shows_its_master_key_and_the_platforms_versions(house: House) -> None:
    owner = house.admin()
    await _ask(house.client(ACME_KEY))
    rotated = await owner.post("/api/v1/encryption/rotate")
    assert [one["state"] for one in rotated.json()] == ["retired", "active"]
    status = (await owner.get("/api/v1/encryption")).json()
    (master,) = status["master_keys"]
    assert master["name"].startswith("local:")
    assert (master["tenants"], master["is_current"], master["may_be_removed"]) == (2, True, False)
    assert [one["version"] for one in status["platform"]] == [1, 2]
    for verb, body in (("withdraw", None), ("destroy", {"confirm": "platform"})):
        refused = await owner.post(f"/api/v1/encryption/{verb}", json=body)
        assert refused.json()["code"] == "tenant_required"


async def test_tenants_name_only_master_keys_that_the_installation_lets_them(house: House) -> None:
    body = {"service": "vault-transit:transit/globex"}
    refused = await house.admin(await _owner_key(house)).put("/api/v1/encryption/master-key", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_master_key_service")
    away = await house.admin().put("/api/v1/encryption/master-key", json=body, params=ACME)
    assert away.json()["code"] == "master_key_fault"
    assert "ENFILADE_VAULT_ADDR" in away.json()["detail"]


@pytest.mark.parametrize(("method", "path"), [("GET", ""), ("POST", "/rewrap"), ("POST", "/withdraw")])
async def test_a_tenants_administrators_change_no_keys(house: House, method: str, path: str) -> None:
    reply = await house.admin(ACME_ADMIN_KEY).request(method, f"/api/v1/encryption{path}")
    assert reply.status_code == 403
    assert (await house.admin(ACME_ADMIN_KEY).get("/api/v1/encryption/key")).status_code == 200


async def _owner_key(house: House) -> str:
    reply = await house.admin().post("/api/v1/keys", json={"name": "own", "roles": ["owner"]}, params=ACME)
    secret: str = reply.json()["secret"]
    return secret


async def _ask(caller: AsyncClient, **more: Any) -> str:
    reply = await caller.post("/v1/responses", json=QUESTION | more)
    assert reply.status_code == 200, reply.text
    identifier: str = reply.json()["id"]
    return identifier


async def _events(owner: AsyncClient, *types: str) -> list[dict[str, Any]]:
    found = (await owner.get("/api/v1/events", params=ACME | {"limit": 200})).json()["items"]
    wanted = [event for event in found if event["type"] in types]
    assert all(_data(event)["by"].startswith("key:") for event in wanted)
    wanted.sort(key=lambda event: types.index(event["type"]))
    return [{name: _data(event)[name] for name in ("version", "versions") if name in _data(event)} for event in wanted]


def _data(event: dict[str, Any]) -> dict[str, Any]:
    data: dict[str, Any] = event["event"]["data"]
    return data


def _said(text: str) -> dict[str, str]:
    return {"role": "user", "content": text}


def _item(text: str) -> dict[str, str]:
    return {"type": "message", **_said(text)}
