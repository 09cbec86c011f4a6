"""The two-tenant walk over every route: what acme has does not exist for globex.

For every place where a request can name something, globex's administrator asks for what acme has and for what nobody
ever had; the two replies must be alike to the last byte. A route that is not listed in `routes` fails the walk.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.isolation.routes import LISTS, NEVER, PLATFORM_NOUNS, ROUTES, STORED, Route
from tests.isolation.two_tenants import NEVER_ID, SHARED_KEY, TwoTenants, as_owner
from tests.support.world import ACME_KEY, GLOBEX_KEY

REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
ANOTHER_ID = NEVER_ID.replace("dead", "beef")
CALL: dict[str, Any] = {
    "model": "simulated/echo",
    "messages": [{"role": "user", "content": "The plans of acme"}],
    "max_tokens": 9,
}
CONTENT = {"role": "user", "parts": [{"text": "The plans of acme"}]}
GEMINI: dict[str, dict[str, Any]] = {
    "generateContent": {"contents": [CONTENT]},
    "streamGenerateContent": {"contents": [CONTENT]},
    "countTokens": {"contents": [CONTENT]},
    "embedContent": {"content": CONTENT},
    "batchEmbedContents": {"requests": [{"model": "models/chat", "content": CONTENT}]},
}
CALLED: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": CALL,
    "/v1/messages": CALL,
    "/v1/messages/count_tokens": {"model": CALL["model"], "messages": CALL["messages"]},
    "/v1/embeddings": {"model": CALL["model"], "input": "x"},
    "/v1/responses": {"model": CALL["model"], "input": "x"},
    **{
        f"/{version}/models/{{model}}:{method}": body for version in ("v1", "v1beta") for method, body in GEMINI.items()
    },
}
"""Every address of calls, with a good request."""
NAMED: dict[str, dict[str, Any]] = {
    "departments": {"name": "acme-sales"},
    "users": {"email": "ana@acme.example"},
    "applications": {"name": "acme-app"},
    "keys": {"name": "acme-key", "roles": ["admin"]},
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request in which one value can be acme's or nobody's."""

    method: str
    path: str
    body: dict[str, Any] | None = None
    query: dict[str, str] = field(default_factory=dict)

    def asking_for(self, value: str, kind: str = "it") -> "Request":
        """The request with the value in its place."""
        body = None if self.body is None else {name: _filled(entry, value, kind) for name, entry in self.body.items()}
        return Request(self.method, _filled(self.path, value, kind), body, self.query)

    def with_query(self, parameter: str, value: str) -> "Request":
        """The request with one parameter."""
        return Request(self.method, self.path, self.body, {parameter: value})

    async def send(self, client: httpx2.AsyncClient, **headers: str) -> httpx2.Response:
        """The reply."""
        reply: httpx2.Response = await client.request(
            self.method, f"/api/v1{self.path}", json=self.body, params=self.query or None, headers=headers
        )
        return reply

    def values(self) -> list[str]:
        """Everything that it names."""
        named = [str(value).split(":")[-1] for value in (self.body or {}).values()]
        return [*self.path.split("/"), *named, *self.query.values()]


def _filled(entry: Any, value: str, kind: str) -> Any:
    return entry.replace(f"{{{kind}}}", value) if isinstance(entry, str) else entry


def pairs(both: TwoTenants, noun: str) -> Iterator[tuple[str, str]]:
    """What acme has, each with something alike that nobody has."""
    if noun in PLATFORM_NOUNS:
        yield "chat", "never-declared"
        return
    if noun in both.names:
        yield both.names[noun], NEVER[noun]
    for identifier in both.ids[noun]:
        yield identifier, NEVER_ID


def requests(both: TwoTenants, operation: str, route: Route) -> Iterator[tuple[Request, Request]]:
    """Each request for something of acme's, with its twin for what does not exist."""
    method, path = operation.split(" ")
    for body in route.bodies or (None,):
        request = Request(method, re.sub(r"\{\w+\}", "{it}", path), body)
        own = _own(operation, route)
        for kind in NEVER:
            if body is not None and any(f"{{{kind}}}" in str(entry) for entry in body.values()):
                for theirs, nobodys in pairs(both, kind):
                    yield (
                        request.asking_for(own).asking_for(theirs, kind),
                        request.asking_for(own).asking_for(nobodys, kind),
                    )
        settled = _with_own_references(request)
        if route.noun is not None:
            for theirs, nobodys in pairs(both, route.noun):
                yield settled.asking_for(theirs), settled.asking_for(nobodys)
        for parameter, noun in (("tenant", "tenants"), *route.filters):
            for theirs, nobodys in pairs(both, noun):
                asked = settled.asking_for(own)
                yield asked.with_query(parameter, theirs), asked.with_query(parameter, nobodys)


def _own(operation: str, route: Route) -> str:
    """What globex may name itself: something it has, or, to be created, something it does not have yet."""
    noun = route.noun or operation.split("/")[1]
    if noun not in NEVER:
        return "chat" if noun in PLATFORM_NOUNS else ANOTHER_ID
    own = NEVER[noun].replace("umbrella", "globex")
    return own if route.noun else f"new-{own}"


def _with_own_references(request: Request) -> Request:
    for kind, name in NEVER.items():
        request = request.asking_for(name.replace("umbrella", "globex"), kind)
    return request


