"""What a provider's server can do wrong on the wire."""

import asyncio
import socket

import pytest

from enfilade.providers.errors import (
    ConnectFailed,
    ConnectionBroken,
    ConnectTimeout,
    ProviderError,
    ProviderFault,
    ProviderTimeout,
    UnreadableResponse,
)
from enfilade.providers.transport import client as client_module
from enfilade.providers.types import Incoming, Provider
from tests.support.outbound import KEY, Outbound
from tests.support.upstream import Step, Upstream, hang_up, open_upstream, raw, reply, silence, stream
from tests.support.waiting import eventually

OK = b"HTTP/1.1 200 OK\r\n"
NEVER_ENDING = OK + b"content-type: application/json\r\n"


def check_silent(error: ProviderError, upstream: Upstream | None = None) -> None:
    """No address, no key, nothing of ours from inside."""
    said = f"{error} {error.message} {error.details} {error!r}"
    assert KEY not in said
    assert "127.0.0.1" not in said
    assert upstream is None or str(upstream.port) not in said


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def read_all(incoming: Incoming) -> bytes:
    """The body, chunk by chunk."""
    pieces = []
    while piece := await incoming.next_chunk():
        pieces.append(piece)
    return b"".join(pieces)


async def read_chunks(provider: Provider, outbound: Outbound) -> bytes:
    """Make a call and read its reply chunk by chunk."""
    return await read_all(await provider.send(outbound.ask()))


async def read_whole(provider: Provider, outbound: Outbound) -> bytes:
    """Make a call and read its reply at once."""
    return await (await provider.send(outbound.ask())).read()


async def test_a_refused_connection_is_no_cost_and_may_be_retried(outbound: Outbound) -> None:
    asked = outbound.ask()
    with pytest.raises(ConnectFailed) as failure:
        await outbound.provider(f"http://127.0.0.1:{free_port()}/v1").send(asked)
    assert failure.value.may_retry
    assert not failure.value.may_have_cost
    assert not asked.sent
    assert outbound.client.open_connections() == 0
    check_silent(failure.value)


async def test_an_unknown_host_is_a_failed_connection(outbound: Outbound) -> None:
    with pytest.raises(ConnectFailed) as failure:
        await outbound.provider("http://nobody.invalid/v1").send(outbound.ask())
    assert "nobody" not in str(failure.value)


@pytest.mark.parametrize("host", ["xn--", "a..b", "." * 5, "a" * 70 + ".example"])
async def test_a_strange_host_is_a_failed_connection(outbound: Outbound, host: str) -> None:
    with pytest.raises(ConnectFailed) as failure:
        await outbound.provider(f"http://{host}:{free_port()}/v1").send(outbound.ask())
    assert host not in str(failure.value)


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\xff\xfe garbage \r\n\r\n",
        b"HTTP/1.1\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 99999 OK\r\n\r\n",
        b"HTTP/3.7 200 OK\r\n\r\n",
        b"220 mail.example ESMTP\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        OK + b"no colon here\r\n\r\n",
        OK + b"bad\x00name: x\r\n\r\n",
        OK + b"content-length: 5\r\ncontent-length: 6\r\n\r\nhello!",
        OK + b"content-length: -5\r\n\r\nhello",
        OK + b"content-length: five\r\n\r\nhello",
        OK + b"content-length: 99999999999999999999999999\r\n\r\nhello",
        OK + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n-1\r\nhello\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\nffffffffffffffffff\r\nhello\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhelloXX\r\n0\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\nhello",
    ],
)
async def test_what_is_no_http_is_unreadable(outbound: Outbound, answer: bytes) -> None:
    async with open_upstream(raw(answer, hangs_up=False)) as upstream:
        asked = outbound.ask()
        with pytest.raises(UnreadableResponse) as failure:
            await read_all(await outbound.provider(upstream.url).send(asked))
        await eventually(lambda: outbound.client.open_connections() == 0)
    assert failure.value.may_have_cost
    assert asked.sent
    check_silent(failure.value, upstream)


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        OK,
        OK + b"content-type: application/json\r\n",
        OK + b"content-length: 100\r\n\r\nonly this",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhel",
        OK + b"transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n",
    ],
)
async def test_a_reply_that_breaks_off_is_broken(outbound: Outbound, answer: bytes) -> None:
    for whole in (True, False):
        async with open_upstream(raw(answer)) as upstream:
            provider = outbound.provider(upstream.url)
            with pytest.raises(ConnectionBroken) as failure:
                await (read_whole if whole else read_chunks)(provider, outbound)
            await eventually(lambda: outbound.client.open_connections() == 0)
            assert len(upstream.seen) == 1
        assert failure.value.may_have_cost
        check_silent(failure.value, upstream)


