"""A tenant moves from cell to cell: everything arrives as it was, and the source is left empty."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from enfilade.bootstrap.compose import Parts, Service
from enfilade.core.clock import ManualClock
from enfilade.storage import partitions
from enfilade.storage.address import Address
from enfilade.storage.cells import Placement
from enfilade.storage.moving.tables import NOT_COPIED, copied, read_tables
from tests.support.moves import contents, differing, log_is_gapless, move
from tests.support.parts import call_event, make_tenant, new_ids, open_parts
from tests.support.two_tenants import TENANT_TABLES, two_tenants


def writers(parts: Parts) -> Sequence[Service]:
    return (parts.writer.run, parts.writers.run)


async def test_every_table_with_a_tenant_travels_or_says_why_not(database: Address) -> None:
    async with open_parts(database) as parts, parts.database.owner() as owner:
        names = {row["name"] for row in await owner.fetch(TENANT_TABLES) if not row["is_partition"]}
        tables = await read_tables(owner, "enfilade_shared")
    assert {table.name for table in tables} == names
    assert {table.name for table in copied(tables)} == names - NOT_COPIED.keys()
    assert NOT_COPIED.keys() <= names
    assert len(NOT_COPIED) < 10


async def test_a_tenant_goes_through_all_isolations_and_back(database: Address) -> None:
    async with open_parts(database, services=writers) as parts:
        world = await two_tenants(parts)
        theirs = await contents(parts, world.theirs)
        former = Placement()
        for isolation in ("schema", "database", "row"):
            before = await contents(parts, world.ours)
            goal = Placement(isolation)
            done = await move(parts, world.ours, goal)
            assert done.step == "done"
            assert parts.cells.placement(world.ours) == goal
            after = await contents(parts, world.ours)
            assert not differing(before, after)
            assert after.next_seq == before.next_seq
            log_is_gapless(after)
            if former.isolation == "row":
                left = await contents(parts, world.ours, former)
                assert not any(left.tables.values())
                assert left.next_seq is None
            (call,) = new_ids(1)
            await parts.writers.of(world.ours).settle(call, call_event(world.ours, call))
            assert call in (await contents(parts, world.ours)).calls
            former = goal
        assert not differing(theirs, await contents(parts, world.theirs))


async def test_a_month_with_much_in_it_gets_a_partition_in_a_schema(
    database: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "GROWN_ROWS", 3)
    now = datetime(2031, 12, 15, tzinfo=UTC)
    async with open_parts(database, ManualClock(now), services=writers) as parts:
        tenant = (await make_tenant(parts, "acme")).id
        for month, calls in (("10", 2), ("11", 4), ("12", 1)):
            moment = datetime.fromisoformat(f"2031-{month}-10T00:00:00+00:00")
            for call in new_ids(calls, moment):
                await parts.writer.settle(call, call_event(tenant, call, moment))
        before = await contents(parts, tenant)
        assert (await move(parts, tenant, Placement("schema"))).step == "done"
        assert not differing(before, await contents(parts, tenant))
        schema = parts.cells.of(tenant).schema
        async with parts.database.owner() as owner:
            rows = await owner.fetch(
                f'SELECT tableoid::regclass::text AS t, count(*) AS n FROM "{schema}".calls GROUP BY 1'
            )
        assert {row["t"].rpartition(".")[2]: row["n"] for row in rows} == {"calls_203111": 4, "calls_default": 3}
