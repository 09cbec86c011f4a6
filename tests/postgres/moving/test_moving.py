"""A tenant moves from cell to cell: everything arrives as it was, and the source is left empty."""

from collections.abc import Sequence

from enfilade.bootstrap.compose import Parts, Service
from enfilade.storage.address import Address
from enfilade.storage.cells import Placement
from enfilade.storage.moving.tables import NOT_COPIED, copied, read_tables
from tests.support.moves import contents, differing, log_is_gapless, move
from tests.support.parts import call_event, new_ids, open_parts
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
