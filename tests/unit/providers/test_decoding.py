"""Replies that come compressed: whole, in a stream, cut anywhere, broken, and made to explode."""

import asyncio
import gzip
import random
import zlib
from collections.abc import Callable
from functools import lru_cache

import pytest

from enfilade.providers.errors import CredentialsRefused, ProviderRateLimited, RequestRefused, UnreadableResponse
from enfilade.providers.transport.decoding import Inflater
from enfilade.providers.types import Incoming
from tests.support.outbound import Outbound
from tests.support.upstream import Seen, Step, Wire, open_upstream, reply

BODY = b'{"choices":[{"index":0,"message":{"content":"' + b"Good morning. " * 4000 + b'"}}]}'
EVENTS = [b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number for number in range(50)]


def bare(data: bytes) -> bytes:
    """A deflate stream without zlib's frame, as some servers send it."""
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(data) + packer.flush()


def members(data: bytes) -> bytes:
    """Two gzip members, and the zeros that fill up a block."""
    return gzip.compress(data[:100]) + gzip.compress(data[100:]) + b"\0" * 20


CODINGS: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "gzip": ("gzip", gzip.compress),
    "the old name": ("x-gzip", gzip.compress),
    "in capitals": ("GZIP", gzip.compress),
    "two members": ("gzip", members),
    "zlib": ("deflate", zlib.compress),
    "bare deflate": ("deflate", bare),
    "beside identity": ("identity, gzip", gzip.compress),
}


def compressed(content: bytes, coding: str, *, status: int = 200, step: int = 0) -> Step:
    """A compressed reply, in pieces of `step` bytes."""

    async def answer(_seen: Seen, wire: Wire) -> None:
        head = f"HTTP/1.1 {status} X\r\ncontent-encoding: {coding}\r\ncontent-length: {len(content)}\r\n\r\n"
        await wire.send(head.encode())
        for start in range(0, len(content), step or len(content) or 1):
            await wire.send(content[start : start + (step or len(content))])
            await asyncio.sleep(0)

    return answer


@pytest.mark.parametrize("step", [0, 1000])
@pytest.mark.parametrize("case", CODINGS)
async def test_a_compressed_reply_is_read(outbound: Outbound, case: str, step: int) -> None:
    coding, pack = CODINGS[case]
    async with open_upstream(compressed(pack(BODY), coding, step=step)) as upstream:
        provider = outbound.provider(upstream.url)
        for _ in range(2):  # The connection is kept.
            assert await (await provider.send(outbound.ask())).read() == BODY
        assert upstream.connections == 1
        assert upstream.seen[0].header("accept-encoding") == "identity"
        outbound.close()


@pytest.mark.parametrize("case", CODINGS)
def test_a_compressed_reply_may_be_cut_anywhere(case: str) -> None:
    coding, pack = CODINGS[case]
    packed = pack(BODY[:3000])
    for size in (1, 2, 3, 7, 64):
        inflater = Inflater(coding.rpartition(" ")[2].lower().encode(), 10_000)
        got = b""
        for start in range(0, len(packed), size):
            inflater.feed(packed[start : start + size])
            while piece := inflater.piece():
                got += piece
        inflater.check_end()
        assert got == BODY[:3000]


@pytest.mark.parametrize("wbits", [31, 15, -15], ids=["gzip", "zlib", "bare"])
async def test_a_compressed_stream_is_passed_on_event_by_event(outbound: Outbound, wbits: int) -> None:
    gate = asyncio.Semaphore(0)
    packer = zlib.compressobj(wbits=wbits)

    async def answer(_seen: Seen, wire: Wire) -> None:
        coding = "gzip" if wbits == 31 else "deflate"
        await wire.send(f"HTTP/1.1 200 OK\r\ncontent-encoding: {coding}\r\ntransfer-encoding: chunked\r\n\r\n".encode())
        for event in EVENTS:
            await gate.acquire()
            packed = packer.compress(event) + packer.flush(zlib.Z_SYNC_FLUSH)
            await wire.send(f"{len(packed):x}\r\n".encode() + packed + b"\r\n")
        await wire.send(b"0\r\n\r\n")

    async with open_upstream(answer) as upstream:
        sending = asyncio.create_task(outbound.provider(upstream.url).send(outbound.ask(stream=True)))
        gate.release()
        incoming = await sending
        for event in EVENTS:
            got = await incoming.next_chunk()
            assert got == event
            gate.release()
        # Its end was never written: what came is no reply that is known to be whole.
        with pytest.raises(UnreadableResponse, match="before it was whole"):
            await incoming.next_chunk()
        outbound.close()


