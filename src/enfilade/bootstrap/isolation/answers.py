"""Answers in which tenants could meet: kept ones, repeated ones, pages that go on, and how long `not yours` takes."""

import re
import time
from collections.abc import AsyncIterator
from statistics import median
from typing import Any

import httpx2

from enfilade.bootstrap.isolation.asking import Asker, Askers, Request
from enfilade.bootstrap.isolation.things import NOBODY, OURS
from enfilade.bootstrap.isolation.walk import Walk
from enfilade.storage.isolation.types import Guarded

QUESTION: dict[str, Any] = {"model": "chat", "messages": [{"role": "user", "content": "The plans"}], "max_tokens": 9}
KEPT = "x-enfilade-cache"
REPEATED = "idempotency-replayed"
ONCE = {"idempotency-key": "the-same-key-of-both"}
PAGED = ("calls", "events", "keys", "departments", "applications", "users")
TIMED = 20
API = "/api/v1"
CURSOR = re.compile(r'"next":"([^"]+)"')


async def probe_answers(walk: Walk, ours: Askers, theirs: Askers, place: str) -> AsyncIterator[Guarded]:
    """Each of them."""
    yield await _kept(ours.application, theirs.application, place)
    yield await _repeated(ours.person, theirs.person, place)
    yield await _pages(walk, ours.person, theirs.person, place)
    yield await _timing(theirs.person, place)


async def _kept(ours: Asker, theirs: Asker, place: str) -> Guarded:
    async def is_kept(asker: Asker) -> bool:
        reply = await asker.post("/v1/chat/completions", QUESTION)
        return dict(reply.headers).get(KEPT) == "hit"

    await is_kept(ours)
    faults = []
    if not await is_kept(ours):
        faults.append("the same question was not answered from memory: nothing was tried")
    if await is_kept(theirs):
        faults.append("a question was answered with what another tenant was told")
    guard = "kept by tenant and application"
    return Guarded("answer", place, "kept answers", guard, "the same question of both", tuple(faults))


async def _repeated(ours: Asker, theirs: Asker, place: str) -> Guarded:
    request = Request("POST", f"{API}/departments", headers=ONCE, body={"name": "of-both"})
    replies = [await asker.ask(request) for asker in (ours, ours, theirs)]
    again = [dict(reply.headers).get(REPEATED) == "true" for reply in replies]
    faults = []
    if again[:2] != [False, True]:
        faults.append("a repeated request was not told from a new one: nothing was tried")
    if again[2] or replies[2].status != httpx2.codes.CREATED:
        faults.append("a request was answered with what another tenant was told")
    guard = "the tenant is first in their primary key"
    return Guarded("answer", place, "repeated requests", guard, "the same key of both", tuple(faults))


async def _pages(walk: Walk, ours: Asker, theirs: Asker, place: str) -> Guarded:
    faults, tried = [], 0
    for noun in PAGED:
        page = await ours.get(f"{API}/{noun}", limit="1")
        cursor = CURSOR.search(page.text)
        if cursor is None:
            continue
        tried += 1
        reply = await theirs.get(f"{API}/{noun}", cursor=cursor[1])
        if leaked := walk.leaked(reply):
            faults.append(f"with another tenant's cursor, the list of {noun} names {leaked}")
    if not tried:
        faults.append("no list had a second page: nothing was tried")
    guard = "a cursor says where to go on, not whose rows"
    return Guarded("answer", place, "cursors", guard, f"{tried} lists with another tenant's cursor", tuple(faults))


async def _timing(asker: Asker, place: str) -> Guarded:
    """The medians are reported; judged is what is done, by every pair of the walk."""
    taken: dict[str, list[float]] = {OURS: [], NOBODY: []}
    for _ in range(TIMED):
        for name, times in taken.items():
            began = time.perf_counter()
            await asker.get(f"{API}/applications/{name}-app")
            times.append(time.perf_counter() - began)
    yours, absent = (median(times) * 1000 for times in taken.values())
    probe = f"medians of {TIMED}: {yours:.2f} ms not yours, {absent:.2f} ms not found"
    return Guarded("answer", place, "not yours and not found", "the same statements are run", probe)
