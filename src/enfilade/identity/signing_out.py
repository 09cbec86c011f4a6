"""The end of sessions that somebody has, told as facts."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from enfilade.identity import store
from enfilade.storage.unit_of_work import UnitOfWork


async def end_sessions(unit: UnitOfWork, user_id: str, now: datetime, because: str, *, but: str | None = None) -> int:
    """End all sessions of a user, or all but one; tell how many."""
    rows = await unit.fetch(store.REVOKE_SESSIONS_OF_USER, unit.tenant, user_id, now, but)
    record_ends(unit, rows, because)
    return len(rows)


def record_ends(unit: UnitOfWork, rows: Sequence[Any], because: str) -> None:
    """Record a `SessionRevoked` for each row, which has the `id` of a session."""
    for row in rows:
        unit.record("SessionRevoked", id=str(row["id"]), because=because)
