"""What stands in the ledger and in the log, and whether it is whole."""

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

from enfilade.bootstrap.compose import Parts
from enfilade.identity.scopes import system_scope
from enfilade.storage.group_commit import GroupCommit
from tests.support.parts import call_event


async def rows(parts: Parts, statement: str, *values: object) -> list[Any]:
    """What the platform's operator reads."""
    async with parts.storage.unit_of_work(system_scope("test"), readonly=True) as unit:
        return await unit.fetch(statement, *values)


async def settled(parts: Parts) -> tuple[list[str], list[str], list[str]]:
    """The calls in the ledger, in the table of calls, and in the log."""
    ledger = [str(row["call_id"]) for row in await rows(parts, "SELECT call_id FROM ledger ORDER BY 1")]
    calls = [str(row["call_id"]) for row in await rows(parts, "SELECT call_id FROM calls ORDER BY 1")]
    events = await rows(parts, "SELECT body FROM events WHERE type = 'CallSettled'")
    return ledger, calls, sorted(json.loads(row["body"])["data"]["id"] for row in events)


async def log_is_whole(parts: Parts) -> list[Any]:
    """Every tenant's log has no gap, no double, and leaves that are the hashes of its bodies."""
    events = await rows(parts, "SELECT tenant_id, seq, body, leaf FROM events ORDER BY tenant_id, seq")
    expected: dict[str, int] = {}
    for row in events:
        number = expected.get(str(row["tenant_id"]), 0)
        assert row["seq"] == number
        expected[str(row["tenant_id"])] = number + 1
        assert bytes(row["leaf"]) == hashlib.sha256(b"\x00" + row["body"].encode()).digest()
    heads = {str(row["tenant_id"]): row["next_seq"] for row in await rows(parts, "SELECT * FROM event_heads")}
    assert heads == expected
    return events


def settle_all(
    writer: GroupCommit, tenant: str, identifiers: Sequence[str], **changes: Any
) -> "list[asyncio.Future[None]]":
    """Queue the records of these calls."""
    return [writer.settle(identifier, call_event(tenant, identifier, **changes)) for identifier in identifiers]


@asynccontextmanager
async def blocked_log(parts: Parts, tenant: str) -> AsyncIterator[Callable[[], Awaitable[bool]]]:
    """A tenant's log that nobody can append to inside the block; gives a condition: somebody waits to."""
    async with parts.database.owner() as rival, rival.transaction():
        await rival.execute("SELECT FROM enfilade_shared.event_heads WHERE tenant_id = $1 FOR UPDATE", tenant)

        async def waits() -> bool:
            return bool(await rival.fetchval("SELECT count(*) FROM pg_locks WHERE NOT granted"))

        yield waits
