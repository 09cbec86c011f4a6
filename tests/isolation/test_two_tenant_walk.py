"""The two-tenant walk over every address: what acme has does not exist for globex.

`enfilade doctor isolation` walks in the same way, over tenants that it makes itself. These here have rows in every table.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx2
import pytest
import pytest_asyncio
from fastapi.routing import APIRoute

from enfilade.api.admin_app import admin_routers, auth_routers, scim_routers
from enfilade.api.asgi import AsgiApp, Message, Receive, Scope, Send
from enfilade.api.served import Served
from enfilade.bootstrap.isolation.asking import UUID, Asker, Request, askers_of
from enfilade.bootstrap.isolation.requests import BODIES, DOES_MORE, NAMED_WITHIN, REASONS
from enfilade.bootstrap.isolation.walk import Walk
from enfilade.storage.isolation.types import Guarded
from tests.isolation.two_tenants import ADMINS, KEYS, NEVER_ID, SHARED_KEY, WALKERS, TwoTenants, as_owner
from tests.support.world import ACME_KEY, GLOBEX_KEY

CALL: dict[str, Any] = {
    "model": "simulated/echo",
    "messages": [{"role": "user", "content": "The plans of acme"}],
    "max_tokens": 9,
}
NAMED: dict[str, dict[str, Any]] = {
    "departments": {"name": "acme-sales"},
    "users": {"email": "ana@acme.example"},
    "applications": {"name": "acme-app"},
    "keys": {"name": "acme-key", "roles": ["admin"]},
}
SILENT = {
    "/api/v1/access/schema",
    "/api/v1/account-rules",
    "/api/v1/anomaly-rules",
    "/api/v1/approval-delegations",
    "/api/v1/configuration/schema",
    "/api/v1/exports",
    "/api/v1/issuer",
    "/api/v1/me/second-factors",
    "/api/v1/movers",
    "/api/v1/security-settings",
    "/api/v1/sessions/current",
    "/api/v1/spend",
    "/api/v1/spend/roll-ups",
    "/metrics",
    "/scim/v2/ResourceTypes",
    "/scim/v2/Schemas",
    "/scim/v2/ServiceProviderConfig",
}
"""Lists that name nothing of acme's to acme either."""


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def walk(both: TwoTenants) -> Walk:
    """A walk between these tenants."""
    application = both.house.parts.application()
    askers = [askers_of(application, WALKERS, tenant) for tenant in ("acme", "globex")]
    return await Walk.between(application.addresses(), *askers)


async def walked(walk: Walk) -> dict[str, Guarded]:
    """What came of it, by address."""
    return {item.name: item async for item in walk.go("test")}


def to(walk: Walk, name: str, application: AsgiApp) -> Walk:
    """The walk to one address, through another application than the house's own."""
    served = [served for served in walk.served if served.name == name]
    return replace(walk, served=served, asker=askers_of(application, WALKERS, "globex"))


async def test_what_acme_has_does_not_exist_for_globex(both: TwoTenants, walk: Walk) -> None:
    before = await _state_of_acme(both)
    found = await walked(walk)
    assert [(item.name, item.faults) for item in found.values() if item.faults] == []
    # Whatever names something was asked for acme's and for nobody's, or says why not.
    for name, item in found.items():
        if "{" in name:
            assert "requests" in item.probe or name in REASONS or "platform" in item.guard, item
    assert sum(int(item.probe.split()[0]) for item in found.values() if "requests" in item.probe) > 800
    assert await _state_of_acme(both) == before


async def _state_of_acme(both: TwoTenants) -> list[str]:
    """Everything that could be changed of acme, as acme sees it."""
    acme = askers_of(both.house.parts.application(), WALKERS, "acme")
    served = [one for one in both.house.parts.application().addresses() if one.method == "GET" and "{" not in one.path]
    paths = [one.path for one in served if one.path.startswith("/api/v1") and one.reach != "platform"]
    paths.remove("/api/v1/usage-events")  # The pages there grow with what is settled.
    return [(await acme.person.get(path)).text for path in paths]


async def test_what_the_walk_says_somewhere_is_said_where_something_is_served(served: dict[str, Served]) -> None:
    for table in (BODIES, REASONS, NAMED_WITHIN, DOES_MORE):
        assert sorted(set(table) - set(served)) == []


@pytest.fixture
def served(both: TwoTenants) -> dict[str, Served]:
    """Every address of the house, by name."""
    return {one.name: one for one in both.house.parts.application().addresses()}


