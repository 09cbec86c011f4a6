"""Which meters count, how long they live, and what changes of the rules do to them."""

import asyncio
import contextlib
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from enfilade.core.clock import to_ns
from enfilade.costs.errors import BudgetExhausted, ConcurrencyLimitReached
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.hold import Demand
from enfilade.costs.holds.meter_book import PRUNE_EVERY_S
from enfilade.costs.holds.types import Measure, Subject
from enfilade.identity.scopes import key_scope
from tests.unit.costs.rules import SCOPE, TENANT, Desk, budget, limit


def test_a_rule_is_asked_for_its_past_before_it_counts() -> None:
    desk = Desk()
    rule = budget(100)
    desk.install(rule)

    assert desk.meters().unseeded == (rule,)
    desk.book.mark_seeded([rule])
    assert desk.meters().unseeded == ()


def test_calls_that_run_already_are_counted_for_a_new_rule() -> None:
    desk = Desk()
    hold = desk.take(40, tokens=30)
    rules = (
        budget(100),
        limit(Measure.CONCURRENCY, 1),
        limit(Measure.REQUESTS, 10),
        limit(Measure.TOKENS, 100),
        budget(100, id="foreign", model="other"),
    )
    desk.install(*rules)

    attached = [desk.book.attach_running(rule) for rule in rules]
    desk.book.mark_seeded(rules)

    assert attached == [[hold.call_id]] * 4 + [[]]
    assert (desk.budget().held, desk.running(), desk.left("requests"), desk.left("tokens")) == (40, 1, 9, 70)
    with pytest.raises(ConcurrencyLimitReached):
        desk.take()
    desk.settle(hold, 10, 5)
    assert (desk.budget().held, desk.budget().spent, desk.running(), desk.left("tokens")) == (0, 10, 0, 95)


def test_a_call_of_an_earlier_window_is_not_attached_to_a_new_budget() -> None:
    desk = Desk(start=datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC))
    hold = desk.take(40)
    desk.clock.advance(5)
    rule = budget(100)
    desk.install(rule)
    desk.book.attach_running(rule)

    assert desk.budget().held == 0
    desk.settle(hold, 40)
    assert desk.budget().spent == 0


def test_attaching_is_undone_when_the_past_cannot_be_read() -> None:
    desk = Desk()
    hold = desk.take(40, tokens=30)
    rules = (budget(100), limit(Measure.CONCURRENCY, 1), limit(Measure.TOKENS, 100))
    desk.install(*rules)
    for rule in rules:
        desk.book.attach_running(rule)

    desk.book.detach(rules)
    for rule in rules:
        desk.book.attach_running(rule)
    desk.book.mark_seeded(rules)

    assert (desk.budget().held, desk.running(), desk.left("tokens")) == (40, 1, 70)
    desk.settle(hold, 10, 10)
    assert (desk.budget().held, desk.budget().spent, desk.running(), desk.left("tokens")) == (0, 10, 0, 90)


def test_rules_of_other_tenants_stay_when_one_changes() -> None:
    desk = Desk(budget(100))
    desk.spend(60)
    desk.book.install({"globex": (budget(5, id="theirs", tenant="globex"),)}, {"globex"})

    assert desk.budget().spent == 60
    with pytest.raises(BudgetExhausted):
        desk.take(41)


def test_a_removed_rule_no_longer_counts() -> None:
    desk = Desk(budget(10))
    hold = desk.take(10)
    desk.install()

    desk.settle(desk.take(1000), 1000)

    desk.settle(hold, 10)
    assert desk.book.find("budget", TENANT) is None


def test_a_running_call_is_not_refused_a_further_attempt_by_a_rule_that_was_removed() -> None:
    desk = Desk(budget(10), limit(Measure.TOKENS, 10))
    hold = desk.take(10, tokens=10)
    desk.install()

    hold.extend(Demand(10, 10, 10), desk.clock.now_ns())

    assert (hold.nano, hold.tokens) == (20, 20)


