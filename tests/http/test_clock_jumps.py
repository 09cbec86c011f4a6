"""A wall clock that jumps: budgets, limits and prices follow it, there and back, and what runs stays counted."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import CHAT, NANO, error_of, question
from tests.support.house import House
from tests.support.money import NOTHING, ask, dearer_from, figures, ledger, money, paid
from tests.support.waiting import eventually

HANGING = "simulated/text-10+hang-after-3"
DAY_S = 24 * 3600
NOVEMBER, DECEMBER, JANUARY = (datetime(2026 + month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in (10, 11, 12))
LAST_DAY = datetime(2026, 11, 30, 12, tzinfo=UTC)
MONTHLY = {"scope": "tenant", "window": "month", "limit_usd": 1}


async def jump(clock: ManualClock, seconds: float) -> None:
    """Move the wall clock, and let time pass until the program must have seen it."""
    clock.jump(seconds)
    for _ in range(2):
        clock.advance(1.1)
        for _ in range(5):
            await asyncio.sleep(0)


@asynccontextmanager
async def hanging(house: House) -> AsyncIterator[Decimal]:
    """A stream that hangs inside the block; gives what it holds. The caller leaves at the end, and it is settled."""
    before = set(house.parts.meter_book.holds)
    body = question(CHAT, HANGING, stream=True, max_tokens=50)
    async with house.client().stream("POST", CHAT, json=body) as reply:
        assert reply.status_code == 200
        (call_id,) = set(house.parts.meter_book.holds) - before
        yield house.parts.meter_book.holds[call_id].nano / NANO
    await eventually(lambda: call_id not in house.parts.meter_book.holds)


async def test_budgets_follow_the_ledger_when_the_clock_jumps_over_a_months_end_and_back(database: Address) -> None:
    clock = ManualClock(LAST_DAY)
    async with money(database, clock, MONTHLY) as house:
        november = await paid(house)
        async with hanging(house) as held:
            assert await figures(house) == (november, held, DECEMBER)

            await jump(clock, DAY_S)
            assert await figures(house) == (NOTHING, NOTHING, JANUARY)  # What runs belongs to November.
            december = await paid(house) + await paid(house)
            assert await figures(house) == (december, NOTHING, JANUARY)
            assert await ledger(house, DECEMBER, JANUARY) == december

            await jump(clock, -DAY_S)
            assert await figures(house) == (november, held, DECEMBER)
            november += await paid(house)
        spent, left_held, _ = await figures(house)
        assert (spent, left_held) == (await ledger(house, NOVEMBER, DECEMBER), NOTHING)
        assert spent > november  # What the hanging call had produced is paid for.

        await jump(clock, DAY_S)
        assert await figures(house) == (december, NOTHING, JANUARY)


async def test_what_began_while_the_clock_was_wrong_is_settled_in_its_own_window(database: Address) -> None:
    clock = ManualClock(LAST_DAY)
    async with money(database, clock, MONTHLY) as house:
        november = await paid(house)
        await jump(clock, DAY_S)
        async with hanging(house) as held:
            assert await figures(house) == (NOTHING, held, JANUARY)
            await jump(clock, -DAY_S)
            assert await figures(house) == (november, NOTHING, DECEMBER)
            await jump(clock, DAY_S)
            assert await figures(house) == (NOTHING, held, JANUARY)
            await jump(clock, -DAY_S)
            await paid(house)
        spent, left_held, _ = await figures(house)
        assert (spent, left_held) == (2 * november, NOTHING)
        assert await ledger(house, NOVEMBER, DECEMBER) == 2 * november
        await jump(clock, DAY_S)
        december = await ledger(house, DECEMBER, JANUARY)
        assert december > 0
        assert await figures(house) == (december, NOTHING, JANUARY)


@pytest.mark.parametrize("runs", [False, True], ids=["nothing runs", "a call of then runs"])
async def test_limits_do_not_stay_blocked_after_a_clock_that_was_wrong(database: Address, runs: bool) -> None:
    clock = ManualClock(LAST_DAY)
    limits = (
        {"scope": "tenant", "requests": 3, "per": "minute"},
        {"scope": "tenant", "concurrency": 2},
        {"scope": "tenant", "tokens": 100_000, "per": "minute"},
    )
    async with money(database, clock, limits=limits) as house:
        await jump(clock, DAY_S)
        if runs:
            async with hanging(house):
                await paid(house)
                await jump(clock, -DAY_S)
                await paid(house)
        else:
            await paid(house)
            await paid(house)
            await jump(clock, -DAY_S)
            await paid(house)
        for _ in range(2):
            clock.advance(62)
            for _ in range(3):
                await paid(house, max_tokens=10)
            refused = await ask(house, max_tokens=10)
            assert error_of(CHAT, refused)["code"] == "request_limit_reached"
            assert 0 < float(error_of(CHAT, refused)["details"]["resets_in_s"]) <= 61


async def test_calls_that_run_stay_counted_when_the_clock_jumps(database: Address) -> None:
    clock = ManualClock(LAST_DAY)
    limits = ({"scope": "tenant", "concurrency": 1},)
    async with money(database, clock, limits=limits) as house:
        async with hanging(house):
            for seconds in (DAY_S, -DAY_S, DAY_S):
                await jump(clock, seconds)
                refused = await ask(house)
                assert error_of(CHAT, refused)["code"] == "concurrency_limit_reached"
        await paid(house)
        await paid(house)


async def test_prices_follow_a_clock_that_jumps_back(database: Address) -> None:
    clock = ManualClock(LAST_DAY)
    async with money(database, clock, MONTHLY) as house:
        cheap = await paid(house)
        await dearer_from(house, DECEMBER)
        await jump(clock, DAY_S)
        assert await paid(house) == 10 * cheap
        await jump(clock, -DAY_S)
        assert await paid(house) == cheap
