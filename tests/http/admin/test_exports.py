"""Exports and usage events over HTTP and at the command line."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from enfilade.cli.output import Exit
from enfilade.cli.root import ROOT
from enfilade.costs.errors import ExportBroken
from enfilade.costs.spend.exports import parquet_pipe, service
from enfilade.costs.spend.exports.columns import Batches, Table
from tests.support.entries import lines, post_call
from tests.support.house import House
from tests.support.waiting import eventually
from tests.support.world import ACME_ADMIN_KEY, ACME_KEY, GLOBEX_ADMIN_KEY, OWNER_KEY

EXPORT = "/api/v1/exports/spend"
USAGE = "/api/v1/usage-events"
CALL = {"model": "simulated/echo", "messages": [{"role": "user", "content": "hello there"}], "max_tokens": 10}
MEDIA = {
    "csv": "text/csv; charset=utf-8",
    "ndjson": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
    "focus_csv": "text/csv; charset=utf-8",
    "focus_parquet": "application/vnd.apache.parquet",
}


async def cli(house: House, *arguments: str, key: str = OWNER_KEY) -> Result:
    """What a command does in a thread, with the house as its server."""
    environment = {"ENFILADE_URL": house.url, "ENFILADE_KEY": key}
    return await asyncio.to_thread(CliRunner().invoke, ROOT, list(arguments), env=environment)


async def test_what_calls_cost_is_exported_in_every_format(house: House) -> None:
    for _ in range(2):
        assert (await house.client(ACME_KEY).post("/v1/chat/completions", json=CALL)).status_code == 200
    spent = Decimal((await house.admin().get("/api/v1/spend")).json()["total_usd"])
    assert spent > 0
    listed = (await house.admin().get("/api/v1/exports")).json()
    assert {entry["name"]: entry["media_type"] for entry in listed} == MEDIA
    for form, media in MEDIA.items():
        reply = await house.admin().get(EXPORT, params={"format": form, "tenant": "acme"})
        assert (reply.status_code, reply.headers["content-type"]) == (200, media), reply.text
        assert reply.headers["x-enfilade-empty"] == "false"
        suffix = form.replace("_", ".")
        assert reply.headers["content-disposition"].startswith('attachment; filename="spend-acme-')
        assert reply.headers["content-disposition"].endswith(f'.{suffix}"')
        column = "BilledCost" if "focus" in form else "amount_usd"
        assert sum(Decimal(row[column]) for row in _rows(form, reply.content)) == spent, form


def _rows(form: str, content: bytes) -> list[dict[str, Any]]:
    if "csv" in form:
        return list(csv.DictReader(io.StringIO(content.decode())))
    if form == "ndjson":
        return [json.loads(line) for line in content.splitlines()]
    found: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return found


@pytest.mark.parametrize(
    ("params", "status", "code", "param"),
    [
        ({"format": "xls"}, 422, "unknown_export", "format"),
        ({"format": "focus_csv", "table": "lines"}, 422, "unknown_export", "table"),
        ({"granularity": "hour"}, 422, "unknown_export", "granularity"),
        ({"from": "2026-11-02", "to": "2026-11-01"}, 422, "invalid_rule", "from"),
        ({"from": "yesterday"}, 400, "invalid_request", "from"),
        ({"tenant": "nobody"}, 404, "tenant_not_found", "tenant"),
    ],
)
@pytest.mark.asyncio(loop_scope="module")
async def test_an_order_without_sense_is_a_problem_and_no_file(
    owner: httpx2.AsyncClient, params: dict[str, str], status: int, code: str, param: str
) -> None:
    reply = await owner.get(EXPORT, params=params)
    assert (reply.status_code, reply.json()["code"], reply.json()["param"]) == (status, code, param)
    assert reply.headers["content-type"] == "application/problem+json"


@pytest.mark.asyncio(loop_scope="module")
async def test_a_period_without_anything_says_so(owner: httpx2.AsyncClient, shared: House, tmp_path: Path) -> None:
    params = {"from": "2020-01-01", "to": "2020-12-31"}
    for form in ("csv", "focus_parquet"):
        reply = await owner.get(EXPORT, params={"format": form, **params})
        assert (reply.status_code, reply.headers["x-enfilade-empty"]) == (200, "true")
        assert _rows(form, reply.content) == []
    path = tmp_path / "nothing.csv"
    done = await cli(shared, "spend", "export", "--from", "2020-01-01", "--to", "2020-12-31", "-o", str(path))
    assert done.exit_code == Exit.OK
    assert "There is nothing in this period" in done.stderr
    assert path.read_text().startswith("call_id,line,")
    assert path.read_text().count("\n") == 1


@pytest.mark.asyncio(loop_scope="module")
async def test_the_command_line_tells_what_is_wrong_and_leaves_no_file(shared: House, tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    for arguments, code, words in (
        (("-f", "xls"), Exit.REFUSED, "There is no format 'xls'; use one of csv, focus_csv, focus_parquet"),
        (("--from", "2026-11-02", "--to", "2026-11-01"), Exit.REFUSED, "`from` must be before `to`"),
        (("--tenant", "nobody"), Exit.NOT_FOUND, "There is no tenant 'nobody'."),
    ):
        done = await cli(shared, "spend", "export", "-o", str(path), *arguments)
        assert (done.exit_code, words in " ".join(done.stderr.split())) == (code, True), done.stderr
    done = await cli(shared, "spend", "export", "-o", str(tmp_path / "nowhere" / "out.csv"))
    assert (done.exit_code, "cannot be written" in done.stderr) == (Exit.FAILED, True)
    assert list(tmp_path.iterdir()) == []


async def test_an_export_that_fails_on_its_way_breaks_off_and_leaves_no_file(
    house: House, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(service, "BATCH_ROWS", 1)
    for _ in range(3):
        await post_call(house.parts, house.tenant_id("acme"), **lines(input=(1, 1)))
    rows = service.TABLES["lines"].rows

    def failing(record: Any, **options: Any) -> Any:
        if len(seen) == 2:
            message = "no more"
            raise ExportBroken(message)
        seen.append(record)
        return rows(record, **options)

    seen: list[Any] = []
    monkeypatch.setitem(service.TABLES, "lines", replace(service.TABLES["lines"], rows=failing))
    period = {"from": "2026-11-01", "to": "2026-12-01"}
    with pytest.raises(httpx2.RemoteProtocolError):
        await house.admin().get(EXPORT, params=period)
    seen.clear()
    path = tmp_path / "out.csv"
    done = await cli(house, "spend", "export", "--from", "2026-11-01", "--to", "2026-12-01", "-o", str(path))
    assert done.exit_code == Exit.UNAVAILABLE
    assert "broke off" in done.stderr
    assert list(tmp_path.iterdir()) == []
    await eventually(lambda: house.parts.exports.running == 0)


async def test_a_caller_that_leaves_ends_the_export(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def endless(_table: Table, _batches: Batches) -> AsyncGenerator[bytes, None]:
        while True:
            yield b"x" * 10_000
            await asyncio.sleep(0)

    monkeypatch.setitem(service.FORMATS, "csv", replace(service.FORMATS["csv"], encode=endless))
    async with house.admin().stream("GET", EXPORT) as reply:
        assert reply.status_code == 200
        assert house.parts.exports.running == 1
    await eventually(lambda: house.parts.exports.running == 0)


async def test_a_writer_that_cannot_start_is_a_problem(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_pipe, "WRITER", "enfilade.no_such_module")
    reply = await house.admin().get(EXPORT, params={"format": "parquet"})
    assert (reply.status_code, reply.json()["code"]) == (500, "export_broken")


async def test_usage_events_come_in_pages_batches_and_lines(house: House, tmp_path: Path) -> None:
    calls = []
    for key in (ACME_KEY, ACME_KEY, ACME_KEY):
        reply = await house.client(key).post("/v1/chat/completions", json=CALL)
        calls.append(reply.headers["x-request-id"])
    client = house.admin(ACME_ADMIN_KEY)
    found: list[Any] = []
    cursor: dict[str, str] = {}
    while True:
        page = (await client.get(USAGE, params={"limit": 2, "subject": "application", **cursor})).json()
        found += page["items"]
        cursor = {"after": page["next"]}
        if not page["more"]:
            break
    assert [event["data"]["call_id"] for event in found] == calls
    assert {event["data"]["application"] for event in found} == {"copilot"}
    whole = await client.get(USAGE, params={"subject": "application", "format": "batch"})
    assert whole.headers["content-type"] == "application/cloudevents-batch+json"
    assert whole.json() == found
    text = await client.get(USAGE, params={"subject": "application", "format": "ndjson"})
    assert [json.loads(line) for line in text.text.splitlines()] == found
    again = await client.get(USAGE, params={"after": text.headers["x-enfilade-next"]})
    assert (again.json()["items"], again.json()["more"]) == ([], False)
    assert (await house.admin(GLOBEX_ADMIN_KEY).get(USAGE)).json()["items"] == []
    refused = await client.get(USAGE, params={"after": "nonsense"})
    assert (refused.status_code, refused.json()["code"], refused.json()["param"]) == (400, "invalid_cursor", "after")
    await _at_the_command_line(house, calls, tmp_path / "cursor")


async def _at_the_command_line(house: House, calls: list[str], kept: Path) -> None:
    arguments = ("usage-events", "--tenant", "acme", "--cursor-file", str(kept))
    done = await cli(house, *arguments)
    assert done.exit_code == Exit.OK, done.stderr
    assert [json.loads(line)["data"]["call_id"] for line in done.stdout.splitlines()] == calls
    assert f"next: --after {kept.read_text().strip()}" in " ".join(done.stderr.split())
    reply = await house.client(ACME_KEY).post("/v1/chat/completions", json=CALL)
    done = await cli(house, *arguments)
    assert [json.loads(line)["data"]["call_id"] for line in done.stdout.splitlines()] == [reply.headers["x-request-id"]]
    done = await cli(house, *arguments)
    assert (done.exit_code, done.stdout) == (Exit.OK, "")


async def test_following_goes_on_until_it_is_interrupted(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    late: list[str] = []

    def meanwhile(_seconds: float) -> None:
        if late:
            raise KeyboardInterrupt
        call = house.client(ACME_KEY).post("/v1/chat/completions", json=CALL)
        late.append(asyncio.run_coroutine_threadsafe(call, loop).result(30).headers["x-request-id"])

    monkeypatch.setattr("enfilade.cli.commands.usage_events.time.sleep", meanwhile)
    done = await cli(house, "usage-events", "--follow")
    assert [json.loads(line)["data"]["call_id"] for line in done.stdout.splitlines()] == late
    assert done.exit_code != Exit.OK
