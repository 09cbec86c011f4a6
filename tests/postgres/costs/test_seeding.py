"""Meters start from what the ledger knows: after a restart, and when a rule is new."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import NoReturn

import pytest

from enfilade.core.clock import ManualClock, to_ns
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.hold import Demand, Hold
from enfilade.costs.holds.limits import LimitSpec
from enfilade.costs.holds.meters import WindowMeter
from enfilade.costs.holds.types import BudgetRule
from enfilade.costs.service import Costs
from enfilade.storage.address import Address
from enfilade.storage.errors import DatabaseUnavailable
from tests.postgres.costs.conftest import Company, make_company
from tests.support.ledger import blocked_log
from tests.support.parts import NOON, open_parts
from tests.support.waiting import eventually

MICRO = timedelta(microseconds=1)
WINDOWS = {
    # NOON is Monday, 2 November 2026, 12:00 UTC, which is 13:00 in Vienna.
    ("minute", "UTC"): datetime(2026, 11, 2, 12, 0, tzinfo=UTC),
    ("hour", "UTC"): datetime(2026, 11, 2, 12, 0, tzinfo=UTC),
    ("hour", "Asia/Kolkata"): datetime(2026, 11, 2, 11, 30, tzinfo=UTC),
    ("day", "UTC"): datetime(2026, 11, 2, tzinfo=UTC),
    ("day", "Europe/Vienna"): datetime(2026, 11, 1, 23, tzinfo=UTC),
    ("week", "UTC"): datetime(2026, 11, 2, tzinfo=UTC),
    ("week", "Europe/Vienna"): datetime(2026, 11, 1, 23, tzinfo=UTC),
    ("month", "UTC"): datetime(2026, 11, 1, tzinfo=UTC),
    ("month", "America/New_York"): datetime(2026, 11, 1, 4, tzinfo=UTC),
    ("quarter", "Europe/Vienna"): datetime(2026, 9, 30, 22, tzinfo=UTC),
    ("year", "UTC"): datetime(2026, 1, 1, tzinfo=UTC),
}


async def test_a_window_counts_from_its_first_microsecond_in_the_tenants_calendar(database: Address) -> None:
    async with open_parts(database, ManualClock()) as parts:
        companies = {
            zone: await make_company(parts, zone.lower().replace("/", "-").replace("_", "-"), time_zone=zone)
            for zone in dict.fromkeys(zone for _, zone in WINDOWS)
        }
        amounts: dict[tuple[str, str], int] = {}
        for number, ((period, zone), start) in enumerate(WINDOWS.items()):
            # A model of its own for each window keeps them apart.
            await companies[zone].spend(1 << number, start, model=f"{period}-model")
            await companies[zone].spend(1 << 40, start - MICRO, model=f"{period}-model")
            amounts[period, zone] = 1 << number
        for (period, zone), amount in amounts.items():
            rule = await companies[zone].budget("tenant", period, model=f"{period}-model")
            assert await companies[zone].spent(rule) == {companies[zone].tenant: amount}, (period, zone)


async def test_a_budget_without_end_counts_everything(company: Company) -> None:
    await company.spend(5, datetime(2001, 1, 1, tzinfo=UTC))
    await company.spend(7)
    assert await company.spent(await company.budget("tenant", "total")) == {company.tenant: 12}


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("tenant", {"tenant": 1111}),
        ("department:sales", {"department:sales": 1011}),
        ("department:*", {"department:sales": 1011, "department:labs": 100}),
        ("application:review", {"application:review": 100}),
        ("application:*", {"application:copilot": 1011, "application:review": 100}),
        ("user:ana@acme.example", {"user:ana@acme.example": 101}),
        ("user:*", {"user:ana@acme.example": 101, "user:ben@acme.example": 10}),
        ("key:copilot-key", {"key:copilot-key": 1011}),
        ("key:*", {"key:copilot-key": 1011, "key:review-key": 100}),
    ],
)
async def test_each_kind_of_subject_is_counted_by_itself(
    company: Company, scope: str, expected: dict[str, int]
) -> None:
    await company.spend(1)
    await company.spend(10, user="ben@acme.example")
    await company.spend(100, application="review")
    await company.spend(1000, user=None)
    ids = company.ids | {"tenant": company.tenant}
    assert await company.spent(await company.budget(scope)) == {ids[name]: nano for name, nano in expected.items()}


async def test_another_tenants_spending_does_not_count(company: Company) -> None:
    other = await make_company(company.parts, "globex")
    await other.spend(1000)
    await company.spend(1)
    assert await company.spent(await company.budget("tenant")) == {company.tenant: 1}


async def test_a_budget_for_some_models_counts_those_alone(company: Company) -> None:
    for number, model in enumerate(["gpt-5-mini", "gpt-5", "claude-opus", None]):
        await company.spend(10**number, model=model)
    assert await company.spent(await company.budget("tenant", model="gpt-*")) == {company.tenant: 11}


@pytest.mark.parametrize(
    ("measure", "per", "expected"), [("requests", "minute", 2), ("tokens", "minute", 30), ("requests", "hour", 3)]
)
async def test_limits_start_from_the_calls_of_their_window(
    company: Company, measure: str, per: str, expected: int
) -> None:
    await company.spend(1, NOON - timedelta(seconds=2))
    await company.spend(1, NOON - timedelta(seconds=55))
    await company.spend(1, NOON - timedelta(minutes=10))
    await company.spend(1, NOON - timedelta(hours=2))
    await company.spend(0, NOON - timedelta(seconds=3), status="refused", input_tokens=0, output_tokens=0)
    await company.limit(LimitSpec("application:copilot", measure, 1000, per))
    meters = await company.parts.costs.meters_for(company.scope(), "chat")
    (meter,) = meters.requests + meters.tokens
    assert meter.total == expected


async def test_seeded_calls_leave_the_window_as_time_passes(company: Company) -> None:
    await company.spend(1, NOON - timedelta(seconds=50))
    await company.spend(1, NOON - timedelta(seconds=20))
    await company.limit(LimitSpec("tenant", "requests", 2, "minute"))
    ((meter,), clock) = (await company.parts.costs.meters_for(company.scope(), "chat")).requests, company.parts.clock
    assert isinstance(meter, WindowMeter)
    assert isinstance(clock, ManualClock)
    lefts = []
    for _ in range(4):
        lefts.append(meter.left(clock.now_ns()))
        clock.advance(15)
    assert lefts == [0, 1, 1, 2]


async def test_running_calls_are_counted_once_and_not_read_from_the_ledger(company: Company) -> None:
    costs: Costs = company.parts.costs
    running = _hold(company, "01a19c21-7200-7000-8000-000000000001")
    costs.hold(running, await costs.meters_for(running.scope, running.model), Demand(15, 500, 500))
    await company.spend(7)
    rule = await company.budget("tenant")
    await company.limit(LimitSpec("tenant", "concurrency", 5))
    await company.limit(LimitSpec("tenant", "tokens", 1000, "hour"))
    meters = await costs.meters_for(running.scope, running.model)
    (budget,), (tokens,), (concurrency,) = meters.budgets, meters.tokens, meters.concurrency
    assert (budget.spent, budget.held, tokens.total, concurrency.active) == (7, 500, 30, 1)

    costs.settle(running, 10, 300)
    assert (budget.spent, budget.held, tokens.total, concurrency.active) == (307, 0, 25, 0)
    assert await company.spent(rule) == {company.tenant: 307}


async def test_what_is_still_on_its_way_to_the_ledger_is_not_missed(company: Company) -> None:
    rule = await company.budget("tenant")
    async with blocked_log(company.parts, company.tenant) as waits:
        ended = asyncio.ensure_future(company.spend(42))
        await eventually(waits)
        seeding = asyncio.ensure_future(company.spent(rule))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not seeding.done()
    assert await seeding == {company.tenant: 42}
    await ended


async def test_a_restart_finds_what_was_spent(database: Address, company: Company) -> None:
    for nano in (1, 20, 300):
        await company.spend(nano)
    rule = await company.budget("application:copilot", "day")
    before = await company.spent(rule)
    async with open_parts(database, ManualClock()) as second:
        (again,) = (r for r in second.meter_book.rules(company.tenant) if isinstance(r, BudgetRule))
        meters = await second.costs.budget_meters(again)
        assert {meter.subject: meter.spent for meter in meters} == before == {company.ids["application:copilot"]: 321}


async def test_a_changed_amount_keeps_what_was_counted_and_a_new_window_reads_it_anew(company: Company) -> None:
    await company.spend(5)
    await company.spend(9, NOON - timedelta(days=1))
    rule = await company.budget("tenant", "month", usd="1")
    assert await company.spent(rule) == {company.tenant: 14}
    dearer = await company.budget("tenant", "month", usd="2")
    assert (dearer.id, await company.spent(dearer)) == (rule.id, {company.tenant: 14})
    assert await company.spent(await company.budget("tenant", "day")) == {company.tenant: 5}


async def test_alerts_that_the_ledger_has_passed_are_not_raised_again(company: Company) -> None:
    costs: Costs = company.parts.costs
    await company.budget("tenant", usd="0.000001", alerts=("0.5", "0.9"))
    await company.spend(600)
    hold = _hold(company, "01a19c21-7200-7000-8000-000000000002", nano=350)
    meters = await costs.meters_for(hold.scope, hold.model)
    costs.hold(hold, meters, Demand(10, 350, 350))
    assert [event.data["share"] for event in costs.settle(hold, 10, 350)] == ["0.9"]


async def test_a_rule_whose_ledger_cannot_be_read_is_tried_again(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    await company.spend(5)
    rule = await company.budget("tenant")
    running = _hold(company, "01a19c21-7200-7000-8000-000000000003")
    with monkeypatch.context() as patch:
        patch.setattr(company.parts.cells.shared.database, "transaction", _unavailable)
        for _ in range(2):
            with pytest.raises(DatabaseUnavailable):
                await company.parts.costs.meters_for(running.scope, running.model)
    meters = await company.parts.costs.meters_for(running.scope, running.model)
    (budget,) = meters.budgets
    assert isinstance(budget, BudgetMeter)
    assert (budget.spent, budget.rule.id) == (5, rule.id)


def _hold(company: Company, identifier: str, nano: int = 500) -> Hold:
    return Hold(identifier, company.scope(), "chat", to_ns(NOON), 15, nano)


def _unavailable(*_: object, **__: object) -> NoReturn:
    message = "The database cannot be reached at the moment."
    raise DatabaseUnavailable(message)
