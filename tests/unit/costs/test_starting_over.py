"""A book that looks into the ledger again: when it is told to, and when the wall clock jumps."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from enfilade.costs.holds.meter_book import CLOCK_LOOK_S
from enfilade.costs.holds.types import Measure
from tests.unit.costs.rules import TENANT, Desk, budget, limit


def test_starting_over_makes_every_rule_look_into_its_past_again() -> None:
    rules = (budget(100), limit(Measure.CONCURRENCY, 5), limit(Measure.REQUESTS, 10), limit(Measure.TOKENS, 100))
    desk = Desk(*rules)
    hold = desk.take(40, tokens=30)
    desk.spend(10, tokens=5)

    desk.book.start_over()

    assert desk.meters().unseeded == rules
    assert (desk.budget().spent, desk.budget().held, desk.running()) == (0, 0, 0)
    assert (desk.left("requests"), desk.left("tokens")) == (10, 100)
    desk.settle(hold, 40, 30)
    assert (desk.budget().spent, desk.budget().held, desk.running(), desk.left("tokens")) == (0, 0, 0, 100)


def test_what_runs_counts_once_after_starting_over_however_often() -> None:
    rules = (budget(100), limit(Measure.CONCURRENCY, 5), limit(Measure.REQUESTS, 10), limit(Measure.TOKENS, 100))
    desk = Desk(*rules)
    hold = desk.take(40, tokens=30)

    for _ in range(3):
        desk.book.start_over()
        for rule in rules:
            assert desk.book.attach_running(rule) == [hold.call_id]
        desk.book.mark_seeded(rules)

    assert (desk.budget().held, desk.running(), desk.left("requests"), desk.left("tokens")) == (40, 1, 9, 70)
    desk.settle(hold, 10, 5)
    assert (desk.budget().held, desk.budget().spent, desk.running(), desk.left("tokens")) == (0, 10, 0, 95)


def test_a_call_that_began_while_the_clock_was_ahead_leaves_the_window_in_its_time() -> None:
    rules = (limit(Measure.REQUESTS, 10), limit(Measure.TOKENS, 100))
    desk = Desk(*rules)
    desk.clock.jump(24 * 3600)
    hold = desk.take(tokens=30)
    desk.clock.jump(-24 * 3600)
    desk.book.start_over()
    for rule in rules:
        desk.book.attach_running(rule)
    desk.book.mark_seeded(rules)

    assert (desk.left("requests"), desk.left("tokens")) == (9, 70)
    desk.settle(hold, 0, 5)
    assert (desk.left("requests"), desk.left("tokens")) == (9, 95)
    desk.clock.advance(61)
    assert (desk.left("requests"), desk.left("tokens")) == (10, 100)


@pytest.mark.parametrize("undo", ["another form", "lifted", "start over", "detach"])
def test_a_rule_is_no_longer_attached_when_its_meters_are_thrown_away(undo: str) -> None:
    rule = budget(100, "day")
    desk = Desk()
    desk.install(rule)
    desk.book.attach_running(rule)
    assert desk.book.is_attached(rule)
    desk.install(replace(rule, limit_nano=50))
    assert desk.book.is_attached(rule)

    if undo == "another form":
        desk.install(replace(rule, time_zone="Asia/Tokyo"))
        desk.install(rule)
    elif undo == "lifted":
        desk.install()
        desk.install(rule)
    elif undo == "start over":
        desk.book.start_over()
    else:
        desk.book.detach([rule])

    assert not desk.book.is_attached(rule)


@pytest.mark.parametrize("seconds", [3600, 3, -3, -3600])
async def test_a_clock_that_jumps_makes_the_book_start_over(seconds: float) -> None:
    desk = Desk(budget(100))
    desk.spend(60)

    async with _watching(desk):
        desk.clock.jump(seconds)
        await _look(desk)
        assert len(desk.meters().unseeded) == 1

        desk.book.mark_seeded(desk.book.rules(TENANT))
        await _look(desk)
        assert desk.meters().unseeded == ()  # One jump is one start.


@pytest.mark.parametrize("step", [0, 1.5, -1.5])
async def test_a_clock_that_is_set_right_in_small_steps_changes_nothing(step: float) -> None:
    desk = Desk(budget(100))
    desk.spend(60)

    async with _watching(desk):
        for _ in range(5):
            desk.clock.jump(step)
            await _look(desk)

    assert desk.meters().unseeded == ()
    assert desk.budget().spent == 60


async def test_time_that_passes_unseen_is_no_jump() -> None:
    desk = Desk(budget(100, "year"))
    desk.spend(60)

    async with _watching(desk):
        desk.clock.advance(7 * 24 * 3600)
        await _look(desk)

    assert desk.meters().unseeded == ()
    assert desk.budget().spent == 60


@contextlib.asynccontextmanager
async def _watching(desk: Desk) -> AsyncIterator[None]:
    """The book watches the clock inside the block."""
    task = asyncio.create_task(desk.book.watch_clock())
    while desk.clock.next_wake() is None:
        await asyncio.sleep(0)
    yield
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _look(desk: Desk) -> None:
    """Let the book look at the clock once."""
    desk.clock.advance(CLOCK_LOOK_S)
    while desk.clock.next_wake() is None:
        await asyncio.sleep(0)
