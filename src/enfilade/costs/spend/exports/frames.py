"""How rows travel to the process that writes Parquet: a frame is its length in four bytes, and that many of msgpack.

The first frame says what the columns are; each further one holds a batch, column by column; an empty one says that all
has come. A stream that ends without it is broken off, and no file is finished then.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import BinaryIO

import msgspec

from enfilade.core.clock import to_ns
from enfilade.costs.spend.exports.columns import Row, Table, Value

LENGTH_BYTES = 4
END = bytes(LENGTH_BYTES)


class ColumnHead(msgspec.Struct, frozen=True):
    """A column, as far as its type goes."""

    name: str
    kind: str
    scale: int
    optional: bool


class Head(msgspec.Struct, frozen=True):
    """The first frame."""

    columns: list[ColumnHead]
    metadata: dict[str, str]


_ENCODER = msgspec.msgpack.Encoder()


def frame(value: object) -> bytes:
    """A frame."""
    body = _ENCODER.encode(value)
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def head_frame(table: Table, metadata: dict[str, str]) -> bytes:
    """The first frame of a table."""
    columns = [ColumnHead(column.name, column.kind, column.scale, column.optional) for column in table.columns]
    return frame(Head(columns, metadata))


def batch_frame(rows: list[Row]) -> bytes:
    """A batch; moments are microseconds since the epoch."""
    return frame([[_plain(value) for value in values] for values in zip(*rows, strict=True)])


def _plain(value: Value) -> Value:
    return to_ns(value) // 1000 if isinstance(value, datetime) else value


def read_frames(stream: BinaryIO) -> Iterator[bytes]:
    """The bodies of the frames up to the empty one. Raises EOFError for a stream that is broken off."""
    while True:
        size = int.from_bytes(_exactly(stream, LENGTH_BYTES), "big")
        if size == 0:
            return
        yield _exactly(stream, size)


def _exactly(stream: BinaryIO, size: int) -> bytes:
    data = stream.read(size)
    if len(data) != size:
        raise EOFError
    return data
