"""What the platform asks of all tenants at once: nobody is left out, wherever they live."""

import csv
import io
from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import asyncpg
import pytest

from enfilade.core.clock import ManualClock, to_datetime
from enfilade.costs.reconciliation.reading import ReadingOptions
from enfilade.costs.reconciliation.types import Entry, Reading
from enfilade.storage.cells import own_name
from tests.http.test_cells import QUESTION, apart
from tests.support.approving import leave_approvals
from tests.support.cells_away import database_away, schema_away
from tests.support.house import House, HouseOptions, open_house
from tests.support.two_tenants import sign_in
from tests.support.waiting import eventually
from tests.support.world import ACME_KEY, GLOBEX_ADMIN_KEY, GLOBEX_KEY

INITECH_KEY = "initech-application-key-with-enough-characters"
KEYS = {"acme": ACME_KEY, "globex": GLOBEX_KEY, "initech": INITECH_KEY}


def everywhere() -> dict[str, Any]:
    """Acme in a schema of its own, globex in a database of its own, initech in the shared schema."""
    document = apart()
    initech: dict[str, Any] = {
        "name": "initech",
        "isolation": "row",
        "users": [{"email": "ian@initech.example"}],
        "applications": [{"name": "reports"}],
        "keys": [{"name": "reports-key", "application": "reports", "secret": {"value": INITECH_KEY}}],
    }
    document["tenants"].append(initech)
    return document


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    """A house whose tenants live apart."""
    async with open_house(database, HouseOptions(document=everywhere(), clock=ManualClock())) as house:
        yield house
        globex = house.tenant_id("globex")
    # The test's own database goes with all of its schemas; the other one would stay on the server.
    connection = await asyncpg.connect(database.at("postgres").url)
    await connection.execute(f'DROP DATABASE "{own_name(globex)}" WITH (FORCE)')
    await connection.close()


async def call(house: House, *tenants: str) -> None:
    """One call each, an hour ago: comparisons end with the last whole hour."""
    for tenant in tenants:
        reply = await house.client(KEYS[tenant]).post("/v1/chat/completions", json=QUESTION)
        assert reply.status_code == 200, reply.text
        advance(house, 1)
    advance(house, 3600)


def advance(house: House, seconds: float) -> None:
    clock = house.options.clock
    if isinstance(clock, ManualClock):
        clock.advance(seconds)


async def get(house: House, path: str, **params: Any) -> Any:
    """What the platform is answered."""
    reply = await house.admin().get(f"/api/v1{path}", params=params or None)
    assert reply.status_code == 200, (path, params, reply.text)
    return reply.json()


async def test_lists_and_reports_of_all_tenants_have_everybody(house: House) -> None:
    await call(house, "acme", "globex", "acme")
    first = await get(house, "/calls", limit=2)
    rest = await get(house, "/calls", limit=2, cursor=first["next"])
    calls = [*first["items"], *rest["items"]]
    assert [entry["tenant"] for entry in calls] == ["acme", "globex", "acme"]
    assert sorted((entry["created_at"] for entry in calls), reverse=True) == [entry["created_at"] for entry in calls]
    assert "incomplete" not in first
    for entry in calls:
        assert await get(house, f"/calls/{entry['id']}") == entry
        await get(house, f"/calls/{entry['id']}/costs")
    settled = (await get(house, "/events", type="CallSettled"))["items"]
    assert [event["tenant"] for event in settled] == [house.tenant_id(name) for name in ("acme", "globex", "acme")]
    exported = await house.admin().get("/api/v1/events/export", params={"type": "CallSettled"})
    assert len(exported.text.splitlines()) == 3
    report = await get(house, "/spend", group_by="application")
    assert (report["calls"], report["total"]["calls"]) == (3, 3)
    assert {group["tenant"]: group["calls"] for group in report["groups"]} == {"acme": 2, "globex": 1}
    assert sum(float(group["cost_usd"]) for group in report["groups"]) == pytest.approx(float(report["total_usd"]))
    assert {group["keys"][0]["name"] for group in report["groups"]} == {"copilot", "notebook"}
    assert report["total"]["latency_p99_ms"] > 0
    metrics = (await house.client(None).get("/metrics")).text
    assert "\nenfilade_writer_settled_total 3.0\n" in metrics, "of the writers of both databases"
    page = await get(house, "/spend", group_by="application", limit=1)
    other = await get(house, "/spend", group_by="application", limit=1, cursor=page["next"])
    assert {page["groups"][0]["tenant"], other["groups"][0]["tenant"]} == {"acme", "globex"}


