"""What one tenant may take of a process."""

import asyncio

import pytest

from enfilade.api.shares import Shares, ShareTaken
from enfilade.storage.shares import ConnectionShares


async def test_a_few_calls_begin_at_once() -> None:
    shares = Shares(calls_of_a_tenant=100, begun_in_a_turn=4)
    assert [shares.enter("acme") for _ in range(4)] == [None] * 4
    assert shares.running("acme") == 4
    for _ in range(4):
        shares.leave("acme")
    assert shares.running("acme") == 0


async def test_a_tenant_that_sends_many_at_once_lets_another_begin_between_them() -> None:
    shares = Shares(calls_of_a_tenant=1000, begun_in_a_turn=4)
    order: list[str] = []

    async def call(tenant: str) -> None:
        turn = shares.enter(tenant)
        if turn is not None:
            await turn
        order.append(tenant)
        shares.leave(tenant)

    async with asyncio.TaskGroup() as group:
        for _ in range(200):
            group.create_task(call("acme"))
        for _ in range(3):
            group.create_task(call("globex"))
    assert len(order) == 203
    assert [position for position, tenant in enumerate(order) if tenant == "globex"][-1] < 4 + 3 * 4


async def test_beyond_its_share_a_tenant_is_refused_and_its_neighbour_is_not() -> None:
    shares = Shares(calls_of_a_tenant=2)
    shares.enter("acme")
    shares.enter("acme")
    with pytest.raises(ShareTaken) as refused:
        shares.enter("acme")
    assert refused.value.retry_after == 1
    assert shares.enter("globex") is None
    shares.leave("acme")
    assert shares.enter("acme") is None


async def test_who_gave_up_waiting_takes_nobodys_turn() -> None:
    shares = Shares(calls_of_a_tenant=100, begun_in_a_turn=1)
    assert shares.enter("acme") is None
    given_up, waiting = shares.enter("acme"), shares.enter("acme")
    assert given_up is not None
    assert waiting is not None
    given_up.cancel()
    await asyncio.wait_for(waiting, 5)


async def test_connections_beyond_a_tenants_share_wait_for_its_own() -> None:
    shares = ConnectionShares(each=2)
    held: list[str] = []

    async def use(tenant: str, until: asyncio.Event) -> None:
        async with shares.of(tenant):
            held.append(tenant)
            await until.wait()

    free = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for _ in range(3):
            group.create_task(use("acme", free))
        group.create_task(use("globex", free))
        for _ in range(5):
            await asyncio.sleep(0)
        assert sorted(held) == ["acme", "acme", "globex"]
        free.set()
    assert sorted(held) == ["acme", "acme", "acme", "globex"]
