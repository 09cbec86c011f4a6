"""Stopping a real process: what runs is finished or cut, everything is billed, and nothing stays behind."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.support.books import opened_books, postmaster
from tests.support.load import Load, OpenStream, caller, error_code, open_streams, question
from tests.support.process import EnfiladeProcess, clean_environment, enfilade_up
from tests.support.waiting import eventually
from tests.support.world import world

pytestmark = pytest.mark.e2e

LONG = "simulated/text-900+pace-1s"
BRIEF = "simulated/text-100+pace-15ms"


@pytest.mark.parametrize("sign", [signal.SIGTERM, signal.SIGINT])
async def test_new_calls_are_sent_away_and_running_ones_finish(installed: Path, sign: signal.Signals) -> None:
    data = installed / "data"
    with enfilade_up(installed, "--config", _configuration(installed)) as process:
        database = _postgres(data)
        async with open_streams(process.url, 5, BRIEF) as streams, caller(process.url) as client:
            await client.get("/healthz")  # A connection from before.
            process.process.send_signal(sign)
            refused = await _first_refusal(client)
            assert refused.json()["error"]["code"] == "draining"
            assert float(refused.headers["retry-after"]) > 0
            async with caller(process.url) as another:
                assert (await another.get("/readyz")).status_code == 503
                assert (await another.get("/healthz")).status_code == 200
            for stream in streams:
                assert (await stream.rest()).rstrip().endswith("data: [DONE]")
        assert await process.ended() == 0
        assert_gone(database, data)
    with enfilade_up(installed, "--config", _configuration(installed)):
        async with opened_books(data) as books:
            entries = await books.checked()
            assert await books.intents() == set()
    assert {entries[stream.id].status for stream in streams} == {"ok"}
    assert not any(entries[stream.id].estimated for stream in streams)


async def test_a_call_that_outlasts_the_drain_is_cut_and_billed(installed: Path) -> None:
    data = installed / "data"
    short = {"ENFILADE_DRAIN_SECONDS": "0.3"}
    with enfilade_up(installed, "--config", _configuration(installed), environment=short) as process:
        async with open_streams(process.url, 3, LONG) as streams, caller(process.url) as client:
            slow = asyncio.create_task(
                client.post("/v1/chat/completions", json=question("simulated/slow-600s+text-5", stream=False))
            )
            await _are_noted(data, 4)
            process.process.send_signal(signal.SIGTERM)
            ends = [await stream.rest() for stream in streams]
            interrupted = await slow
        assert await process.ended() == 0
        assert postmaster(data) is None
    for end in ends:
        assert error_code(end.rstrip().rpartition("data: ")[2]) == "interrupted"
        assert "[DONE]" not in end
    assert (interrupted.status_code, error_code(interrupted.text)) == (503, "interrupted")
    assert float(interrupted.headers["retry-after"]) > 0

    with enfilade_up(installed, "--config", _configuration(installed)):
        async with opened_books(data) as books:
            entries = await books.checked()
            assert await books.intents() == set()
    for call_id in [interrupted.headers["x-request-id"], *(stream.id for stream in streams)]:
        assert (entries[call_id].status, entries[call_id].estimated) == ("interrupted", True)
        assert entries[call_id].nano > 0


async def test_a_second_ctrl_c_does_not_wait_for_running_calls(installed: Path) -> None:
    patient = {"ENFILADE_DRAIN_SECONDS": "3600"}
    with enfilade_up(installed, "--config", _configuration(installed), environment=patient) as process:
        async with open_streams(process.url, 2, LONG) as streams, caller(process.url) as client:
            await client.get("/healthz")  # A connection from before.
            process.process.send_signal(signal.SIGINT)
            await _first_refusal(client)
            process.process.send_signal(signal.SIGINT)
            ends = [await stream.rest() for stream in streams]
        assert await process.ended() == 0
    assert {error_code(end.rstrip().rpartition("data: ")[2]) for end in ends} == {"interrupted"}


async def test_a_stop_under_load_leaves_every_answer_in_the_books(installed: Path) -> None:
    data = installed / "data"
    with enfilade_up(installed, "--config", _configuration(installed)) as process:
        load = Load(process.url, random.Random(20261121))

        def stop(answers: int) -> None:
            if answers in {40, 60}:  # The second signal, while the first is being obeyed, changes nothing.
                process.process.send_signal(signal.SIGTERM)

        await load.run(150, stop)
        assert await process.ended() == 0
        assert postmaster(data) is None
    assert set(load.refused.values()) <= {503}
    with enfilade_up(installed, "--config", _configuration(installed)):
        async with opened_books(data) as books:
            entries = await books.checked()
            assert await books.intents() == set()
    assert load.answered.keys() <= entries.keys()
    assert all(entries[call_id].status == "ok" for call_id in load.answered)


async def test_a_signal_while_it_starts_stops_it_cleanly(tmp_path: Path) -> None:
    data = tmp_path / "data"
    process = EnfiladeProcess(tmp_path, ["up", "--port", "0", "--data", str(data)])
    try:
        await eventually(lambda: postmaster(data) is not None, within=60)
        database = _postgres(data)
        process.process.send_signal(signal.SIGTERM)
        assert await process.ended() == 0, process.output
        assert "Traceback" not in process.output
        assert_gone(database, data)
    finally:
        process.close()


async def test_ctrl_c_at_a_terminal_reaches_the_whole_group_and_still_drains(installed: Path) -> None:
    # A terminal signals every process of the group: the database must not take it for its own.
    data = installed / "data"
    async with _in_a_group_of_its_own(installed, data) as (process, url):
        database = _postgres(data)
        async with open_streams(url, 3, BRIEF) as streams:
            os.killpg(process.pid, signal.SIGINT)
            assert await _all_whole(streams)
        assert await asyncio.to_thread(process.wait, 60) == 0
        assert_gone(database, data)
    assert "postgres_ended" not in (installed / "output.txt").read_text()


async def test_a_killed_server_takes_its_database_with_it(installed: Path) -> None:
    data = installed / "data"
    with enfilade_up(installed, "--config", _configuration(installed)) as process:
        database = _postgres(data)
        process.kill()
        await eventually(lambda: not database.is_running() or database.status() == psutil.STATUS_ZOMBIE, within=60)


def assert_gone(database: psutil.Process, data: Path) -> None:
    """Neither the database's process nor its mark is left."""
    assert not database.is_running()
    assert postmaster(data) is None


