"""The family of formats, and how rows are written in each."""

import io
import subprocess
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, date, datetime
from decimal import Decimal
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from enfilade.core.errors import EnfiladeError
from enfilade.core.families import members
from enfilade.costs.errors import InvalidRule, UnknownExport
from enfilade.costs.spend.exports import formats, frames, parquet_writer, tables
from enfilade.costs.spend.exports.columns import Column, Row, Table
from enfilade.costs.spend.exports.parquet_pipe import parquet_file
from enfilade.costs.spend.exports.service import FORMATS, TABLES, ExportOrder, plan
from enfilade.costs.spend.exports.text import csv_lines, json_lines

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ODD = 'näme, "quoted"\nover lines \U0001f600'
COLUMNS = (
    Column("words", "text", "Text."),
    Column("object", "json", "JSON."),
    Column("count", "integer", "A number."),
    Column("amount", "decimal", "Money.", 9),
    Column("at", "moment", "A moment."),
    Column("hour", "second", "A second."),
    Column("day", "date", "A day."),
    Column("is_so", "flag", "Yes or no."),
)
ROWS: list[Row] = [
    (ODD, '{"a":"b"}', 2**63 - 1, "-99999999999999999999999999999.999999999", EPOCH, EPOCH, "2026-02-28", True),
    (None, None, None, None, None, None, None, None),
    ("=1+1", "{}", -1, "0.000000001", datetime(2026, 11, 2, 12, 0, 0, 7, UTC), EPOCH, "1969-12-31", False),
]
TABLE = Table("odd", "Everything that is odd.", COLUMNS, {"": ""}, lambda *_, **__: [], {"FocusVersion": "1.2"})
PERIOD = (EPOCH, datetime(2026, 1, 1, tzinfo=UTC))


async def batches(*given: list[Row]) -> AsyncGenerator[list[Row], None]:
    for batch in given:
        yield batch


async def whole(chunks: AsyncGenerator[bytes, None]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def test_members_are_named_as_their_files_and_write_tables_that_exist() -> None:
    for family, known, attribute in ((formats, FORMATS, "FORMAT"), (tables, TABLES, "TABLE")):
        found = members(family, attribute)
        assert {name: member.name for name, member in found.items()} == {name: name for name in known}
    for form in FORMATS.values():
        assert form.tables
        assert set(form.tables) <= set(TABLES)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_columns_are_named_once_and_explained(table: Table) -> None:
    names = [column.name for column in table.columns]
    assert len(set(names)) == len(names) > 20
    for column in table.columns:
        assert column.meaning.endswith("."), column.name
        assert (column.scale > 0) == (column.kind == "decimal"), column.name


async def test_csv_holds_what_it_was_given() -> None:
    text = (await whole(csv_lines(TABLE, batches(ROWS[:2], ROWS[2:]), guards=True))).decode()
    head, rest = text.split("\n", 1)
    assert head == "words,object,count,amount,at,hour,day,is_so"
    assert rest.startswith('"näme, ""quoted""\nover lines \U0001f600","{""a"":""b""}",9223372036854775807,-9999')
    assert "1970-01-01T00:00:00.000000Z,1970-01-01T00:00:00Z,2026-02-28,true\n,,,,,,,\n'=1+1,{},-1,0.000000001," in rest
    assert rest.endswith("2026-11-02T12:00:00.000007Z,1970-01-01T00:00:00Z,1969-12-31,false\n")
    plain = (await whole(csv_lines(TABLE, batches(ROWS), guards=False))).decode()
    assert plain == text.replace("'=1+1", "=1+1")


async def test_json_lines_keep_decimals_as_text() -> None:
    lines = (await whole(json_lines(TABLE, batches(ROWS)))).decode().splitlines()
    assert len(lines) == 3
    assert '"amount":"0.000000001","at":"2026-11-02T12:00:00.000007Z","hour":"1970-01-01T00:00:00Z"' in lines[2]
    assert lines[1] == "{" + ",".join(f'"{column.name}":null' for column in COLUMNS) + "}"


async def test_parquet_holds_what_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    data = await whole(parquet_file(TABLE, batches(ROWS[:2], ROWS[2:])))
    found = pq.read_table(io.BytesIO(data))
    assert found.schema.metadata[b"FocusVersion"] == b"1.2"
    assert found.schema.field("amount").type == pa.decimal128(38, 9)
    first, nothing, last = found.to_pylist()
    assert first["words"] == ODD
    assert first["amount"] == Decimal("-99999999999999999999999999999.999999999")
    assert (first["count"], first["at"], first["day"], first["is_so"]) == (2**63 - 1, EPOCH, date(2026, 2, 28), True)
    assert set(nothing.values()) == {None}
    assert (last["at"].microsecond, last["day"], last["is_so"]) == (7, date(1969, 12, 31), False)


def test_parquet_is_written_in_groups_of_bounded_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet_writer, "GROUP_ROWS", 4)
    sent = frames.head_frame(TABLE, {}) + frames.batch_frame(ROWS) * 5 + frames.END
    out = io.BytesIO()
    parquet_writer.write(io.BytesIO(sent), out)
    found = pq.ParquetFile(io.BytesIO(out.getvalue()))
    assert [found.metadata.row_group(group).num_rows for group in range(found.num_row_groups)] == [6, 6, 3]


