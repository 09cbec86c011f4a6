"""A power cut while a tenant moves and is called: the next process brings the move to its end, and nothing is lost."""

import asyncio
import json
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.support.process import EnfiladeProcess, enfilade_up
from tests.support.waiting import eventually
from tests.support.world import ACME_KEY, OWNER_KEY, world

pytestmark = pytest.mark.e2e

HELLO = {"model": "simulated/echo", "messages": [{"role": "user", "content": "hello"}]}
MOVES = "/api/v1/tenants/acme/moves"
STEPS = ("preparing", "capturing", "copying", "verifying", "switching", "arriving", "clearing", "done")
CALLERS = 3


async def test_a_move_survives_a_power_cut_at_any_step(tmp_path: Path) -> None:
    config = tmp_path / "world.json"
    config.write_text(json.dumps(world()))
    told: list[str] = []
    kills = 0
    for isolation, step in (("schema", "copying"), ("row", "switching"), ("schema", "clearing")):
        # Only the first time: the file says where the tenant lived then.
        with enfilade_up(tmp_path, *(() if kills else ("--config", str(config)))) as process:
            await _end_of_move(process)
            async with _client(process, OWNER_KEY) as admin:
                callers = [asyncio.create_task(_call(process, told)) for _ in range(CALLERS)]
                enough = len(told) + 10
                await eventually(lambda enough=enough: len(told) > enough, within=60)  # type: ignore[misc]
                started = await admin.post(MOVES, json={"isolation": isolation})
                assert started.status_code == 202, started.text
                await _reached(admin, started.json()["id"], step)
                process.kill()
                kills += 1
                await asyncio.gather(*callers)
    with enfilade_up(tmp_path) as process:
        moves = await _end_of_move(process)
        assert [move["step"] for move in moves] == ["done"] * 3
        async with _client(process, OWNER_KEY) as admin:
            assert (await admin.get("/api/v1/tenants/acme")).json()["isolation"] == "schema"
            settled = Counter([call["id"] for call in await _pages(admin, "/api/v1/calls?tenant=acme")])
            events = [event["seq"] for event in await _pages(admin, "/api/v1/events?tenant=acme")]
        assert set(told) <= settled.keys()
        assert set(settled.values()) == {1}
        # What was running when the power went is settled, too, though nobody was told.
        assert len(settled) - len(told) <= kills * CALLERS
        assert sorted(events) == list(range(len(events)))


def _client(process: EnfiladeProcess, key: str) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {key}"}
    return httpx2.AsyncClient(base_url=process.url, headers=headers, timeout=60, trust_env=False)


async def _call(process: EnfiladeProcess, told: list[str]) -> None:
    """One call after the other, until nobody answers."""
    async with _client(process, ACME_KEY) as client:
        with suppress(httpx2.TransportError):
            while True:
                reply = await client.post("/v1/chat/completions", json=HELLO)
                assert reply.status_code == 200, reply.text
                told.append(reply.headers["x-request-id"])


async def _reached(admin: httpx2.AsyncClient, move: str, step: str) -> None:
    async def has_come() -> bool:
        found = (await admin.get(f"{MOVES}/{move}")).json()
        return STEPS.index(found["step"]) >= STEPS.index(step)

    await eventually(has_come, within=60)


async def _end_of_move(process: EnfiladeProcess) -> list[dict[str, Any]]:
    """All moves, when none is under way."""
    found: list[dict[str, Any]] = []
    async with _client(process, OWNER_KEY) as admin:

        async def is_over() -> bool:
            nonlocal found
            found = (await admin.get(MOVES)).json()["items"]
            return all(move["ended_at"] for move in found)

        await eventually(is_over, within=90)
    return found


async def _pages(admin: httpx2.AsyncClient, address: str) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    cursor: str | None = ""
    while cursor is not None:
        page = (await admin.get(f"{address}&limit=500" + (f"&cursor={cursor}" if cursor else ""))).json()
        items += page["items"]
        cursor = page["next"]
    return items