async def test_what_people_ask_for_and_where_they_are_signed_in_is_listed_of_everybody(house: House) -> None:
    people = {"acme": "ana@acme.example", "globex": "gil@globex.example", "initech": "ian@initech.example"}
    reason = "somebody has to look into it"
    for tenant, email in people.items():
        await leave_approvals(house.parts, house.tenant_id(tenant), email)
        await sign_in(house.parts, house.tenant_id(tenant))
        opened = await house.admin().post("/api/v1/break-glass", json={"tenant": tenant, "reason": reason})
        assert opened.status_code == 201, opened.text
    for noun in ("approval-requests", "access-grants", "emergency-access", "access-reviews", "sessions", "break-glass"):
        own = {tenant: (await get(house, f"/{noun}", tenant=tenant))["items"] for tenant in people}
        assert all(own.values()), noun
        every = sorted((item for items in own.values() for item in items), key=lambda item: item["id"])
        assert (await get(house, f"/{noun}"))["items"] == every, noun
        first = await get(house, f"/{noun}", limit=2)
        rest = await get(house, f"/{noun}", cursor=first["next"])
        assert [*first["items"], *rest["items"]] == every, noun
    for glass in (await get(house, "/break-glass"))["items"]:
        ended = await house.admin().post(f"/api/v1/break-glass/{glass['id']}/end")
        assert (ended.status_code, ended.json().get("tenant")) == (200, glass["tenant"]), ended.text


async def test_whoever_moves_is_listed_and_counted_once(house: House) -> None:
    await call(house, "acme", "globex", "acme", "initech")
    lists = ("/users", "/applications", "/calls")
    before = {path: (await get(house, path))["items"] for path in lists}
    sums = [("/spend", {"group_by": "model"}), ("/forecast", {"window": "year"}), ("/savings", {})]
    counted = [await get(house, path, **params) for path, params in sums]
    assert counted[0]["calls"] == 4
    bill = f"/reconciliations/{await _import(house, 1)}"
    compared = await get(house, bill)
    await _bring_to_shared(house, "acme")
    for path in lists:
        assert (await get(house, path))["items"] == before[path], path
        first = await get(house, path, limit=2)
        rest = await get(house, path, cursor=first["next"])
        assert [*first["items"], *rest["items"]] == before[path], path
    for (path, params), found in zip(sums, counted, strict=True):
        # Forecasts and savings go by the present moment.
        now = await get(house, path, **params)
        assert {**now, "to": None, "at": None} == {**found, "to": None, "at": None}, path
    assert await get(house, bill) == compared


async def _bring_to_shared(house: House, tenant: str) -> None:
    """As a move to the shared schema does it, until nothing is missing there; what is shown lags a little behind."""
    identifier = house.tenant_id(tenant)
    connection = await asyncpg.connect(house.address.url)
    await connection.execute("INSERT INTO enfilade_shared.departures (tenant_id) VALUES ($1)", identifier)
    for table in ("departments", "users", "applications", "keys", "calls", "ledger"):
        await connection.execute(f'INSERT INTO enfilade_shared.{table} SELECT * FROM "{own_name(identifier)}".{table}')
    await connection.execute(
        "UPDATE enfilade_shared.users SET display_name = 'behind' WHERE tenant_id = $1", identifier
    )
    # Nothing was rolled up here: what is not is summed up from the ledger.
    await connection.execute("UPDATE enfilade_shared.spend_progress SET watermark = 0")
    for table in ("hours", "days", "months", "tenants"):
        await connection.execute(f"DELETE FROM enfilade_shared.spend_{table}")
    await connection.close()


async def test_something_is_found_by_its_id_wherever_it_is(house: House) -> None:
    globex = house.admin(GLOBEX_ADMIN_KEY)
    made = await globex.post("/api/v1/budgets", json={"scope": "tenant", "window": "month", "limit_usd": 7})
    assert made.status_code == 201, made.text
    body = {"by_usd": "1", "until": "2037-12-31", "reason": "to be found"}
    assert (await globex.post(f"/api/v1/budgets/{made.json()['id']}/raises", json=body)).status_code == 201
    found = await get(house, f"/budgets/{made.json()['id']}")
    assert (found["tenant"], float(found["raised_usd"])) == ("globex", 1)
    listed = {budget["id"]: budget for budget in (await get(house, "/budgets"))["items"]}
    assert listed[found["id"]] == found
    assert (await house.admin().get("/api/v1/budgets/01a19c21-7200-7000-8000-00000000dead")).status_code == 404
    await call(house, "globex")
    (forecast,) = (await get(house, "/forecast", by="budget"))["items"]
    assert (forecast["tenant"], forecast["budget"]["id"], float(forecast["spent_usd"]) > 0) == (
        "globex",
        found["id"],
        True,
    )


