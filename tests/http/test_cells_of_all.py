"""What the platform asks of all tenants at once: nobody is left out, wherever they live."""

import asyncpg
import pytest

from enfilade.storage.cells import own_name
from tests.http.test_cells import QUESTION, cells
from tests.support.house import House
from tests.support.world import ACME_KEY, GLOBEX_ADMIN_KEY, GLOBEX_KEY

__all__ = ["cells"]
REFUSING = ("/forecast", "/movers", "/savings", "/exports/spend", "/usage-events")


async def test_lists_and_reports_of_all_tenants_have_everybody(cells: House) -> None:
    for key in (ACME_KEY, GLOBEX_KEY, ACME_KEY):
        assert (await cells.client(key).post("/v1/chat/completions", json=QUESTION)).status_code == 200
    platform = cells.admin()
    first = (await platform.get("/api/v1/calls", params={"limit": 2})).json()
    rest = (await platform.get("/api/v1/calls", params={"limit": 2, "cursor": first["next"]})).json()
    calls = [*first["items"], *rest["items"]]
    assert [call["tenant"] for call in calls] == ["acme", "globex", "acme"]
    assert sorted((call["created_at"] for call in calls), reverse=True) == [call["created_at"] for call in calls]
    assert "incomplete" not in first
    for call in calls:
        assert (await platform.get(f"/api/v1/calls/{call['id']}")).json() == call
        assert (await platform.get(f"/api/v1/calls/{call['id']}/costs")).status_code == 200
    settled = (await platform.get("/api/v1/events", params={"type": "CallSettled"})).json()["items"]
    assert [event["tenant"] for event in settled] == [cells.tenant_id(name) for name in ("acme", "globex", "acme")]
    exported = await platform.get("/api/v1/events/export", params={"type": "CallSettled"})
    assert len(exported.text.splitlines()) == 3
    report = (await platform.get("/api/v1/spend", params={"group_by": "application"})).json()
    assert (report["calls"], report["total"]["calls"]) == (3, 3)
    assert {group["tenant"]: group["calls"] for group in report["groups"]} == {"acme": 2, "globex": 1}
    assert sum(float(group["cost_usd"]) for group in report["groups"]) == pytest.approx(float(report["total_usd"]))
    assert {group["keys"][0]["name"] for group in report["groups"]} == {"copilot", "notebook"}
    assert report["total"]["latency_p99_ms"] > 0
    page = (await platform.get("/api/v1/spend", params={"group_by": "application", "limit": 1})).json()
    following = {"group_by": "application", "limit": 1, "cursor": page["next"]}
    other = (await platform.get("/api/v1/spend", params=following)).json()
    assert {page["groups"][0]["tenant"], other["groups"][0]["tenant"]} == {"acme", "globex"}


async def test_what_cannot_be_put_together_asks_for_a_tenant(cells: House) -> None:
    for path in REFUSING:
        refused = await cells.admin().get(f"/api/v1{path}")
        assert refused.json().get("code") == "tenant_required", (path, refused.text)
        assert (await cells.admin().get(f"/api/v1{path}", params={"tenant": "globex"})).status_code == 200, path


async def test_something_is_found_by_its_id_wherever_it_is(cells: House) -> None:
    globex = cells.admin(GLOBEX_ADMIN_KEY)
    made = await globex.post("/api/v1/budgets", json={"scope": "tenant", "window": "month", "limit_usd": 7})
    assert made.status_code == 201, made.text
    body = {"by_usd": "1", "until": "2037-12-31", "reason": "to be found"}
    assert (await globex.post(f"/api/v1/budgets/{made.json()['id']}/raises", json=body)).status_code == 201
    platform = cells.admin()
    found = (await platform.get(f"/api/v1/budgets/{made.json()['id']}")).json()
    assert (found["tenant"], float(found["raised_usd"])) == ("globex", 1)
    listed = {budget["id"]: budget for budget in (await platform.get("/api/v1/budgets")).json()["items"]}
    assert listed[found["id"]] == found
    assert (await platform.get("/api/v1/budgets/01a19c21-7200-7000-8000-00000000dead")).status_code == 404


async def test_a_cell_that_cannot_be_asked_is_named(cells: House) -> None:
    for key in (ACME_KEY, GLOBEX_KEY):
        assert (await cells.client(key).post("/v1/chat/completions", json=QUESTION)).status_code == 200
    schema = own_name(cells.tenant_id("acme"))
    connection = await asyncpg.connect(cells.address.url)
    await connection.execute(f'DROP SCHEMA "{schema}" CASCADE')
    await connection.close()
    for path, items in (("/calls", "items"), ("/users", "items"), ("/spend?group_by=model", "groups")):
        reply = await cells.admin().get(f"/api/v1{path}")
        assert reply.status_code == 200, reply.text
        assert reply.json()["incomplete"] == [f"home/{schema}"], path
        assert len(reply.json()[items]) == 1, path