@pytest.mark.parametrize("model", [None, "chat", "other"])
def test_what_a_call_lost_counts_for_the_model_that_lost_it_also_when_the_past_is_read_again(model: str | None) -> None:
    rule = budget(1000, model=model)
    desk = Desk(rule)
    hold = desk.take(40)
    hold.extend(Demand(0, 40, 40), desk.clock.now_ns())
    hold.switch(desk.meters(model="other"), desk.clock.now_ns())
    hold.model = "other"
    desk.book.start_over()

    assert desk.book.attach_running(rule) == [hold.call_id]
    desk.book.mark_seeded([rule])

    assert desk.budget().used == {None: 80, "chat": 40, "other": 40}[model]
    desk.settle(hold, 40 + 25)
    assert (desk.budget().held, desk.budget().spent) == (0, {None: 65, "chat": 40, "other": 25}[model])


def test_another_time_zone_makes_a_budget_look_into_its_past_again() -> None:
    desk = Desk(budget(100, "day"))
    desk.spend(60)
    rule = budget(100, "day", time_zone="Asia/Tokyo")
    desk.install(rule)

    assert desk.meters().unseeded == (rule,)


def test_another_time_zone_makes_it_look_also_when_nobody_was_counted_any_more() -> None:
    desk = Desk(budget(100, "day"))
    rule = budget(100, "day", time_zone="Asia/Tokyo")
    desk.install(rule)

    assert desk.meters().unseeded == (rule,)


def test_a_rule_that_was_away_looks_into_its_past_again() -> None:
    rule = budget(100)
    desk = Desk(rule)
    desk.install()
    desk.take(50)
    desk.install(rule)

    assert desk.meters().unseeded == (rule,)


def test_all_rules_are_replaced_at_once_when_everything_is_loaded() -> None:
    desk = Desk(budget(100), limit(Measure.TOKENS, 5))
    desk.book.install({TENANT: (budget(100),)}, None)

    desk.take(10, tokens=1000)

    assert [rule.id for rule in desk.book.rules(TENANT)] == ["budget"]


def test_the_meters_of_a_call_are_found_anew_when_its_rules_change() -> None:
    desk = Desk(budget(100))
    first = desk.meters()
    assert desk.meters() is first

    desk.install(budget(100), replace(budget(5), id="second"))

    assert len(desk.meters().budgets) == 2


async def test_idle_meters_are_forgotten_and_busy_ones_kept() -> None:
    desk = Desk(
        budget(100, "day", subject=Subject("user")),
        limit(Measure.CONCURRENCY, 5, subject=Subject("user")),
        limit(Measure.TOKENS, 100, subject=Subject("user")),
    )
    ben = key_scope(TENANT, "key-2", application="copilot", user="ben")
    desk.take(10, tokens=10)
    desk.settle(desk.take(10, tokens=10, scope=ben), 0, 0)

    await _prune(desk)

    assert [desk.book.find(rule, "ben") for rule in ("budget", "concurrency", "tokens")] == [None] * 3
    assert (desk.budget(subject="ana").held, desk.running(subject="ana")) == (10, 1)


async def test_what_was_spent_is_kept_until_its_window_has_passed() -> None:
    desk = Desk(budget(100, "hour"))
    desk.spend(60)
    await _prune(desk)
    assert desk.budget().spent == 60

    desk.clock.advance(3600)
    await _prune(desk)

    assert desk.book.find("budget", TENANT) is None


async def test_that_a_budget_was_exhausted_is_not_forgotten_within_its_window() -> None:
    desk = Desk(budget(5, "hour"))
    with pytest.raises(BudgetExhausted):
        desk.take(10)
    desk.budget().told_exhausted = True

    await _prune(desk)

    assert desk.budget().told_exhausted


def test_a_rule_for_one_subject_shows_its_meter_before_any_call() -> None:
    desk = Desk(budget(100, subject=Subject("application", "copilot")), budget(9, id="each", subject=Subject("user")))

    (meter,) = desk.book.meters_of_id("budget")

    assert isinstance(meter, BudgetMeter)
    assert (meter.subject, meter.left(to_ns(datetime(2026, 11, 2, 12, tzinfo=UTC)))) == ("copilot", 100)
    assert desk.book.meters_of_id("each") == []
    desk.take(1)
    assert [meter.subject for meter in desk.book.meters_of_id("each")] == [SCOPE.user]
    assert desk.book.meters_of_id("unknown") == []


async def _prune(desk: Desk) -> None:
    """Let the book look once for what is idle."""
    task = asyncio.create_task(desk.book.prune())
    while desk.clock.next_wake() is None:
        await asyncio.sleep(0)
    desk.clock.advance(PRUNE_EVERY_S)
    while desk.clock.next_wake() is None:
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