async def test_outlooks_of_all_tenants_are_those_of_each_together(house: House) -> None:
    await call(house, "acme", "globex", "acme", "initech")
    for path, params, sums in (
        ("/forecast", {"by": "application", "window": "year"}, ()),
        ("/savings", {}, ("cost_usd", "saved_by_provider_usd", "could_save_usd")),
        ("/movers", {"period": "day"}, ("difference_usd",)),
    ):
        own = [await get(house, path, tenant=tenant, **params) for tenant in KEYS]
        every = await get(house, path, **params)
        items = [item for found in own for item in found["items"]]
        assert len(items) == 3, path
        assert sorted(every["items"], key=repr) == sorted(items, key=repr), path
        assert every["left_out"] == 0, path
        for name in sums:
            assert Decimal(every[name]) == sum(Decimal(found[name]) for found in own), (path, name)
        shown = await get(house, path, limit=1, **params)
        assert (shown["items"], shown["left_out"]) == (every["items"][:1], 2), path


async def test_an_export_of_all_tenants_has_the_lines_of_each(house: House) -> None:
    named = await house.admin().put("/api/v1/issuer", json={"name": "The Platform", "address": ["1 Street"]})
    assert named.status_code == 200, named.text
    await call(house, "acme", "globex", "acme", "initech")
    for params in ({"format": "csv"}, {"format": "csv", "table": "daily"}, {"format": "focus_csv"}):
        own = [row for tenant in KEYS for row in await _rows(house, tenant=tenant, **params)]
        every = await _rows(house, **params)
        assert sorted(every, key=repr) == sorted(own, key=repr), params
        assert len({row.get("tenant", row.get("BillingAccountName")) for row in every}) == 3, params
    issuers = {row["InvoiceIssuerName"] for row in await _rows(house, format="focus_csv")}
    assert issuers == {"The Platform"}, "also of those whose database has none"


async def test_usage_events_of_all_tenants_come_once_each_whatever_is_away_meanwhile(house: House) -> None:
    await call(house, "acme", "globex", "acme", "initech")
    found, after = await _events(house, None, 4, limit=1)
    assert sorted(found) == ["acme", "acme", "globex", "initech"]
    assert (await _events(house, after, 0))[0] == []
    async with schema_away(house, "acme") as cell:
        await call(house, "globex", "initech")
        found, after = await _events(house, after, 2, incomplete=[cell])
        assert sorted(found) == ["globex", "initech"]
    await call(house, "acme", "globex")
    found, after = await _events(house, after, 2)
    assert sorted(found) == ["acme", "globex"]
    refused = await house.admin().get("/api/v1/usage-events", params={"after": after, "tenant": "acme"})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_cursor")


async def test_a_reader_goes_on_when_tenants_begin_to_live_apart(database: Any) -> None:
    document = everywhere()
    globex = document["tenants"].pop(1)
    document["tenants"][0]["isolation"] = "row"
    async with open_house(database, HouseOptions(document=document)) as house:
        await call(house, "acme", "initech")
        found, after = await _events(house, None, 2)
        assert sorted(found) == ["acme", "initech"]
        await call(house, "acme")
        await house.apply({**document, "tenants": [*document["tenants"], globex | {"isolation": "schema"}]})
        await call(house, "globex")
        found, after = await _events(house, after, 2)
        assert sorted(found) == ["acme", "globex"]


async def test_roll_ups_are_asked_about_and_made_anew_in_every_cell(house: House) -> None:
    await call(house, "acme", "globex", "initech")

    async def caught_up() -> bool:
        await house.parts.roll_ups.catch_up()
        return (await get(house, "/spend/roll-ups"))["caught_up_at"] is not None

    await eventually(caught_up)
    one = await house.admin().post("/api/v1/spend/rebuild", params={"tenant": "globex"})
    assert one.json() == {"tenants": 1}
    every = await house.admin().post("/api/v1/spend/rebuild")
    assert every.json() == {"tenants": 3}
    own = [(await get(house, "/spend/roll-ups", tenant=tenant))["caught_up_at"] for tenant in KEYS]
    assert (await get(house, "/spend/roll-ups"))["caught_up_at"] == min(own)


