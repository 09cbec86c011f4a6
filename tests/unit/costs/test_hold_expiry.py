"""A hold that was left behind is given back; what is settled after that is posted all the same, once."""

import asyncio
import contextlib
import gc

import pytest
from structlog.testing import capture_logs

from enfilade.costs.errors import HoldExpired
from enfilade.costs.holds.hold import Demand
from enfilade.costs.holds.meter_book import HOLD_LASTS_S, PRUNE_EVERY_S
from enfilade.costs.holds.types import Measure
from tests.unit.costs.rules import Desk, budget, limit

LIMITS = (limit(Measure.CONCURRENCY, 5), limit(Measure.TOKENS, 1000, "day"), limit(Measure.REQUESTS, 10, "day"))


def desk_with_a_hold_left_behind() -> Desk:
    return Desk(budget(100, "total"), *LIMITS)


def test_what_was_held_comes_back_and_the_request_stays_counted() -> None:
    desk = desk_with_a_hold_left_behind()
    hold = desk.take(40, tokens=30)
    desk.clock.advance(HOLD_LASTS_S - 1)
    assert desk.book.expire() == 0
    desk.clock.advance(1)

    with capture_logs() as logs:
        assert desk.book.expire() == 1

    assert (desk.budget().held, desk.budget().spent, desk.running(), desk.left("tokens")) == (0, 0, 0, 1000)
    assert desk.book.holds == {}
    assert [(entry["event"], entry["call_id"]) for entry in logs] == [("hold_expired", hold.call_id)]
    assert desk.book.expire() == 0


def test_what_attempts_lost_stays_held() -> None:
    desk = desk_with_a_hold_left_behind()
    hold = desk.take(20, tokens=10)
    hold.extend(Demand(10, 25, 25), desk.clock.now_ns())
    desk.clock.advance(HOLD_LASTS_S)

    desk.book.expire()

    assert (desk.budget().held, desk.budget().spent, hold.nano) == (25, 0, 25)


def test_what_is_settled_later_is_posted_once_and_is_more_than_was_held() -> None:
    desk = desk_with_a_hold_left_behind()
    hold = desk.take(40, tokens=30)
    desk.clock.advance(HOLD_LASTS_S)
    desk.book.expire()

    desk.settle(hold, 35, 12)
    desk.settle(hold, 35, 12)

    assert (desk.budget().held, desk.budget().spent, desk.running()) == (0, 35, 0)
    assert hold.nano == 0  # So that the record tells of an overrun.


def test_a_later_settlement_reaches_meters_that_were_filled_from_the_ledger_meanwhile() -> None:
    rule = budget(100, "total")
    desk = Desk(rule, *LIMITS)
    hold = desk.take(40)
    hold.extend(Demand(0, 25, 25), desk.clock.now_ns())
    desk.clock.advance(HOLD_LASTS_S)
    desk.book.expire()
    desk.book.start_over()

    for each in (rule, *LIMITS):
        assert desk.book.attach_running(each) == [hold.call_id]
    desk.book.mark_seeded((rule, *LIMITS))

    assert (desk.budget().held, desk.running()) == (25, 0)
    desk.settle(hold, 35)
    assert (desk.budget().held, desk.budget().spent, desk.running()) == (0, 35, 0)
    assert desk.book.attach_running(rule) == []


def test_the_meter_of_an_expired_hold_is_not_forgotten_before_it_is_settled() -> None:
    desk = desk_with_a_hold_left_behind()
    hold = desk.take(40, tokens=30)
    desk.clock.advance(2 * HOLD_LASTS_S)
    desk.book.expire()
    desk.book.forget_idle()

    desk.settle(hold, 35, 12)

    assert desk.budget().spent == 35


def test_what_nobody_can_settle_any_more_is_forgotten() -> None:
    desk = desk_with_a_hold_left_behind()
    desk.take(40)
    desk.clock.advance(HOLD_LASTS_S)
    desk.book.expire()
    gc.collect()

    assert desk.book.attach_running(budget(100, "total")) == []


def test_an_expired_call_is_neither_tried_again_nor_sent_to_another_model() -> None:
    desk = desk_with_a_hold_left_behind()
    hold = desk.take(40)
    desk.clock.advance(HOLD_LASTS_S)
    desk.book.expire()

    with pytest.raises(HoldExpired):
        hold.extend(Demand(1, 1, 1), desk.clock.now_ns())
    with pytest.raises(HoldExpired):
        hold.switch(desk.meters(model="other"), desk.clock.now_ns())
    assert desk.budget().held == 0


@pytest.mark.parametrize("seconds", [10 * HOLD_LASTS_S, -10 * HOLD_LASTS_S])
def test_a_wall_clock_that_jumps_expires_nothing(seconds: float) -> None:
    desk = desk_with_a_hold_left_behind()
    desk.take(40)
    desk.clock.jump(seconds)

    assert desk.book.expire() == 0
    assert len(desk.book.holds) == 1


async def test_it_is_looked_for_now_and_then() -> None:
    desk = desk_with_a_hold_left_behind()
    desk.take(40)
    desk.clock.advance(HOLD_LASTS_S)
    task = asyncio.create_task(desk.book.prune())
    while desk.clock.next_wake() is None:
        await asyncio.sleep(0)
    desk.clock.advance(PRUNE_EVERY_S)
    while desk.clock.next_wake() is None:
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task

    assert desk.book.holds == {}
