"""Tenants move over the admin API while they are called; suspended ones are refused."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from enfilade.storage.cells import Cell, Placement
from tests.support.house import House
from tests.support.moves import contents, log_is_gapless
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY

HELLO = {"model": "simulated/echo", "messages": [{"role": "user", "content": "hello"}]}


@asynccontextmanager
async def called(house: House, told: list[httpx2.Response]) -> AsyncIterator[None]:
    """Calls come one after the other, three at a time, while the block runs."""
    ending = asyncio.Event()
    client = house.client()

    async def call() -> None:
        while not ending.is_set():
            told.append(await client.post("/v1/chat/completions", json=HELLO))

    callers = [asyncio.create_task(call()) for _ in range(3)]
    try:
        yield
    finally:
        ending.set()
        await asyncio.gather(*callers)


async def more_of(told: list[httpx2.Response]) -> None:
    """Return when some more calls were answered."""
    enough = len(told) + 5
    await eventually(lambda: len(told) > enough)


async def ended(house: House, move: dict[str, Any]) -> dict[str, Any]:
    """The move, when it has ended."""
    admin = house.admin()
    found: dict[str, Any] = move

    async def is_over() -> bool:
        nonlocal found
        found = (await admin.get(f"/api/v1/tenants/acme/moves/{move['id']}")).json()
        return found["ended_at"] is not None

    await eventually(is_over, within=60)
    return found


async def test_a_tenant_moves_while_it_is_called_and_nothing_is_lost_or_doubled(house: House) -> None:
    admin, told = house.admin(), list[httpx2.Response]()
    acme = house.tenant_id("acme")
    async with called(house, told):
        for isolation in ("schema", "database", "row"):
            await more_of(told)
            reply = await admin.post("/api/v1/tenants/acme/moves", json={"isolation": isolation})
            assert reply.status_code == 202, reply.text
            done = await ended(house, reply.json())
            assert (done["step"], done["error"]) == ("done", None)
            assert done["waited_ms"] > 0
            await more_of(told)
    assert {reply.status_code for reply in told} == {200}
    found = await contents(house.parts, acme)
    assert found.calls == sorted(reply.headers["x-request-id"] for reply in told)
    log_is_gapless(found)
    events = (await admin.get("/api/v1/events?tenant=acme&limit=500&type=TenantMoveCompleted")).json()["items"]
    assert len(events) == 3
    # What was spent is told right at once, wherever the roll-ups were made.
    spend = (await admin.get("/api/v1/spend?tenant=acme")).json()
    assert spend["total"]["calls"] == len(told)


async def test_a_move_is_refused_where_it_leads_nowhere(house: House) -> None:
    admin = house.admin()
    for body, code in (
        ({"isolation": "row"}, "invalid_specification"),
        ({"cell": "nowhere"}, "cell_not_found"),
        ({"isolation": "planet"}, "invalid_request"),
    ):
        reply = await admin.post("/api/v1/tenants/acme/moves", json=body)
        assert reply.json()["code"] == code, reply.text
    assert (await admin.get("/api/v1/tenants/acme/moves/none")).json()["code"] == "move_not_found"
    assert (await admin.get("/api/v1/tenants/acme/moves")).json()["items"] == []


@pytest.mark.parametrize("isolation", ["row", "schema"])
async def test_a_suspended_tenant_is_refused_everything_and_nobody_else_learns_of_it(
    house: House, isolation: str
) -> None:
    admin = house.admin()
    if isolation != "row":
        await ended(house, (await admin.post("/api/v1/tenants/acme/moves", json={"isolation": isolation})).json())
    reply = await admin.post("/api/v1/tenants/acme/suspend", json={"reason": "unpaid"})
    assert (reply.json()["state"], reply.json()["state_reason"]) == ("suspended", "unpaid")
    await house.parts.directory.refresh()

    refused = await house.client(ACME_KEY).post("/v1/chat/completions", json=HELLO)
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "tenant_suspended"
    assert "unpaid" in refused.json()["error"]["message"]
    for path in ("/api/v1/me", "/api/v1/keys", "/v1/models"):
        assert (await house.client(ACME_ADMIN_KEY).get(path)).status_code == 403, path
    unknown = await house.client("acme-application-key-that-nobody-has-ever-seen").get("/api/v1/me")
    assert unknown.status_code == 401
    assert (await admin.get("/api/v1/keys?tenant=acme")).status_code == 200

    assert (await admin.post("/api/v1/tenants/acme/resume")).json()["state"] == "active"
    await house.parts.directory.refresh()
    assert (await house.client(ACME_KEY).post("/v1/chat/completions", json=HELLO)).status_code == 200


async def test_a_tenants_size_is_counted(house: House) -> None:
    await house.client().post("/v1/chat/completions", json=HELLO)
    size = (await house.admin().get("/api/v1/tenants/acme/size")).json()
    assert size["tables"]["calls"] == 1
    assert size["rows"] == sum(size["tables"].values())
    assert size["bytes"] > 0
    assert size["last_activity_at"] is not None


async def test_many_that_are_made_at_once_leave_connections_to_the_others(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    may_go_on = asyncio.Event()
    waiting = 0
    make = house.parts.cell_maker.make

    async def slow(tenant: str, placement: Placement) -> Cell:
        nonlocal waiting
        waiting += 1
        await may_go_on.wait()
        return await make(tenant, placement)

    monkeypatch.setattr(house.parts.cell_maker, "make", slow)
    admin = house.admin()
    made = [asyncio.create_task(admin.post("/api/v1/tenants", json={"name": f"many-{n}"})) for n in range(8)]
    await eventually(lambda: waiting == 1)
    listed = await asyncio.wait_for(admin.get("/api/v1/tenants"), 5)
    assert listed.status_code == 200
    may_go_on.set()
    assert {reply.status_code for reply in await asyncio.gather(*made)} == {201}