async def test_a_providers_bill_is_laid_beside_the_ledgers_of_all_cells(house: House) -> None:
    await call(house, "acme", "globex", "acme", "initech")
    ledger = Decimal((await get(house, "/spend"))["total"]["provider_usd"])
    assert ledger > 0
    identifier = await _import(house, int(ledger * 10**9) + 4_000)
    report = await get(house, f"/reconciliations/{identifier}")
    assert (Decimal(report["ledger_usd"]), Decimal(report["difference_usd"])) == (ledger, Decimal("0.000004"))
    path = f"/api/v1/reconciliations/{identifier}/bookings"
    order = {"reason": "their invoice", "causes": [cause["cause"] for cause in report["causes"]]}
    async with database_away(house, "globex") as cell:
        assert (await get(house, f"/reconciliations/{identifier}"))["incomplete"] == [cell]
        refused = await house.admin().post(path, json=order)
        assert (refused.status_code, refused.json()["code"]) == (503, "database_unavailable"), refused.text
    booked = await house.admin().post(path, json=order)
    assert booked.status_code == 201, booked.text
    shares = {share["tenant"]: Decimal(share["provider_usd"]) for share in booked.json()["tenants"]}
    assert shares == {"acme": Decimal("0.000002"), "globex": Decimal("0.000001"), "initech": Decimal("0.000001")}
    assert Decimal((await get(house, "/spend"))["total"]["provider_usd"]) == ledger + Decimal("0.000004")


async def test_a_cell_that_cannot_be_asked_is_named(house: House) -> None:
    await call(house, "acme", "globex", "initech")
    questions = {
        "/calls": "items",
        "/users": "items",
        "/spend?group_by=model": "groups",
        "/forecast?window=year": "items",
        "/movers?period=day": "items",
        "/savings": "items",
        "/forecast?by=budget": None,
        "/break-glass": None,
        "/spend/roll-ups": None,
    }
    async with schema_away(house, "acme") as schema, database_away(house, "globex") as other:
        for path, items in questions.items():
            answer = await get(house, path)
            assert sorted(answer["incomplete"]) == sorted([schema, other]), path
            assert items is None or len(answer[items]) == 1, path
        file = await house.admin().get("/api/v1/exports/spend")
        assert (file.status_code, len(file.text.splitlines())) == (200, 3), "a header, and two kinds of one call"
        assert sorted(file.headers["x-enfilade-incomplete"].split(",")) == sorted([schema, other])
        assert "-incomplete.csv" in file.headers["content-disposition"]
    whole = await house.admin().get("/api/v1/exports/spend")
    assert "x-enfilade-incomplete" not in whole.headers


async def _rows(house: House, **params: str) -> list[dict[str, str]]:
    reply = await house.admin().get("/api/v1/exports/spend", params=params)
    assert reply.status_code == 200, reply.text
    rows = list(csv.DictReader(io.StringIO(reply.text)))
    # What providers charge is the platform's to know, and left out where a tenant is named.
    return [
        {name: cell for name, cell in row.items() if name not in {"provider_usd", "x_ProviderCost"}} for row in rows
    ]


async def _events(
    house: House, after: str | None, count: int, limit: int = 100, incomplete: list[str] | None = None
) -> tuple[list[str], str]:
    """The tenants of the events that a reader gets who goes on until there are so many, and where that is.

    What is written while another transaction runs, a job's for example, is shown when that has ended.
    """
    found: list[str] = []
    place = after

    async def read() -> bool:
        nonlocal place
        page = await get(house, "/usage-events", limit=limit, **({} if place is None else {"after": place}))
        assert page.get("incomplete") == incomplete
        assert len(page["items"]) <= limit
        found.extend(event["data"]["tenant"] for event in page["items"])
        place = page["next"]
        return not page["more"] and len(found) >= count

    await eventually(read)
    assert place is not None
    return found, place


async def _import(house: House, nano: int) -> str:
    """A bill of the simulated provider's, of this amount; give the id under which it was imported."""
    today = to_datetime(house.options.clock.now_ns()).date()
    entry = Entry(today, "echo", "sim", None, None, nano, 1)
    reading = Reading(today, today + timedelta(days=1), ["made here"], ["bill.json"], 1, places=9, entries=[entry])
    async with house.unit() as unit:
        imported = await house.parts.reconciliations.keep(unit, reading, ReadingOptions(provider="sim"))
    return imported.report.record.id
