"""A power cut at any moment: what a caller was told stays true, and nothing is counted twice."""

import json
import os
import random
import signal
from contextlib import ExitStack
from decimal import Decimal
from itertools import product
from pathlib import Path

import httpx2
import pytest

from tests.support.books import Entry, opened_books, postmaster
from tests.support.dialect_models import declare_dialect_models
from tests.support.load import Load, caller, error_code, open_streams, question
from tests.support.process import EnfiladeProcess, enfilade_up
from tests.support.speaking import GENERATING, Asked
from tests.support.speaking import question as spoken
from tests.support.waiting import eventually
from tests.support.world import OWNER_KEY, world

pytestmark = pytest.mark.e2e

SEED = 20261121
CALLS = 200
RUNNING = 20
CONCURRENCY = 60
LONG = "simulated/text-900+pace-1s"
"""A stream that outlasts every test."""
LASTING = {"model": "gemini_generate/text-900+pace-1s", "stream": True}
NANO = Decimal(1_000_000_000)


async def test_a_killed_server_has_lost_nothing_that_it_answered(installed: Path) -> None:
    rng = random.Random(SEED)
    config, data = _configuration(installed), installed / "data"
    told: dict[str, str | None] = {}
    with ExitStack() as stack:
        process = stack.enter_context(enfilade_up(installed, "--config", config))
        for also_while_recovering in (True, False):
            async with open_streams(process.url, RUNNING, LONG) as streams:
                running = {stream.id for stream in streams}
                await _are_noted(data, running)
                told |= await _load_until_killed(process, rng)
            if also_while_recovering:
                await _killed_while_recovering(installed, config, running)

            process = stack.enter_context(enfilade_up(installed, "--config", config))
            async with opened_books(data) as books:
                entries = await books.checked()
                assert await books.intents() == set()
            told |= dict.fromkeys(running)
            _compare(told, entries)
            for call_id in running:
                assert (entries[call_id].status, entries[call_id].estimated) == ("interrupted", True)
                assert entries[call_id].nano > 0
            await _nothing_is_held(process, entries)
            await _whole_concurrency_is_free(process)
            await _everything_ended(process)
        assert process.stop() == 0
    assert postmaster(data) is None


async def test_translated_streams_and_kept_responses_survive_a_power_cut(installed: Path) -> None:
    """What was being translated is settled once; a response that was answered is still kept, one that was not is not."""
    config, data = _configuration(installed), installed / "data"
    asked = [
        spoken(caller_dialect, f"{family}/text-900+pace-1s", "Hello", stream=True)
        for caller_dialect, family in product(GENERATING, ("anthropic_messages", "gemini_generate"))
    ]
    kept = {"model": "anthropic_messages/text-3", "input": "Hello"}
    with ExitStack() as stack:
        process = stack.enter_context(enfilade_up(installed, "--config", config))
        async with (
            open_streams(process.url, 0, LONG, [*asked, Asked("/v1/responses", kept | LASTING)]) as streams,
            caller(process.url) as client,
        ):
            assert {stream.status for stream in streams} == {200}
            running = {stream.id for stream in streams}
            await _are_noted(data, running)
            answer = await client.post("/v1/responses", json=kept)
            assert answer.status_code == 200, answer.text
            process.kill()

        process = stack.enter_context(enfilade_up(installed, "--config", config))
        async with opened_books(data) as books:
            entries = await books.checked()
            assert await books.intents() == set()
        assert entries.keys() == running | {answer.headers["x-request-id"]}
        _compare({answer.headers["x-request-id"]: answer.headers["x-enfilade-cost-usd"]}, entries)
        for call_id in running:
            assert (entries[call_id].status, entries[call_id].estimated) == ("interrupted", True)
            assert entries[call_id].nano > 0
        await _nothing_is_held(process, entries)
        async with caller(process.url) as client:
            found = await client.get(f"/v1/responses/{answer.json()['id']}")
            assert (found.status_code, found.json()) == (200, answer.json())
            assert [one["id"] for one in (await client.get("/v1/responses")).json()["data"]] == [answer.json()["id"]]
        assert process.stop() == 0


async def test_a_killed_database_has_lost_nothing_that_was_answered(installed: Path) -> None:
    rng = random.Random(SEED + 1)
    config, data = _configuration(installed), installed / "data"
    with enfilade_up(installed, "--config", config) as process:
        load = Load(process.url, rng)
        moments = [rng.randrange(20, 60), rng.randrange(80, 120)]
        killed: list[int] = []

        def kill_the_database(answers: int) -> None:
            found = postmaster(data)
            # Answers that were given before the first cut may still be arriving: the second waits for another server.
            if moments and answers >= moments[0] and found is not None and found[0] not in killed:
                del moments[0]
                os.kill(found[0], signal.SIGKILL)
                killed.append(found[0])

        async with open_streams(process.url, RUNNING, LONG) as streams:
            await _are_noted(data, {stream.id for stream in streams})
            await load.run(CALLS, kill_the_database)
            assert len(killed) == 2
            assert killed[0] != killed[1]
            await _is_ready(process)
            async with opened_books(data) as books:
                # Those that are being answered are neither settled nor forgotten.
                assert await books.intents() == {stream.id for stream in streams}
        await _everything_ended(process)
        async with opened_books(data) as books:
            entries = await books.checked()
            assert await books.intents() == set()
        assert load.broken == 0
        assert set(load.refused.values()) <= {503}
        assert len(load.answered) + len(load.refused) == CALLS
        _compare(load.answered, entries)
        for stream in streams:
            assert entries[stream.id].status == "abandoned"
        await _nothing_is_held(process, entries)
        await _whole_concurrency_is_free(process)
        assert process.stop() == 0
    assert postmaster(data) is None


