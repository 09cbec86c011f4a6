"""What happens to a rule's past while it is being read: a change of the rule, a call that ends, a start all over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import pytest

from enfilade.core.clock import ManualClock, to_ns
from enfilade.costs.holds.hold import Demand, Hold, MeterSet
from enfilade.costs.holds.limits import LimitSpec
from enfilade.costs.holds.types import Rule
from tests.postgres.costs.conftest import Company
from tests.support.ledger import blocked_log
from tests.support.parts import NOON, service
from tests.support.waiting import eventually

RUNNING = "01a19c21-7200-7000-8000-000000000001"
YESTERDAY = NOON - timedelta(days=1)
LAST_MONTH = NOON - timedelta(days=5)


@asynccontextmanager
async def being_read(company: Company) -> AsyncIterator["asyncio.Future[MeterSet]"]:
    """A look into the past that is held up inside the block, because a record is on its way; the look is given."""
    costs = company.parts.costs
    async with blocked_log(company.parts, company.tenant) as waits:
        ended = asyncio.ensure_future(company.spend(7))
        await eventually(waits)
        reading = asyncio.ensure_future(costs.meters_for(company.scope(), "chat"))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not reading.done()
        yield reading
    await ended


async def started(company: Company, nano: int = 500) -> Hold:
    """A call that runs."""
    costs = company.parts.costs
    hold = Hold(RUNNING, company.scope(), "chat", to_ns(NOON), 0, 0)
    costs.hold(hold, await costs.meters_for(hold.scope, hold.model), Demand(15, nano, nano))
    return hold


@pytest.mark.parametrize(
    ("window", "spent"), [("day", 7), ("total", 7 + 1000 + 20)], ids=["a shorter window", "a longer window"]
)
async def test_a_rule_that_is_changed_while_its_past_is_read_looks_again(
    company: Company, window: str, spent: int
) -> None:
    await company.spend(1000, LAST_MONTH)
    await company.spend(20, YESTERDAY)
    running = await started(company)
    rule = await company.budget("tenant", "month")
    async with being_read(company) as reading:
        install(company, replace(rule, period=window))
    (budget,) = (await reading).budgets
    assert (budget.rule.period, budget.spent, budget.held) == (window, spent, 500)
    company.parts.costs.settle(running, 10, 300)
    assert (budget.spent, budget.held) == (spent + 300, 0)


async def test_a_call_that_waited_for_another_ones_look_goes_by_the_rule_as_it_is_then(company: Company) -> None:
    await company.spend(1000, LAST_MONTH)
    await company.spend(20, YESTERDAY)
    rule = await company.budget("tenant", "month")
    async with being_read(company) as reading:
        second = asyncio.ensure_future(company.parts.costs.meters_for(company.scope(), "chat"))
        for _ in range(20):
            await asyncio.sleep(0)
        install(company, replace(rule, period="total"))
    for meters in (await reading, await second):
        (budget,) = meters.budgets
        assert (budget.rule.period, budget.spent) == ("total", 1027)


async def test_a_rule_that_is_changed_and_changed_back_while_its_past_is_read_counts_what_runs(
    company: Company,
) -> None:
    await company.spend(20, YESTERDAY)
    await started(company)
    rule = await company.budget("tenant", "month")
    async with being_read(company) as reading:
        install(company, replace(rule, period="day"))
        install(company, rule)
    (budget,) = (await reading).budgets
    assert (budget.rule.period, budget.spent, budget.held) == ("month", 27, 500)


async def test_a_rule_that_is_lifted_while_its_past_is_read_counts_no_more(company: Company) -> None:
    running = await started(company)
    rule = await company.budget("tenant", "month")
    async with being_read(company) as reading:
        install(company)
    assert (await reading).budgets == ()
    assert running.budgets == []
    assert await company.parts.costs.budget_meters(rule) == []


@pytest.mark.parametrize("jumps", [False, True], ids=["start over", "the clock jumps"])
async def test_what_runs_is_held_when_all_starts_over_while_the_past_is_read(company: Company, jumps: bool) -> None:
    parts, clock = company.parts, company.parts.clock
    assert isinstance(clock, ManualClock)
    running = await started(company)
    rule = await company.budget("tenant", "month")
    await company.limit(LimitSpec("tenant", "concurrency", 5))
    await company.limit(LimitSpec("tenant", "tokens", 1000, "hour"))
    async with service(parts.meter_book.watch_clock):
        await eventually(lambda: clock.next_wake() is not None)
        async with being_read(company) as reading:
            if jumps:
                clock.jump(5)
                clock.advance(1)
                await asyncio.sleep(0)
            else:
                parts.meter_book.start_over()
    meters = await reading
    (budget,), (tokens,), (concurrency,) = meters.budgets, meters.tokens, meters.concurrency
    assert (budget.spent, budget.held, tokens.total, concurrency.active) == (7, 500, 30, 1)
    parts.costs.settle(running, 10, 300)
    assert (budget.spent, budget.held, tokens.total, concurrency.active) == (307, 0, 25, 0)
    assert await company.spent(rule) == {company.tenant: 307}


async def test_a_budget_is_shown_whole_when_all_starts_over_while_its_past_is_read(company: Company) -> None:
    await started(company)
    rule = await company.budget("tenant", "month")
    async with blocked_log(company.parts, company.tenant) as waits:
        ended = asyncio.ensure_future(company.spend(7))
        await eventually(waits)
        showing = asyncio.ensure_future(company.parts.costs.budget_meters(rule))
        for _ in range(20):
            await asyncio.sleep(0)
        company.parts.meter_book.start_over()
    await ended
    assert [(meter.spent, meter.held) for meter in await showing] == [(7, 500)]


async def test_a_call_that_ends_after_all_has_started_over_is_in_the_ledger_when_it_is_looked_at(
    company: Company,
) -> None:
    rule = await company.budget("tenant", "month")
    running = await started(company)
    company.parts.meter_book.start_over()
    assert company.parts.costs.settle(running, 10, 300) == []
    await company.spend(300)  # Its record.
    assert await company.spent(rule) == {company.tenant: 300}


def install(company: Company, *rules: Rule) -> None:
    """What the directory does when the tenant's rules have changed."""
    company.parts.meter_book.install({company.tenant: rules}, {company.tenant})