@pytest.mark.parametrize(
    "answer",
    [
        OK + b"content-length: 5\r\n\r\nhello",
        OK + b"connection: close\r\n\r\nhello",
        b"HTTP/1.0 200 OK\r\n\r\nhello",
        OK + b"transfer-encoding: chunked\r\n\r\n2;note=x\r\nhe\r\n3\r\nllo\r\n0\r\ntrailer: yes\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
        + OK
        + b"content-length: 5\r\n\r\nhello",
    ],
)
async def test_every_way_to_write_a_reply_is_read(outbound: Outbound, answer: bytes) -> None:
    async with open_upstream(raw(answer)) as upstream:
        incoming = await outbound.provider(upstream.url).send(outbound.ask())
        assert incoming.status == 200
        assert await incoming.read() == b"hello"
        assert b"link" not in dict(incoming.headers)


@pytest.mark.parametrize("size", [1, 3, 7])
async def test_a_reply_may_come_in_any_pieces(outbound: Outbound, size: int) -> None:
    answer = OK + b"transfer-encoding: chunked\r\nx-a: b\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"

    async def in_pieces(_seen: object, wire: object) -> None:
        for start in range(0, len(answer), size):
            await wire.send(answer[start : start + size])  # type: ignore[attr-defined]
            await asyncio.sleep(0)

    async with open_upstream(in_pieces) as upstream:
        assert await read_all(await outbound.provider(upstream.url).send(outbound.ask())) == b"hello world"


@pytest.mark.parametrize(
    "step",
    [
        raw(NEVER_ENDING + b"".join(b"x-%d: %s\r\n" % (number, b"y" * 900) for number in range(100)), hangs_up=False),
        raw(NEVER_ENDING + b"x-long: " + b"y" * 400_000, hangs_up=False),
        raw(NEVER_ENDING + b"n" * 400_000, hangs_up=False),
        raw(b"HTTP/1.1 200 " + b"o" * 400_000, hangs_up=False),
        raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000, hangs_up=False),
        raw(OK + b"transfer-encoding: chunked\r\n\r\n0\r\nx-trailer: " + b"y" * 400_000 + b"\r\n\r\n", hangs_up=False),
    ],
    ids=["many fields", "a long value", "a long name", "a long reason", "endless preliminaries", "a long trailer"],
)
async def test_oversized_headers_are_unreadable_at_once(outbound: Outbound, step: Step) -> None:
    """No time passes on this clock: what is refused is refused for its size."""
    async with open_upstream(step) as upstream:
        with pytest.raises(UnreadableResponse) as failure:
            async with asyncio.timeout(20):
                await read_all(await outbound.provider(upstream.url).send(outbound.ask()))
        await eventually(lambda: outbound.client.open_connections() == 0)
    check_silent(failure.value, upstream)


