"""Entries of the ledger as tests want them: with their lines, lost attempts and corrections."""

import json
from datetime import datetime
from typing import Any

from enfilade.bootstrap.compose import Parts
from tests.support.parts import NOON, call_event, new_ids, unit_in

POST_CORRECTION = "SELECT post_correction($1)"
MILLION = 1_000_000


def lines(**items: tuple[int, int]) -> dict[str, Any]:
    """The fields of an entry that counts these kinds: each a quantity and a rate in nano-dollars per million."""
    amounts = [(quantity * rate + MILLION // 2) // MILLION for quantity, rate in items.values()]
    return {
        "kinds": list(items),
        "quantities": [quantity for quantity, _ in items.values()],
        "rates": [rate for _, rate in items.values()],
        "amounts": amounts,
        "cost_nano": sum(amounts),
    }


async def post_call(parts: Parts, tenant: str, at: datetime = NOON, **fields: Any) -> str:
    """Settle a call; its event's fields are what is given, and a plain call's otherwise."""
    (identifier,) = new_ids(1, at)
    event = json.loads(call_event(tenant, identifier, at))
    event["data"] |= fields
    await parts.writer.settle(identifier, json.dumps(event, sort_keys=True))
    return identifier


async def post_correction(
    parts: Parts, tenant: str, call_id: str, nano: int, posted_at: datetime = NOON, **fields: Any
) -> None:
    """Correct line 0 of a call at noon by an amount."""
    body: dict[str, Any] = {
        "call_id": call_id,
        "started_at": NOON.isoformat(),
        "posted_at": posted_at.isoformat(),
        "corrects": 0,
        "amount_nano": nano,
        "provider_nano": nano,
        "list_nano": nano,
        "source": "manual",
        "reason": "a test",
    }
    async with unit_in(parts, tenant) as unit:
        await unit.fetch_value(POST_CORRECTION, json.dumps(body | fields))
