"""Exports while they run: of one moment, without locks, ended when they are left, never half a file that looks whole."""

import csv
import io
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enfilade.costs.errors import ExportBroken, TooManyExports
from enfilade.costs.spend.exports import parquet_pipe, service
from enfilade.costs.spend.exports.columns import Batches, Row
from enfilade.costs.spend.exports.service import FORMATS, TABLES, Export, ExportOrder, Exports
from enfilade.identity.scopes import system_scope
from tests.postgres.costs.conftest import Company
from tests.support.entries import post_correction
from tests.support.ledger import rows as read
from tests.support.parts import NOON

NOVEMBER = (datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC))
PLATFORM = system_scope("test")


def order(form: str, table: str | None = None, **more: Any) -> ExportOrder:
    return ExportOrder(form, *NOVEMBER, table=table, **more)


async def cells(company: Company, wanted: ExportOrder) -> list[dict[str, str]]:
    export = await company.parts.exports.open(PLATFORM, wanted)
    data = b"".join([chunk async for chunk in export.chunks()])
    return list(csv.DictReader(io.StringIO(data.decode())))


def total(rows: list[dict[str, str]]) -> Decimal:
    return sum((Decimal(row["amount_usd"]) for row in rows), Decimal(0))


async def test_a_period_without_anything_is_a_valid_file_without_rows(company: Company) -> None:
    for form, table in [(known.name, table) for known in FORMATS.values() for table in known.tables]:
        export = await company.parts.exports.open(PLATFORM, order(form, table))
        data = b"".join([chunk async for chunk in export.chunks()])
        assert export.is_empty
        columns = [column.name for column in TABLES[table].columns]
        if "parquet" in form:
            found = pq.read_table(io.BytesIO(data))
            assert (found.num_rows, found.column_names) == (0, columns)
        else:
            assert data.decode().splitlines() == ([",".join(columns)] if "csv" in form else [])


async def test_days_are_those_of_the_time_zone(company: Company) -> None:
    await company.spend(5, datetime(2026, 11, 2, 23, 30, tzinfo=UTC))
    for zone, day in (("UTC", "2026-11-02"), ("Europe/Vienna", "2026-11-03")):
        (row,) = await cells(company, order("csv", "daily", time_zone=zone))
        assert row["day"] == day


async def test_an_export_shows_one_moment_however_long_it_takes(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH_ROWS", 2)
    for _ in range(7):
        await company.spend(1)
    export = await company.parts.exports.open(PLATFORM, order("csv"))
    chunks = export.chunks()
    data = await anext(chunks)
    await company.spend(1, NOON + timedelta(days=1))
    data += b"".join([chunk async for chunk in chunks])
    assert total(list(csv.DictReader(io.StringIO(data.decode())))) == Decimal("0.000000007")
    assert total(await cells(company, order("csv"))) == Decimal("0.000000008")


async def test_an_export_holds_no_lock_that_a_call_waits_for(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BATCH_ROWS", 1)
    first = await company.spend(1)
    await company.spend(1)
    export = await company.parts.exports.open(PLATFORM, order("csv"))
    waiting = await read(
        company.parts, "SELECT mode FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relname LIKE 'ledger%'"
    )
    assert {row["mode"] for row in waiting} == {"AccessShareLock"}
    await post_correction(company.parts, company.tenant, first, -1)
    await export.aclose()


def writers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if parquet_pipe.WRITER in " ".join(child.cmdline())]


@pytest.mark.parametrize("form", ["csv", "parquet"])
async def test_an_export_that_is_left_ends_its_query_and_its_process(
    company: Company, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    monkeypatch.setattr(service, "BATCH_ROWS", 1)
    for _ in range(4):
        await company.spend(1)
    exports = company.parts.exports
    export = await exports.open(PLATFORM, order(form))
    assert exports.running == 1
    assert len(writers()) == (form == "parquet")
    chunks = export.chunks()
    await anext(chunks)
    await chunks.aclose()
    assert exports.running == 0
    assert writers() == []
    busy = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state <> 'idle' AND pid <> pg_backend_pid()"
    assert await read(company.parts, busy) == []


async def test_a_writer_that_dies_leaves_no_file_that_looks_whole(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "BATCH_ROWS", 1)
    await company.spend(30)
    received: list[bytes] = []

    async def first_then_death(first: list[Row] | None, rest: Batches) -> Batches:
        assert first is not None
        yield first
        for writer in writers():
            writer.kill()
        async for batch in rest:
            yield batch

    monkeypatch.setattr(service, "_with", first_then_death)
    with pytest.raises(ExportBroken):
        await _collect(await company.parts.exports.open(PLATFORM, order("parquet")), received)
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(io.BytesIO(b"".join(received)))
    assert company.parts.exports.running == 0


async def _collect(export: Export, received: list[bytes]) -> None:
    async for chunk in export.chunks():
        received.append(chunk)


async def test_a_writer_that_cannot_start_is_told_before_anything_is_sent(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet_pipe, "WRITER", "enfilade.no_such_module")
    with pytest.raises(ExportBroken):
        await company.parts.exports.open(PLATFORM, order("parquet"))
    assert company.parts.exports.running == 0


async def test_no_more_run_at_once_than_may(company: Company) -> None:
    exports = Exports(company.parts.storage, most=1)
    first = await exports.open(PLATFORM, order("csv"))
    with pytest.raises(TooManyExports) as caught:
        await exports.open(PLATFORM, order("csv"))
    assert caught.value.retry_after
    await first.aclose()
    await (await exports.open(PLATFORM, order("csv"))).aclose()