@pytest.mark.parametrize("chunked", [True, False])
async def test_an_oversized_body_is_unreadable(outbound: Outbound, chunked: bool) -> None:
    step = stream([b"x" * 60_000] * 2) if chunked else reply(b"x" * 100_001)
    async with open_upstream(step) as upstream:
        provider = outbound.provider(upstream.url, options={"max_reply_bytes": "100000"})
        with pytest.raises(UnreadableResponse, match="larger"):
            await (await provider.send(outbound.ask())).read()
        await eventually(lambda: outbound.client.open_connections() == 0)
        upstream.will(reply(b"x" * 100_000))
        assert len(await (await provider.send(outbound.ask())).read()) == 100_000


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(outbound: Outbound, status: int) -> None:
    async with open_upstream(reply(b"{}")) as target:
        async with open_upstream(reply(b"", status, {"location": target.url})) as upstream:
            with pytest.raises(UnreadableResponse) as failure:
                await outbound.provider(upstream.url).send(outbound.ask())
        assert failure.value.upstream_status == status
        assert not target.connections
        check_silent(failure.value, target)


async def test_the_identity_coding_is_no_compression(outbound: Outbound) -> None:
    async with open_upstream(reply(b"{}", headers={"content-encoding": "Identity"})) as upstream:
        assert await (await outbound.provider(upstream.url).send(outbound.ask())).read() == b"{}"


async def test_no_answer_in_time_is_a_timeout_that_may_have_cost(outbound: Outbound) -> None:
    async with open_upstream(silence) as upstream:
        provider = outbound.provider(upstream.url, timeout={"first_byte": 60})
        sending = asyncio.create_task(provider.send(outbound.ask()))
        await upstream.was_asked()
        outbound.pass_time(59.5)
        assert not sending.done()
        outbound.pass_time(1)
        with pytest.raises(ProviderTimeout, match="answer in time") as failure:
            await sending
        await asyncio.wait_for(upstream.wires[0].left.wait(), 10)
    assert failure.value.may_have_cost
    assert failure.value.status == 504
    assert outbound.client.open_connections() == 0


async def test_a_stream_that_falls_silent_is_given_up_after_its_idle_time(outbound: Outbound) -> None:
    gate = asyncio.Semaphore(2)
    async with open_upstream(stream([b"a", b"b", b"c"], gate=gate)) as upstream:
        provider = outbound.provider(upstream.url, timeout={"first_byte": 60, "between_bytes": 30, "total": 100})
        incoming = await provider.send(outbound.ask())
        got = b""
        while len(got) < 2:
            got += await incoming.next_chunk()
        reading = asyncio.create_task(incoming.next_chunk())
        await asyncio.sleep(0)
        outbound.pass_time(29)
        await asyncio.sleep(0)
        assert not reading.done()
        outbound.pass_time(2)
        with pytest.raises(ProviderTimeout, match="go on in time"):
            await reading
        assert got == b"ab"


async def test_a_stream_that_trickles_for_ever_is_given_up_after_its_whole_time(outbound: Outbound) -> None:
    gate = asyncio.Semaphore(1)
    async with open_upstream(stream([b"x"] * 100, gate=gate)) as upstream:
        provider = outbound.provider(upstream.url, timeout={"between_bytes": 30, "total": 100})
        incoming = await provider.send(outbound.ask())
        for _ in range(4):
            assert await incoming.next_chunk() == b"x"
            outbound.pass_time(25)
            gate.release()
        assert await incoming.next_chunk() == b"x"
        outbound.pass_time(1)
        with pytest.raises(ProviderTimeout):
            await incoming.next_chunk()


async def test_a_slow_reader_is_not_the_providers_delay(outbound: Outbound) -> None:
    """While we keep the provider from sending, its silence is ours."""
    size = 8_000_000
    async with open_upstream(reply(b"z" * size)) as upstream:
        provider = outbound.provider(upstream.url, timeout={"between_bytes": 30, "total": 600})
        incoming = await provider.send(outbound.ask())
        got = len(await incoming.next_chunk())
        exchange = incoming
        await eventually(lambda: exchange._paused)  # type: ignore[attr-defined]
        outbound.pass_time(200)
        got += len(await read_all(incoming))
        assert got == size


