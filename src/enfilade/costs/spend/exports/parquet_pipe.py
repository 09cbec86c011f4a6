"""Parquet, written by a process of its own: the library is large, and the serving process does without it."""

import asyncio
import contextlib
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncGenerator

import structlog

from enfilade.costs.errors import ExportBroken
from enfilade.costs.spend.exports.columns import Batches, Table
from enfilade.costs.spend.exports.frames import END, batch_frame, head_frame

WRITER = "enfilade.costs.spend.exports.parquet_writer"
CHUNK_BYTES = 64_000
LAST_WORDS = 500

log = structlog.get_logger("enfilade.costs.exports")


async def parquet_file(table: Table, batches: Batches) -> AsyncGenerator[bytes, None]:
    """The file's bytes as the writer makes them. It is fed no faster than its bytes are taken.

    Raises ExportBroken when the writer fails, and what reading the rows raises; the file has no end then.
    """
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", WRITER, stdin=PIPE, stdout=PIPE, stderr=PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    assert process.stderr is not None
    feeding = asyncio.create_task(_feed(process.stdin, table, batches))  # noqa: TID251 - ended below
    # A task group would end its consumer, too, which may be another task than the one that began.
    listening = asyncio.create_task(process.stderr.read())  # noqa: TID251 - ended below
    try:
        while chunk := await process.stdout.read(CHUNK_BYTES):
            yield chunk
        code = await process.wait()
        # What reading the rows raised comes first: it is why the writer saw no end.
        with contextlib.suppress(ConnectionError):
            await feeding
        if code != 0:
            log.error("parquet_writer_failed", status=code, last_words=_last(await listening))
            message = "The process that writes Parquet has failed; the file is not complete."
            raise ExportBroken(message)
    finally:
        await _end(process, feeding, listening)


async def _feed(pipe: asyncio.StreamWriter, table: Table, batches: Batches) -> None:
    try:
        pipe.write(head_frame(table, {"enfilade.table": table.name, **table.metadata}))
        async for batch in batches:
            pipe.write(batch_frame(batch))
            await pipe.drain()
        pipe.write(END)
        await pipe.drain()
    finally:
        pipe.close()


async def _end(process: Process, feeding: "asyncio.Task[None]", listening: "asyncio.Task[bytes]") -> None:
    """Leave nothing behind, whoever lost interest."""
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
    feeding.cancel()
    await asyncio.wait({feeding})
    # The end of a process is not told before its pipes are read to their ends.
    assert process.stdout is not None
    while await process.stdout.read(CHUNK_BYTES):
        pass
    await asyncio.wait({listening})
    await process.wait()


def _last(words: bytes) -> str:
    return words.decode(errors="replace").strip()[-LAST_WORDS:]