async def test_a_database_killed_again_while_it_recovers_comes_back(installed: Path) -> None:
    config, data = _configuration(installed), installed / "data"
    with enfilade_up(installed, "--config", config) as process:
        load = Load(process.url, random.Random(SEED + 2))
        await load.run(20)
        for _ in range(3):
            before = postmaster(data)
            assert before is not None
            os.kill(before[0], signal.SIGKILL)
            # As soon as the next one exists, ready or not, it is killed in its turn.
            await eventually(lambda old=before[0]: (now := postmaster(data)) is not None and now[0] != old, within=60)  # type: ignore[misc]
        await load.run(20)
        await _is_ready(process)
        async with opened_books(data) as books:
            _compare(load.answered, await books.checked())
        assert load.answered
        assert process.stop() == 0


def _configuration(home: Path) -> str:
    document = declare_dialect_models(world())
    acme = document["tenants"][0]
    acme["limits"] = [
        {"scope": "tenant", "concurrency": CONCURRENCY},
        {"scope": "application:copilot", "requests": 100_000, "per": "minute"},
    ]
    acme["budgets"] = [
        {"scope": "tenant", "window": "total", "limit_usd": 1000},
        {"scope": "application:copilot", "window": "month", "limit_usd": 1000},
    ]
    path = home / "world.json"
    path.write_text(json.dumps(document))
    return str(path)


async def _load_until_killed(process: EnfiladeProcess, rng: random.Random) -> dict[str, str | None]:
    load = Load(process.url, rng)
    moment = rng.randrange(30, CALLS - 30)

    def kill_the_server(answers: int) -> None:
        if answers == moment:
            process.process.kill()

    await load.run(CALLS, kill_the_server)
    process.kill()
    assert load.broken > 0
    assert len(load.answered) >= moment
    return load.answered


async def _killed_while_recovering(home: Path, config: str, running: set[str]) -> None:
    """Two more power cuts: one when the database is up, one when the running calls are being settled."""
    data = home / "data"
    arguments = ["up", "--port", "0", "--data", str(data), "--config", config]

    async def has_settled() -> bool:
        found = postmaster(data)
        if found is None or not found[1]:
            return False
        async with opened_books(data) as books:
            return not running & await books.intents()

    for moment in (lambda: (found := postmaster(data)) is not None and found[1], has_settled):
        process = EnfiladeProcess(home, arguments)
        try:
            await eventually(moment, within=60)
        finally:
            process.kill()
            process.close()


async def _are_noted(data: Path, calls: set[str]) -> None:
    async def noted() -> bool:
        async with opened_books(data) as books:
            return calls <= await books.intents()

    await eventually(noted, within=60)


def _compare(told: dict[str, str | None], entries: dict[str, Entry]) -> None:
    """What callers were told is in the books, and at the price that they were told."""
    missing = told.keys() - entries.keys()
    assert not missing, f"{len(missing)} answered calls are not in the ledger"
    for call_id, cost in told.items():
        if cost is not None:
            assert entries[call_id].status == "ok"
            assert Decimal(cost) * NANO == entries[call_id].nano
            assert not entries[call_id].estimated


def _admin(process: EnfiladeProcess) -> httpx2.AsyncClient:
    headers = {"authorization": f"Bearer {OWNER_KEY}"}
    return httpx2.AsyncClient(base_url=process.url, headers=headers, timeout=30, trust_env=False)


async def _is_ready(process: EnfiladeProcess) -> None:
    async with _admin(process) as admin:

        async def ready() -> bool:
            return (await admin.get("/readyz")).status_code == 200

        await eventually(ready, within=60)


async def _everything_ended(process: EnfiladeProcess) -> None:
    async with _admin(process) as admin:

        async def idle() -> bool:
            lines = (await admin.get("/metrics")).text.splitlines()
            return {"enfilade_running_calls 0", "enfilade_held_usd 0", "enfilade_writer_backlog 0"} <= {
                line.removesuffix(".0") for line in lines
            }

        await eventually(idle, within=60)


async def _nothing_is_held(process: EnfiladeProcess, entries: dict[str, Entry]) -> None:
    """Budgets know what the ledger knows, and hold nothing."""
    spent = sum(entry.nano for entry in entries.values())
    async with _admin(process) as admin:
        budgets = (await admin.get("/api/v1/budgets")).json()["items"]
        total = (await admin.get("/api/v1/spend")).json()["total_usd"]
    assert len(budgets) == 2
    for budget in budgets:
        assert Decimal(budget["held_usd"]) == 0
        assert Decimal(budget["spent_usd"]) * NANO == spent
    assert Decimal(total) * NANO == spent


async def _whole_concurrency_is_free(process: EnfiladeProcess) -> None:
    """As many calls at once as the limit allows are taken, and not one more."""
    async with open_streams(process.url, CONCURRENCY, LONG) as streams, caller(process.url) as client:
        assert {stream.status for stream in streams} == {200}
        refused = await client.post("/v1/chat/completions", json=question("chat", stream=False))
        assert (refused.status_code, error_code(refused.text)) == (429, "concurrency_limit_reached")