async def test_back_pressure_reaches_the_provider(outbound: Outbound) -> None:
    sent = 0

    async def flood(_seen: object, wire: object) -> None:
        nonlocal sent
        await wire.send(OK + b"content-length: 64000000\r\n\r\n")  # type: ignore[attr-defined]
        for _ in range(640):
            await wire.send(b"x" * 100_000)  # type: ignore[attr-defined]
            sent += 100_000

    async with open_upstream(flood) as upstream:
        incoming = await outbound.provider(upstream.url).send(outbound.ask())
        await eventually(lambda: incoming._paused)  # type: ignore[attr-defined]
        assert incoming._buffered < 1_000_000  # type: ignore[attr-defined]
        assert len(await read_all(incoming)) == 64_000_000
        assert sent == 64_000_000


async def test_no_connection_in_time_is_no_cost(outbound: Outbound, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: object, **__: object) -> list[tuple[int, str]]:
        await asyncio.get_running_loop().create_future()
        raise AssertionError

    monkeypatch.setattr(client_module, "resolve", never)
    asked = outbound.ask()
    with pytest.raises(ConnectTimeout) as failure:
        await outbound.provider("http://127.0.0.1:9/v1", timeout={"connect": 0.02}).send(asked)
    assert not failure.value.may_have_cost
    assert failure.value.may_retry
    assert not asked.sent
    assert outbound.client.open_connections() == 0


@pytest.mark.parametrize("whole", [True, False])
async def test_a_given_up_reply_ends_the_connection_within_a_second(outbound: Outbound, whole: bool) -> None:
    async with open_upstream(stream([b"a"] * 3, gate=asyncio.Semaphore(1))) as upstream:
        incoming = await outbound.provider(upstream.url).send(outbound.ask())
        reading = asyncio.create_task(incoming.read() if whole else read_all(incoming))
        await asyncio.sleep(0)
        incoming.abort()
        with pytest.raises(ConnectionBroken):
            await reading
        await asyncio.wait_for(upstream.wires[0].reader.read(), 10)
        incoming.abort()
    assert outbound.client.open_connections() == 0


@pytest.mark.parametrize("answer", [b"", OK[:9], b"HTTP/1.1 500 Oops\r\ncontent-length: 90\r\n\r\nhalf"])
async def test_a_cancelled_call_ends_the_connection(outbound: Outbound, answer: bytes) -> None:
    async with open_upstream(raw(answer, hangs_up=False)) as upstream:
        sending = asyncio.create_task(outbound.provider(upstream.url).send(outbound.ask()))
        await upstream.was_asked()
        for _ in range(20):
            await asyncio.sleep(0.001)
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        reader = upstream.wires[0].reader
        await eventually(lambda: reader.at_eof() or reader.exception() is not None)
    assert outbound.client.open_connections() == 0


async def test_a_broken_error_reply_still_counts_by_its_status(outbound: Outbound) -> None:
    async with open_upstream(raw(b"HTTP/1.1 500 Oops\r\ncontent-length: 90\r\n\r\nhalf")) as upstream:
        with pytest.raises(ProviderFault) as failure:
            await outbound.provider(upstream.url).send(outbound.ask())
        assert failure.value.upstream_status == 500


async def test_an_endless_error_reply_is_not_read_to_its_end(outbound: Outbound) -> None:
    async with open_upstream(stream([b"x" * 100_000] * 1000)) as upstream:
        upstream.will(raw(b"HTTP/1.1 503 Busy\r\ncontent-length: 900000000\r\n\r\n" + b"x" * 900_000, hangs_up=False))
        with pytest.raises(ProviderError) as failure:
            await outbound.provider(upstream.url).send(outbound.ask())
        assert failure.value.upstream_status == 503
        await eventually(lambda: outbound.client.open_connections() == 0)


async def test_a_connection_closed_without_a_word_is_broken(outbound: Outbound) -> None:
    async with open_upstream(hang_up) as upstream:
        with pytest.raises(ConnectionBroken):
            await outbound.provider(upstream.url).send(outbound.ask())
        assert len(upstream.seen) == 1