async def test_every_kind_of_address_is_among_those_that_are_walked(served: dict[str, Served]) -> None:
    for prefix, routers in (("/api/v1", admin_routers()), ("/scim/v2", scim_routers()), ("/auth", auth_routers())):
        for route in (route for router in routers for route in router.routes if isinstance(route, APIRoute)):
            path = route.path.replace(":path}", "}")
            assert {f"{method} {prefix}{path}" for method in route.methods or ()} <= served.keys(), path
    for prefix in ("/v1/", "/v1beta/", "/api/v1/", "/scim/v2/", "/access/v1/", "/auth/", "/healthz"):
        assert any(one.path.startswith(prefix) for one in served.values()), prefix


async def test_every_list_was_one_in_which_acme_finds_something(both: TwoTenants, walk: Walk) -> None:
    # Otherwise there would have been nothing to leave out.
    askers = askers_of(both.house.parts.application(), WALKERS, "acme")
    silent = set()
    for one in walk.served:
        if one.method == "GET" and "{" not in one.path and one.reach != "platform" and one.name not in REASONS:
            reply = await askers.for_address(one.path).get(one.path)
            silent |= set() if walk.leaked(reply) else {one.path}
    assert silent == SILENT


Tamper = Callable[[Scope, Message], Message]


def tampered(real: AsgiApp, change: Tamper) -> AsgiApp:
    """The application with its replies changed."""

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        async def changed(message: Message) -> None:
            await send(change(scope, message))

        await real(scope, receive, changed)

    return application


ADDRESS = "GET /api/v1/users/{email}"


def _another_status(scope: Scope, message: Message) -> Message:
    told = "ana@acme" in scope["path"] and message["type"] == "http.response.start"
    return {**message, "status": 403} if told else message


def _another_header(scope: Scope, message: Message) -> Message:
    told = "ana@acme" in scope["path"] and message["type"] == "http.response.start"
    return {**message, "headers": [*message["headers"], (b"x-owner", b"somebody")]} if told else message


def _another_body(scope: Scope, message: Message) -> Message:
    told = "ana@acme" in scope["path"] and message["type"] == "http.response.body"
    return {**message, "body": message["body"].replace(b"There is no", b"You may not see the")} if told else message


def _given_out(scope: Scope, message: Message) -> Message:
    return {**message, "status": 200} if message["type"] == "http.response.start" else message


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_another_status, "403"),
        (_another_header, "another reply"),
        (_another_body, "another reply"),
        (_given_out, "as if it were the caller's"),
    ],
)
async def test_an_answer_that_tells_is_found(both: TwoTenants, walk: Walk, change: Tamper, words: str) -> None:
    application = tampered(both.house.parts.application(), change)
    found = await walked(to(walk, ADDRESS, application))
    assert any(words in fault for fault in found[ADDRESS].faults), found[ADDRESS]


async def test_a_list_that_names_something_of_anothers_is_found(both: TwoTenants, walk: Walk) -> None:
    def name_it(_scope: Scope, message: Message) -> Message:
        return {**message, "body": b"[" + both.ids["users"][0].encode() + b"]"} if "body" in message else message

    found = await walked(to(walk, "GET /api/v1/users", tampered(both.house.parts.application(), name_it)))
    assert any("the answer names" in fault for fault in found["GET /api/v1/users"].faults)


async def test_more_work_for_what_is_there_is_found_without_a_clock(both: TwoTenants, walk: Walk) -> None:
    real = both.house.parts.application()

    async def looks_again(scope: Scope, receive: Receive, send: Send) -> None:
        if "ana@acme" in scope["path"]:
            async with both.house.unit() as unit:
                await unit.fetch_value("SELECT 'is it somebody else''s?'")
        await real(scope, receive, send)

    found = await walked(to(walk, ADDRESS, looks_again))
    assert any("other statements are run" in fault for fault in found[ADDRESS].faults)


async def test_an_address_of_which_nothing_is_known_is_a_finding(walk: Walk) -> None:
    new_ones = [
        Served("POST", "/api/v1/new-things", "any key", has_body=True),
        Served("GET", "/api/v1/new-things/{name}", "any key"),
        Served("POST", "/v2/new", "a key's tenant"),
    ]
    body, place, new = [item async for item in replace(walk, served=new_ones).go("test")]
    assert "no body" in body.faults[0]
    assert "nothing of new-things" in place.faults[0]
    assert "it was not tried" in new.faults[0]


