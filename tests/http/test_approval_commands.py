"""The commands of approvals and access reviews, from asking to the report."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from typer.testing import CliRunner

from enfilade.cli.root import ROOT
from enfilade.storage.address import Address
from tests.http.admin.test_approvals import KEYS, office
from tests.support.house import House
from tests.support.world import ACME_ADMIN_KEY


@pytest.fixture
async def house(database: Address) -> AsyncIterator[House]:
    async with office(database) as running:
        yield running


async def run(house: House, key: str, *words: str, exit_code: int = 0) -> str:
    options = ["--url", house.url, "--key", key]
    result = await asyncio.to_thread(CliRunner().invoke, ROOT, [*words, *options])
    assert result.exit_code == exit_code, (words, result.output, result.stderr)
    await house.parts.directory.refresh()
    return result.stdout


async def in_json(house: House, key: str, *words: str) -> Any:
    text = await run(house, key, *words, "--json")
    # The house logs to the same stream while the command runs.
    lines = text.splitlines()
    begins = next(number for number, line in enumerate(lines) if line in {"{", "["} or line[:1] in "{[")
    return json.JSONDecoder().raw_decode("\n".join(lines[begins:]))[0]


async def test_access_is_asked_for_decided_listed_and_revoked(house: House) -> None:
    ana, ben, cleo = (KEYS[who] for who in ("ana", "ben", "cleo"))
    wish = ("request", "model", "--model", "chat", "--for", "8h", "--reason", "a demo")
    made = await in_json(house, ana, "approval", *wish)
    assert made["awaits"] == ["ben@acme.example"]
    assert "model chat" in await run(house, ben, "approval", "list", "--awaiting-me")
    await run(house, ben, "approval", "comment", made["id"], "which demo?")
    await run(house, cleo, "approval", "approve", made["id"], exit_code=3)
    await run(house, ben, "approval", "approve", made["id"], "--comment", "go on")
    shown = await run(house, ana, "approval", "show", made["id"])
    assert "which demo?" in shown
    assert "go on" in shown
    (grant,) = await in_json(house, ana, "grant", "list", "--state", "active")
    assert "chat" in await run(house, ana, "grant", "list", "--mine")
    await run(house, ben, "grant", "revoke", grant["id"], "--reason", "over", "--yes")
    assert [each["state"] for each in await in_json(house, ana, "grant", "list")] == ["revoked"]

    second = await in_json(house, ana, "approval", *wish)
    await run(house, ben, "approval", "refuse", second["id"], "--reason", "not again")
    third = await in_json(house, ana, "approval", *wish)
    await run(house, ana, "approval", "withdraw", third["id"], "--yes")
    states = [each["state"] for each in await in_json(house, ana, "approval", "list", "--mine")]
    assert states == ["approved", "refused", "withdrawn"]
    await run(house, ben, "approval", "delegate", "cleo@acme.example", "--until", "2026-12-24")
    await run(house, ben, "approval", "delegate", "cleo@acme.example")
    assert "manager" in await run(house, ACME_ADMIN_KEY, "approval", "rules")


async def test_emergency_access_is_taken_and_reviewed(house: House) -> None:
    wish = ("emergency", "take", "model", "--model", "chat", "--for", "1h", "--reason", "it burns")
    await run(house, KEYS["ben"], *wish, exit_code=3)
    taken = await in_json(house, KEYS["ana"], *wish)
    assert "it burns" in await run(house, KEYS["cleo"], "emergency", "list", "--unreviewed")
    await run(house, KEYS["cleo"], "emergency", "review", taken["id"], "--justified", "--note", "it did")
    assert await in_json(house, KEYS["cleo"], "emergency", "list", "--unreviewed") == []


async def test_a_review_is_started_answered_closed_and_reported(house: House) -> None:
    admin, ben = ACME_ADMIN_KEY, KEYS["ben"]
    started = await in_json(house, admin, "review", "start", "spring", "--scope", "roles", "--department", "sales")
    (item,) = await in_json(house, ben, "review", "items", started["id"], "--mine", "--open")
    assert "role developer" in await run(house, ben, "review", "items", started["id"])
    change = ("--to", "role=member", "--reason", "she only asks")
    await run(house, ben, "review", "answer", started["id"], item["id"], "change", *change)
    assert "spring" in await run(house, ben, "review", "list")
    await run(house, admin, "review", "close", started["id"])
    assert "closed" in await run(house, admin, "review", "show", started["id"])
    assert (await run(house, admin, "review", "report", started["id"])).startswith("# Access review: spring")
    await run(house, admin, "review", "schedule", "quarterly", "--every", "quarter", "--next", "2027-01-01")
    assert "quarterly" in await run(house, admin, "review", "schedules")
    await run(house, admin, "review", "unschedule", "quarterly", "--yes")
