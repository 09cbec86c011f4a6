"""Monthly partitions: made ahead of time, by several processes at once, and filled from the default partition."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime

import pytest

from enfilade.bootstrap.compose import Parts
from enfilade.core.clock import ManualClock, to_ns
from enfilade.identity.scopes import tenant_scope
from enfilade.storage import partitions as of_partitions
from enfilade.storage.address import Address
from enfilade.storage.cells import CellDirectory
from enfilade.storage.database import Database
from enfilade.storage.diagnosis import diagnose
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.storage.partitions import CHECK_EVERY_S, PARTITIONED, Partitions, months_from
from tests.support.parts import call_event, make_tenant, new_ids, open_parts, service
from tests.support.waiting import eventually

NEW_YEAR = datetime(2031, 12, 31, 23, 59, 58, tzinfo=UTC)
WHERE_IS = "SELECT tableoid::regclass::text FROM {table} WHERE {column} = $1"
CHILDREN = """
SELECT c.relname, pg_get_expr(c.relpartbound, c.oid) AS bounds, c.relrowsecurity AND c.relforcerowsecurity AS guarded
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass($3 || '.' || $1) AND c.relname LIKE $2 ORDER BY 1
"""
SHARED = "enfilade_shared"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(NEW_YEAR)


@pytest.fixture
async def parts(database: Address, clock: ManualClock) -> AsyncIterator[Parts]:
    async with open_parts(database, clock) as opened:
        yield opened


def test_months_go_over_the_turn_of_the_year() -> None:
    assert months_from(date(2031, 11, 30), 2) == [date(2031, 11, 1), date(2031, 12, 1), date(2032, 1, 1)]


async def test_this_month_and_the_next_two_are_there_guarded_and_without_gaps(parts: Parts) -> None:
    async with parts.database.owner() as owner:
        for table in PARTITIONED:
            rows = {row["relname"]: row for row in await owner.fetch(CHILDREN, table, f"{table}_203%", SHARED)}
            assert sorted(rows) == [f"{table}_203112", f"{table}_203201", f"{table}_203202"]
            assert all(row["guarded"] for row in rows.values())
            bounds = rows[f"{table}_203112"]["bounds"]
            assert bounds == "FOR VALUES FROM ('2031-12-01 00:00:00+00') TO ('2032-01-01 00:00:00+00')"
    assert await parts.partitions.ensure() == 0


async def test_processes_that_look_at_the_same_time_make_each_partition_once(database: Address) -> None:
    databases = [Database(database) for _ in range(4)]
    made = await asyncio.gather(
        *(Partitions(CellDirectory(each), ManualClock(NEW_YEAR)).ensure() for each in databases)
    )
    assert sum(made) == 9


async def test_a_process_that_runs_for_months_makes_the_next_ones(parts: Parts, clock: ManualClock) -> None:
    async with service(parts.partitions.run), parts.database.owner() as owner:
        clock.advance(0)
        await eventually(lambda: clock.next_wake() is not None)
        clock.jump(3 * 31 * 86_400)
        clock.advance(CHECK_EVERY_S)

        async def there() -> bool:
            return bool(await owner.fetchval("SELECT to_regclass('enfilade_shared.events_203206') IS NOT NULL"))

        await eventually(there)


async def test_the_database_being_away_does_not_end_the_watch(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[str] = []
    really = parts.partitions.ensure

    async def ensure() -> int:
        looks.append("look")
        if len(looks) == 1:
            async with parts.database.owner() as owner:
                await owner.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        return await really()

    monkeypatch.setattr(parts.partitions, "ensure", ensure)
    async with service(parts.partitions.run):
        for expected in (1, 2):
            await eventually(lambda: clock.next_wake() is not None)
            clock.advance(CHECK_EVERY_S)
            await eventually(lambda n=expected: len(looks) == n)  # type: ignore[misc]


async def test_a_connection_lost_under_the_owners_work_says_that_the_database_is_away(parts: Parts) -> None:
    with pytest.raises(DatabaseUnavailable):
        async with parts.database.owner() as owner:
            await owner.execute("SELECT pg_terminate_backend(pg_backend_pid())")


async def test_a_call_over_midnight_of_the_month_is_kept_by_its_beginning(parts: Parts) -> None:
    tenant = await make_tenant(parts, "acme")
    before = NEW_YEAR
    after = datetime(2032, 1, 1, tzinfo=UTC)
    ids = [*new_ids(1, before), *new_ids(1, after)]
    for identifier, moment in zip(ids, (before, after), strict=True):
        await parts.writer.settle(identifier, call_event(tenant.id, identifier, moment))
    async with parts.database.owner() as owner:
        await owner.execute("SET search_path = enfilade_shared")
        for table in ("calls", "ledger"):
            statement = WHERE_IS.format(table=table, column="call_id")
            assert [await owner.fetchval(statement, identifier) for identifier in ids] == [
                f"{table}_203112",
                f"{table}_203201",
            ]


async def test_rows_that_came_before_their_partition_move_into_it(parts: Parts, clock: ManualClock) -> None:
    tenant = await make_tenant(parts, "acme")
    far = datetime(2035, 5, 5, tzinfo=UTC)
    (identifier,) = new_ids(1, far)
    body = call_event(tenant.id, identifier, far)
    await parts.writer.settle(identifier, body)
    places = {"calls": "call_id", "ledger": "call_id", "events": "body"}

    async with parts.database.owner() as owner:
        await owner.execute("SET search_path = enfilade_shared")

        async def located() -> set[str]:
            return {
                await owner.fetchval(
                    WHERE_IS.format(table=table, column=column), identifier if column == "call_id" else body
                )
                for table, column in places.items()
            }

        assert await located() == {"calls_default", "ledger_default", "events_default"}
        clock.jump((to_ns(far) - clock.now_ns()) // 1_000_000_000)
        await parts.partitions.ensure()
        assert await located() == {"calls_203505", "ledger_203505", "events_203505"}

    # Once more, from a writer that does not know: still one row each, and the tenant still sees them.
    await parts.writer.settle(identifier, body)
    async with parts.storage.unit_of_work(tenant_scope(tenant.id, "test"), readonly=True) as unit:
        for table in ("calls", "ledger"):
            assert await unit.fetch_value(f"SELECT count(*) FROM {table}") == 1
        assert await unit.fetch_value("SELECT count(*) FROM events WHERE type = 'CallSettled'") == 1


async def test_the_doctor_notices_a_missing_partition_and_a_table_without_guard(parts: Parts) -> None:
    async with parts.database.owner() as owner:
        month = await owner.fetchval("SELECT to_char(now() AT TIME ZONE 'UTC', 'YYYYMM')")
        for table in PARTITIONED:
            await owner.execute(f"DROP TABLE IF EXISTS enfilade_shared.{table}_{month}")
        await owner.execute("ALTER TABLE enfilade_shared.users NO FORCE ROW LEVEL SECURITY")
    findings = {(level, subject): text for level, subject, text, _ in (await diagnose(parts.database)).findings}
    assert findings["warning", "partitions"].startswith("calls, events, ledger have none for this month")
    assert "enfilade_shared.users" in findings["fault", "isolation"]


async def _settled(parts: Parts, tenant: str, moment: datetime) -> str:
    (identifier,) = new_ids(1, moment)
    await parts.writers.of(tenant).settle(identifier, call_event(tenant, identifier, moment))
    return identifier


async def test_a_schema_has_months_once_it_has_grown(
    parts: Parts, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = await make_tenant(parts, "acme", isolation="schema")
    schema = parts.cells.of(tenant.id).schema
    monkeypatch.setattr(of_partitions, "GROWN_BYTES", 16 << 10)

    async def months(table: str) -> list[str]:
        async with parts.database.owner() as owner:
            rows = await owner.fetch(CHILDREN, table, f"{table}_2%", f'"{schema}"')
            assert all(row["guarded"] for row in rows)
            return [row["relname"].removeprefix(f"{table}_") for row in rows]

    await _settled(parts, tenant.id, NEW_YEAR)
    assert await parts.partitions.ensure() == 0, "one call is no reason"
    assert [await months(table) for table in PARTITIONED] == [[], [], []]

    monkeypatch.setattr(of_partitions, "GROWN_BYTES", 8 << 10)
    assert await parts.partitions.ensure() == 6
    assert [await months(table) for table in PARTITIONED] == [["203201", "203202"]] * 3
    clock.jump(86_400)
    identifier = await _settled(parts, tenant.id, datetime(2032, 1, 1, 12, tzinfo=UTC))
    monkeypatch.setattr(of_partitions, "GROWN_BYTES", 1 << 30)
    async with parts.database.owner() as owner:
        await owner.execute(f'SET search_path = "{schema}"')
        statement = WHERE_IS.format(table="calls", column="call_id")
        assert await owner.fetchval(statement, identifier) == "calls_203201"
    # What has months goes on having them, however small its default partition is; shared tables always do.
    assert await parts.partitions.ensure() == 3 + 3
    assert await months("calls") == ["203201", "203202", "203203"]
    async with parts.storage.unit_of_work(tenant_scope(tenant.id, "test"), readonly=True) as unit:
        assert await unit.fetch_value("SELECT count(*) FROM calls") == 2
