"""The books, read with plain SQL: what must agree once nothing runs any more."""

import asyncio
import hashlib
import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from enfilade.core.clock import to_ns
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.meters import ConcurrencyMeter
from enfilade.costs.holds.types import BudgetRule
from tests.support.house import House
from tests.support.waiting import eventually

ENTRIES = """
SELECT call_id::text AS id, tenant_id::text AS tenant, department_id::text AS department,
    application_id::text AS application, user_id::text AS "user", key_id::text AS key, model, line,
    started_at, amount_nano AS nano, overrun_nano, estimated, tokens, kinds, quantities, rates, amounts
FROM ledger ORDER BY started_at, call_id, line
"""
CALLS = """
SELECT call_id::text AS id, tenant_id::text AS tenant, department_id::text AS department,
    application_id::text AS application, user_id::text AS "user", key_id::text AS key, model,
    started_at, amount_nano AS nano, estimated, status, http_status, stream,
    input_tokens + output_tokens AS tokens, error_code, attempts
FROM calls ORDER BY started_at, call_id
"""
EVENTS = "SELECT tenant_id::text AS tenant, seq, at, type, body, leaf FROM events ORDER BY tenant_id, seq"
HEADS = "SELECT tenant_id::text AS tenant, next_seq FROM event_heads"
INTENTS = "SELECT count(*) FROM intents"
SHARED = ("id", "tenant", "department", "application", "user", "key", "model", "nano", "estimated", "tokens")


@dataclass(frozen=True, slots=True)
class Books:
    """All that was written of calls."""

    entries: list[Any]
    """The ledger's: one for each call, and one for each lost attempt."""
    calls: list[Any]
    events: list[Any]
    heads: dict[str, int]
    intents: int

    @property
    def spent(self) -> int:
        """The ledger's sum."""
        return sum(row["nano"] for row in self.entries)

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """The ledger by call: what all entries of one came to."""
        found: dict[str, dict[str, Any]] = {}
        for row in self.entries:
            if row["line"] == 0:
                found[row["id"]] = dict(row)
            else:
                found[row["id"]]["nano"] += row["nano"]
                found[row["id"]]["estimated"] |= row["estimated"]
        return list(found.values())

    def spent_for(self, rule: BudgetRule, subject: str, start_ns: int, end_ns: int) -> int:
        """What a budget must have counted: the ledger's rows of its subject, model and window."""
        column = rule.subject.kind
        return sum(
            row["nano"]
            for row in self.entries
            if row[column] == subject
            and (rule.model is None or row["model"] == rule.model)
            and start_ns <= to_ns(row["started_at"]) < end_ns
        )


async def quiet(house: House) -> None:
    """Return when no call is running any more and everything is written."""
    parts = house.parts
    # A server learns that a caller has left from the next turn of its loop.
    await eventually(lambda: not parts.meter_book.holds and not parts.data_plane.running)
    await asyncio.wait_for(parts.writer.flush(), 30)


async def read_books(house: House) -> Books:
    """Read the tables as the platform's operator, who sees all tenants."""
    async with house.unit() as unit:
        return Books(
            entries=await unit.fetch(ENTRIES),
            calls=await unit.fetch(CALLS),
            events=await unit.fetch(EVENTS),
            heads={row["tenant"]: row["next_seq"] for row in await unit.fetch(HEADS)},
            intents=await unit.fetch_value(INTENTS),
        )


async def balanced_books(house: House) -> Books:
    """Wait until nothing runs, and check everything that must hold then. Returns the books for further questions."""
    await quiet(house)
    books = await read_books(house)
    nothing_is_held(house)
    each_call_is_written_once(books)
    logs_are_well_formed(books)
    assert books.intents == 0
    return books


def nothing_is_held(house: House) -> None:
    """No money is held, and no call counts as running."""
    for meter in house.parts.meter_book._meters.values():
        if isinstance(meter, BudgetMeter):
            assert meter.held == 0, meter.rule
            assert meter.spent >= 0, meter.rule
        elif isinstance(meter, ConcurrencyMeter):
            assert meter.active == 0, meter.rule
        else:
            assert meter.total >= 0, meter.rule


def each_call_is_written_once(books: Books) -> None:
    """An entry in the ledger, a record and an event for each call, and the same in all three; entries add up."""
    assert len({(row["id"], row["line"]) for row in books.entries}) == len(books.entries)
    for row in books.entries:
        assert sum(row["amounts"]) == row["nano"]
        for quantity, rate, amount in zip(row["quantities"], row["rates"], row["amounts"], strict=True):
            assert 0 <= amount - quantity * rate // 1_000_000 <= 1
    posted = {row["id"]: tuple(row[name] for name in SHARED) for row in books.ledger}
    recorded = {row["id"]: tuple(row[name] for name in SHARED) for row in books.calls}
    assert len(posted) == len(books.ledger)
    assert len(recorded) == len(books.calls)
    assert posted == recorded
    told = [json.loads(row["body"]) for row in books.events if row["type"] in {"CallSettled", "CallRefused"}]
    assert not [name for name, count in Counter(event["data"]["id"] for event in told).items() if count > 1]
    costs = {event["data"]["id"]: (event["tenant"], event["data"]["cost_nano"]) for event in told}
    assert costs == {row["id"]: (row["tenant"], row["nano"]) for row in books.ledger}
    refused = {event["data"]["id"] for event in told if event["type"] == "CallRefused"}
    assert refused == {row["id"] for row in books.calls if row["status"] == "refused"}
    assert all(row["nano"] == 0 for row in books.calls if row["status"] == "refused")


def logs_are_well_formed(books: Books) -> None:
    """Each tenant's log counts from 0 without a gap, and each leaf is the hash of its event."""
    expected: Counter[str] = Counter()
    for row in books.events:
        assert row["seq"] == expected[row["tenant"]]
        expected[row["tenant"]] += 1
        body = row["body"].encode()
        assert bytes(row["leaf"]) == hashlib.sha256(b"\x00" + body).digest()
        content = json.loads(body)
        assert (content["tenant"], content["type"]) == (row["tenant"], row["type"])
    assert {tenant: count for tenant, count in books.heads.items() if count} == dict(expected)
