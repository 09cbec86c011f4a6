"""Jobs that look after all tenants: one whose cell is away keeps nobody else from their turn."""

from collections.abc import AsyncIterator
from typing import Any

import asyncpg
import pytest

from enfilade.core.clock import ManualClock
from enfilade.storage.cells import own_name
from tests.http.test_cells import QUESTION, apart
from tests.support.approving import leave_approvals
from tests.support.cells_away import database_away
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import ACME_KEY, GLOBEX_KEY

DAY = 86_400.0


@pytest.fixture
async def house(database: Any) -> AsyncIterator[House]:
    """A house whose tenants live apart, on a clock of ours."""
    async with open_house(database, HouseOptions(document=apart(), clock=ManualClock())) as house:
        yield house
        globex = house.tenant_id("globex")
    connection = await asyncpg.connect(database.at("postgres").url)
    await connection.execute(f'DROP DATABASE "{own_name(globex)}" WITH (FORCE)')
    await connection.close()


async def test_a_database_that_is_away_stops_no_job_for_the_others(house: House) -> None:
    parts, clock = house.parts, house.options.clock
    assert isinstance(clock, ManualClock)
    for name, email in (("acme", "ana@acme.example"), ("globex", "gil@globex.example")):
        await leave_approvals(parts, house.tenant_id(name), email)
    for key in (ACME_KEY, GLOBEX_KEY):
        assert (await house.client(key).post("/v1/chat/completions", json=QUESTION)).status_code == 200
    await parts.writers.flush()
    # What is not loaded yet would be tried meanwhile, and its cell be known to be away.
    await parts.directory.refresh()
    keeper, reviews = parts.approvals.service.keeper, parts.approvals.reviews.keeper
    # The wall clock alone: what runs by itself sleeps on the other one.
    clock.jump(400 * DAY)
    async with database_away(house, "globex"):
        assert await keeper.look() > 0
        assert await keeper.look() == 0, "of those who can be reached everything was told"
        assert await reviews.look() == 1
        assert await parts.retention.sweep() == 0
        assert await parts.recovery.settle_orphans() == 0
        assert await parts.anomalies.look() == 0
        assert await parts.roll_ups.catch_up() > 0
        clock.jump(50)
        await parts.roll_ups.catch_up()
        assert parts.roll_ups.lag_s == 50
    assert await keeper.look() > 0
    assert await reviews.look() == 1
