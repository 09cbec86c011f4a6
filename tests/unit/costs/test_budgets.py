"""A budget over time: windows that pass, clocks that jump, thresholds that are told once."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from enfilade.costs.errors import BudgetExhausted
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.events import budget_exhausted, threshold_crossed
from enfilade.costs.holds.hold import Alert
from enfilade.costs.holds.types import Action
from enfilade.costs.holds.windows import window_at
from tests.unit.costs.rules import TENANT, Desk, budget

DAY = 86_400.0


def test_a_new_window_starts_with_nothing_spent() -> None:
    desk = Desk(budget(100), start=datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    desk.spend(100)
    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(1)

    assert refusal.value.retry_after == 1.0
    desk.clock.advance(1.0)
    desk.spend(100)


def test_a_call_that_outlives_its_window_counts_in_the_one_in_which_it_began() -> None:
    desk = Desk(budget(100), start=datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    hold = desk.take(80)
    desk.clock.advance(2.0)
    other = desk.take(100)

    assert desk.settle(hold, 80) == []
    assert (desk.budget().held, desk.budget().spent) == (100, 0)
    desk.settle(other, 90)
    assert (desk.budget().held, desk.budget().spent) == (0, 90)


def test_windows_that_nobody_used_are_passed_over() -> None:
    desk = Desk(budget(100, "day"))
    desk.spend(100)
    desk.clock.advance(10 * DAY + 3)

    desk.spend(60)

    assert desk.budget().window.start_ns <= desk.clock.now_ns() < desk.budget().window.end_ns
    assert desk.budget().spent == 60


def test_the_tenants_calendar_decides_when_a_day_ends() -> None:
    desk = Desk(
        budget(100, "day", id="utc"),
        budget(100, "day", id="tokyo", time_zone="Asia/Tokyo"),
        start=datetime(2026, 11, 2, 14, 59, 59, tzinfo=UTC),
    )
    desk.spend(70)
    desk.clock.advance(1)

    assert (desk.budget("utc").spent, desk.budget("tokyo").spent) == (70, 0)


def test_a_clock_that_goes_back_within_the_window_changes_nothing() -> None:
    desk = Desk(budget(100))
    desk.spend(60)
    hold = desk.take(30)
    desk.clock.jump(-3600)

    with pytest.raises(BudgetExhausted):
        desk.take(11)
    desk.settle(hold, 30)
    assert (desk.budget().held, desk.budget().spent) == (0, 90)


def test_a_clock_that_goes_back_over_the_start_of_the_window_frees_nothing() -> None:
    desk = Desk(budget(100, "day"))
    desk.spend(100)
    desk.clock.jump(-2 * DAY)

    with pytest.raises(BudgetExhausted):
        desk.take(1)


def test_what_was_spent_while_the_clock_was_ahead_counts_when_its_window_comes() -> None:
    desk = Desk(budget(100, "day", alerts=("0.5",)))
    meter = desk.take(0).budgets[0][0]
    tomorrow = window_at("day", desk.clock.now_ns() + int(DAY) * 10**9, "UTC")
    meter.seed(tomorrow, 60)
    assert meter.left(desk.clock.now_ns()) == 100
    assert not meter.is_idle(desk.clock.now_ns())

    desk.clock.advance(DAY)

    assert desk.spend(40) == []  # The alert was raised when it was spent.
    with pytest.raises(BudgetExhausted):
        desk.take(1)


def test_a_window_that_a_clock_set_back_begins_again_is_not_forgotten() -> None:
    desk = Desk(budget(100, "hour"))
    desk.spend(100)
    desk.clock.advance(3600)
    desk.book.forget_idle()
    desk.clock.jump(-1)

    with pytest.raises(BudgetExhausted):
        desk.take(1)


def test_holds_are_gone_after_any_jumps_of_the_clock() -> None:
    desk = Desk(budget(1000, "hour"))
    holds = []
    for seconds in (0, 4000, -9000, 100_000, -3, -100_000, 7):
        desk.clock.jump(seconds)
        holds.append(desk.take(20))
    for hold in holds:
        desk.settle(hold, 10)

    assert desk.budget().held == 0
    assert desk.book.holds == {}


def test_each_threshold_is_told_once_in_a_window() -> None:
    desk = Desk(budget(100, "day", alerts=("0.5", "0.8", "1")))

    assert [desk.spend(10) for _ in range(10)] == [[], [], [], [], ["0.5"], [], [], ["0.8"], [], ["1"]]
    desk.clock.advance(DAY)
    assert desk.spend(90) == ["0.5", "0.8"]


def test_a_threshold_is_reached_to_the_nano_dollar() -> None:
    desk = Desk(budget(3_000_000_001, alerts=("0.333333",)))

    assert desk.spend(999_999_000) == []  # A third of a millionth less than the share.
    assert desk.spend(0) == []
    assert desk.spend(1) == ["0.333333"]


def test_held_money_raises_no_alert() -> None:
    desk = Desk(budget(100, alerts=("0.5",)))
    hold = desk.take(90)

    assert desk.settle(hold, 0) == []
    assert desk.spend(50) == ["0.5"]


def test_what_was_spent_before_the_start_raises_no_alert_again() -> None:
    desk = Desk(budget(100, alerts=("0.5", "0.8")))
    meter = desk.book.meter(desk.book.rules(TENANT)[0], TENANT)
    assert isinstance(meter, BudgetMeter)
    meter.seed(meter.window, 60)

    assert desk.spend(10) == []
    assert desk.spend(10) == ["0.8"]


def test_what_was_spent_in_another_window_is_not_seeded() -> None:
    desk = Desk(budget(100, "hour"))
    meter = desk.book.meter(desk.book.rules(TENANT)[0], TENANT)
    assert isinstance(meter, BudgetMeter)
    window = meter.window
    desk.clock.advance(3600)
    desk.take(1)

    meter.seed(window, 60)

    assert desk.budget().spent == 0


def test_a_raised_limit_holds_at_once_and_keeps_what_was_counted() -> None:
    desk = Desk(budget(100))
    desk.spend(60)
    hold = desk.take(40)
    desk.install(budget(150))

    desk.take(50)
    with pytest.raises(BudgetExhausted):
        desk.take(1)
    desk.settle(hold, 40)
    assert (desk.budget().held, desk.budget().spent) == (50, 100)


def test_a_threshold_is_told_again_when_a_raised_limit_has_put_it_above_what_is_spent() -> None:
    desk = Desk(budget(100, alerts=("0.5",)))
    assert desk.spend(60) == ["0.5"]
    desk.install(budget(110, alerts=("0.5",)))
    assert desk.spend(10) == []  # Half of it was spent before the change, too.

    desk.install(budget(1000, alerts=("0.5",)))

    assert desk.spend(430) == ["0.5"]  # Though the first call after the change reaches it at once.
    assert desk.spend(10) == []


def test_a_threshold_below_what_is_spent_by_a_lowered_limit_is_told_with_the_next_call() -> None:
    desk = Desk(budget(1000, alerts=("0.5", "0.9")))
    assert desk.spend(60) == []
    desk.install(budget(100, alerts=("0.5", "0.9")))

    assert desk.spend(0) == []  # Nothing was spent: nothing is told.
    assert desk.spend(1) == ["0.5"]
    assert desk.spend(1) == []


def test_a_lowered_limit_refuses_until_the_window_ends() -> None:
    desk = Desk(budget(100, "day"))
    desk.spend(60)
    desk.install(budget(50, "day"))

    with pytest.raises(BudgetExhausted):
        desk.take(1)
    desk.clock.advance(DAY)
    desk.take(50)


def test_an_action_can_change_while_calls_run() -> None:
    desk = Desk(budget(100))
    desk.take(90)
    desk.install(budget(100, action=Action.WARN))

    desk.take(90)

    assert desk.budget().held == 180


def test_the_events_say_which_budget_whose_and_how_much() -> None:
    desk = Desk(budget(2_000_000_000, "day", alerts=("0.5",)))
    hold = desk.take(1_000_000_000)
    (alert,) = desk.settle(hold, 1_000_000_000)
    assert isinstance(alert, Alert)
    common = {
        "budget": "budget",
        "scope": "tenant",
        "subject": TENANT,
        "window": "day",
        "window_start": "2026-11-02T00:00:00.000000Z",
        "limit_usd": "2.000000000",
        "spent_usd": "1.000000000",
    }

    crossed = threshold_crossed(alert, desk.clock.now_ns())
    exhausted = budget_exhausted(desk.budget(), desk.clock.now_ns())

    assert (crossed.type, crossed.tenant, crossed.data) == ("BudgetThresholdCrossed", TENANT, common | {"share": "0.5"})
    assert (exhausted.type, exhausted.data) == ("BudgetExhausted", common | {"held_usd": "0.000000000"})


def test_a_budget_for_everybody_and_one_for_somebody_are_counted_apart() -> None:
    rule = budget(100)
    desk = Desk(rule, replace(rule, id="other", limit_nano=40))
    desk.spend(30)

    assert (desk.budget().spent, desk.budget("other").spent) == (30, 30)
    with pytest.raises(BudgetExhausted) as refusal:
        desk.take(11)
    assert refusal.value.details["rule"] == "other"
