"""The moment in which a tenant goes from one cell to the other: its writes wait, and nobody else's do.

In the source's transaction the gate is shut and the tenant's log is locked; what is left is brought to the target, compared,
and committed there, where nobody can see the tenant yet. The source's commit then lets go of the tenant for good, and
only after it the target takes it: at no time would both take a write.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from enfilade.storage.moving.changes import apply_changes, compare_changed, earliest_change, read_changes
from enfilade.storage.moving.places import IN_THE_WAY, Place
from enfilade.storage.moving.registry import Move, register_arrival
from enfilade.storage.moving.tables import STEP_BACK, Table
from enfilade.storage.moving.transport import Carried
from enfilade.storage.moving.verify import RowsDiffer

GATE_WAIT = "SELECT set_config('lock_timeout', '250ms', true)"
SHUT_GATE = "SELECT pg_advisory_xact_lock(hashtextextended('gate ' || $1, 0))"
READ_HEAD = "SELECT next_seq FROM event_heads WHERE tenant_id = $1"
LOCK_HEAD = "SELECT next_seq FROM event_heads WHERE tenant_id = $1 FOR UPDATE"
PUT_HEAD = """
INSERT INTO event_heads (tenant_id, next_seq) VALUES ($1, $2)
ON CONFLICT (tenant_id) DO UPDATE SET next_seq = excluded.next_seq
"""
PUT_BASE = """
INSERT INTO ledger_bases (tenant_id, moves) VALUES ($1, $2) ON CONFLICT (tenant_id) DO UPDATE SET moves = excluded.moves
"""
READ_BASE = "SELECT coalesce((SELECT moves FROM ledger_bases WHERE tenant_id = $1), 0)"
DEPART = """
INSERT INTO departures (tenant_id) VALUES ($1)
ON CONFLICT (tenant_id) DO UPDATE SET left_at = now(), returned_at = NULL
"""
END_HEAD = "DELETE FROM event_heads WHERE tenant_id = $1"
HAS_DEPARTED = "SELECT EXISTS (SELECT FROM departures WHERE tenant_id = $1 AND returned_at IS NULL)"
ROLL_UP_ARRIVALS = "SELECT roll_up_arrivals($1, $2, $3, $4, $5)"

LONGEST_S = 0.8
"""When it takes longer, everybody goes on in the source, and it is tried again with less to bring."""
VALUES_A_DAY = 10_000
LOWEST, BELOW_ALL = -(1 << 63), 0


class SwitchPostponed(Exception):
    """Somebody's work was in the way, or there was too much left to bring."""


@dataclass(slots=True)
class Rolled:
    """How far the target's roll-ups are made, in the places of the target."""

    up_to: int | None = None
    """None: they have to be made from the beginning."""
    earliest: datetime | None = None
    """When the earliest call began that is not in them yet."""

    def owe(self, earliest: datetime | None) -> None:
        """There are more calls, from then on."""
        if earliest is not None:
            self.earliest = earliest if self.earliest is None else min(self.earliest, earliest)


async def has_departed(source: Place) -> bool:
    """Whether the source has let go of the tenant: there is no way back then."""
    return bool(await source.connection.fetchval(HAS_DEPARTED, source.tenant))


async def switch(
    source: Place, target: Place, tables: Sequence[Table], move: Move, rolled: Rolled, *, at_home: bool
) -> None:
    """Have the source let go of the tenant. `at_home`: the source is in the database of the registry.

    Raises SwitchPostponed, RowsDiffer; everything is as before then.
    """
    try:
        async with source.connection.transaction():
            await _close(source)
            async with asyncio.timeout(LONGEST_S):
                await _bring_the_rest(source, target, tables, rolled)
            await source.connection.execute(DEPART, source.tenant)
            await source.connection.execute(END_HEAD, source.tenant)
            if at_home:
                await register_arrival(source.connection, move)
    except (*IN_THE_WAY, TimeoutError) as error:
        raise SwitchPostponed from error


async def _close(source: Place) -> None:
    await source.connection.fetchval(GATE_WAIT)
    await source.connection.fetchval(SHUT_GATE, source.tenant)
    await source.connection.fetchval(LOCK_HEAD, source.tenant)


async def _bring_the_rest(source: Place, target: Place, tables: Sequence[Table], rolled: Rolled) -> None:
    async with target.connection.transaction():
        changes = await read_changes(source, tables)
        await apply_changes(source, target, changes, Carried())
        if different := await compare_changed(source, target, changes.tables):
            message = f"These tables differ at the switch: {', '.join(different)}."
            raise RowsDiffer(message)
        rolled.owe(await earliest_change(target, changes.tables))
        since, rolled.up_to = rolled.up_to, None  # Should this fail late, nobody knows whether they hold it.
        if since is not None and rolled.earliest is not None:
            await target.connection.fetchval(
                ROLL_UP_ARRIVALS, target.tenant, since, BELOW_ALL, rolled.earliest, VALUES_A_DAY
            )
        head = await source.connection.fetchval(READ_HEAD, source.tenant)
        await target.connection.execute(PUT_HEAD, target.tenant, head or 0)
        moves = await source.connection.fetchval(READ_BASE, source.tenant)
        await target.connection.execute(PUT_BASE, target.tenant, moves + 1)
    # From here on the target holds everything, and takes nothing: it is said there that the tenant is elsewhere.


def place_in_target(xact: int) -> int:
    """Where an entry that a transaction of the source posted stands in the target."""
    return xact - STEP_BACK
