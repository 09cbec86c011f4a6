"""Replies that may be asked for twice: a caller who repeats a request with the same key gets the same reply."""

from dataclasses import dataclass
from typing import Any

import msgspec

from enfilade.storage.unit_of_work import UnitOfWork

KEPT = "24 hours"
ABANDONED = "60 seconds"

FORGET = f"""
DELETE FROM idempotency_keys WHERE created_at < now() - interval '{KEPT}'
    OR (status IS NULL AND created_at < now() - interval '{ABANDONED}')
"""
CLAIM = """
INSERT INTO idempotency_keys (tenant_id, key, actor, request_digest) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING RETURNING true
"""
FIND = "SELECT request_digest, status, headers, body FROM idempotency_keys WHERE tenant_id = $1 AND key = $2 AND actor = $3"
KEEP = """
UPDATE idempotency_keys SET status = $4, headers = $5::jsonb, body = $6 WHERE tenant_id = $1 AND key = $2 AND actor = $3
"""
RELEASE = "DELETE FROM idempotency_keys WHERE tenant_id = $1 AND key = $2 AND actor = $3"


@dataclass(frozen=True, slots=True)
class EarlierReply:
    """What was answered, or None for `status` while it is still being made."""

    digest: bytes
    status: int | None
    headers: dict[str, str]
    body: str


async def claim(unit: UnitOfWork, key: str, digest: bytes) -> EarlierReply | None:
    """Take the key for a request; the earlier reply when somebody did before."""
    await unit.execute(FORGET)
    if await unit.fetch_value(CLAIM, unit.tenant, key, unit.scope.actor, digest):
        return None
    row: Any = await unit.fetch_row(FIND, unit.tenant, key, unit.scope.actor)
    headers = msgspec.json.decode(row["headers"], type=dict[str, str]) if row["headers"] else {}
    return EarlierReply(bytes(row["request_digest"]), row["status"], headers, row["body"] or "")


async def keep(unit: UnitOfWork, key: str, status: int, headers: dict[str, str], body: str) -> None:
    """Remember the reply."""
    text = msgspec.json.encode(headers).decode()
    await unit.execute(KEEP, unit.tenant, key, unit.scope.actor, status, text, body)


async def release(unit: UnitOfWork, key: str) -> None:
    """Forget the key: the request failed in a way that a repetition may mend."""
    await unit.execute(RELEASE, unit.tenant, key, unit.scope.actor)
