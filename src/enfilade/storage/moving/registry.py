"""Moves as they are noted in the installation's own database."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec

from enfilade.storage.announcing import Statements, announce
from enfilade.storage.cells import Placement
from enfilade.storage.moving.verify import Sum

OPEN = "ended_at IS NULL"
_COLUMNS = """tenant_id, id, from_isolation, from_cell, to_isolation, to_cell, actor, step, units, rows, rows_expected, bytes,
    waited_us, revision, tables::text, abort_asked, error, started_at, heartbeat_at, ended_at"""
ADD_MOVE = """
INSERT INTO enfilade.tenant_moves (tenant_id, id, from_isolation, from_cell, to_isolation, to_cell, actor)
VALUES ($1, $2, $3, $4, $5, $6, $7)
"""
LIST_MOVES = f"""
SELECT {_COLUMNS} FROM enfilade.tenant_moves
WHERE id < $1 AND ($3::uuid IS NULL OR tenant_id = $3) ORDER BY id DESC LIMIT $2
"""
FIND_MOVE = f"SELECT {_COLUMNS} FROM enfilade.tenant_moves WHERE id::text = $1"
FIND_OPEN_MOVE = f"SELECT {_COLUMNS} FROM enfilade.tenant_moves WHERE tenant_id = $1 AND {OPEN}"
LIST_OPEN_MOVES = f"SELECT {_COLUMNS} FROM enfilade.tenant_moves WHERE {OPEN} ORDER BY id"
ASK_TO_ABORT = (
    f"UPDATE enfilade.tenant_moves SET abort_asked = true WHERE id = $1 AND {OPEN} AND step = ANY ($2) RETURNING true"
)
NOTE_STEP = "UPDATE enfilade.tenant_moves SET step = $2, heartbeat_at = now(), error = NULL WHERE id = $1"
NOTE_PROGRESS = """
UPDATE enfilade.tenant_moves SET units = $2, rows = $3, rows_expected = $4, bytes = $5, heartbeat_at = now() WHERE id = $1
"""
NOTE_SUMS = "UPDATE enfilade.tenant_moves SET tables = $2::text::jsonb, heartbeat_at = now() WHERE id = $1"
NOTE_ERROR = "UPDATE enfilade.tenant_moves SET error = $2, heartbeat_at = now() WHERE id = $1"
NOTE_WAIT = "UPDATE enfilade.tenant_moves SET waited_us = $2 WHERE id = $1"
NOTE_REVISION = "UPDATE enfilade.tenant_moves SET revision = $2, step = 'arriving', heartbeat_at = now() WHERE id = $1"
END_MOVE = "UPDATE enfilade.tenant_moves SET step = $2, ended_at = now(), heartbeat_at = now() WHERE id = $1"
READ_ABORT = "SELECT abort_asked FROM enfilade.tenant_moves WHERE id = $1"
PLACE_TENANT = "UPDATE enfilade.tenants SET isolation = $2, cell = $3, version = version + 1 WHERE id = $1"
HOLD = "SELECT pg_try_advisory_lock(hashtextextended('move ' || $1, 0))"

REVOCABLE = ("preparing", "capturing", "copying", "verifying", "switching", "aborting")
"""Steps at which a move may be taken back. Once the source has let go of the tenant, it is brought to its end."""


@dataclass(frozen=True, slots=True)
class Move:
    """A move, as it was last noted."""

    id: str
    tenant: str
    origin: Placement
    goal: Placement
    actor: str
    step: str
    units: tuple[str, ...]
    rows: int
    rows_expected: int
    bytes: int
    waited_us: int | None
    revision: int | None
    tables: Mapping[str, Mapping[str, Any]]
    abort_asked: bool
    error: str | None
    started_at: datetime
    heartbeat_at: datetime
    ended_at: datetime | None

    @property
    def is_revocable(self) -> bool:
        """Whether it can still be taken back."""
        return self.step in REVOCABLE


def move_of(row: Any) -> Move:
    """A move from its row."""
    return Move(
        id=str(row["id"]),
        tenant=str(row["tenant_id"]),
        origin=Placement(row["from_isolation"], row["from_cell"]),
        goal=Placement(row["to_isolation"], row["to_cell"]),
        actor=row["actor"],
        step=row["step"],
        units=tuple(row["units"]),
        rows=row["rows"],
        rows_expected=row["rows_expected"],
        bytes=row["bytes"],
        waited_us=row["waited_us"],
        revision=row["revision"],
        tables=msgspec.json.decode(row["tables"]),
        abort_asked=row["abort_asked"],
        error=row["error"],
        started_at=row["started_at"],
        heartbeat_at=row["heartbeat_at"],
        ended_at=row["ended_at"],
    )


async def note_sums(connection: Statements, move: str, sums: Mapping[str, Sum]) -> None:
    """Note what the tables hold, in both cells."""
    shown = {name: {"rows": found.rows, "hash": found.hash} for name, found in sums.items()}
    await connection.execute(NOTE_SUMS, move, msgspec.json.encode(shown).decode())


async def register_arrival(connection: Statements, move: Move) -> None:
    """Send everybody to the tenant's new cell, in the home transaction of the caller."""
    await connection.execute(PLACE_TENANT, move.tenant, move.goal.isolation, move.goal.host)
    revision = await announce(connection, [move.tenant])
    await connection.execute(NOTE_REVISION, move.id, revision)
