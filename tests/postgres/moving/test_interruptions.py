"""A move that is interrupted, wherever that happens, goes on or is taken back: nothing is lost and nothing is doubled."""

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.storage.address import Address
from enfilade.storage.cells import Placement
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.moving import registry
from enfilade.storage.moving.mover import MoveIsFinal, Mover
from tests.support.moves import advance, begin_move, contents, differing, furnished, held, log_is_gapless
from tests.support.parts import open_parts
from tests.support.settling import calls_settled, writers

SCHEMA = Placement("schema")
BEFORE = ("capturing", "copying", "copied limits", "copied users", "verifying", "switching")
"""In the order in which they come: what was copied before an interruption is not copied again."""
AFTER = ("departed", "arriving", "arrived", "clearing", "cleared")
CUT = """
SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
WHERE pid <> pg_backend_pid() AND datname = current_database() AND usename = current_user AND application_name = 'enfilade'
"""


CUTS = (asyncpg.PostgresError, asyncpg.InterfaceError, DatabaseUnavailable, OSError)


class PowerCut(Exception):
    """The process died here."""


class Interrupting(Mover):
    """A mover that is interrupted where it is told."""

    def breaks_at(self, name: str, address: Address | None) -> None:
        """Die there; with an address, after all of the owner's connections there were cut."""

        async def mark(reached: str) -> None:
            if reached != name:
                return
            if address is not None:
                connection = await asyncpg.connect(address.url)
                await connection.execute(CUT)
                await connection.close()
            raise PowerCut(name)

        self.mark = mark


def mover_of(parts: Parts) -> Interrupting:
    return Interrupting(parts.cells, parts.cell_maker, parts.clock, grace_s=0)


@pytest.mark.parametrize("cuts", [False, True], ids=["killed", "cut-off"])
async def test_a_move_that_is_interrupted_at_each_step_arrives_whole(database: Address, *, cuts: bool) -> None:
    async with open_parts(database, services=writers) as parts:
        ours, other = await furnished(parts, "ours"), await furnished(parts, "theirs")
        before = await contents(parts, ours)
        theirs = await contents(parts, other)
        told: list[str] = []
        move = await begin_move(parts, ours, SCHEMA)
        async with calls_settled(parts, ours, told) as more:
            for name in (*BEFORE, *AFTER):
                mover = mover_of(parts)
                mover.breaks_at(name, database if cuts else None)
                more()
                with pytest.raises((PowerCut, *CUTS) if cuts else PowerCut):
                    await advance(parts, move, mover)
            more()
            await advance(parts, move)
        assert parts.cells.placement(ours) == SCHEMA
        after = await contents(parts, ours)
        changing = ("calls", "ledger", "events", "intents")
        assert not differing(before, after, grown=changing)
        assert after.calls == sorted([*before.calls, *told])
        log_is_gapless(after)
        assert not any((await contents(parts, ours, Placement())).tables.values())
        assert not differing(theirs, await contents(parts, other))


@pytest.mark.parametrize("name", ["copied limits", "switching"])
async def test_a_move_that_was_interrupted_can_be_taken_back(database: Address, name: str) -> None:
    async with open_parts(database, services=writers) as parts:
        ours = await furnished(parts, "ours")
        before = await contents(parts, ours)
        told: list[str] = []
        move = await begin_move(parts, ours, SCHEMA)
        mover = mover_of(parts)
        mover.breaks_at(name, None)
        async with calls_settled(parts, ours, told) as more:
            more()
            with pytest.raises(PowerCut):
                await advance(parts, move, mover)
            async with held(parts, move) as (noted, home):
                await mover_of(parts).abort(noted, home)
                await home.execute(registry.END_MOVE, move, "aborted")
        after = await contents(parts, ours)
        assert not differing(before, after, grown=("calls", "ledger", "events", "intents"))
        assert after.calls == sorted([*before.calls, *told])
        log_is_gapless(after)
        async with parts.database.owner() as owner:
            left = "SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'enf\\_%'"
            triggers = "SELECT count(*) FROM pg_trigger WHERE starts_with(tgname, 'move_')"
            changes = "SELECT count(*) FROM enfilade_shared.move_changes"
            assert [await owner.fetchval(statement) for statement in (left, triggers, changes)] == [0, 0, 0]


async def test_a_tenant_that_has_left_is_not_taken_back(database: Address) -> None:
    async with open_parts(database, services=writers) as parts:
        ours = await furnished(parts, "ours")
        move = await begin_move(parts, ours, SCHEMA)
        mover = mover_of(parts)
        mover.breaks_at("departed", None)
        with pytest.raises(PowerCut):
            await advance(parts, move, mover)
        async with held(parts, move) as (noted, home):
            with pytest.raises(MoveIsFinal):
                await mover_of(parts).abort(noted, home)
