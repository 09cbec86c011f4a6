"""Roll-ups and reports on synthetic calls, in an embedded database: so many lines a second, and a year's report as years grow.

The calls of 60 combinations of an application and a model, three lines each, are posted in transactions of their own,
as the writer does, and spread over a year (`year`) or over an hour (`busy`).
"""

import asyncio
import logging
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import structlog

from bench.report import Row, at_least, at_most
from bench.session import Session
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.core.clock import SystemClock
from enfilade.costs.spend.report import Question, report_spend
from enfilade.identity.scopes import tenant_scope
from enfilade.storage.embedded.supervisor import EmbeddedPostgres

TENANT = "00000000-0000-7000-8000-000000000001"
LINES_OF_A_CALL = 3
CALLS_OF_A_TRANSACTION = 5_000
PERIODS = {"year": 365 * 24, "busy": 1}
YEAR = (datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC))
REPORTS: tuple[tuple[str, ...], ...] = ((), ("application",), ("model", "month"), ("application", "day"), ("hour",))
FILL = f"""
WITH made AS (
    SELECT gen_random_uuid() AS id, timestamptz '2026-01-01T00:00:00Z' + $3 * interval '1 hour' * (g::float8 / $2) AS at,
           g % 10 AS app, (g / 10) % 6 AS model, g
    FROM generate_series($1::int, $1::int + $4::int - 1) g
), posted AS (
    INSERT INTO ledger (tenant_id, call_id, started_at, posted_at, posted_xact, application_id, key_id, model, provider,
                        deployment, tokens, kinds, quantities, rates, amounts, amount_nano, provider_nano, list_nano,
                        saved_nano, estimated, price)
    SELECT '{TENANT}', id, at, at, pg_current_xact_id()::text::bigint,
           ('00000000-0000-7000-8002-00000000000' || app)::uuid, ('00000000-0000-7000-8004-00000000000' || app)::uuid,
           'model-' || model, 'provider', 'provider/model-' || model, 1500, ARRAY['input', 'cached_input', 'output'],
           ARRAY[1000 + g % 7, 200, 300], ARRAY[1000000, 100000, 4000000], ARRAY[1000 + g % 7, 20, 1200], 2220 + g % 7,
           2220 + g % 7, 2220 + g % 7, 180, false, 'bench'
    FROM made
)
INSERT INTO calls (tenant_id, call_id, started_at, ended_at, posted_xact, application_id, key_id, dialect, model, provider,
                   deployment, status, http_status, stream, cached, input_tokens, cached_input_tokens,
                   cache_write_tokens, output_tokens, reasoning_tokens, amount_nano, estimated, attempts, latency_us,
                   first_byte_us)
SELECT '{TENANT}', id, at, at, pg_current_xact_id()::text::bigint,
       ('00000000-0000-7000-8002-00000000000' || app)::uuid, ('00000000-0000-7000-8004-00000000000' || app)::uuid,
       'openai_chat', 'model-' || model, 'provider', 'provider/model-' || model,
       CASE WHEN g % 50 = 0 THEN 'failed' ELSE 'ok' END, 200, g % 2 = 0, false, 1200, 200, 0, 300, 0, 2220 + g % 7, false, 1,
       100000 * (1 + g % 40), 50000 * (1 + g % 9)
FROM made
"""
SIZE = """
SELECT sum(pg_total_relation_size(c.oid))::float8 FROM pg_class c
WHERE c.relnamespace = 'enfilade_shared'::regnamespace AND c.relkind = 'r' AND c.relname LIKE $1
"""


def run(session: Session) -> list[Row]:
    """Measure; with --long up to 100 times 10^5 lines."""
    # What migrations say would stand between the lines of the report.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    sizes = [10_000] if session.options.quick else [100_000, 1_000_000, *([10_000_000] if session.options.long else [])]
    busy = 30_000 if session.options.quick else 900_000
    with tempfile.TemporaryDirectory(prefix="enfilade-bench-") as home, asyncio.Runner() as runner:
        embedded = EmbeddedPostgres(Path(home), SystemClock())
        try:
            parts = Parts(Ingredients(runner.run(embedded.start()), SystemClock()))
            return runner.run(_measure(parts, sizes, busy))
        finally:
            runner.run(embedded.stop())


async def _measure(parts: Parts, sizes: list[int], busy: int) -> list[Row]:
    rows = []
    for kind, lines in (("busy", busy), *(("year", size) for size in sizes)):
        async with _database(parts, f"bench_{kind}_{lines}") as place, place.database.owner() as owner:
            await _fill(owner, kind, lines // LINES_OF_A_CALL)
            began = time.perf_counter()
            added = await place.roll_ups.catch_up()
            rate = added * LINES_OF_A_CALL / (time.perf_counter() - began)
            if kind == "busy":
                rows.append(Row("spend", "rolled up, an hour's calls", rate, "lines/s", at_least(50_000)))
                continue
            size = await owner.fetchval(SIZE, "spend\\_%") / 1e6
            ledger = await owner.fetchval(SIZE, "ledger%") / 1e6
            note = f"{rate:,.0f} lines/s, most of them alone in their hour; the ledger has {ledger:,.0f} MB"
            rows.append(Row("spend", f"roll-ups of a year of {lines:,} lines", size, "MB", note=note))
            for group_by in REPORTS:
                milliseconds = await _report(place, group_by)
                figure = f"a year of {lines:,} lines by {' and '.join(group_by) or 'nothing'}"
                rows.append(Row("spend", figure, milliseconds, "ms", at_most(1000)))
            milliseconds = await _report(place, ("hour",), by_time=True)
            figure = f"a year of {lines:,} lines by hour, as time goes"
            rows.append(Row("spend", figure, milliseconds, "ms", at_most(1000)))
    return rows


async def _report(parts: Parts, group_by: tuple[str, ...], *, by_time: bool = False) -> float:
    times = []
    for _ in range(3):
        async with parts.storage.unit_of_work(tenant_scope(TENANT, "bench"), readonly=True) as unit:
            began = time.perf_counter()
            await report_spend(unit, Question(*YEAR, tenant=TENANT, group_by=group_by, by_time=by_time, limit=100))
            times.append((time.perf_counter() - began) * 1000)
    return sorted(times)[1]


@asynccontextmanager
async def _database(parts: Parts, name: str) -> AsyncIterator[Parts]:
    """A migrated database of its own, without partitions made ahead; it is removed afterwards."""
    address = parts.given.address
    url = urlunsplit(urlsplit(address.url)._replace(path=f"/{name}"))
    connection = await asyncpg.connect(address.url)
    await connection.execute(f"CREATE DATABASE {name}")
    place = Parts(Ingredients(replace(address, url=url), SystemClock()))
    try:
        await bring_up(place, migrates=True)
        yield place
        await shut(place)
    finally:
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
        await connection.close()


async def _fill(owner: asyncpg.Connection, kind: str, calls: int) -> None:
    await owner.execute("SET search_path = enfilade_shared; SET synchronous_commit = off")
    for table in ("ledger", "calls"):
        for month in range(1, 13):
            await owner.execute("SELECT ensure_partition($1, $2)", table, date(2026, month, 1))
    for first in range(0, calls, CALLS_OF_A_TRANSACTION):
        count = min(CALLS_OF_A_TRANSACTION, calls - first)
        await owner.execute(FILL, first, calls, PERIODS[kind], count)
    for table in ("ledger", "calls"):
        await owner.execute(f"VACUUM ANALYZE {table}")
