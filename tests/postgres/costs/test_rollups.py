"""Roll-ups say what the ledger and the calls say: whatever is posted, whenever it commits, wherever the job is killed."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.spend.latency import BOUNDS_US, PLACES
from enfilade.costs.spend.measures import MEASURES
from enfilade.costs.spend.report import Question
from enfilade.costs.spend.rollups import RollUps, request_rebuild
from enfilade.storage.address import APP, OPERATOR, WRITER
from tests.postgres.costs.spend_oracle import SETTLE, YEAR, Oracle, answered, ask, contents, post, read, settlement
from tests.support.parts import NOON, make_tenant, new_ids, turns_of, unit_in

TABLES = ("spend_hours", "spend_days", "spend_months", "spend_metadata")
ZONES = ("Europe/Vienna", "Asia/Kathmandu", "America/New_York", "Australia/Lord_Howe", "America/Havana")
EDGES = [
    datetime(2026, 3, 29, 1, tzinfo=UTC),  # Vienna's clocks go forward
    datetime(2026, 10, 25, 1, tzinfo=UTC),  # and back
    datetime(2026, 11, 1, 5, tzinfo=UTC),  # Havana has midnight twice, at the month's beginning
    datetime(2026, 11, 1, 6, tzinfo=UTC),  # New York's clocks go back
    datetime(2026, 4, 4, 15, tzinfo=UTC),  # Lord Howe's clocks go back by half an hour
    datetime(2026, 10, 31, 18, 15, tzinfo=UTC),  # November begins in Kathmandu
    datetime(2026, 12, 31, 23, tzinfo=UTC),
    datetime(2027, 1, 1, 5, tzinfo=UTC),
]
GROUPINGS: list[tuple[str, ...]] = [
    (),
    *((by,) for by in ("tenant", "department", "application", "user", "key", "model", "provider", "deployment")),
    *((by,) for by in ("region", "use_case", "prompt", "hour", "day", "week", "month", "quarter", "metadata:team")),
    *(
        ("application", "day"),
        ("month", "model"),
        ("tenant", "hour"),
        ("metadata:team", "week"),
        ("model", "metadata:team"),
    ),
]

SOME: list[tuple[str, ...]] = [("tenant", "hour"), ("model", "month"), ("metadata:team",)]


@pytest.fixture
async def tenants(parts: Parts) -> dict[str, str]:
    """Tenants' ids, with their time zones."""
    return {(await make_tenant(parts, f"t{n}", time_zone=zone)).id: zone for n, zone in enumerate(ZONES)}


@pytest.fixture
async def roll_ups(parts: Parts) -> RollUps:
    """The job, in batches so small that there are many."""
    return RollUps(
        parts.storage,
        parts.clock,
        turns_of(parts),
        lambda: {t.id: t.spec.time_zone for t in parts.principals.tenants()},
        entries_at_once=7,
    )


@pytest.fixture
async def owner(parts: Parts) -> AsyncIterator[asyncpg.Connection]:
    """A connection that sees everything."""
    async with parts.database.owner() as connection:
        yield connection


