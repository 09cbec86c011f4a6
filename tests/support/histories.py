"""Weeks of spending in the ledger at once: what forecasts and anomalies are tested on."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from enfilade.bootstrap.compose import Parts
from tests.support.parts import new_ids

LEDGER = """
INSERT INTO enfilade_shared.ledger (tenant_id, call_id, started_at, posted_at, posted_xact, department_id, application_id,
    user_id, key_id, model, provider, deployment, tokens, kinds, quantities, rates, amounts, amount_nano, provider_nano,
    list_nano, saved_nano, could_save_nano, estimated)
SELECT $1, call_id, at, at, pg_current_xact_id()::text::bigint, department, application, "user", key, model, 'sim',
    deployment, quantity, '{input}', ARRAY[quantity], ARRAY[rate], ARRAY[nano], nano, nano, nano, saved, could, false
FROM unnest($2::uuid[], $3::timestamptz[], $4::uuid[], $5::uuid[], $6::uuid[], $7::uuid[], $8::text[], $9::text[],
    $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[], $14::bigint[])
    AS t (call_id, at, department, application, "user", key, model, deployment, quantity, rate, nano, saved, could)
"""
MILLION = 1_000_000


@dataclass(frozen=True, slots=True)
class Cost:
    """A call that began at `at`."""

    at: datetime
    nano: int
    department: str | None = None
    application: str | None = None
    user: str | None = None
    key: str | None = None
    model: str = "chat"
    deployment: str | None = "sim/echo"
    quantity: int = 1000
    saved: int = 0
    could: int = 0


async def write_history(parts: Parts, tenant: str, costs: Iterable[Cost]) -> None:
    """Post these costs as the gateway would have, in one transaction; calls have no records of their own."""
    entries = list(costs)
    columns: list[list[Any]] = [
        *(new_ids(len(entries)), [entry.at for entry in entries]),
        *([getattr(entry, name) for entry in entries] for name in ("department", "application", "user", "key")),
        *([entry.model for entry in entries], [entry.deployment for entry in entries]),
        [entry.quantity for entry in entries],
        [entry.nano * MILLION // entry.quantity for entry in entries],
        *([getattr(entry, name) for entry in entries] for name in ("nano", "saved", "could")),
    ]
    async with parts.database.owner() as owner:
        await owner.execute(LEDGER, tenant, *columns)