@pytest.mark.parametrize("kept", [3, 50, -1, -4, -5])
def test_a_stream_of_rows_that_breaks_off_leaves_a_file_without_its_end(kept: int) -> None:
    sent = frames.head_frame(TABLE, {}) + frames.batch_frame(ROWS) + frames.END
    command = [sys.executable, "-m", "enfilade.costs.spend.exports.parquet_writer"]
    done = subprocess.run(command, input=sent[:kept], capture_output=True, check=False, timeout=60)
    assert done.returncode == parquet_writer.BROKEN_OFF
    assert not done.stdout.endswith(b"PAR1") or len(done.stdout) == 4
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(io.BytesIO(done.stdout))


async def test_rows_that_cannot_be_read_fail_the_file_and_not_as_its_writers_fault() -> None:
    async def broken() -> AsyncGenerator[list[Row], None]:
        yield ROWS
        message = "the query failed"
        raise LookupError(message)

    received: list[bytes] = []

    async def receive() -> None:
        async for chunk in parquet_file(TABLE, broken()):
            received.append(chunk)

    with pytest.raises(LookupError):
        await receive()
    with pytest.raises(pa.ArrowInvalid):
        pq.read_table(io.BytesIO(b"".join(received)))


async def test_a_writer_is_fed_no_faster_than_its_file_is_taken() -> None:
    """Two million rows are ready; who takes a little and leaves has had a part of them made, and waits for nobody."""
    drawn, chance = 0, Random(1)

    async def plenty() -> AsyncGenerator[list[Row], None]:
        nonlocal drawn
        for _ in range(1_000):
            drawn += 1
            yield [(chance.randbytes(10).hex(), *[None] * 7) for _ in range(2_000)]

    chunks = parquet_file(TABLE, plenty())
    taken = 0
    while taken < 100_000:
        taken += len(await anext(chunks))
    await chunks.aclose()
    assert drawn < 200


@pytest.mark.parametrize(
    ("order", "error", "param"),
    [
        (ExportOrder("xls", *PERIOD), UnknownExport, "format"),
        (ExportOrder("csv", *PERIOD, table="focus"), UnknownExport, "table"),
        (ExportOrder("focus_csv", *PERIOD, table="lines"), UnknownExport, "table"),
        (ExportOrder("csv", *PERIOD, table="odd"), UnknownExport, "table"),
        (ExportOrder("csv", *PERIOD, granularity="hour"), UnknownExport, "granularity"),
        (ExportOrder("focus_csv", *PERIOD, granularity="week"), UnknownExport, "granularity"),
        (ExportOrder("csv", *PERIOD[::-1]), InvalidRule, "from"),
        (ExportOrder("csv", EPOCH, EPOCH), InvalidRule, "from"),
    ],
)
def test_an_order_without_sense_is_refused(order: ExportOrder, error: type[EnfiladeError], param: str) -> None:
    with pytest.raises(error) as caught:
        plan(order)
    assert caught.value.param == param


def test_the_serving_process_does_without_the_library_that_writes_parquet() -> None:
    program = "import sys, enfilade.bootstrap.process, enfilade.cli.commands.spend; print('pyarrow' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "False"
