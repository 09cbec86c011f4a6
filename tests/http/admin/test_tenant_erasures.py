"""Tenants are erased: what is left is a record, which the platform alone can read."""

import hashlib
import json

import pytest

from enfilade.bootstrap.tenancy import TenancyParts
from enfilade.core.ids import PLATFORM_ID
from enfilade.sealing.signing import is_signed
from tests.support.house import House
from tests.support.moves import contents
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_ADMIN_KEY

HELLO = {"model": "simulated/echo", "messages": [{"role": "user", "content": "hello"}]}
ORDER = {"tenant": "acme", "confirm": "acme"}


class PowerCut(Exception):
    """The process died here."""


async def erased(house: House) -> None:
    """Return when the tenant is erased."""
    admin = house.admin()

    async def is_done() -> bool:
        return bool((await admin.get("/api/v1/tenant-erasures/acme")).json()["step"] == "done")

    await eventually(is_done, within=60)
    await house.parts.directory.refresh()


@pytest.mark.parametrize("isolation", ["row", "schema"])
async def test_a_tenant_is_erased_and_cannot_be_told_from_one_that_never_was(house: House, isolation: str) -> None:
    admin, acme = house.admin(), house.tenant_id("acme")
    assert (await house.client(ACME_KEY).post("/v1/chat/completions", json=HELLO)).status_code == 200
    if isolation != "row":
        await admin.post("/api/v1/tenants/acme/moves", json={"isolation": isolation})
        await eventually(lambda: house.parts.cells.placement(acme).isolation == isolation, within=60)

        async def has_ended() -> bool:
            return (await admin.get("/api/v1/tenants/acme/moves")).json()["items"][0]["ended_at"] is not None

        await eventually(has_ended, within=60)
    active = await admin.post("/api/v1/tenant-erasures", json=ORDER)
    assert active.json()["code"] == "not_suspended"
    unconfirmed = await admin.post("/api/v1/tenant-erasures", json=ORDER | {"confirm": "globex", "force": True})
    assert unconfirmed.json()["param"] == "confirm"
    started = await admin.post("/api/v1/tenant-erasures", json=ORDER | {"force": True})
    assert started.status_code == 202, started.text
    await erased(house)

    shown = (await admin.get("/api/v1/tenant-erasures/acme")).json()
    record = json.loads(shown["record"])
    assert (record["tenant"], record["name"], record["rows"]["calls"]) == (acme, "acme", 1)
    assert shown["record_sha256"] == hashlib.sha256(shown["record"].encode()).hexdigest()
    assert is_signed(shown["record"].encode(), shown["signature"])
    assert not is_signed(shown["record"].replace("acme", "emca").encode(), shown["signature"])
    events = (await admin.get("/api/v1/events?limit=500&type=TenantErased")).json()["items"]
    assert [event["event"]["data"]["sha256"] for event in events] == [shown["record_sha256"]]

    async with house.parts.database.owner() as owner:
        assert await owner.fetchval("SELECT count(*) FROM enfilade.tenants WHERE id = $1", acme) == 0
        assert await owner.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'enf\\_%'") == 0
    left = await contents(house.parts, acme)
    assert not any(left.tables.values())
    known = await house.client(ACME_ADMIN_KEY).get("/api/v1/me")
    never = await house.client("a-key-that-nobody-has-ever-been-given-here").get("/api/v1/me")
    assert (known.status_code, known.json()["code"]) == (never.status_code, never.json()["code"])
    for name in ("acme", "never-was"):
        assert (await admin.get(f"/api/v1/tenants/{name}")).status_code == 404
    refused = await house.client(GLOBEX_ADMIN_KEY).get("/api/v1/tenant-erasures")
    assert refused.status_code == 403
    assert (await admin.post("/api/v1/tenants", json={"name": "acme"})).status_code == 201


async def test_an_erasure_that_is_interrupted_goes_on(house: House) -> None:
    tenancy: TenancyParts = house.parts.tenancy
    admin, acme = house.admin(), house.tenant_id("acme")
    steps = ["counting", "destroying", "clearing", "freeing", "recording"]
    reached: list[str] = []

    async def mark(name: str) -> None:
        reached.append(name)
        if reached.count(name) == 1:
            raise PowerCut(name)

    tenancy.eraser.mark = mark
    assert (await admin.post("/api/v1/tenants/acme/suspend", json={"reason": "gone"})).status_code == 200
    identifier = (await admin.post("/api/v1/tenant-erasures", json=ORDER)).json()["id"]
    await eventually(lambda: set(reached) == set(steps), within=60)
    await erased(house)
    assert (await admin.get(f"/api/v1/tenant-erasures/{identifier}")).json()["rows"]["keys"] == 4
    async with house.unit() as unit:
        told = await unit.fetch("SELECT type FROM events WHERE type = 'TenantErased' AND tenant_id = $1", PLATFORM_ID)
    assert len(told) == 1
    assert house.parts.principals.tenant(acme) is None