def _configuration(home: Path) -> str:
    path = home / "world.json"
    path.write_text(json.dumps(world()))
    return str(path)


def _postgres(data: Path) -> psutil.Process:
    found = postmaster(data)
    assert found is not None
    return psutil.Process(found[0])


async def _first_refusal(client: httpx2.AsyncClient) -> httpx2.Response:
    """The first answer that is not a success: the signal needs a moment to arrive."""
    refused: list[httpx2.Response] = []

    async def is_refused() -> bool:
        reply = await client.post("/v1/chat/completions", json=question("simulated/echo", stream=False))
        if reply.status_code != 200:
            refused.append(reply)
        return bool(refused)

    await eventually(is_refused, within=60)
    assert refused[0].status_code == 503
    return refused[0]


async def _are_noted(data: Path, count: int) -> None:
    async def noted() -> bool:
        async with opened_books(data) as books:
            return len(await books.intents()) == count

    await eventually(noted, within=60)


async def _all_whole(streams: list[OpenStream]) -> bool:
    ends = await asyncio.gather(*(stream.rest() for stream in streams))
    return all(end.rstrip().endswith("data: [DONE]") for end in ends)


@asynccontextmanager
async def _in_a_group_of_its_own(home: Path, data: Path) -> AsyncIterator[tuple["subprocess.Popen[bytes]", str]]:
    ready = home / "ready.json"
    options = ["--port", "0", "--data", str(data), "--config", _configuration(home), "--ready-file", str(ready)]
    with (home / "output.txt").open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "enfilade", "up", *options],
            cwd=home,
            env=clean_environment(home),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        try:
            await eventually(ready.exists, within=60)
            yield process, json.loads(ready.read_text())["url"]
        finally:
            process.kill()
            process.wait(60)
