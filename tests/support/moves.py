"""Moving tenants in tests, and what a tenant is made of wherever it lives."""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg

from enfilade.bootstrap.compose import Parts
from enfilade.costs.holds.budgets import BudgetSpec
from enfilade.costs.holds.limits import LimitSpec
from enfilade.identity.types import ApplicationSpec, KeySpec, UserSpec
from enfilade.storage.cells import Placement
from enfilade.storage.moving import registry
from enfilade.storage.moving.mover import Mover
from enfilade.storage.moving.registry import Move, move_of
from enfilade.storage.moving.tables import NOT_COPIED, SHIFTED, read_tables
from tests.support.parts import call_event, make_tenant, new_ids, unit_in


async def begin_move(parts: Parts, tenant: str, goal: Placement) -> str:
    """Note that a tenant is to move; returns the move's id."""
    identifier = parts.ids.new_id()
    origin = parts.cells.placement(tenant)
    async with unit_in(parts) as unit:
        await unit.execute(
            registry.ADD_MOVE, tenant, identifier, origin.isolation, origin.host, goal.isolation, goal.host, "key:test"
        )
    return identifier


@asynccontextmanager
async def held(parts: Parts, identifier: str) -> AsyncIterator[tuple[Move, Any]]:
    """A move, and the connection that holds it."""
    async with parts.database.owner() as home:
        assert await home.fetchval(registry.HOLD, identifier)
        yield move_of(await home.fetchrow(registry.FIND_MOVE, identifier)), home


async def move(parts: Parts, tenant: str, goal: Placement, mover: Mover | None = None) -> Move:
    """Move a tenant in this process, and have its directory know."""
    identifier = await begin_move(parts, tenant, goal)
    await advance(parts, identifier, mover)
    async with held(parts, identifier) as (done, _):
        return done


async def advance(parts: Parts, identifier: str, mover: Mover | None = None) -> None:
    """Bring a move to its end, or to where it breaks."""
    async with held(parts, identifier) as (noted, home):
        await (mover or Mover(parts.cells, parts.cell_maker, parts.clock, grace_s=0)).advance(noted, home)
        await home.execute(registry.END_MOVE, identifier, "done")
    await parts.directory.refresh()


@dataclass(frozen=True)
class Contents:
    """All rows of a tenant that travel, as text, and the log's next place."""

    tables: dict[str, list[str]]
    next_seq: int | None

    @property
    def calls(self) -> list[str]:
        """The ids of the calls in the ledger, of their settlements only."""
        return sorted(json.loads(row)["call_id"] for row in self.tables["ledger"] if json.loads(row)["line"] == 0)


async def contents(parts: Parts, tenant: str, placement: Placement | None = None) -> Contents:
    """What a cell holds of a tenant, read past all policies. Places in the ledger are left out: they differ."""
    cell = parts.cells.cell_at(tenant, placement) if placement else parts.cells.of(tenant)
    assert cell is not None
    connection = await asyncpg.connect(cell.database.address.url)
    try:
        await connection.execute("SET timezone = 'UTC'")
        await connection.execute("SELECT set_config('enfilade.tenant', $1, false)", tenant)
        found = {}
        for table in await read_tables(connection, cell.schema):
            if table.name in NOT_COPIED:
                continue
            rows = await connection.fetch(
                f'SELECT to_jsonb(t)::text AS row FROM "{cell.schema}"."{table.name}" t WHERE tenant_id = $1', tenant
            )
            found[table.name] = sorted(_without_places(row["row"]) for row in rows)
        head = await connection.fetchval(
            f'SELECT next_seq FROM "{cell.schema}".event_heads WHERE tenant_id = $1', tenant
        )
        return Contents(found, head)
    finally:
        await connection.close()


def _without_places(row: str) -> str:
    return json.dumps({name: value for name, value in json.loads(row).items() if name not in SHIFTED}, sort_keys=True)


def log_is_gapless(found: Contents) -> None:
    """The log has no gap and no double, and its leaves are the hashes of its bodies."""
    events = sorted((json.loads(row) for row in found.tables["events"]), key=lambda event: event["seq"])
    assert [event["seq"] for event in events] == list(range(len(events)))
    assert found.next_seq == len(events)
    for event in events:
        assert event["leaf"] == "\\x" + hashlib.sha256(b"\x00" + event["body"].encode()).hexdigest()


def differing(before: Contents, after: Contents, grown: Sequence[str] = ()) -> list[str]:
    """The tables that are not the same; those in `grown` may have more rows than before."""
    return [
        name
        for name, rows in before.tables.items()
        if after.tables[name] != rows and not (name in grown and set(rows) <= set(after.tables[name]))
    ]


async def furnished(parts: Parts, name: str) -> str:
    """A tenant with a little of everything; returns its id."""
    tenant = (await make_tenant(parts, name)).id
    identity = parts.identity
    async with unit_in(parts, tenant) as unit:
        await identity.departments.put(unit, "sales")
        await identity.users.put(unit, UserSpec(f"ana@{name}.example", "sales"))
        await identity.applications.put(unit, ApplicationSpec("copilot", "sales"))
        await identity.keys.issue(unit, KeySpec("copilot-key", application="copilot"))
        await parts.limits.put(unit, LimitSpec("tenant", "requests", 10, "minute"))
        await parts.budgets.put(unit, BudgetSpec("tenant", "month", "10"))
    (call,) = new_ids(1)
    await parts.writers.of(tenant).settle(call, call_event(tenant, call))
    return tenant
