"""A request that is repeated with its idempotency key is worked on once."""

import asyncio
import uuid

import pytest
from httpx2 import AsyncClient

from tests.support.house import House
from tests.support.world import ACME_ADMIN_KEY

pytestmark = pytest.mark.asyncio(loop_scope="module")
QUERY = {"tenant": "acme"}
PATH = "/api/v1/departments"


def _fresh() -> dict[str, str]:
    return {"idempotency-key": str(uuid.uuid4())}


async def test_a_repeated_request_gets_the_same_reply_and_is_done_once(owner: AsyncClient) -> None:
    key, body = _fresh(), {"name": "idempotent"}
    first = await owner.post(PATH, json=body, params=QUERY, headers=key)
    again = await owner.post(PATH, json=body, params=QUERY, headers=key)
    assert first.status_code == again.status_code == 201
    assert first.content == again.content
    assert first.headers["etag"] == again.headers["etag"]
    assert "idempotency-replayed" not in first.headers
    assert again.headers["idempotency-replayed"] == "true"
    assert first.headers["x-request-id"] != again.headers["x-request-id"]
    # Without the key it is a request of its own.
    assert (await owner.post(PATH, json=body, params=QUERY)).status_code == 409


async def test_a_removal_can_be_repeated(owner: AsyncClient) -> None:
    await owner.post(PATH, json={"name": "removed"}, params=QUERY)
    key = _fresh()
    for _ in range(2):
        reply = await owner.delete(f"{PATH}/removed", params=QUERY, headers=key)
        assert (reply.status_code, reply.content) == (204, b"")


async def test_a_refusal_is_repeated_too(owner: AsyncClient) -> None:
    key = _fresh()
    first, again = [await owner.post(PATH, json={"name": "\n"}, params=QUERY, headers=key) for _ in range(2)]
    assert (first.status_code, again.status_code) == (422, 422)
    assert first.json() == again.json()
    assert again.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("other", ["body", "path", "query", "method"])
async def test_the_key_of_another_request_is_refused(owner: AsyncClient, other: str) -> None:
    key, body = _fresh(), {"name": f"first {other}"}
    await owner.post(PATH, json=body, params=QUERY, headers=key)
    requests = {
        "body": ("POST", PATH, {"name": "other"}, QUERY),
        "path": ("POST", "/api/v1/applications", body, QUERY),
        "query": ("POST", PATH, body, {"tenant": "globex"}),
        "method": ("PUT", PATH, body, QUERY),
    }
    method, path, sent, query = requests[other]
    reply = await owner.request(method, path, json=sent, params=query, headers=key)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_idempotency_key")


async def test_requests_at_the_same_time_are_worked_on_once(owner: AsyncClient) -> None:
    key, body = _fresh(), {"name": "at once", "roles": ["admin"]}
    replies = await asyncio.gather(
        *(owner.post("/api/v1/keys", json=body, params=QUERY, headers=key) for _ in range(8))
    )
    assert {reply.status_code for reply in replies} <= {201, 409}
    made = [reply for reply in replies if reply.status_code == 201]
    waiting = [reply for reply in replies if reply.status_code == 409]
    assert len({reply.json()["id"] for reply in made}) == 1
    assert {reply.json()["code"] for reply in waiting} <= {"request_in_progress"}
    assert all(reply.headers["retry-after"] for reply in waiting)
    # The secret is shown once, also where several get the reply.
    assert [bool(reply.json()["secret"]) for reply in made].count(True) == 1


async def test_a_secret_is_not_kept_for_repetitions(owner: AsyncClient, shared: House) -> None:
    key, body = _fresh(), {"name": "once", "application": "copilot"}
    first = await owner.post("/api/v1/keys", json=body, params=QUERY, headers=key)
    again = await owner.post("/api/v1/keys", json=body, params=QUERY, headers=key)
    secret = first.json()["secret"]
    assert secret.startswith("enf_")
    assert again.json() == first.json() | {"secret": None}
    async with shared.unit() as unit:
        rows = await unit.fetch("SELECT body FROM idempotency_keys")
    assert rows
    assert not any(secret in (row["body"] or "") for row in rows)


async def test_keys_of_others_do_not_meet(owner: AsyncClient, shared: House) -> None:
    key = _fresh()
    mine = await owner.post(PATH, json={"name": "met"}, params=QUERY, headers=key)
    theirs = await shared.admin(ACME_ADMIN_KEY).post(PATH, json={"name": "met two"}, headers=key)
    assert (mine.status_code, theirs.status_code) == (201, 201)


@pytest.mark.parametrize("key", ["", "x" * 201, "a\tb", "ü"])
async def test_a_key_that_is_none_is_refused(owner: AsyncClient, key: str) -> None:
    headers = {b"idempotency-key": key.encode("latin-1")}
    reply = await owner.post(PATH, json={"name": "x"}, params=QUERY, headers=headers)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_idempotency_key")


async def test_a_failure_of_ours_can_be_repeated(
    owner: AsyncClient, shared: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object) -> None:
        raise RuntimeError

    key, body = _fresh(), {"name": "after a failure"}
    with monkeypatch.context() as patched:
        patched.setattr(type(shared.parts.identity.departments), "put", fail)
        failed = await owner.post(PATH, json=body, params=QUERY, headers=key)
        assert failed.status_code == 500
    assert (await owner.post(PATH, json=body, params=QUERY, headers=key)).status_code == 201
