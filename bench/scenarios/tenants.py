"""Making tenants of each isolation, and moving one with many calls, in an embedded database."""

import asyncio
import logging
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import msgspec
import structlog

from bench.report import Row, at_most
from bench.session import Session
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.core.clock import SystemClock, to_rfc3339
from enfilade.core.ids import IdFactory
from enfilade.gateway.records import SETTLED, CallData, CallEvent
from enfilade.identity.moves import MoveRunner
from enfilade.identity.scopes import system_scope
from enfilade.identity.types import TenantSpec
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.moving.mover import Mover
from enfilade.storage.moving.registry import Move

GOALS_MS = {"row": 50, "schema": 500, "database": 2_000}
MADE = 5
CALLS_AT_ONCE = 2_000
LONGEST_WAIT_MS = 1_000


@dataclass(frozen=True, slots=True)
class Moved:
    """A move, and how long it took."""

    move: Move
    seconds: float


def run(session: Session) -> list[Row]:
    """Measure."""
    # What migrations say would stand between the lines of the report.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    calls = 2_000 if session.options.quick else 100_000
    with tempfile.TemporaryDirectory(prefix="enfilade-bench-") as home, asyncio.Runner() as runner:
        return runner.run(_measure(Path(home), calls))


async def _measure(home: Path, calls: int) -> list[Row]:
    clock = SystemClock()
    embedded = EmbeddedPostgres(home / "data", clock)
    address = await embedded.start()
    try:
        parts = Parts(Ingredients(address, clock, master_key=bytes(32)))
        await bring_up(parts, migrates=True)
        writing = [asyncio.ensure_future(service()) for service in (parts.writer.run, parts.writers.run)]
        try:
            rows = [await _making(parts, isolation) for isolation in GOALS_MS]
            return rows + await _moving(parts, calls)
        finally:
            for task in writing:
                task.cancel()
            await asyncio.gather(*writing, return_exceptions=True)
            await shut(parts)
    finally:
        await embedded.stop()


async def _make(parts: Parts, name: str, isolation: str) -> str:
    async with parts.storage.unit_of_work(system_scope("bench")) as unit:
        tenant, _ = await parts.identity.tenants.put(unit, TenantSpec(name, isolation))
    return tenant.id


async def _making(parts: Parts, isolation: str) -> Row:
    times = []
    for number in range(MADE):
        began = time.perf_counter()
        await _make(parts, f"{isolation}-{number}", isolation)
        times.append((time.perf_counter() - began) * 1000)
    return Row("tenants", f"making one: {isolation}", median(times), "ms", at_most(GOALS_MS[isolation]))


async def _moving(parts: Parts, calls: int) -> list[Row]:
    tenant = await _make(parts, "mover", "row")
    await parts.directory.refresh()
    for start in range(0, calls, CALLS_AT_ONCE):
        await _settle(parts, tenant, min(CALLS_AT_ONCE, calls - start))
    rows = []
    for isolation in ("schema", "database", "row"):
        moved = await _move(parts, tenant, isolation)
        label = f"moving {calls:,} calls to {isolation}"
        rows.append(Row("tenants", label, moved.seconds, "s", note=f"{moved.move.bytes / 1e6:.0f} MB carried"))
        waited = (moved.move.waited_us or 0) / 1000
        rows.append(Row("tenants", f"{label}: writes wait", waited, "ms", at_most(LONGEST_WAIT_MS)))
    return rows


async def _settle(parts: Parts, tenant: str, count: int) -> None:
    ids, writer = IdFactory(parts.clock), parts.writers.of(tenant)
    at = to_rfc3339(parts.clock.now_ns())
    futures = []
    for _ in range(count):
        identifier = ids.new_id()
        data = CallData(
            id=identifier,
            started_at=at,
            dialect="openai_chat",
            stream=False,
            status="ok",
            http_status=200,
            model="chat",
            provider="sim",
            deployment="sim/echo",
            input_tokens=10,
            cached_input_tokens=0,
            cache_write_tokens=0,
            output_tokens=5,
            reasoning_tokens=0,
            latency_us=1500,
            attempts=1,
            cached=False,
            cost_nano=20_000,
            overrun_nano=0,
            estimated=False,
        )
        event = CallEvent("key:bench", at, data, tenant, SETTLED)
        futures.append(writer.settle(identifier, msgspec.json.encode(event, order="sorted").decode()))
    await asyncio.gather(*futures)


async def _move(parts: Parts, tenant: str, isolation: str) -> Moved:
    moves = parts.identity.moves
    mover = Mover(parts.cells, parts.cell_maker, parts.clock, grace_s=0)
    runner = MoveRunner(moves, mover, parts.storage, parts.database, parts.clock)
    began = time.perf_counter()
    async with parts.storage.unit_of_work(system_scope("bench")) as unit:
        found = await parts.identity.tenants.get(unit, tenant)
        started = await moves.start(unit, found, isolation, None)
    await runner.drive(started.id)
    seconds = time.perf_counter() - began
    async with parts.storage.unit_of_work(system_scope("bench"), readonly=True) as unit:
        return Moved(await moves.get(unit, started.id), seconds)
