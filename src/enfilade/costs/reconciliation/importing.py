"""Has an export read by a process of its own, while it arrives."""

import asyncio
import sys
from collections.abc import AsyncIterator

import msgspec

from enfilade.core.errors import InternalError
from enfilade.costs.errors import EmptyExport, ExportCurrency, ExportTooLarge, UnreadableExport
from enfilade.costs.reconciliation.reading import FAILED, Failure, ReadingOptions
from enfilade.costs.reconciliation.types import Reading

READER = "enfilade.costs.reconciliation.reading"
MAX_EXPORT_BYTES = 1_000_000_000
DEADLINE_S = 900
AT_ONCE = 2
"""More would take the processors from the calls."""

ERRORS = {error.code: error for error in (EmptyExport, ExportCurrency, UnreadableExport)}


class Importer:
    """Reads exports, two at a time."""

    def __init__(self, most_bytes: int = MAX_EXPORT_BYTES) -> None:
        """Accept exports of up to `most_bytes`."""
        self._most = most_bytes
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def read(self, chunks: AsyncIterator[bytes], options: ReadingOptions) -> Reading:
        """The sums of an export that arrives in chunks.

        Raises UnreadableExport, ExportCurrency, EmptyExport and ExportTooLarge.
        """
        async with self._slots:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", READER, msgspec.json.encode(options).decode()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            try:
                async with asyncio.timeout(DEADLINE_S):
                    _, output, complaints = await asyncio.gather(
                        self._feed(process, chunks), _all_of(process.stdout), _all_of(process.stderr)
                    )
                    code = await process.wait()
            except TimeoutError:
                message = f"The export was not read within {DEADLINE_S} s; import fewer days at a time."
                raise UnreadableExport(message) from None
            finally:
                if process.returncode is None:
                    process.kill()
                    await process.wait()
        return _reading(code, output, complaints)

    async def _feed(self, process: asyncio.subprocess.Process, chunks: AsyncIterator[bytes]) -> None:
        pipe = process.stdin
        assert pipe is not None
        size = 0
        try:
            async for chunk in chunks:
                size += len(chunk)
                if size > self._most:
                    message = f"An export may have {self._most} bytes as it is sent."
                    raise ExportTooLarge(message)
                pipe.write(chunk)
                await pipe.drain()
            pipe.close()
            await pipe.wait_closed()
        except (BrokenPipeError, ConnectionResetError):
            # It has seen enough, and says on its output what is wrong.
            return


async def _all_of(stream: asyncio.StreamReader | None) -> bytes:
    assert stream is not None
    return await stream.read()


def _reading(code: int, output: bytes, complaints: bytes) -> Reading:
    if code == 0:
        return msgspec.json.decode(output, type=Reading)
    if code == FAILED:
        failure = msgspec.json.decode(output, type=Failure)
        raise ERRORS[failure.code](failure.message)
    message = f"The export's reader ended with {code}: {complaints.decode(errors='replace').strip()[-500:]}"
    raise InternalError(message)
