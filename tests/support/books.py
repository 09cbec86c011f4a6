"""The books of an embedded database: what must be true of ledger, calls and events whatever happened."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg

LINES = """
SELECT l.call_id::text AS id, l.nano, l.estimated, c.status, c.amount_nano AS shown_nano, c.stream
FROM (SELECT call_id, sum(amount_nano)::bigint AS nano, bool_or(estimated) AS estimated, count(*) FILTER (WHERE line = 0) AS settlements
      FROM enfilade_shared.ledger GROUP BY call_id) l
LEFT JOIN enfilade_shared.calls c USING (call_id)
WHERE l.settlements = 1
"""
CALLS = "SELECT call_id::text FROM enfilade_shared.calls"
CALL_EVENTS = """
SELECT (body::json -> 'data' ->> 'id') AS id, (body::json -> 'data' ->> 'cost_nano')::bigint AS nano
FROM enfilade_shared.events WHERE type IN ('CallSettled', 'CallRefused')
"""
BROKEN_LOGS = """
SELECT tenant_id FROM enfilade_shared.event_heads h
WHERE ARRAY(SELECT seq FROM enfilade_shared.events e WHERE e.tenant_id = h.tenant_id ORDER BY seq)
   <> ARRAY(SELECT generate_series(0, h.next_seq - 1))
"""
WRONG_LEAVES = """
SELECT count(*) FROM enfilade_shared.events WHERE leaf <> sha256('\\x00'::bytea || convert_to(body, 'UTF8'))
"""
INTENTS = "SELECT call_id::text FROM enfilade_shared.intents"


@dataclass(frozen=True, slots=True)
class Entry:
    """A call in the ledger."""

    nano: int
    estimated: bool
    status: str
    stream: bool


class Books:
    """What the database says."""

    def __init__(self, connection: asyncpg.Connection) -> None:
        """Read through the owner's connection."""
        self._connection = connection

    async def intents(self) -> set[str]:
        """The calls that are admitted and not settled."""
        return {row[0] for row in await self._connection.fetch(INTENTS)}

    async def checked(self) -> dict[str, Entry]:
        """The ledger by call, after asserting that it, the calls and the events tell the same."""
        async with self._connection.transaction(isolation="repeatable_read", readonly=True):
            lines = await self._connection.fetch(LINES)
            calls = [row[0] for row in await self._connection.fetch(CALLS)]
            events = await self._connection.fetch(CALL_EVENTS)
            broken = await self._connection.fetch(BROKEN_LOGS)
            wrong = await self._connection.fetchval(WRONG_LEAVES)
        ids = sorted(line["id"] for line in lines)
        assert len(ids) == len(set(ids)), "a call has two lines in the ledger"
        assert sorted(calls) == ids, "ledger and calls differ"
        assert sorted(event["id"] for event in events) == ids, "ledger and events differ"
        assert {event["id"]: event["nano"] for event in events} == {line["id"]: line["nano"] for line in lines}
        assert all(line["nano"] == line["shown_nano"] for line in lines)
        assert not broken, "a tenant's log has a gap"
        assert wrong == 0, "a leaf is not its event's hash"
        return {line["id"]: Entry(line["nano"], line["estimated"], line["status"], line["stream"]) for line in lines}


def postmaster(data: Path) -> tuple[int, bool] | None:
    """The embedded server's process id, and whether it says that it is ready; None when there is no server."""
    try:
        lines = (data / "postgres" / "postmaster.pid").read_text().splitlines()
    except FileNotFoundError:
        return None
    return int(lines[0]), len(lines) >= 8 and lines[7].strip() == "ready"


@asynccontextmanager
async def owner_connection(data: Path) -> AsyncIterator[asyncpg.Connection]:
    """A connection to the embedded server under `data`, which must be running."""
    lines = (data / "postgres" / "postmaster.pid").read_text().splitlines()
    connection = await asyncpg.connect(
        host=lines[4],
        port=int(lines[3]),
        user="enfilade",
        password=(data / "owner.password").read_text().strip(),
        database="enfilade",
    )
    try:
        yield connection
    finally:
        await connection.close()


@asynccontextmanager
async def opened_books(data: Path) -> AsyncIterator[Books]:
    """The books of the embedded server under `data`, which must be running."""
    async with owner_connection(data) as connection:
        yield Books(connection)