class Spender:
    """Invents calls."""

    def __init__(self, tenants: list[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.tenants = tenants
        self.subjects = new_ids(6)

    def call(self, tenant: str | None = None) -> tuple[str, str, datetime, str]:
        """A call's tenant, id and beginning, and the text that settles it."""
        chance = self.random
        tenant = tenant or chance.choice(self.tenants)
        at = chance.choice(EDGES) + timedelta(microseconds=chance.randrange(-(10**10), 10**10))
        (identifier,) = new_ids(1, at)
        status = chance.choice(["ok"] * 5 + ["refused", "failed", "cut", "abandoned", "interrupted"])
        data: dict[str, Any] = {
            **{
                noun: chance.choice([*self.subjects[:2], None]) for noun in ("department", "application", "user", "key")
            },
            **{name: chance.choice(["a", "b", None]) for name in ("region", "use_case", "prompt", "provider")},
            "model": chance.choice(["gpt", "chat", None]),
            "status": status,
            "cached": chance.random() < 0.2,
            "stream": chance.random() < 0.5,
            "estimated": chance.random() < 0.2,
            "latency_us": int(10 ** chance.uniform(2, 9.2)),
            "first_byte_us": chance.choice([None, int(10 ** chance.uniform(2, 7))]),
            "metadata": chance.choice([None, {}, {"team": chance.choice(["red", "blue"]), "n": chance.randrange(3)}]),
            **self._money(),
        }
        if chance.random() < 0.2:
            lost = [{"attempt": n, "model": "gpt", "provider": "c", "tokens": 3, **self._money()} for n in (1, 2)]
            data |= {"lost": lost, "lost_nano": sum(attempt["cost_nano"] for attempt in lost)}
            data["cost_nano"] += data["lost_nano"]
        return tenant, identifier, at, settlement(tenant, identifier, at, **data)

    def _money(self) -> dict[str, Any]:
        kinds = self.random.sample(KINDS, self.random.randrange(4))
        amounts = [self.random.randrange(10**6) for _ in kinds]
        cost = sum(amounts)
        return {
            "kinds": kinds,
            "quantities": [self.random.randrange(1, 10**4) for _ in kinds],
            "rates": [1] * len(kinds),
            "amounts": amounts,
            "cost_nano": cost,
            "provider_nano": cost // 2,
            "list_nano": cost * 2,
            "saved_nano": self.random.choice([0, 5]),
            "could_save_nano": self.random.choice([0, 7]),
            "overrun_nano": self.random.choice([0, 11]),
        }


async def correct(parts: Parts, tenant: str, identifier: str, at: datetime, **more: Any) -> None:
    """Correct a call's line 0."""
    body = {"call_id": identifier, "started_at": at.isoformat(), "posted_at": NOON.isoformat(), "corrects": 0}
    body |= {"amount_nano": -3, "provider_nano": -2, "source": "manual", "reason": "a test", "list_nano": -1, **more}
    connection = await parts.database.connect(APP)
    try:
        await connection.execute("SET search_path = enfilade_shared, enfilade")
        await connection.execute("SELECT set_config('enfilade.tenant', $1, false)", tenant)
        await connection.execute("SELECT post_correction($1)", json.dumps(body))
    finally:
        await connection.close()


async def agree(parts: Parts, zones: dict[str, str], groupings: list[tuple[str, ...]] = SOME) -> Oracle:
    """Fail unless every report says what the ledger says."""
    oracle = await read(parts, zones)
    for group_by in groupings:
        question = Question(*YEAR, group_by=group_by, zones=zones, limit=1000)
        assert answered(await ask(parts, question)) == (oracle.answer(question) if group_by else {}), group_by
    return oracle


@pytest.mark.parametrize("seed", [2])
async def test_reports_say_what_the_ledger_says_whatever_is_posted_and_rolled_up_meanwhile(
    parts: Parts, tenants: dict[str, str], roll_ups: RollUps, owner: asyncpg.Connection, seed: int
) -> None:
    # Calls of one tenant are settled one transaction after the other: whoever is late has a tenant of its own.
    *others, last = tenants
    spender = Spender(others, seed)
    known = []
    late = await parts.database.connect(WRITER)
    await late.execute("SET search_path = enfilade_shared, enfilade")
    for _ in range(4):
        rest = [spender.call() for _ in range(spender.random.randrange(5, 30))]
        # It gets its number before the others, and commits after the job has seen them.
        transaction = late.transaction()
        await transaction.start()
        await late.execute(SETTLE, [spender.call(last)[3]])
        await post(parts, *(call[3] for call in rest))
        known += rest
        for tenant, identifier, at, _text in spender.random.sample(known, 2):
            await correct(parts, tenant, identifier, at, model=spender.random.choice([None, "gpt"]))
        await roll_ups.catch_up()
        await agree(parts, tenants, spender.random.sample(GROUPINGS, 2))
        await (transaction.commit() if spender.random.random() < 0.8 else transaction.rollback())
        await agree(parts, tenants, spender.random.sample(GROUPINGS, 2))
    await late.close()
    await agree(parts, tenants, GROUPINGS)
    assert await roll_ups.catch_up() > 0
    await agree(parts, tenants, GROUPINGS)
    await _grains_agree(owner)
    before = {table: await contents(owner, table) for table in TABLES}
    async with unit_in(parts) as unit:
        assert await request_rebuild(unit, None) == len(tenants)
    await roll_ups.catch_up()
    assert before == {table: await contents(owner, table) for table in TABLES}


async def _grains_agree(owner: asyncpg.Connection) -> None:
    summed = ", ".join(f"sum({name})" for name in MEASURES)
    hours, days, months = [
        await owner.fetchrow(f"SELECT {summed} FROM enfilade_shared.{table}") for table in TABLES[:3]
    ]
    assert tuple(hours) == tuple(days) == tuple(months)
    assert hours[1] > 0


PERIODS = [
    ("2026-10-25T00:00:00+02:00", "2026-10-26T00:00:00+01:00"),
    ("2026-10-25T00:30:00Z", "2026-10-25T01:10:00Z"),
    ("2026-03-28T22:59:00Z", "2026-11-01T05:30:00Z"),
    ("2026-11-01T04:00:00Z", "2026-11-01T05:00:00Z"),
    ("2026-11-01T05:00:00Z", "2026-11-02T05:00:00Z"),
    ("2026-04-01T00:00:00Z", "2026-11-30T23:59:59Z"),
    ("2026-10-31T18:15:00Z", "2026-12-31T18:15:00Z"),
    ("2026-12-31T23:00:00Z", "2027-01-01T00:00:00Z"),
]


async def test_a_period_is_put_together_of_months_days_and_hours_and_nothing_twice(
    parts: Parts, tenants: dict[str, str], roll_ups: RollUps
) -> None:
    spender = Spender(list(tenants), 3)
    await post(parts, *(spender.call()[3] for _ in range(150)))
    await roll_ups.catch_up()
    await post(parts, *(spender.call()[3] for _ in range(20)))
    oracle = await read(parts, tenants)
    for start, end in PERIODS:
        period = (datetime.fromisoformat(start), datetime.fromisoformat(end))
        for group_by in (("tenant",), ("week",), ("tenant", "hour"), ("metadata:team",)):
            question = Question(*period, group_by=group_by, zones=tenants)
            assert answered(await ask(parts, question)) == oracle.answer(question), (start, end, group_by)


async def test_the_job_may_be_killed_anywhere(
    parts: Parts, tenants: dict[str, str], roll_ups: RollUps, owner: asyncpg.Connection
) -> None:
    spender = Spender(list(tenants), 4)
    for _ in range(4):
        await post(parts, *(spender.call()[3] for _ in range(10)))
    job = await parts.database.connect(OPERATOR)
    await job.execute("SET search_path = enfilade_shared, enfilade")
    zones = (list(tenants), list(tenants.values()))
    await job.execute("SELECT roll_up_spend($1, $2, $3, 7, 100)", NOON, *zones)
    done = await owner.fetchval("SELECT watermark FROM enfilade_shared.spend_progress")
    await job.execute("BEGIN")
    await job.execute("SELECT roll_up_spend($1, $2, $3, 1000, 100)", NOON, *zones)
    # While it is at work, others leave it alone, and read what was there before.
    assert await roll_ups.catch_up() == 0
    await owner.execute("SELECT pg_terminate_backend($1, 5000)", job.get_server_pid())
    assert await owner.fetchval("SELECT watermark FROM enfilade_shared.spend_progress") == done
    await agree(parts, tenants, [("tenant", "day")])
    await roll_ups.catch_up()
    await agree(parts, tenants)
    await _grains_agree(owner)
    await job.close()


async def test_several_processes_roll_up_what_is_posted_once(
    parts: Parts, tenants: dict[str, str], roll_ups: RollUps, owner: asyncpg.Connection
) -> None:
    spender = Spender(list(tenants), 5)
    others = [RollUps(parts.storage, parts.clock, turns_of(parts), dict, entries_at_once=5) for _ in range(3)]
    for _ in range(5):
        await asyncio.gather(
            post(parts, *(spender.call()[3] for _ in range(12))), *(other.catch_up() for other in (roll_ups, *others))
        )
    await roll_ups.catch_up()
    await agree(parts, tenants, [("tenant", "day"), ("model",)])
    await _grains_agree(owner)


async def test_a_tenant_that_moves_to_another_time_zone_has_other_days(
    parts: Parts, tenants: dict[str, str], roll_ups: RollUps
) -> None:
    spender = Spender(list(tenants), 6)
    await post(parts, *(spender.call()[3] for _ in range(80)))
    await roll_ups.catch_up()
    moved = {tenant: ZONES[number - 1] for number, tenant in enumerate(tenants)}
    there = RollUps(parts.storage, parts.clock, turns_of(parts), lambda: moved)
    await there.catch_up()
    await agree(parts, moved)
    await post(parts, *(spender.call()[3] for _ in range(20)))
    await there.catch_up()
    await agree(parts, moved)


async def test_roll_ups_that_were_spoilt_are_right_after_they_were_made_anew(
    parts: Parts, tenants: dict[str, str], roll_ups: RollUps, owner: asyncpg.Connection
) -> None:
    spender = Spender(list(tenants), 7)
    await post(parts, *(spender.call()[3] for _ in range(60)))
    await roll_ups.catch_up()
    for table in TABLES:
        await owner.execute(f"UPDATE enfilade_shared.{table} SET calls = 1000, tokens = 5")
        later = "bucket + interval '40 days'"
        await owner.execute(f"UPDATE enfilade_shared.{table} SET bucket = {later} WHERE place < '\\x40'")
    one = next(iter(tenants))
    async with unit_in(parts) as unit:
        assert await request_rebuild(unit, one) == 1
    await roll_ups.catch_up()
    oracle = await read(parts, tenants)
    question = Question(*YEAR, tenant=one, group_by=("day",), zones=tenants)
    assert answered(await ask(parts, question)) == oracle.answer(question)
    async with unit_in(parts) as unit:
        await request_rebuild(unit, None)
    await roll_ups.catch_up()
    await agree(parts, tenants)


async def test_a_database_that_was_moved_to_another_server_is_rolled_up_anew(
    parts: Parts, tenants: dict[str, str], roll_ups: RollUps, owner: asyncpg.Connection
) -> None:
    spender = Spender(list(tenants), 8)
    await post(parts, *(spender.call()[3] for _ in range(40)))
    await roll_ups.catch_up()
    # The old server was further on: its numbers mean nothing here.
    for table in ("ledger", "calls"):
        await owner.execute(f"UPDATE enfilade_shared.{table} SET posted_xact = posted_xact + 1000000000")
    await owner.execute(
        "UPDATE enfilade_shared.spend_progress SET server = 'another', watermark = watermark + 1000000000"
    )
    await post(parts, *(spender.call()[3] for _ in range(10)))
    await agree(parts, tenants, [("tenant", "day")])
    await roll_ups.catch_up()
    await agree(parts, tenants)
    await post(parts, *(spender.call()[3] for _ in range(10)))
    assert await roll_ups.catch_up() > 0
    await agree(parts, tenants)


async def test_what_callers_invent_does_not_grow_without_end(parts: Parts, owner: asyncpg.Connection) -> None:
    tenant = (await make_tenant(parts, "inventive")).id
    few = RollUps(parts.storage, parts.clock, turns_of(parts), dict, values_a_day=30)
    for batch in range(4):
        texts = []
        for number in range(20):
            names = {f"n{batch}-{number}-{n:02}": "x" * 300 for n in range(10)}
            (identifier,) = new_ids(1)
            texts.append(settlement(tenant, identifier, NOON, metadata={"run": f"{batch}/{number}", **names}))
        await post(parts, *texts)
        await few.catch_up()
    rows = await owner.fetch("SELECT key, value, calls FROM enfilade_shared.spend_metadata")
    assert sum(row["calls"] for row in rows) == 80 * 8  # the first eight names of each
    assert len(rows) <= 30 + 4
    assert max(len(row["value"]) for row in rows) == 100
    assert len({row["key"] for row in rows}) <= 4
    assert sum(row["calls"] for row in rows if row["key"] == "(other)") > 80 * 6


async def test_values_beyond_a_days_number_are_counted_together_under_their_name(
    parts: Parts, owner: asyncpg.Connection
) -> None:
    tenant = (await make_tenant(parts, "inventive")).id
    few = RollUps(parts.storage, parts.clock, turns_of(parts), dict, values_a_day=10)
    for batch in range(3):
        texts = []
        for number in range(8):
            (identifier,) = new_ids(1)
            texts.append(settlement(tenant, identifier, NOON, metadata={"run": f"{batch}/{number}"}))
        await post(parts, *texts)
        await few.catch_up()
    report = await ask(parts, Question(*YEAR, tenant=tenant, group_by=("metadata:run",)))
    found = {group.keys[0]: group.sums.calls for group in report.groups}
    assert found.pop("(other)") == 24 - len(found)
    assert set(found.values()) == {1}
    assert len(found) == 10
    assert report.total.calls == 24


async def test_the_database_counts_durations_in_the_same_places(owner: asyncpg.Connection) -> None:
    durations = [0, *(bound + step for bound in BOUNDS_US for step in (-1, 0, 1)), 10**12]
    found = [await owner.fetchval("SELECT enfilade_shared.latency_place($1)", duration) for duration in durations]
    assert found == [sum(bound <= duration for bound in BOUNDS_US) for duration in durations]
    assert max(found) == PLACES - 1
    assert await owner.fetchval("SELECT enfilade_shared.latency_place(NULL)") is None


async def test_every_roll_up_has_every_measure(owner: asyncpg.Connection) -> None:
    for table in TABLES:
        columns = await owner.fetch(
            "SELECT column_name FROM information_schema.columns WHERE table_name = $1 ORDER BY ordinal_position", table
        )
        assert tuple(row["column_name"] for row in columns)[-len(MEASURES) :] == MEASURES
