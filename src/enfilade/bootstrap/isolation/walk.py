"""The walk over every route: for somebody else, what a tenant has does not exist.

For every place in a path that names something, an administrator of another tenant asks for what there is and for what
nobody has. The two replies must be alike to the last byte, but for what was asked for and the request's own id.
"""

import re
import time
from collections.abc import AsyncIterator, Iterator
from statistics import median
from typing import Any

import httpx2
from fastapi.routing import APIRoute

from enfilade.api.admin.security import permission_of
from enfilade.api.admin_app import PREFIX, admin_routers
from enfilade.bootstrap.isolation.scratch import NOBODY, OURS, THEIRS, Scratch
from enfilade.storage.isolation.types import Guarded

NOBODYS_ID = "01a19c21-7200-7000-8000-00000000dead"
ANOTHER_ID = "01a19c21-7200-7000-8000-00000000beef"
REQUEST_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
NAMES = ("id", "name", "email", "number")
QUESTION: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "The plans"}], "max_tokens": 9}
TIMED = 20
OF_NO_TENANT = frozenset({"providers", "models", "aliases", "prices", "price-lists", "price-books", "currencies"})


async def walk(scratch: Scratch, place: str) -> AsyncIterator[Guarded]:
    """Every route of the admin API, the addresses of calls and of stored responses, and the timing of two answers."""
    async with scratch.client(OURS) as ours, scratch.client(THEIRS) as theirs:
        async with scratch.client(f"{OURS}-app") as own_app, scratch.client(f"{THEIRS}-app") as their_app:
            for app in (own_app, their_app):
                await app.post("/v1/chat/completions", json=QUESTION)
            async for item in _calls(own_app, their_app, place):
                yield item
        routes = list(_routes())
        known = await _known(ours, routes)
        secrets = {
            value for values in known.values() for value in values if OURS in value or REQUEST_ID.fullmatch(value)
        }
        for route in routes:
            yield await _route(route, theirs, known, secrets, place)
        yield await _timing(theirs, known, place)


def _routes() -> Iterator[APIRoute]:
    for router in admin_routers():
        for route in router.routes:
            if isinstance(route, APIRoute):
                yield route


async def _known(client: httpx2.AsyncClient, routes: list[APIRoute]) -> dict[str, list[str]]:
    """What the first tenant has, by noun: ids and names."""
    known: dict[str, list[str]] = {}
    for route in routes:
        noun = route.path.strip("/")
        if "GET" not in (route.methods or ()) or "/" in noun or noun in OF_NO_TENANT:
            continue
        reply = await client.get(f"{PREFIX}{route.path}")
        content = reply.json() if reply.status_code == httpx2.codes.OK else None
        items = content.get("items") if isinstance(content, dict) else None
        for item in items or ():
            values = [item[name] for name in NAMES if isinstance(item, dict) and isinstance(item.get(name), str)]
            known.setdefault(noun, []).extend(values)
    return known


async def _route(
    route: APIRoute, theirs: httpx2.AsyncClient, known: dict[str, list[str]], secrets: set[str], place: str
) -> Guarded:
    method = min(route.methods or {"GET"})
    needs = permission_of(route)
    guard = "public" if needs is None else f"{needs.permission or 'any key'}, reach {needs.reach}"
    if needs is not None and needs.confined_by is not None:
        guard += f", confined by {needs.confined_by}"
    tried, faults = [], []
    for named, nobodys in _pairs(route.path, known):
        got, twin = await _ask(theirs, method, named), await _ask(theirs, method, nobodys)
        words = set(named.split("/")) - set(nobodys.split("/")), set(nobodys.split("/")) - set(named.split("/"))
        if _seen(got, words[0]) != _seen(twin, words[1]):
            faults.append(f"{method} {named}: {got.status_code}, of nobody's {twin.status_code}, or another body")
        tried.append(named)
    if "{" not in route.path:
        for query in ({}, {"tenant": OURS}):
            if method != "GET":
                break
            reply = await theirs.get(f"{PREFIX}{route.path}", params=query)
            text = reply.text.replace(f"'{OURS}'", "") if query else reply.text
            if leaked := sorted(secret for secret in secrets if secret in text and secret != OURS):
                faults.append(f"the answer names {leaked[0]}")
            tried.append("a list")
    probe = f"{len(tried)} requests" if tried else "nothing of the kind there, guard only"
    return Guarded("route", place, f"{method} {PREFIX}{route.path}", guard, probe, tuple(faults))


