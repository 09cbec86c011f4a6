"""The process that writes Parquet: rows come in as frames, the file goes out. Run as `python -m`, never imported."""

import os
import sys
from typing import Any, BinaryIO

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from enfilade.costs.spend.exports.frames import Head, read_frames

GROUP_ROWS = 50_000
"""Rows of a row group: what is in memory at a time."""
PRECISION = 38
BROKEN_OFF = 3


def arrow_type(kind: str, scale: int) -> pa.DataType:
    """The type of a column."""
    types: dict[str, pa.DataType] = {
        "integer": pa.int64(),
        "moment": pa.timestamp("us", tz="UTC"),
        "second": pa.timestamp("us", tz="UTC"),
        "date": pa.date32(),
        "flag": pa.bool_(),
    }
    return pa.decimal128(PRECISION, scale) if kind == "decimal" else types.get(kind, pa.string())


def schema_of(head: Head) -> pa.Schema:
    """The file's schema."""
    fields = [pa.field(c.name, arrow_type(c.kind, c.scale), nullable=c.optional) for c in head.columns]
    return pa.schema(fields, metadata=head.metadata)


def record_batch(schema: pa.Schema, columns: list[list[Any]]) -> pa.RecordBatch:
    """A batch; decimals and dates come as text."""
    arrays = []
    for field, values in zip(schema, columns, strict=True):
        if pa.types.is_decimal(field.type) or pa.types.is_date(field.type):
            arrays.append(pa.array(values, pa.string()).cast(field.type))
        else:
            arrays.append(pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def write(incoming: BinaryIO, outgoing: BinaryIO) -> None:
    """Write the file. Raises EOFError, with no end written, when the rows break off."""
    frames = read_frames(incoming)
    schema = schema_of(msgspec.msgpack.decode(next(frames), type=Head))
    writer = pq.ParquetWriter(pa.PythonFile(outgoing, mode="w"), schema, compression="zstd")
    waiting: list[pa.RecordBatch] = []
    count = 0
    for body in frames:
        batch = record_batch(schema, msgspec.msgpack.decode(body))
        waiting.append(batch)
        count += batch.num_rows
        if count >= GROUP_ROWS:
            writer.write_table(pa.Table.from_batches(waiting, schema))
            waiting, count = [], 0
    if waiting:
        writer.write_table(pa.Table.from_batches(waiting, schema))
    writer.close()
    outgoing.flush()


def main() -> None:
    """Write what comes in to what goes out."""
    try:
        write(sys.stdin.buffer, sys.stdout.buffer)
    except (EOFError, BrokenPipeError):
        # At once: the library would write the file's end when the interpreter cleans up, and the file would look whole.
        os._exit(BROKEN_OFF)
    except Exception as error:  # noqa: BLE001 - said in a line, and the file is left without its end
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(1)


if __name__ == "__main__":
    main()
