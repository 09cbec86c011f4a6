"""A house with budgets and limits, what its calls cost, and what its budgets and its ledger say of them."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from decimal import Decimal
from typing import Any

import httpx2

from enfilade.core.clock import ManualClock
from enfilade.storage.address import Address
from tests.support.data_plane import CHAT, NANO, question
from tests.support.house import House, HouseOptions, open_house
from tests.support.world import world

TEN = "simulated/text-10"
NOTHING = Decimal(0)


@asynccontextmanager
async def money(
    database: Address,
    clock: ManualClock,
    *budgets: dict[str, Any],
    limits: Sequence[dict[str, Any]] = (),
    models: Sequence[dict[str, Any]] = (),
) -> AsyncIterator[House]:
    """A house with these budgets and limits for the first tenant."""
    document = world()
    document["models"] += models
    document["tenants"][0] |= {"budgets": list(budgets), "limits": list(limits)}
    async with open_house(database, HouseOptions(document=document, clock=clock)) as house:
        yield house


async def ask(house: House, name: str = TEN, **more: Any) -> httpx2.Response:
    """A call of the first tenant's."""
    return await house.client().post(CHAT, json=question(CHAT, name, **more))


async def paid(house: House, name: str = TEN, **more: Any) -> Decimal:
    """What a call that is answered costs."""
    reply = await ask(house, name, **more)
    assert reply.status_code == 200, reply.text
    cost = Decimal(reply.headers["x-enfilade-cost-usd"])
    assert cost > 0
    return cost


async def budgets_of(house: House) -> list[dict[str, Any]]:
    """The budgets as the admin API shows them."""
    items: list[dict[str, Any]] = (await house.admin().get("/api/v1/budgets")).json()["items"]
    return items


async def figures(house: House) -> tuple[Decimal, Decimal, datetime]:
    """What the only budget says: spent, held, and when its window ends."""
    (budget,) = await budgets_of(house)
    ends = datetime.fromisoformat(budget["resets_at"])
    return Decimal(budget["spent_usd"]), Decimal(budget["held_usd"]), ends


async def ledger(house: House, start: datetime, end: datetime) -> Decimal:
    """What the ledger has for a span."""
    await house.parts.writer.flush()
    statement = (
        "SELECT coalesce(sum(amount_nano), 0)::bigint FROM ledger "
        "WHERE tenant_id = $1 AND started_at >= $2 AND started_at < $3"
    )
    tenant = house.tenant_id("acme")
    async with house.unit(tenant) as unit:
        return int(await unit.fetch_value(statement, tenant, start, end)) / NANO


async def dearer_from(house: House, moment: datetime) -> None:
    """Let the simulated models cost ten times as much from then on."""
    body = {"price": {"input": 10, "output": 20}, "effective_from": moment.isoformat()}
    reply = await house.admin().put("/api/v1/prices/simulated/*", json=body)
    assert reply.status_code == 200, reply.text
    await house.parts.directory.refresh()
