"""Clocks, moments as text, and deadlines without a timer each."""

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.clock import ManualClock, SystemClock, to_datetime, to_ns, to_rfc3339
from enfilade.core.deadlines import NEVER, TICK_S, DeadlineSweeper
from tests.support.properties import examples

moments = st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1))  # noqa: DTZ001 - made aware below


@given(moments, st.integers(-14, 14))
@examples(300)
def test_a_moment_survives_being_counted_in_nanoseconds(moment: datetime, offset: int) -> None:
    aware = moment.replace(tzinfo=UTC)

    assert to_datetime(to_ns(aware)) == aware
    assert to_ns(aware.astimezone(timezone(timedelta(hours=offset)))) == to_ns(aware)
    assert to_rfc3339(to_ns(aware)) == aware.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@pytest.mark.parametrize(
    ("time_ns", "text"),
    [
        (0, "1970-01-01T00:00:00.000000Z"),
        (999, "1970-01-01T00:00:00.000000Z"),
        (999_999_999, "1970-01-01T00:00:00.999999Z"),
        (1_000_000_000, "1970-01-01T00:00:01.000000Z"),
        (1_793_620_800_123_456_789, "2026-11-02T12:00:00.123456Z"),
    ],
)
def test_moments_are_written_with_microseconds_cut_not_rounded(time_ns: int, text: str) -> None:
    assert to_rfc3339(time_ns) == text


def test_many_moments_do_not_fill_the_memory_and_stay_right() -> None:
    texts = [to_rfc3339(second * 1_000_000_000) for second in range(500)]

    assert texts[61] == "1970-01-01T00:01:01.000000Z"
    assert len(set(texts)) == 500
    assert to_rfc3339(0) == texts[0]


async def test_sleepers_wake_in_the_order_of_their_deadlines() -> None:
    clock, woken = ManualClock(), []

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        woken.append(seconds)

    async with asyncio.TaskGroup() as group:
        for seconds in (3, 1, 2, 0, 1.5):
            group.create_task(sleep(seconds))
        await asyncio.sleep(0)
        assert clock.next_wake() == 1
        clock.advance(2)
        for _ in range(3):
            await asyncio.sleep(0)
        assert woken == [0, 1, 1.5, 2]
        clock.advance(1)

    assert woken[-1] == 3
    assert clock.next_wake() is None


async def test_a_cancelled_sleeper_is_forgotten() -> None:
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5))
    await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert clock.next_wake() is None
    clock.advance(10)


def test_a_jump_moves_the_wall_clock_only() -> None:
    clock = ManualClock()
    wall = clock.now_ns()
    clock.jump(-3600)
    clock.advance(1)

    assert (clock.now_ns() - wall, clock.monotonic()) == (-3599 * 1_000_000_000, 1.0)


def test_the_systems_clock_goes_on() -> None:
    clock = SystemClock()

    assert clock.monotonic() <= clock.monotonic()
    assert clock.now_ns() > to_ns(datetime(2026, 1, 1, tzinfo=UTC))


class Item:
    """Something that waits."""

    def __init__(self, deadline: float, sweeper: DeadlineSweeper | None = None, *others: "Item") -> None:
        self.deadline = deadline
        self.expired = 0
        self._sweeper = sweeper
        self._others = others

    def expire(self) -> None:
        """Count it, and stop watching the others."""
        self.expired += 1
        for other in self._others:
            assert self._sweeper is not None
            self._sweeper.forget(other)


def test_what_is_late_is_told_once() -> None:
    clock = ManualClock()
    sweeper = DeadlineSweeper(clock)
    early, late, never = Item(1), Item(5), Item(NEVER)
    for item in (early, late, never):
        sweeper.watch(item)

    counts = []
    for _ in range(4):
        clock.advance(2)
        sweeper.sweep()
        counts.append((early.expired, late.expired, never.expired))

    assert counts == [(1, 0, 0), (1, 0, 0), (1, 1, 0), (1, 1, 0)]


def test_a_deadline_can_be_moved_by_assigning_it() -> None:
    clock = ManualClock()
    sweeper, item = DeadlineSweeper(clock), Item(1)
    sweeper.watch(item)
    item.deadline = sweeper.now() + 3
    clock.advance(2)
    sweeper.sweep()
    assert item.expired == 0

    clock.advance(2)
    sweeper.sweep()

    assert item.expired == 1


def test_what_is_forgotten_is_left_alone_also_when_a_neighbour_forgets_it() -> None:
    clock = ManualClock()
    sweeper = DeadlineSweeper(clock)
    pair = [Item(1, sweeper), Item(1, sweeper)]
    pair[0]._others, pair[1]._others = (pair[1],), (pair[0],)
    gone = Item(1)
    for item in (*pair, gone):
        sweeper.watch(item)
    sweeper.forget(gone)
    sweeper.forget(gone)
    clock.advance(2)
    sweeper.sweep()

    assert gone.expired == 0
    assert pair[0].expired + pair[1].expired == 1


async def test_the_sweep_comes_with_every_tick() -> None:
    clock = ManualClock()
    sweeper, item = DeadlineSweeper(clock), Item(0.15)
    sweeper.watch(item)
    task = asyncio.create_task(sweeper.run())
    seen = []
    for _ in range(3):
        await asyncio.sleep(0)
        clock.advance(TICK_S)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        seen.append(item.expired)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert seen == [0, 1, 1]
