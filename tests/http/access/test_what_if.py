"""What-if: a draft is tried on what was really called, each call at its own time and with the approvals of that time."""

from datetime import timedelta
from typing import Any

import httpx2

from enfilade.access.approvals import store
from enfilade.core.clock import ManualClock, to_datetime
from enfilade.storage.address import Address
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_ADMIN_KEY, ACME_AUDITOR_KEY, ACME_KEY, ACME_USER_KEY, world

SALES = {"name": "sales", "departments": ["sales"], "models": ["chat"]}
NO_CHAT = {"name": "no-chat", "cedar": 'forbid (principal, action == Action::"call", resource in Model::"chat");'}
GRANT = "01890000-0000-7000-8000-000000000001"


async def test_a_draft_is_tried_on_what_was_really_called(house: House) -> None:
    api = house.client(ACME_ADMIN_KEY)
    for _ in range(3):
        assert await call(house, "writing") == 200
    assert await call(house) == 200
    await api.put("/api/v1/access/policies/no-chat", json=NO_CHAT)
    assert await call(house, "other") == 403
    draft = {"matrix": [SALES | {"use_cases": ["other"]}]}
    found = (await api.post("/api/v1/access/what-if", json={"content": draft, "days": 2})).json()
    assert (found["calls"], found["combinations"], found["newly_denied"], found["newly_allowed"]) == (5, 3, 4, 1)
    assert [(d["change"], d["calls"], d["use_case"], d["application"]) for d in found["differences"]] == [
        ("denied", 3, "writing", "copilot"),
        ("allowed", 1, "other", "copilot"),
        ("denied", 1, None, "copilot"),
    ]
    assert (found["is_complete"], found["undecidable"], found["unknown"]) == (True, 0, [])
    same = (await api.post("/api/v1/access/what-if", json={"version": 1})).json()
    assert (same["newly_denied"], same["newly_allowed"]) == (4, 0)
    assert await call(house) == 403, "nothing was published"
    assert (await house.client(ACME_AUDITOR_KEY).post("/api/v1/access/what-if", json={"version": 1})).status_code == 200
    assert (await api.post("/api/v1/access/what-if", json={})).status_code == 422


async def test_each_call_is_tried_for_its_own_time(database: Address) -> None:
    clock, document = ManualClock(), world()
    document["tenants"][0]["time_zone"] = "Asia/Kolkata"  # It is half past five in the afternoon there.
    async with open_house(database, HouseOptions(clock=clock, document=document)) as house:
        api = house.client(ACME_ADMIN_KEY)
        clock.advance(600)
        assert await call(house, "first", ACME_USER_KEY) == 200  # 17:40
        await grant(house, clock, revoked_after=timedelta(minutes=10))
        clock.advance(2100)
        assert await call(house, "second", ACME_USER_KEY) == 200  # 18:15
        for condition, denied in (
            ("context.hour == 17", ["second"]),
            ("context.hour == 18 && context.minute == 15", ["first"]),
            ("context.hour == 12", ["first", "second"]),
            ("context.approved", ["second"]),
        ):
            found = await tried(api, f"permit (principal, action, resource) when {{ {condition} }};")
            assert sorted(entry["use_case"] for entry in found["differences"]) == denied, condition
            assert (found["newly_denied"], found["calls"], found["undecidable"]) == (len(denied), 2, 0)
        office = 'context.network.isInRange(ip("10.0.0.0/8"))'
        found = await tried(api, f"permit (principal, action, resource) when {{ {office} }};")
        assert (found["newly_denied"], found["undecidable"], found["unknown"]) == (0, 2, ["network"])


async def tried(api: httpx2.AsyncClient, cedar: str) -> dict[str, Any]:
    """What a draft of this policy would have changed."""
    draft = {"policies": [{"name": "draft", "cedar": cedar}]}
    reply = await api.post("/api/v1/access/what-if", json={"content": draft})
    found: dict[str, Any] = reply.json()
    assert reply.status_code == 200, found
    return found


async def grant(house: House, clock: ManualClock, revoked_after: timedelta) -> None:
    """Access that Ana takes for a day, and that is taken from her soon."""
    now, tenant = to_datetime(clock.now_ns()), house.tenant_id("acme")
    asked = '{"kind":"model","model":"chat"}'
    async with house.unit(tenant) as unit:
        ana = await house.parts.identity.users.get(unit, "ana@acme.example")
        times = now - timedelta(minutes=1), now + timedelta(days=1), now
        await unit.execute(
            store.INSERT_GRANT, tenant, GRANT, None, ana.id, None, None, asked, *times, 0, True, "a fire", times[1]
        )
        await unit.execute(store.REVOKE_GRANT, tenant, GRANT, now + revoked_after, "test", "over")


async def call(house: House, use_case: str | None = None, key: str = ACME_KEY) -> int:
    """The status of a call."""
    body = {"model": "chat", "messages": [{"role": "user", "content": "Hi"}]}
    headers = {} if use_case is None else {"x-enfilade-use-case": use_case}
    return (await house.client(key).post("/v1/chat/completions", json=body, headers=headers)).status_code
