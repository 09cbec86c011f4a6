"""The two-tenant walk over what callers have stored: for another tenant, and for another owner in the same one, acme's
application's responses and conversations do not exist."""

from collections.abc import Iterable, Iterator
from typing import Any

import httpx2
import pytest

from enfilade.bootstrap.isolation.asking import UUID
from tests.isolation.two_tenants import SECOND_KEY, USER_KEY, TwoTenants
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, GLOBEX_KEY, OWNER_KEY

NOBODYS = {
    "responses": "resp_01a19c217200700080000000000000ad",
    "conversations": "conv_01a19c217200700080000000000000ad",
    "items": "msg_nobody",
}
LISTS = ("/v1/responses", "/v1/conversations")
STORED: dict[str, dict[str, Any] | None] = {
    "GET /v1/responses": None,
    "GET /v1/responses/{responses}": None,
    "DELETE /v1/responses/{responses}": None,
    "POST /v1/responses/{responses}/cancel": None,
    "GET /v1/responses/{responses}/input_items": None,
    "GET /v1/conversations": None,
    "POST /v1/conversations": {},
    "GET /v1/conversations/{conversations}": None,
    "POST /v1/conversations/{conversations}": {"metadata": {}},
    "DELETE /v1/conversations/{conversations}": None,
    "GET /v1/conversations/{conversations}/items": None,
    "POST /v1/conversations/{conversations}/items": {"items": [{"role": "user", "content": "x"}]},
    "GET /v1/conversations/{conversations}/items/{items}": None,
    "DELETE /v1/conversations/{conversations}/items/{items}": None,
}
"""Every address of what callers have stored, with a body where it takes one."""


def filled(operation: str, names: dict[str, str]) -> tuple[str, str]:
    method, path = operation.split(" ")
    return method, path.format(**names)


def named() -> Iterator[str]:
    yield from (operation for operation in STORED if "{" in operation)


async def asked(client: httpx2.AsyncClient, operation: str, names: dict[str, str]) -> httpx2.Response:
    method, path = filled(operation, names)
    reply: httpx2.Response = await client.request(method, path, json=STORED[operation])
    return reply


async def state(both: TwoTenants) -> list[str]:
    """Everything that acme's application has stored, as it sees it."""
    client, found = both.house.client(ACME_KEY), []
    for operation in STORED:
        method, path = filled(operation, both.stored)
        if method == "GET":
            reply = await client.get(path)
            assert reply.status_code == 200, (path, reply.text)
            found.append(reply.text)
    return found


def seen(reply: httpx2.Response, values: Iterable[str]) -> tuple[int, dict[str, str], str]:
    """A reply without what differs between any two: what was asked for, and ids of requests."""
    text = reply.text
    for value in values:
        text = text.replace(value, "<it>")
    headers = {name: value for name, value in reply.headers.items() if name not in {"x-request-id", "content-length"}}
    return reply.status_code, headers, UUID.sub("<id>", text)


async def test_every_address_of_what_is_stored_is_here(both: TwoTenants) -> None:
    assert {served.name for served in both.house.parts.application()._stored.addresses()} == set(STORED)


@pytest.mark.parametrize("key", [GLOBEX_KEY, SECOND_KEY, USER_KEY], ids=["tenant", "application", "user"])
async def test_what_acmes_application_stored_does_not_exist_for(both: TwoTenants, key: str) -> None:
    before = await state(both)
    assert all(name in "".join(before) for name in both.stored.values())
    client = both.house.client(key)
    for operation in named():
        got, twin = await asked(client, operation, both.stored), await asked(client, operation, NOBODYS)
        assert seen(got, both.stored.values()) == seen(twin, NOBODYS.values()), operation
        assert got.status_code == 404, (operation, got.text)
    for path in LISTS:
        listed = await client.get(path)
        assert listed.status_code == 200
        assert not [name for name in both.everything_of_acme() if name in listed.text]
        after = both.stored["responses" if "responses" in path else "conversations"]
        beyond = await client.get(path, params={"after": after, "order": "asc"})
        assert not [name for name in both.everything_of_acme() - {after} if name in beyond.text]
    assert await state(both) == before


@pytest.mark.parametrize("key", [ACME_ADMIN_KEY, GLOBEX_ADMIN_KEY, OWNER_KEY], ids=["acme", "globex", "platform"])
async def test_a_key_that_administers_has_nothing_stored_and_sees_nothing(both: TwoTenants, key: str) -> None:
    for operation in STORED:
        reply = await asked(both.house.client(key), operation, both.stored)
        assert reply.status_code == 403, (operation, reply.text)
        assert not [name for name in both.stored.values() if name in reply.text]


@pytest.mark.parametrize("key", [None, "no-such-key"])
async def test_nobody_sees_anything_without_a_key(both: TwoTenants, key: str | None) -> None:
    for operation in STORED:
        assert (await asked(both.house.client(key), operation, both.stored)).status_code == 401, operation


async def test_another_key_of_the_same_application_sees_the_same(both: TwoTenants) -> None:
    key = {"name": "acme-another", "application": "acme-app"}
    issued = await both.as_admin("acme").post("/api/v1/keys", json=key)
    assert issued.status_code == 201, issued.text
    await both.house.parts.directory.refresh()
    found = await both.house.client(issued.json()["secret"]).get(f"/v1/responses/{both.stored['responses']}")
    assert found.status_code == 200
    assert (await both.as_admin("acme").delete("/api/v1/keys/acme-another")).status_code == 204
