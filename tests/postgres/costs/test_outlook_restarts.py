"""Each anomaly and each threshold is told of once, whatever clocks and processes do."""

import asyncio
from typing import Any

from enfilade.core.clock import ManualClock
from enfilade.costs.holds.hold import Demand, Hold
from enfilade.storage.address import Address
from tests.postgres.costs.conftest import Company
from tests.postgres.costs.histories import HOUR, hourly, spike, told, write
from tests.support.parts import NOON, call_event, new_ids, open_parts

USD = 10**9


async def test_a_clock_that_jumps_tells_nothing_twice_and_misses_nothing(company: Company) -> None:
    clock = company.parts.clock
    assert isinstance(clock, ManualClock)
    await write(company, [*hourly(company, 40, 2 * USD), spike(company, 10 * USD)])
    assert await company.parts.anomalies.look() == 4
    for seconds in (-7200, 2 * 86_400, -86_400, -86_400 + 7200):
        clock.jump(seconds)
        assert await company.parts.anomalies.look() == 0
    # A late line, of an hour that is over.
    clock.advance(3 * 3600)
    await write(company, [spike(company, 10 * USD, NOON - HOUR)])
    assert await company.parts.anomalies.look() == 4
    assert (await told(company))[-1]["is_over"]


async def test_processes_that_look_at_once_and_after_a_restart_tell_of_each_once(
    database: Address, company: Company
) -> None:
    await write(company, [*hourly(company, 40, 2 * USD), spike(company, 10 * USD)])
    async with open_parts(database, ManualClock()) as another:
        found = await asyncio.gather(company.parts.anomalies.look(), another.anomalies.look())
        assert sum(found) == 4
        assert await another.anomalies.look() == 0
    async with open_parts(database, ManualClock()) as restarted:
        assert await restarted.anomalies.look() == 0
    assert len(await told(company)) == 4


async def test_a_threshold_is_told_of_once_in_a_window_whatever_is_restarted(
    database: Address, company: Company
) -> None:
    budget = await company.budget("tenant", usd="1", alerts=("0.5", "0.9"))
    for nano, expected in ((USD * 6 // 10, ["0.5"]), (USD // 10, ["0.5"]), (USD // 4, ["0.5", "0.9"])):
        async with open_parts(database, ManualClock()) as restarted:
            await _spend_held(Company(restarted, company.tenant, company.ids), nano)
        assert [event["share"] for event in await told(company, "BudgetThresholdCrossed")] == expected
    assert {event["budget"] for event in await told(company, "BudgetThresholdCrossed")} == {budget.id}


async def _spend_held(company: Company, nano: int) -> None:
    """A call as the line makes it: held, settled, and its alerts written with it."""
    costs, parts = company.parts.costs, company.parts
    scope = company.scope()
    (identifier,) = new_ids(1)
    hold = Hold(identifier, scope, "chat", parts.clock.now_ns(), 15, nano)
    costs.hold(hold, await costs.meters_for(scope, "chat"), Demand(15, nano, nano))
    alerts = costs.settle(hold, 15, nano)
    subjects: dict[str, Any] = {"application": scope.application, "department": scope.department, "key": scope.key}
    await parts.writer.settle(identifier, call_event(company.tenant, identifier, cost_nano=nano, **subjects), alerts)
