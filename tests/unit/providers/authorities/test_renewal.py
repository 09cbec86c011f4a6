"""Loans: fetched once, replaced ahead of their end by one, given up when refused."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from enfilade.core.clock import ManualClock
from enfilade.providers.authorities.renewal import MARGIN_S, MAX_PAUSE_S, MIN_AGE_S, Loan, Renewed
from enfilade.providers.errors import ConnectFailed, ProviderRateLimited


class Lender:
    """Gives numbered values, each good for an hour; waits or fails when told to."""

    def __init__(self, seconds: float = 3600.0) -> None:
        self.seconds = seconds
        self.asked = 0
        self.gate: asyncio.Event | None = None
        self.error: Exception | None = None

    async def lend(self) -> Loan[int]:
        self.asked += 1
        number = self.asked
        if self.gate is not None:
            await self.gate.wait()
        if self.error is not None:
            raise self.error
        return Loan(number, self.seconds)


def renewed(lender: Lender) -> tuple[Renewed[int], ManualClock]:
    clock = ManualClock()
    return Renewed(lender.lend, clock, "numbers"), clock


async def started(*calls: Callable[[], Awaitable[int]]) -> list[asyncio.Task[int]]:
    """Tasks that have come as far as they can."""

    async def run(call: Callable[[], Awaitable[int]]) -> int:
        return await call()

    tasks = [asyncio.get_running_loop().create_task(run(call)) for call in calls]
    for _ in range(5):
        await asyncio.sleep(0)
    return tasks


async def test_a_value_is_fetched_once_for_many() -> None:
    lender = Lender()
    lender.gate = asyncio.Event()
    values, _ = renewed(lender)
    tasks = await started(*[values.get] * 20)
    lender.gate.set()
    assert await asyncio.gather(*tasks) == [1] * 20
    assert await values.get() == 1
    assert lender.asked == 1


async def test_one_renews_ahead_of_the_end_and_others_go_on_with_the_old_value() -> None:
    lender = Lender()
    values, clock = renewed(lender)
    await values.get()
    clock.advance(3600 - 299)
    lender.gate = asyncio.Event()
    (renewing,) = await started(values.get)
    assert [await values.get() for _ in range(3)] == [1, 1, 1]
    assert lender.asked == 2
    lender.gate.set()
    assert await renewing == 2
    assert await values.get() == 2
    assert lender.asked == 2


@pytest.mark.parametrize("seconds", [3600.0, 900.0, 60.0])
async def test_before_that_nobody_asks_again(seconds: float) -> None:
    lender = Lender(seconds)
    values, clock = renewed(lender)
    await values.get()
    clock.advance(seconds - max(min(300.0, seconds * 0.2), MARGIN_S) - 0.5)
    assert await values.get() == 1
    assert lender.asked == 1


async def test_a_value_is_not_used_to_its_very_end() -> None:
    lender = Lender()
    values, clock = renewed(lender)
    await values.get()
    clock.advance(3600 - MARGIN_S)
    lender.error = ConnectFailed("no way")
    with pytest.raises(ConnectFailed):
        await values.get()


async def test_a_value_with_a_very_short_life_is_used_once() -> None:
    """Whoever lent it says that it is good: the call is made, and the next one asks again."""
    lender = Lender(2.0)
    values, clock = renewed(lender)
    assert await values.get() == 1
    clock.advance(2)
    assert await values.get() == 2


async def test_the_old_value_serves_while_it_cannot_be_renewed() -> None:
    """With a pause after each failure, which grows."""
    lender = Lender()
    values, clock = renewed(lender)
    await values.get()
    clock.advance(3600 - 299)
    lender.error = ConnectFailed("no way")
    asked = []
    for _ in range(8):
        assert await values.get() == 1
        asked.append(lender.asked)
        clock.advance(1)
    assert asked == [2, 3, 3, 4, 4, 4, 4, 5]
    lender.error = None
    clock.advance(10)
    assert await values.get() == 6


async def test_without_a_value_a_failure_is_told_at_once_and_nobody_asks_for_a_while() -> None:
    lender = Lender()
    lender.error = ConnectFailed("no way")
    values, clock = renewed(lender)
    for _ in range(3):
        with pytest.raises(ConnectFailed, match="no way"):
            await values.get()
    assert lender.asked == 1
    lender.error = None
    clock.advance(1)
    assert await values.get() == 2


async def test_a_pause_has_a_longest_length_and_is_as_long_as_the_service_asks() -> None:
    lender = Lender()
    lender.error = ConnectFailed("no way")
    values, clock = renewed(lender)
    for _ in range(20):
        with pytest.raises(ConnectFailed):
            await values.get()
        clock.advance(MAX_PAUSE_S)
    assert lender.asked == 20
    lender.error = ProviderRateLimited("slow down", retry_after=200)
    with pytest.raises(ProviderRateLimited):
        await values.get()
    clock.advance(199)
    with pytest.raises(ProviderRateLimited):
        await values.get()
    assert lender.asked == 21


async def test_who_renews_may_be_cancelled() -> None:
    """Then the next one who waits takes over; nothing is lost or locked."""
    lender = Lender()
    lender.gate = asyncio.Event()
    values, _ = renewed(lender)
    first, second = await started(values.get, values.get)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    lender.gate.set()
    assert await second == 2


async def test_a_refused_value_is_given_up() -> None:
    lender = Lender()
    values, clock = renewed(lender)
    await values.get()
    clock.advance(MIN_AGE_S)
    values.drop()
    assert await values.get() == 2


async def test_a_new_value_is_kept_though_refused() -> None:
    """A provider that refuses everything does not make us ask the token service for each call."""
    lender = Lender()
    values, clock = renewed(lender)
    for _ in range(20):
        await values.get()
        values.drop()
    assert lender.asked == 1
    clock.advance(MIN_AGE_S)
    values.drop()
    await values.get()
    values.drop()
    await values.get()
    assert lender.asked == 2


async def test_nothing_to_give_up_is_no_error() -> None:
    values, _ = renewed(Lender())
    values.drop()
    assert await values.get() == 1
