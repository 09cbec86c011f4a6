"""Tables as text: CSV and JSON lines."""

import csv
import io
from collections.abc import AsyncGenerator, Callable
from datetime import datetime

import msgspec

from enfilade.costs.spend.exports.columns import Batches, Kind, Table, Value, moment_text, second_text

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


async def csv_lines(table: Table, batches: Batches, *, guards: bool) -> AsyncGenerator[bytes, None]:
    """CSV with a header (RFC 4180 but for the line ends, which are `\\n`). Nothing is an empty cell.

    With `guards`, text that a spreadsheet would take for a formula gets an apostrophe in front: names of subjects and
    use cases are chosen by others than those who open the file.
    """
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow([column.name for column in table.columns])
    cells = [cell_of(column.kind, guards=guards) for column in table.columns]
    yield buffer.getvalue().encode()
    async for batch in batches:
        buffer.seek(0)
        buffer.truncate()
        for row in batch:
            writer.writerow([cell(value) for cell, value in zip(cells, row, strict=True)])
        yield buffer.getvalue().encode("utf-8", "replace")


def cell_of(kind: Kind, *, guards: bool) -> Callable[[Value], object]:
    """What writes a column's values into cells."""
    if kind == "moment":
        return lambda value: moment_text(value) if isinstance(value, datetime) else None
    if kind == "second":
        return lambda value: second_text(value) if isinstance(value, datetime) else None
    if kind == "flag":
        return lambda value: None if value is None else str(bool(value)).lower()
    return _guarded if kind == "text" and guards else lambda value: value


def _guarded(value: Value) -> Value:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


async def json_lines(table: Table, batches: Batches) -> AsyncGenerator[bytes, None]:
    """One JSON object a line. Decimals are texts, because many readers would make floats of numbers."""
    names = [column.name for column in table.columns]
    moments = [place for place, column in enumerate(table.columns) if column.kind in {"moment", "second"}]
    encoder = msgspec.json.Encoder()
    async for batch in batches:
        lines = bytearray()
        for row in batch:
            values = list(row)
            for place in moments:
                value = values[place]
                if isinstance(value, datetime):
                    values[place] = moment_text(value) if table.columns[place].kind == "moment" else second_text(value)
            lines += encoder.encode(dict(zip(names, values, strict=True))) + b"\n"
        yield bytes(lines)