async def test_a_cursor_from_elsewhere_leads_to_globexs_own_rows_only(both: TwoTenants) -> None:
    for path in ("/calls", "/events", "/keys", "/departments", "/applications", "/users"):
        cursors = []
        for elsewhere in (both.as_admin("acme"), as_owner(both)):
            page = (await elsewhere.get(f"/api/v1{path}", params={"limit": 1})).json()
            cursors += [page["next"]] if page["next"] else []
        assert cursors
        for cursor in cursors:
            reply = await both.as_admin("globex").get(f"/api/v1{path}", params={"cursor": cursor})
            assert reply.status_code == 200
            assert not [secret for secret in both.everything_of_acme() if secret in reply.text]


async def test_what_globex_spent_is_grouped_without_acme(both: TwoTenants) -> None:
    secrets = both.everything_of_acme()
    for kind in ("tenant", "department", "application,day", "key", "model", "metadata:team"):
        own, theirs = [
            (await both.as_admin(tenant).get("/api/v1/spend", params={"group_by": kind})).text
            for tenant in ("globex", "acme")
        ]
        assert not [secret for secret in secrets if secret in own], kind
        assert [secret for secret in secrets if secret in theirs], kind


async def test_a_name_that_acme_has_is_free_for_globex(both: TwoTenants) -> None:
    before = await _state_of_acme(both)
    client = both.as_admin("globex")
    for noun, body in NAMED.items():
        made = await client.post(f"/api/v1/{noun}", json=body)
        assert made.status_code == 201, made.text
        assert made.json()["tenant"] == "globex"
        assert made.json()["id"] not in both.ids[noun]
        assert (await client.delete(f"/api/v1/{noun}/{both.names[noun]}")).status_code == 204
    assert await _state_of_acme(both) == before


async def test_a_repeated_request_is_repeated_within_its_tenant_only(both: TwoTenants) -> None:
    for tenant in ("acme", "globex"):
        client = both.as_admin(tenant)
        headers = {"idempotency-key": SHARED_KEY}
        reply = await client.post("/api/v1/departments", json={"name": "of-both"}, headers=headers)
        assert reply.status_code == 201
        assert reply.json()["tenant"] == tenant
        assert "idempotency-replayed" not in reply.headers
        assert (await client.delete("/api/v1/departments/of-both")).status_code == 204


async def test_a_call_cannot_be_made_for_a_user_of_acme(both: TwoTenants, served: dict[str, Served]) -> None:
    globex = Asker(both.house.parts.application(), KEYS["globex"])
    calls = [one for one in served.values() if one.method == "POST" and one.path in _call_paths(both)]
    assert len(calls) > 10
    for call in calls:
        replies = [
            await globex.ask(_for_user(call, name))
            for name in ("ana@acme.example", "ana@umbrella.example", both.ids["users"][0], NEVER_ID)
        ]
        assert {reply.status for reply in replies} == {403}
        assert len({UUID.sub("<id>", reply.text) for reply in replies}) == 1


def _call_paths(both: TwoTenants) -> list[str]:
    paths: list[str] = both.house.parts.application()._calls.paths()
    return paths


def _for_user(call: Served, name: str) -> Request:
    path = call.path.replace("{model}", "chat")
    return Request("POST", path, headers={"x-enfilade-user": name}, body=BODIES[call.name][0])


async def test_an_answer_that_was_kept_for_acme_is_not_given_to_globex(both: TwoTenants) -> None:
    async def is_cached(key: str) -> bool:
        reply = await both.house.client(key).post("/v1/chat/completions", json=CALL)
        assert reply.status_code == 200
        return reply.headers.get("x-enfilade-cache") == "hit"

    assert await is_cached(ACME_KEY)  # It was asked while the stage was set.
    assert not await is_cached(GLOBEX_KEY)
    assert await is_cached(GLOBEX_KEY)


async def test_what_globexs_keys_read_elsewhere_names_nothing_of_acme(both: TwoTenants) -> None:
    for client in (both.house.client(GLOBEX_KEY), both.house.client(ADMINS["globex"])):
        for path, status in {"/v1/models": 200, "/v1/models/acme": 404, "/metrics": 403}.items():
            reply = await client.get(path)
            assert reply.status_code == status
            text = reply.text.replace(path.rpartition("/")[2], "<it>")
            assert not [secret for secret in both.everything_of_acme() if secret in text]


async def test_what_anybody_may_read_names_no_tenant(both: TwoTenants) -> None:
    for path in ("/", "/healthz", "/readyz", "/api/openapi.json", "/api/docs"):
        reply: httpx2.Response = await both.house.client(None).get(path)
        assert reply.status_code == 200
        # The published schema has examples, whose names are nobody's.
        assert not [secret for secret in both.everything_of_acme() - {"acme"} if secret in reply.text]
