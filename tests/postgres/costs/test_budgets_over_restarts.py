"""What a budget allows is the same after a restart: raises, what is carried over, corrections, shared departments."""

from datetime import UTC, datetime, timedelta

import pytest

from enfilade.core.clock import ManualClock, to_ns
from enfilade.costs.errors import BudgetExhausted, RaiseEnded, UnknownRaise
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.budgets import BudgetSpec
from enfilade.costs.holds.hold import Demand, Hold
from enfilade.costs.holds.raises import RaiseSpec
from enfilade.costs.holds.types import BudgetRule
from enfilade.costs.ledger.corrections import Correction, post_correction
from enfilade.identity.scopes import key_scope
from enfilade.storage.address import Address
from tests.postgres.costs.conftest import Company
from tests.support.parts import NOON, open_parts, unit_in

YESTERDAY = NOON - timedelta(days=1)


async def in_force(company: Company, rule: BudgetRule) -> BudgetMeter:
    """The only meter of a budget, complete."""
    await company.parts.directory.refresh()
    current = next(entry for entry in company.parts.meter_book.rules(company.tenant) if entry.id == rule.id)
    assert isinstance(current, BudgetRule)
    (meter,) = await company.parts.costs.budget_meters(current)
    return meter


async def after_restart(database: Address, company: Company, rule: BudgetRule) -> tuple[int, int, int, int]:
    """What another process makes of a budget at the same moment: limit, raise, carried over, used."""
    clock = ManualClock()
    clock.jump((company.parts.clock.now_ns() - clock.now_ns()) / 1e9)
    async with open_parts(database, clock) as second:
        current = next(entry for entry in second.meter_book.rules(company.tenant) if entry.id == rule.id)
        assert isinstance(current, BudgetRule)
        (meter,) = await second.costs.budget_meters(current)
        return current.limit_nano, meter.raised, meter.carried, meter.used


def shown(meter: BudgetMeter) -> tuple[int, int, int, int]:
    return meter.rule.limit_nano, meter.raised, meter.carried, meter.used


def clock_of(company: Company) -> ManualClock:
    clock = company.parts.clock
    assert isinstance(clock, ManualClock)
    return clock


async def test_a_raise_holds_at_once_over_a_restart_and_until_its_time(database: Address, company: Company) -> None:
    rule = await company.budget("tenant", "day", usd="0.000001")
    raises = company.parts.budgets.raises
    await company.spend(900)
    async with unit_in(company.parts, company.tenant) as unit:
        made = await raises.add(unit, rule, RaiseSpec("2026-11-02T15:00:00Z", "the fair", by_usd="0.000002"))
    assert shown(await in_force(company, rule)) == (1000, 2000, 0, 900)
    assert await after_restart(database, company, rule) == (1000, 2000, 0, 900)

    clock_of(company).advance(3 * 3600)

    assert shown(await in_force(company, rule)) == (1000, 0, 0, 900)
    assert await after_restart(database, company, rule) == (1000, 0, 0, 900)
    async with unit_in(company.parts, company.tenant) as unit:
        with pytest.raises(RaiseEnded):
            await raises.end(unit, rule, made.id)
        with pytest.raises(UnknownRaise):
            await raises.end(unit, rule, rule.id)


async def test_a_raise_can_be_ended_and_goes_with_its_budget(company: Company) -> None:
    rule = await company.budget("tenant", "day", usd="0.000001")
    budgets = company.parts.budgets
    async with unit_in(company.parts, company.tenant) as unit:
        made = await budgets.raises.add(unit, rule, RaiseSpec("2026-11-30", "the fair", to_usd="0.000005"))
    assert (await in_force(company, rule)).ceiling == 5000
    async with unit_in(company.parts, company.tenant) as unit:
        await budgets.raises.end(unit, rule, made.id)
    assert (await in_force(company, rule)).ceiling == 1000
    async with unit_in(company.parts, company.tenant) as unit:
        (listed,) = await budgets.raises.page(unit, rule.id, None, 10)
        assert (listed.ended_ns, listed.reason, listed.amount_nano) == (to_ns(NOON), "the fair", 4000)
        await budgets.remove(unit, rule.id)
        assert await budgets.raises.page(unit, rule.id, None, 10) == []


