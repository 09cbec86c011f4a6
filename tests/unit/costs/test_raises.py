"""Temporary raises and what is carried over: what a budget allows, and when."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from enfilade.core.clock import NANOSECONDS, to_ns
from enfilade.costs.errors import BudgetExhausted, InvalidRule
from enfilade.costs.holds.raises import RaiseSpec, _amount, read_until
from enfilade.costs.holds.types import BudgetRule, LimitSince, Raise
from enfilade.costs.holds.windows import window_at
from tests.unit.costs.rules import START, TENANT, Desk, budget

DAY = 86_400.0
HOUR_NS = 3600 * NANOSECONDS
NOW_NS = to_ns(START)
LONG_AGO = (LimitSince(0, 100),)


def raised(amount: int, starts_in_h: float = 0, until_in_h: float = 1, **more: Any) -> Raise:
    """A raise by so much."""
    starts, until = NOW_NS + int(starts_in_h * HOUR_NS), NOW_NS + int(until_in_h * HOUR_NS)
    return Raise(f"raise-{amount}", "budget", amount, "a test", "key:test", starts, until, **more)


def carrying(limit: int = 100, period: str = "day", **more: Any) -> BudgetRule:
    """A budget whose rest is carried over, and which is older than all windows."""
    return budget(limit, period, carry_over=True, **({"limits": (LimitSince(0, limit),)} | more))


def test_a_raise_holds_with_the_next_call_and_passes_by_the_clock() -> None:
    desk = Desk(budget(100))
    desk.spend(100)
    desk.install(budget(100, raises=(raised(50),)))

    desk.spend(30)
    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(21)
    assert refusal.value.details["raised_usd"] == "0.000000050"
    assert "0.000000050 by which it is raised" in refusal.value.message
    desk.clock.advance(3599.999999)
    desk.take(20)
    desk.clock.advance(0.000001)
    with pytest.raises(BudgetExhausted):
        desk.take(1)
    assert (desk.budget().ceiling, desk.budget().spent, desk.budget().held) == (100, 130, 20)


def test_raises_add_up_each_for_its_time() -> None:
    desk = Desk(budget(100, raises=(raised(10, 0, 3), raised(20, 1, 2), raised(40, 0, 9, ended_ns=NOW_NS))))
    ceilings: list[int] = []
    for _ in range(5):
        ceilings.append(desk.budget().ceiling if ceilings else desk.take(0).budgets[0][0].ceiling)
        desk.clock.advance(3600)

    assert ceilings == [110, 130, 110, 100, 100]


def test_a_raise_that_is_longer_than_a_window_raises_each() -> None:
    desk = Desk(budget(100, "day", raises=(raised(50, until_in_h=48),)))
    for _ in range(2):
        desk.spend(150)
        with pytest.raises(BudgetExhausted):
            desk.take(1)
        desk.clock.advance(DAY)

    desk.clock.advance(DAY)
    desk.spend(100)
    with pytest.raises(BudgetExhausted):
        desk.take(1)


def test_a_raise_that_was_ended_no_longer_counts() -> None:
    desk = Desk(budget(100, raises=(raised(50),)))
    desk.spend(120)
    desk.install(budget(100))

    with pytest.raises(BudgetExhausted):
        desk.take(1)


def test_thresholds_are_shares_of_what_is_allowed_and_told_once_for_each_amount() -> None:
    desk = Desk(budget(100, alerts=("0.8",)))
    assert desk.spend(85) == ["0.8"]
    desk.install(budget(100, alerts=("0.8",), raises=(raised(100),)))
    assert desk.spend(74) == []
    assert desk.spend(1) == ["0.8"]  # 160 of 200.

    desk.clock.advance(3600)  # 160 of 100: that 80 were spent was told before the raise.

    assert desk.settle(desk.take(0), 1) == []


def test_a_threshold_that_the_end_of_a_raise_puts_below_what_is_spent_is_told_with_the_next_call() -> None:
    desk = Desk(budget(100, alerts=("0.8",), raises=(raised(900),)))
    assert desk.spend(300) == []
    desk.clock.advance(3600)

    assert [alert.share for alert in desk.settle(desk.take(0), 1)] == ["0.8"]


# What is carried over.


def test_what_was_left_of_the_window_before_is_added_once() -> None:
    desk = Desk(carrying())
    desk.spend(30)
    desk.clock.advance(DAY)

    desk.spend(170)
    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(1)
    assert refusal.value.details["carried_usd"] == "0.000000070"
    assert "0.000000070 carried over" in refusal.value.message
    desk.clock.advance(DAY)
    desk.spend(100)  # Of the day before more was spent than its own limit: nothing is left of that.
    with pytest.raises(BudgetExhausted):
        desk.take(1)


def test_only_the_limit_itself_is_carried_over_and_not_what_came_with_it() -> None:
    desk = Desk(carrying(raises=(raised(50),)))
    for _ in range(3):
        desk.clock.advance(DAY)
        assert desk.take(0).budgets[0][0].ceiling == 200  # Never more than twice the limit.


def test_no_more_is_carried_over_than_the_budget_says() -> None:
    desk = Desk(carrying(carry_over_limit_nano=25))
    desk.spend(60)
    desk.clock.advance(DAY)
    assert desk.budget().ceiling == 125
    desk.install(carrying(carry_over_limit_nano=0))
    assert desk.budget().ceiling == 100
    desk.install(carrying())
    assert desk.budget().ceiling == 140


@pytest.mark.parametrize(("made_ago_h", "ceiling"), [(12.000001, 200), (12, 100), (1, 100)])
def test_a_budget_that_was_made_within_the_window_carries_nothing_over(made_ago_h: float, ceiling: int) -> None:
    made = LimitSince(NOW_NS - int(made_ago_h * HOUR_NS), 100)  # It is noon.

    assert Desk(carrying(limits=(made,))).take(0).budgets[0][0].ceiling == ceiling


def test_what_is_carried_over_goes_by_the_limit_of_the_window_before() -> None:
    yesterday, today = LimitSince(NOW_NS - 20 * HOUR_NS, 40), LimitSince(NOW_NS - HOUR_NS, 500)

    desk = Desk(carrying(500, limits=(*LONG_AGO, yesterday, today)))

    assert desk.take(0).budgets[0][0].ceiling == 540


def test_calls_that_still_run_from_the_window_before_count_as_spent_until_they_end() -> None:
    desk = Desk(carrying())
    hold = desk.take(80)
    desk.clock.advance(DAY)
    assert desk.budget().ceiling == 120

    desk.settle(hold, 10)

    assert (desk.budget().ceiling, desk.budget().used) == (190, 0)


def test_a_call_that_overran_after_the_window_takes_from_what_is_carried_over() -> None:
    desk = Desk(carrying())
    hold = desk.take(80)
    desk.clock.advance(DAY)

    desk.settle(hold, 95)

    assert desk.budget().ceiling == 105


def test_a_window_that_nobody_used_is_carried_over_whole_and_those_before_it_are_forgotten() -> None:
    desk = Desk(carrying())
    hold = desk.take(80)
    desk.clock.advance(3 * DAY)
    assert desk.budget().ceiling == 200

    desk.settle(hold, 80)

    assert desk.budget().ceiling == 200


def test_what_the_ledger_has_of_the_window_before_is_counted() -> None:
    rule = carrying()
    desk = Desk(rule)
    meter = desk.take(0).budgets[0][0]
    yesterday = window_at("day", NOW_NS - 24 * HOUR_NS, *rule.calendar)
    meter.seed(yesterday, 30)
    meter.seed(meter.window, 7)

    assert (meter.ceiling, meter.spent) == (170, 7)


def test_switching_it_on_or_off_reads_the_past_anew() -> None:
    desk = Desk(carrying())
    off = replace(carrying(), carry_over=False)
    desk.install(off)
    assert desk.meters().unseeded == (off,)


def test_a_corrected_ledger_makes_a_budget_look_into_its_past_again() -> None:
    rule = budget(100)
    desk = Desk(rule)
    desk.spend(60)
    corrected = replace(rule, epoch=1)
    desk.install(corrected)

    assert desk.meters().unseeded == (corrected,)


def test_what_is_carried_over_keeps_a_meter_from_being_forgotten() -> None:
    desk = Desk(carrying())
    desk.spend(60)
    desk.clock.advance(DAY)
    meter = desk.budget()
    assert not meter.is_idle(desk.clock.now_ns())

    desk.clock.advance(DAY)

    assert meter.is_idle(desk.clock.now_ns())
    assert desk.budget().subject == TENANT


# What administrators say of a raise.


@pytest.mark.parametrize(
    ("text", "zone", "moment"),
    [
        ("2026-11-30", "UTC", "2026-12-01T00:00:00+00:00"),
        ("2026-11-30", "Europe/Vienna", "2026-11-30T23:00:00+00:00"),
        ("2026-11-30T18:30", "Europe/Vienna", "2026-11-30T17:30:00+00:00"),
        ("2026-11-30T18:30:00Z", "Europe/Vienna", "2026-11-30T18:30:00+00:00"),
        ("2026-11-30T18:30:00-05:00", "UTC", "2026-11-30T23:30:00+00:00"),
    ],
)
def test_a_day_counts_whole_in_the_tenants_calendar(text: str, zone: str, moment: str) -> None:
    assert read_until(text, zone) == to_ns(datetime.fromisoformat(moment).astimezone(UTC))


@pytest.mark.parametrize("text", ["", "soon", "2026-02-30", "9999-12-31", "2026-13-01T00:00", "tomorrow!!"])
def test_what_is_no_moment_is_refused(text: str) -> None:
    with pytest.raises(InvalidRule) as refusal:
        read_until(text, "UTC")

    assert refusal.value.param == "until"


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({}, "by_usd"),
        ({"by_usd": 1, "to_usd": 500}, "by_usd"),
        ({"by_usd": 0}, "by_usd"),
        ({"by_usd": -5}, "by_usd"),
        ({"by_usd": "much"}, "by_usd"),
        ({"by_usd": "0.0000000001"}, "by_usd"),
        ({"to_usd": "0.00000015"}, "to_usd"),
        ({"to_usd": "9223372037"}, "to_usd"),
    ],
)
def test_a_raise_is_a_positive_amount(fields: dict[str, Any], param: str) -> None:
    with pytest.raises(InvalidRule) as refusal:
        _amount(budget(100, raises=(raised(50),)), RaiseSpec("", "", **fields), NOW_NS)

    assert refusal.value.param == param


def test_a_raise_to_a_limit_adds_what_is_missing_to_it_now() -> None:
    rule = budget(100, raises=(raised(50), raised(70, 1, 2)))

    assert _amount(rule, RaiseSpec("", "", to_usd="0.0000002"), NOW_NS) == 50