def seen(reply: httpx2.Response, *values: str) -> tuple[int, dict[str, str], str]:
    """A reply without what differs between any two: the value that was asked for and the request's own id."""
    text = reply.text
    for value in values:
        text = text.replace(value, "<it>")
    headers = {name: value for name, value in reply.headers.items() if name not in {"x-request-id", "content-length"}}
    return reply.status_code, headers, text


async def test_the_walk_knows_every_route(both: TwoTenants) -> None:
    described = (await both.house.client(None).get("/api/openapi.json")).json()["paths"]
    served = {f"{method.upper()} {path.removeprefix('/api/v1')}" for path, ms in described.items() for method in ms}
    assert served == set(ROUTES)
    application = both.house.parts.application()
    assert set(application._calls.paths()) == set(CALLED)
    places = {("responses", 1): "{response}", ("conversations", 1): "{conversation}", ("conversations", 3): "{item}"}
    assert set(STORED) == {
        f"{method} /v1/" + "/".join(places.get((route[0], index), part) for index, part in enumerate(route))
        for route, methods in application._stored.routes.items()
        for method in methods
    }
    assert set(application._gets) == {"/", "/healthz", "/readyz", "/metrics", "/v1/models", "/v1beta/models"}


async def test_what_acme_has_does_not_exist_for_globex(both: TwoTenants) -> None:
    before = await _state_of_acme(both)
    client, asked = both.as_admin("globex"), 0
    for operation, route in ROUTES.items():
        for theirs, nobodys in requests(both, operation, route):
            got, twin = await theirs.send(client), await nobodys.send(client)
            different = [value for value in theirs.values() if value not in nobodys.values()]
            absent = [value for value in nobodys.values() if value not in theirs.values()]
            assert seen(got, *different) == seen(twin, *absent), (operation, theirs)
            refused = {403, 404} if route.platform else {400, 404, 422}
            assert got.status_code in refused, (operation, theirs, got.text)
            asked += 1
    assert asked > 100
    assert await _state_of_acme(both) == before


async def _state_of_acme(both: TwoTenants) -> list[str]:
    """Everything that could be changed of acme, as acme sees it."""
    client = both.as_admin("acme")
    return [(await client.get(f"/api/v1{path}")).text for path in LISTS]


async def test_no_list_of_globex_holds_anything_of_acme(both: TwoTenants) -> None:
    secrets = both.everything_of_acme()
    globex, acme = both.as_admin("globex"), both.as_admin("acme")
    for path in LISTS:
        kinds = ("tenant", "department", "application,day", "key", "model", "metadata:team") if path == "/spend" else ()
        for query in [{"group_by": kind} for kind in kinds] or [{}]:
            own = await globex.get(f"/api/v1{path}", params=query)
            assert own.status_code == 200, own.text
            assert not [secret for secret in secrets if secret in own.text], (path, query)
            # The same question has an answer for acme: there was something to leave out.
            theirs = (await acme.get(f"/api/v1{path}", params=query)).text
            assert any(secret in theirs for secret in secrets) or path == "/configuration/schema", (path, query)


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
        request = Request("POST", "/departments", {"name": "of-both"})
        reply = await request.send(both.as_admin(tenant), **{"idempotency-key": SHARED_KEY})
        assert reply.status_code == 201
        assert reply.json()["tenant"] == tenant
        assert "idempotency-replayed" not in reply.headers


async def test_a_call_cannot_be_made_for_a_user_of_acme(both: TwoTenants) -> None:
    client = both.house.client(GLOBEX_KEY)
    for path, body in CALLED.items():
        replies = [
            await client.post(path.format(model="chat"), json=body, headers={"x-enfilade-user": name})
            for name in ("ana@acme.example", "ana@umbrella.example", both.ids["users"][0], NEVER_ID)
        ]
        assert {reply.status_code for reply in replies} == {403}
        assert len({REQUEST_ID.sub("<id>", reply.text) for reply in replies}) == 1


async def test_an_answer_that_was_kept_for_acme_is_not_given_to_globex(both: TwoTenants) -> None:
    async def is_cached(key: str) -> bool:
        reply = await both.house.client(key).post("/v1/chat/completions", json=CALL)
        assert reply.status_code == 200
        return reply.headers.get("x-enfilade-cache") == "hit"

    assert await is_cached(ACME_KEY)  # It was asked while the stage was set.
    assert not await is_cached(GLOBEX_KEY)
    assert await is_cached(GLOBEX_KEY)


async def test_what_globexs_keys_read_elsewhere_names_nothing_of_acme(both: TwoTenants) -> None:
    for client in (both.house.client(GLOBEX_KEY), both.as_admin("globex")):
        for path, status in {"/v1/models": 200, "/v1/models/acme": 404, "/metrics": 403}.items():
            reply = await client.get(path)
            assert reply.status_code == status
            text = reply.text.replace(path.rpartition("/")[2], "<it>")
            assert not [secret for secret in both.everything_of_acme() if secret in text]
        got = [await client.get(f"/v1/models/{name}") for name in ("acme-private", "never-declared")]
        assert seen(got[0], "acme-private") == seen(got[1], "never-declared")


async def test_what_anybody_may_read_names_no_tenant(both: TwoTenants) -> None:
    for path in ("/", "/healthz", "/readyz", "/api/openapi.json", "/api/docs"):
        reply = await both.house.client(None).get(path)
        assert reply.status_code == 200
        # The published schema has examples, whose names are nobody's.
        assert not [secret for secret in both.everything_of_acme() - {"acme"} if secret in reply.text]