def _pairs(path: str, known: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """The path for what there is, and for what nobody has. What comes after the first name is nobody's in both."""
    noun = path.strip("/").split("/")[0]
    if "{" not in path:
        return
    for value in dict.fromkeys(known.get(noun, ())):
        nobodys = NOBODYS_ID if REQUEST_ID.fullmatch(value) else value.replace(OURS, NOBODY)
        if nobodys == value:
            continue
        rest = re.sub(r"\{[^}]+\}", value.replace("\\", ""), path, count=1)
        twin = re.sub(r"\{[^}]+\}", nobodys, path, count=1)
        yield re.sub(r"\{[^}]+\}", ANOTHER_ID, rest), re.sub(r"\{[^}]+\}", ANOTHER_ID, twin)


async def _ask(client: httpx2.AsyncClient, method: str, path: str) -> httpx2.Response:
    body: dict[str, Any] | None = {} if method in {"POST", "PUT"} else None
    return await client.request(method, f"{PREFIX}{path}", json=body)


def _seen(reply: httpx2.Response, words: set[str]) -> tuple[int, str]:
    text = reply.text
    for word in sorted(words, key=len, reverse=True):
        text = text.replace(word, "<it>")
    return reply.status_code, REQUEST_ID.sub("<id>", text)


async def _calls(ours: httpx2.AsyncClient, theirs: httpx2.AsyncClient, place: str) -> AsyncIterator[Guarded]:
    own = await ours.post("/v1/chat/completions", json=QUESTION)
    other = await theirs.post("/v1/chat/completions", json=QUESTION | {"max_tokens": 8})
    faults = []
    if own.headers.get("x-enfilade-cache") != "hit":
        faults.append("the same question was not answered from memory: nothing was tried")
    if other.headers.get("x-enfilade-cache") == "hit":
        faults.append("a question was answered with what another tenant was told")
    guard = "a key's tenant; kept answers are by tenant and application"
    yield Guarded("route", place, "POST /v1/chat/completions", guard, "kept answers", tuple(faults))
    replies = [
        await theirs.post("/v1/chat/completions", json=QUESTION, headers={"x-enfilade-user": f"ana@{name}.example"})
        for name in (OURS, NOBODY)
    ]
    faults = (
        [] if len({_seen(reply, set()) for reply in replies}) == 1 else ["another tenant's user is told from nobody"]
    )
    yield Guarded("answer", place, "x-enfilade-user", "users of the key's tenant only", "2 requests", tuple(faults))
    for noun in ("responses", "conversations"):
        made = await ours.post("/v1/conversations", json={}) if noun == "conversations" else None
        found = made.json()["id"] if made is not None and made.status_code == httpx2.codes.OK else None
        if found is None:
            yield Guarded("route", place, f"/v1/{noun}/{{id}}", "row-level security", "guard only")
            continue
        kind, _, digits = found.partition("_")
        nobodys = f"{kind}_{'0' * len(digits)}"
        got, twin = [await theirs.get(f"/v1/{noun}/{name}") for name in (found, nobodys)]
        alike = _seen(got, {found}) == _seen(twin, {nobodys}) and got.status_code == httpx2.codes.NOT_FOUND
        faults = [] if alike else ["what another tenant stored is told from what nobody did"]
        yield Guarded("route", place, f"GET /v1/{noun}/{{id}}", "row-level security", "2 requests", tuple(faults))


async def _timing(client: httpx2.AsyncClient, known: dict[str, list[str]], place: str) -> Guarded:
    """`Not yours` beside `not found`: the medians are reported; only the answers are judged."""
    name = next(value for value in known["applications"] if value.startswith(OURS))
    paths = [f"{PREFIX}/applications/{name}", f"{PREFIX}/applications/{name.replace(OURS, NOBODY)}"]
    taken: list[list[float]] = [[], []]
    answers: list[set[tuple[int, str]]] = [set(), set()]
    for _ in range(TIMED):
        for index, path in enumerate(paths):
            began = time.perf_counter()
            reply = await client.get(path)
            taken[index].append(time.perf_counter() - began)
            answers[index].add(_seen(reply, {path.rpartition("/")[2]}))
    yours, absent = (median(times) * 1000 for times in taken)
    faults = () if answers[0] == answers[1] else ("the two answers differ",)
    probe = f"medians of {TIMED}: {yours:.2f} ms not yours, {absent:.2f} ms not found"
    return Guarded("answer", place, "not yours and not found", "the same answer", probe, faults)