@pytest.mark.parametrize("coding", ["br", "zstd", "compress", "gzip, gzip", "br, gzip"])
async def test_other_codings_are_refused(outbound: Outbound, coding: str) -> None:
    async with open_upstream(reply(gzip.compress(b"{}"), headers={"content-encoding": coding})) as upstream:
        with pytest.raises(UnreadableResponse, match="compressed"):
            await outbound.provider(upstream.url).send(outbound.ask())
        outbound.close()


BROKEN = {
    "not compressed": b'{"choices":[]}',
    "half": gzip.compress(BODY)[:60],
    "without its end": gzip.compress(BODY)[:-8],
    "a wrong checksum": gzip.compress(BODY)[:-8] + b"\1\2\3\4" + gzip.compress(BODY)[-4:],
    "something behind it": gzip.compress(BODY) + b"more",
    "one byte": b"\x1f",
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_broken_compressed_reply_is_unreadable(outbound: Outbound, case: str) -> None:
    async with open_upstream(compressed(BROKEN[case], "gzip")) as upstream:
        with pytest.raises(UnreadableResponse) as failure:
            await (await outbound.provider(upstream.url).send(outbound.ask())).read()
        assert failure.value.may_have_cost
        outbound.close()


async def drain(incoming: Incoming) -> None:
    """Read to the end."""
    while await incoming.next_chunk():
        pass


@lru_cache(maxsize=1)
def bomb() -> bytes:
    """A hundred megabytes of blanks, compressed."""
    return gzip.compress(b" " * 100_000_000, 6)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_explodes_is_given_up_before_it_fills_the_memory(outbound: Outbound, stream: bool) -> None:
    async with open_upstream(compressed(bomb(), "gzip")) as upstream:
        provider = outbound.provider(upstream.url)
        incoming = await provider.send(outbound.ask(stream=stream))
        with pytest.raises(UnreadableResponse, match="measure"):
            await drain(incoming)
        outbound.close()


def test_a_bomb_is_found_early() -> None:
    inflater = Inflater(b"gzip", 10**9)
    inflater.feed(bomb())
    for _ in range(3):
        assert inflater.piece()
    with pytest.raises(UnreadableResponse):
        inflater.piece()


async def test_the_bound_of_replies_is_the_bound_of_what_they_become(outbound: Outbound) -> None:
    noise = random.Random(1).randbytes(30_000).hex().encode()
    async with open_upstream(compressed(gzip.compress(noise), "gzip")) as upstream:
        provider = outbound.provider(upstream.url, options={"max_reply_bytes": "50000"})
        with pytest.raises(UnreadableResponse, match="larger"):
            await (await provider.send(outbound.ask())).read()
        outbound.close()


async def test_a_compressed_error_says_what_it_says(outbound: Outbound) -> None:
    said = b'{"error":{"message":"temperature is too high","param":"temperature"}}'
    for status, kind in ((400, RequestRefused), (401, CredentialsRefused), (429, ProviderRateLimited)):
        async with open_upstream(compressed(gzip.compress(said), "gzip", status=status)) as upstream:
            with pytest.raises(kind) as failure:
                await outbound.provider(upstream.url).send(outbound.ask())
            assert failure.value.upstream_status == status
            if status == 400:
                assert failure.value.message == "The provider says: temperature is too high"
            outbound.close()


async def test_a_compressed_error_that_explodes_counts_by_its_status(outbound: Outbound) -> None:
    async with open_upstream(compressed(bomb(), "gzip", status=400)) as upstream:
        with pytest.raises(RequestRefused, match="refused the request"):
            await outbound.provider(upstream.url).send(outbound.ask())
        outbound.close()


async def test_an_empty_body_may_be_called_compressed(outbound: Outbound) -> None:
    async with open_upstream(compressed(b"", "gzip", status=500)) as upstream:
        with pytest.raises(Exception, match="failed"):
            await outbound.provider(upstream.url).send(outbound.ask())
        outbound.close()