async def test_what_is_carried_over_is_read_from_the_ledger(database: Address, company: Company) -> None:
    clock_of(company).jump(-2 * 86_400)
    rule = await company.budget("tenant", "day", usd="0.000001", carry_over=True)
    clock_of(company).jump(2 * 86_400)
    company.parts.meter_book.start_over()
    await company.spend(300, YESTERDAY)
    await company.spend(50, YESTERDAY, user="ben@acme.example")
    await company.spend(20)

    assert shown(await in_force(company, rule)) == (1000, 0, 650, 20)
    assert await after_restart(database, company, rule) == (1000, 0, 650, 20)


async def test_a_changed_limit_concerns_what_the_next_window_carries_over(database: Address, company: Company) -> None:
    clock_of(company).jump(-86_400)
    rule = await company.budget("tenant", "day", usd="0.000001", carry_over=True)
    clock_of(company).jump(86_400)
    await company.budget("tenant", "day", usd="0.000009", carry_over=True)

    assert shown(await in_force(company, rule)) == (9000, 0, 1000, 0)
    assert await after_restart(database, company, rule) == (9000, 0, 1000, 0)
    clock_of(company).advance(86_400)
    assert shown(await in_force(company, rule)) == (9000, 0, 9000, 0)
    assert await after_restart(database, company, rule) == (9000, 0, 9000, 0)


async def test_a_running_call_of_the_window_before_counts_there_when_the_past_is_read(company: Company) -> None:
    clock_of(company).jump(-86_400)
    await company.budget("tenant", "day", usd="0.000001", carry_over=True)
    costs, scope = company.parts.costs, company.scope()
    hold = Hold("01a19c21-7200-7000-8000-000000000009", scope, "chat", clock_of(company).now_ns(), 0, 0)
    costs.hold(hold, await costs.meters_for(scope, "chat"), Demand(10, 700, 700))
    clock_of(company).jump(86_400)
    company.parts.meter_book.start_over()

    (meter,) = (await costs.meters_for(scope, "chat")).budgets

    assert (meter.carried, meter.used) == (300, 0)
    costs.settle(hold, 10, 100)
    assert (meter.carried, meter.used) == (900, 0)


async def test_a_correction_changes_what_is_spent(company: Company) -> None:
    rule = await company.budget("tenant", "day", usd="0.000001")
    call = await company.spend(900)
    assert (await in_force(company, rule)).spent == 900
    correction = Correction(call_id=call, started_ns=to_ns(NOON), corrects=0, amount_nano=-400, reason="a rebate")
    async with unit_in(company.parts, company.tenant) as unit:
        await post_correction(unit, correction, company.parts.clock)

    assert (await in_force(company, rule)).spent == 500


async def test_calls_of_a_time_when_the_clock_was_ahead_count_when_it_comes(company: Company) -> None:
    rule = await company.budget("tenant", "hour", usd="0.000001")
    await company.spend(1)
    await company.spend(300, NOON + timedelta(minutes=61))
    await company.spend(20, NOON + timedelta(minutes=119))
    await company.spend(5000, NOON + timedelta(hours=2))
    assert shown(await in_force(company, rule)) == (1000, 0, 0, 1)

    clock_of(company).advance(3600)

    assert shown(await in_force(company, rule)) == (1000, 0, 0, 320)


async def test_applications_of_a_department_share_its_budget(company: Company) -> None:
    rule = await company.budget("department:sales", "day", usd="0.000001")
    ids, costs = company.ids, company.parts.costs
    await company.spend(600)
    shared = key_scope(
        company.tenant,
        ids["key:review-key"],
        department=ids["department:sales"],
        application=ids["application:review"],
    )
    hold = Hold("01a19c21-7200-7000-8000-000000000008", shared, "chat", to_ns(NOON), 0, 0)

    with pytest.raises(BudgetExhausted) as refusal:
        costs.hold(hold, await costs.meters_for(shared, "chat"), Demand(10, 401, 401))
    assert refusal.value.details["scope"] == "department"
    costs.hold(hold, await costs.meters_for(shared, "chat"), Demand(10, 400, 400))
    meter = await in_force(company, rule)
    assert (meter.spent, meter.held) == (600, 400)


async def test_a_fiscal_year_counts_from_its_first_day(company: Company) -> None:
    spec = BudgetSpec("tenant", "year", "1", month_starts_on=6, year_starts_in=4)
    async with unit_in(company.parts, company.tenant) as unit:
        rule, _ = await company.parts.budgets.put(unit, spec)
    await company.spend(5, datetime(2026, 4, 6, tzinfo=UTC))
    await company.spend(70, datetime(2026, 4, 5, 23, 59, 59, tzinfo=UTC))

    assert (await in_force(company, rule)).spent == 5
