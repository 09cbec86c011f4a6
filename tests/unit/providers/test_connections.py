"""Keeping connections, and giving them up."""

import asyncio

import pytest

from enfilade.providers.errors import ConnectionBroken, ProviderBusy
from enfilade.providers.transport.client import MAX_IDLE_S
from enfilade.providers.types import Provider
from tests.support.outbound import Outbound
from tests.support.upstream import HangUp, Seen, Wire, hang_up, open_upstream, raw, reply, silence
from tests.support.waiting import eventually

FINE = reply(b'{"choices":[]}')


async def answered(outbound: Outbound, provider: Provider) -> bytes:
    """Make a call and read its reply."""
    return await (await provider.send(outbound.ask())).read()


async def and_then_closes(seen: Seen, wire: Wire) -> None:
    """Answer as if the connection were kept, and close it."""
    await FINE(seen, wire)
    raise HangUp


async def test_a_connection_is_used_again(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream:
        provider = outbound.provider(upstream.url)
        for _ in range(5):
            assert await answered(outbound, provider) == b'{"choices":[]}'
        assert upstream.connections == outbound.client.open_connections() == 1
        assert outbound.client.reused == 4


async def test_concurrent_calls_have_a_connection_each(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await asyncio.gather(*(answered(outbound, provider) for _ in range(5)))
        await asyncio.gather(*(answered(outbound, provider) for _ in range(5)))
        assert upstream.connections == 5
        assert len(upstream.seen) == 10


@pytest.mark.parametrize("head", [b"HTTP/1.0 200 OK\r\n", b"HTTP/1.1 200 OK\r\nconnection: close\r\n"])
async def test_a_connection_that_will_close_is_not_kept(outbound: Outbound, head: bytes) -> None:
    async with open_upstream(raw(head + b"content-length: 2\r\n\r\n{}", hangs_up=False)) as upstream:
        provider = outbound.provider(upstream.url)
        for _ in range(3):
            assert await answered(outbound, provider) == b"{}"
        assert upstream.connections == 3
        await eventually(lambda: outbound.client.open_connections() == 0)


async def test_a_kept_connection_that_was_closed_meanwhile_is_replaced(outbound: Outbound) -> None:
    async with open_upstream(and_then_closes, FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await answered(outbound, provider)
        await eventually(lambda: outbound.client.open_connections() == 0)
        assert await answered(outbound, provider)
        assert upstream.connections == len(upstream.seen) == 2


async def test_a_kept_connection_that_dies_under_a_request_is_replaced_once(outbound: Outbound) -> None:
    async with open_upstream(FINE, hang_up, FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await answered(outbound, provider)
        assert await answered(outbound, provider)
        assert [seen.body for seen in upstream.seen[1:]] == [upstream.seen[0].body] * 2
        assert upstream.connections == 2


async def test_it_is_not_replaced_a_second_time(outbound: Outbound) -> None:
    async with open_upstream(FINE, hang_up, hang_up, FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await answered(outbound, provider)
        with pytest.raises(ConnectionBroken) as failure:
            await answered(outbound, provider)
        assert failure.value.may_have_cost
        assert len(upstream.seen) == 3


async def test_nothing_is_sent_twice_once_a_byte_has_come_back(outbound: Outbound) -> None:
    async with open_upstream(FINE, raw(b"H"), FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await answered(outbound, provider)
        with pytest.raises(ConnectionBroken):
            await answered(outbound, provider)
        assert len(upstream.seen) == 2


async def test_a_connection_is_given_up_before_the_server_would(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await answered(outbound, provider)
        outbound.pass_time(MAX_IDLE_S - 1)
        await answered(outbound, provider)
        assert upstream.connections == 1
        outbound.pass_time(MAX_IDLE_S + 1)
        await answered(outbound, provider)
        assert upstream.connections == 2


async def test_a_connection_given_up_for_its_age_makes_room_at_once(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream:
        provider = outbound.provider(upstream.url, max_concurrency=1)
        await answered(outbound, provider)
        outbound.pass_time(MAX_IDLE_S + 1)
        assert await answered(outbound, provider)
        assert upstream.connections == 2


async def test_more_connections_than_allowed_are_refused_without_cost(outbound: Outbound) -> None:
    async with open_upstream(silence) as upstream:
        provider = outbound.provider(upstream.url, max_concurrency=2)
        waiting = [asyncio.create_task(provider.send(outbound.ask())) for _ in range(2)]
        await upstream.was_asked(2)
        asked = outbound.ask()
        with pytest.raises(ProviderBusy) as failure:
            await provider.send(asked)
        assert not asked.sent
        assert not failure.value.may_have_cost
        assert failure.value.retry_after == 1
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        await eventually(lambda: outbound.client.open_connections() == 0)
        upstream.will(FINE)
        assert await answered(outbound, provider)


async def test_failed_connections_take_no_room(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream:
        url = upstream.url
    provider = outbound.provider(url, max_concurrency=1)
    for _ in range(3):
        with pytest.raises(Exception, match="reached"):
            await provider.send(outbound.ask())
    assert outbound.client.open_connections() == 0


async def test_words_that_nobody_asked_for_end_the_connection(outbound: Outbound) -> None:
    late = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    async with open_upstream(FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await answered(outbound, provider)
        await upstream.wires[0].send(late)
        await eventually(lambda: outbound.client.open_connections() == 0)
        assert await answered(outbound, provider) == b'{"choices":[]}'
        assert upstream.connections == 2


async def test_a_second_reply_in_the_same_breath_reaches_nobody(outbound: Outbound) -> None:
    two = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged"
    async with open_upstream(raw(two, hangs_up=False), FINE) as upstream:
        provider = outbound.provider(upstream.url)
        assert await answered(outbound, provider) == b"{}"
        assert await answered(outbound, provider) == b'{"choices":[]}'
        assert upstream.connections == 2


async def test_a_provider_that_was_removed_lets_go_of_its_connections(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream:
        provider = outbound.provider(upstream.url)
        await answered(outbound, provider)
        provider.close()
        await eventually(upstream.wires[0].reader.at_eof)
        assert outbound.client.open_connections() == 0


async def test_a_call_that_is_running_when_its_provider_is_removed_finishes(outbound: Outbound) -> None:
    gate = asyncio.Event()

    async def late(seen: Seen, wire: Wire) -> None:
        await gate.wait()
        await FINE(seen, wire)

    async with open_upstream(late) as upstream:
        provider = outbound.provider(upstream.url)
        sending = asyncio.create_task(answered(outbound, provider))
        await upstream.was_asked()
        provider.close()
        gate.set()
        assert await sending == b'{"choices":[]}'
        await eventually(upstream.wires[0].reader.at_eof)


async def test_providers_share_no_connections(outbound: Outbound) -> None:
    async with open_upstream(FINE) as upstream:
        for _ in range(2):
            await answered(outbound, outbound.provider(upstream.url))
        assert upstream.connections == 2
