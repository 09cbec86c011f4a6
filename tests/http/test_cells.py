"""Tenants that live in a schema, or a database, of their own: to callers nothing is different."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from enfilade.costs.billing.register import own_series
from enfilade.storage.cells import own_name
from enfilade.storage.migrations import SHARED_SCHEMA
from tests.support.cells_away import schema_away
from tests.support.house import House, HouseOptions, open_house
from tests.support.two_tenants import bill
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, GLOBEX_KEY, world

QUESTION = {"model": "chat", "messages": [{"role": "user", "content": "Good morning"}]}
TABLES = ("users", "keys", "calls", "ledger", "events")


def apart() -> dict[str, Any]:
    """The small world, with acme in a schema of its own and globex in a database of its own."""
    document = world()
    document["tenants"][0]["isolation"] = "schema"
    document["tenants"][1]["isolation"] = "database"
    return document


@pytest.fixture
async def cells(database: Any) -> AsyncIterator[House]:
    """A house whose tenants live apart."""
    async with open_house(database, HouseOptions(document=apart())) as house:
        yield house
        globex = house.tenant_id("globex")
    # The test's own database goes with all of its schemas; the other one would stay on the server.
    connection = await asyncpg.connect(database.at("postgres").url)
    await connection.execute(f'DROP DATABASE "{own_name(globex)}" WITH (FORCE)')
    await connection.close()


async def test_a_call_is_settled_in_its_tenants_own_cell(cells: House) -> None:
    for key in (ACME_KEY, GLOBEX_KEY):
        for _ in range(3):
            reply = await cells.client(key).post("/v1/chat/completions", json=QUESTION)
            assert reply.status_code == 200, reply.text
    acme, globex = cells.tenant_id("acme"), cells.tenant_id("globex")
    places = {
        "shared": (cells.address.url, SHARED_SCHEMA),
        "acme": (cells.address.url, own_name(acme)),
        "globex": (cells.address.at(own_name(globex)).url, SHARED_SCHEMA),
    }
    counts = {name: await _count(*place) for name, place in places.items()}
    assert counts["shared"] == {table: {} for table in TABLES}
    assert counts["acme"].keys() == counts["globex"].keys()
    for name, tenant in (("acme", acme), ("globex", globex)):
        assert counts[name]["calls"] == {tenant: 3}
        assert counts[name]["ledger"] == {tenant: 3}
        assert set(counts[name]["users"]) == {tenant}


async def test_what_administrators_see_is_their_own_whatever_the_cell(cells: House) -> None:
    for key, admin in ((ACME_KEY, ACME_ADMIN_KEY), (GLOBEX_KEY, GLOBEX_ADMIN_KEY)):
        assert (await cells.client(key).post("/v1/chat/completions", json=QUESTION)).status_code == 200
        calls = (await cells.admin(admin).get("/api/v1/calls")).json()["items"]
        assert len(calls) == 1
        spend = (await cells.admin(admin).get("/api/v1/spend?group_by=application")).json()
        assert [group["calls"] for group in spend["groups"]] == [1]


async def test_a_document_that_does_not_say_how_leaves_tenants_where_they_are(cells: House) -> None:
    plan = await cells.admin().post("/api/v1/configuration/plan", json=world())
    assert plan.status_code == 200, plan.text
    assert not [change for change in plan.json()["changes"] if change["kind"] == "tenant"]


async def test_a_plan_makes_no_cell(cells: House) -> None:
    document = apart()
    document["tenants"].append({"name": "initech", "isolation": "schema"})
    plan = await cells.admin().post("/api/v1/configuration/plan", json=document)
    assert [change["name"] for change in plan.json()["changes"]] == ["initech"]
    connection = await asyncpg.connect(cells.address.url)
    try:
        schemas = await connection.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'enf\\_%'")
    finally:
        await connection.close()
    assert schemas == 1, "acme's"


async def test_invoices_of_one_database_are_numbered_together_and_those_of_another_by_themselves(cells: House) -> None:
    initech = apart()["tenants"][0] | {"name": "initech", "isolation": "row", "keys": []}
    await cells.apply(apart() | {"tenants": [*apart()["tenants"], initech]})
    numbers = {}
    for name, admin in (("acme", ACME_ADMIN_KEY), ("globex", GLOBEX_ADMIN_KEY), ("initech", None)):
        await bill(cells.parts, cells.tenant_id(name))
        client = cells.admin() if admin is None else cells.admin(admin)
        found = (await client.get("/api/v1/invoices", params={} if admin else {"tenant": name})).json()["items"]
        numbers[name] = [invoice["number"] for invoice in found]
    assert numbers["acme"] != numbers["initech"], "a schema shares the series of its database"
    assert numbers["globex"] == [own_series(cells.tenant_id("globex")) + numbers["acme"][0]]
    every = (await cells.admin().get("/api/v1/invoices")).json()["items"]
    assert {invoice["number"] for invoice in every} == {number for own in numbers.values() for number in own}


async def test_the_platform_lists_whoever_lives_anywhere(cells: House) -> None:
    page = (await cells.admin().get("/api/v1/users", params={"limit": 2})).json()
    rest = (await cells.admin().get("/api/v1/users", params={"cursor": page["next"]})).json()
    emails = [user["email"] for user in page["items"] + rest["items"]]
    assert sorted(emails) == ["ana@acme.example", "ben@acme.example", "gil@globex.example"]
    exported = (await cells.admin().get("/api/v1/configuration")).json()
    assert [len(tenant["users"]) for tenant in exported["tenants"]] == [2, 1]


async def test_a_cell_that_is_gone_stops_its_own_tenant_and_nobody_else(cells: House) -> None:
    async with schema_away(cells, "acme"):
        refused = await cells.admin(ACME_ADMIN_KEY).get("/api/v1/users")
        assert (refused.status_code, refused.json()["code"]) == (503, "cell_unavailable")
        assert (await cells.parts.roll_ups.catch_up()) == 0
        assert (await cells.client(GLOBEX_KEY).post("/v1/chat/completions", json=QUESTION)).status_code == 200
        assert (await cells.admin(GLOBEX_ADMIN_KEY).get("/api/v1/users")).status_code == 200


async def test_a_key_that_is_revoked_in_another_database_is_dead_at_once(cells: House) -> None:
    reply = await cells.admin(GLOBEX_ADMIN_KEY).delete("/api/v1/keys/notebook-key")
    assert reply.status_code == 204, reply.text
    await cells.parts.directory.refresh()
    assert (await cells.client(GLOBEX_KEY).post("/v1/chat/completions", json=QUESTION)).status_code == 401


async def _count(url: str, schema: str) -> dict[str, dict[str, int]]:
    connection = await asyncpg.connect(url)
    try:
        return {
            table: {
                str(row["tenant_id"]): row["n"]
                for row in await connection.fetch(
                    f"SELECT tenant_id, count(*) AS n FROM {schema}.{table} WHERE tenant_id <> $1 GROUP BY 1",
                    "00000000-0000-0000-0000-000000000000",
                )
            }
            for table in TABLES
        }
    finally:
        await connection.close()
