"""Exports of providers over the admin API and at the command line, beside calls that were really made."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import CHAT, question
from tests.support.house import House, HouseOptions, open_house
from tests.support.process import run_cli
from tests.support.world import ACME_KEY, GLOBEX_KEY, OWNER_KEY, world

PATH = "/api/v1/reconciliations"
MODEL = "simulated/text-10"
HEADER = "ChargePeriodStart,BilledCost,BillingCurrency,ServiceName,ServiceCategory,x_Model,x_TokenType,ConsumedQuantity"


@pytest.fixture
async def house(database: Address) -> AsyncIterator[House]:
    """A house on 2 November 2026, with three calls made."""
    document = world()
    document["providers"].append({"name": "other", "kind": "simulated"})
    async with open_house(database, HouseOptions(document=document, clock=ManualClock())) as running:
        for key in (ACME_KEY, ACME_KEY, GLOBEX_KEY):
            reply = await running.client(key).post(CHAT, json=question(CHAT, MODEL))
            assert reply.status_code == 200
        yield running


async def used(house: House) -> dict[str, tuple[int, int]]:
    """Quantity and nano-dollars by kind, as the ledger has them."""
    async with house.unit() as unit:
        found = await unit.fetch(
            "SELECT kind, sum(quantity)::bigint AS quantity, sum(amount_nano)::bigint AS nano FROM ledger_lines GROUP BY kind"
        )
    return {row["kind"]: (row["quantity"], row["nano"]) for row in found}


def focus(kinds: dict[str, tuple[int, int]], factor: int = 1) -> bytes:
    """A FOCUS file that charges so much."""
    rows = (
        f"2026-11-02T00:00:00Z,{nano * factor / 10**9:.9f},USD,Simulation,AI and Machine Learning,text-10,{kind},{quantity}"
        for kind, (quantity, nano) in kinds.items()
    )
    return "\n".join([HEADER, *rows, ""]).encode()


async def send(house: House, content: bytes, key: str = OWNER_KEY, **params: Any) -> Any:
    """An import."""
    return await house.client(key).post(PATH, content=content, params={"provider": "sim"} | params)


async def test_an_export_is_imported_compared_booked_and_found_again(house: House) -> None:
    kinds = await used(house)
    nano = sum(amount for _, amount in kinds.values())
    reply = await send(house, focus(kinds, factor=2), file="november.csv")
    assert reply.status_code == 201, reply.text
    report = reply.json()
    assert (report["changed"], report["groups_total"], report["groups_differing"]) == (True, 1, 1)
    assert report["causes"] == [{"cause": "price", "difference_usd": f"0.{nano:09d}", "booked_usd": "0.000000000"}]
    (group,) = report["groups"]
    assert (group["day"], group["model"], group["status"], group["entries"]) == ("2026-11-02", "text-10", "differs", 3)
    assert {part["kind"]: part["ledger_quantity"] for part in group["kinds"]} == {
        kind: quantity for kind, (quantity, _) in kinds.items()
    }
    identifier = report["reconciliation"]["id"]

    again = await send(house, focus(kinds, factor=2))
    assert (again.status_code, again.json()["changed"]) == (200, False)
    assert again.json()["reconciliation"] == report["reconciliation"]

    owner = house.admin()
    booked = await owner.post(f"{PATH}/{identifier}/bookings", json={"reason": "invoice 7", "bill": True})
    assert booked.status_code == 201, booked.text
    assert (booked.json()["provider_usd"], booked.json()["amount_usd"]) == (f"0.{nano:09d}",) * 2
    assert {share["tenant"] for share in booked.json()["tenants"]} == {"acme", "globex"}
    twice = await owner.post(f"{PATH}/{identifier}/bookings", json={"reason": "invoice 7", "bill": True})
    assert (twice.json()["differences"], twice.json()["corrections"]) == (0, 0)

    shown = (await owner.get(f"{PATH}/{identifier}")).json()
    assert shown["causes"][0]["booked_usd"] == shown["causes"][0]["difference_usd"] == f"0.{nano:09d}"
    assert (await owner.get(f"{PATH}/{identifier}", params={"status": "matches"})).json()["groups"] == []
    listed = (await owner.get(PATH)).json()["items"]
    assert [item["id"] for item in listed] == [identifier]
    spend = (await owner.get("/api/v1/spend", params={"from": "2026-11-01", "to": "2026-11-03"})).json()
    assert spend["total_usd"] == f"0.{2 * nano:09d}"


async def test_a_repeated_request_is_answered_with_the_same_reply(house: House) -> None:
    content = focus(await used(house))
    headers = {"idempotency-key": "import-1"}
    replies = [
        await house.admin().post(PATH, content=content, params={"provider": "sim"}, headers=headers) for _ in range(2)
    ]
    assert [reply.status_code for reply in replies] == [201, 201]
    assert replies[1].headers["idempotency-replayed"] == "true"
    assert replies[0].json() == replies[1].json()


async def test_the_command_line_imports_shows_and_books(house: House, tmp_path: Path) -> None:
    kinds = await used(house)
    lines = focus(kinds, factor=3).splitlines(keepends=True)
    parts = [tmp_path / name for name in ("part-1.csv", "part-2.csv")]
    parts[0].write_bytes(lines[0] + lines[1])
    parts[1].write_bytes(lines[0] + b"".join(lines[2:]))
    environment = {"ENFILADE_URL": house.url, "ENFILADE_KEY": OWNER_KEY}

    async def run(*arguments: str) -> Any:
        return await asyncio.to_thread(run_cli, tmp_path, "reconcile", *arguments, environment=environment)

    imported = await run("import", *map(str, parts), "--provider", "sim")
    assert imported.returncode == 0, imported.stderr
    assert "Imported as" in imported.stderr
    assert "price" in imported.stdout
    assert "differs" in imported.stdout
    listed = json.loads((await run("list", "--json")).stdout)
    assert [item["files"] for item in listed] == [["part-1.csv", "part-2.csv"]]
    booked = await run("book", listed[0]["id"], "--reason", "invoice 7")
    assert "Booked 1 difference with" in booked.stderr
    assert "acme" in booked.stdout
    shown = json.loads((await run("show", listed[0]["id"], "--json")).stdout)
    assert shown["booked_usd"] == shown["difference_usd"]
    parts[1].write_bytes(parts[1].read_bytes()[:-7])
    cut = await run("import", *map(str, parts), "--provider", "sim")
    assert cut.returncode == 5
    assert "part-2.csv: line" in cut.stderr
