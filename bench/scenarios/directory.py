"""What a process knows of 10,000 tenants with 100,000 keys: loading it, its memory, looking a key up, and one change."""

import asyncio
import logging
import multiprocessing
import os
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import structlog

from bench.machine import resident
from bench.report import Row, at_most
from bench.session import Session
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.core.clock import SystemClock
from enfilade.storage.address import Address
from enfilade.storage.embedded.supervisor import EmbeddedPostgres

FEW, MANY = 100, 10_000
KEYS_EACH = 10
BUSY_TENANTS = 100
ROUNDS = 20
CHANGES = 5
TICK_S = 0.001
MIB = 1 << 20

TENANTS = """
INSERT INTO enfilade.tenants (id, name)
SELECT ('10000000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, 'tenant-' || n FROM generate_series(1, $1) n
"""
REVISIONS = """
INSERT INTO enfilade.tenant_revisions (tenant_id, revision)
SELECT id, 1 FROM enfilade.tenants ON CONFLICT DO NOTHING
"""
DEPARTMENTS = """
INSERT INTO enfilade_shared.departments (tenant_id, id, name) SELECT id, id, 'all' FROM enfilade.tenants
WHERE name LIKE 'tenant-%'
"""
APPLICATIONS = """
INSERT INTO enfilade_shared.applications (tenant_id, id, name, department_id)
SELECT id, id, 'app', id FROM enfilade.tenants WHERE name LIKE 'tenant-%'
"""
KEYS = """
INSERT INTO enfilade_shared.keys (tenant_id, id, name, application_id)
SELECT t.id, ('20000000-' || lpad(to_hex(k), 4, '0') || '-7000-8000-' || right(t.id::text, 12))::uuid, 'key-' || k, t.id
FROM enfilade.tenants t CROSS JOIN generate_series(1, $1) k WHERE t.name LIKE 'tenant-%'
"""
SECRETS = """
INSERT INTO enfilade_shared.key_secrets (tenant_id, key_id, digest, hint)
SELECT k.tenant_id, k.id, sha256(convert_to(t.name || '/' || k.name, 'UTF8')), 'hint'
FROM enfilade_shared.keys k JOIN enfilade.tenants t ON t.id = k.tenant_id WHERE t.name LIKE 'tenant-%'
"""


@dataclass(frozen=True, slots=True)
class Figures:
    """What was found with so many tenants."""

    start_s: float
    blocked_ms: float
    grown_bytes: int
    look_up_us: float
    change_ms: float


def run(session: Session) -> list[Row]:
    """Measure with few tenants and with many, each in a process of its own."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    many = 1_000 if session.options.quick else MANY
    found = {count: _measured(count) for count in (FEW, many)}
    few, most = found[FEW], found[many]
    label = f"{many:,} tenants, {many * KEYS_EACH:,} keys"
    return [
        Row("directory", f"start: {label}", most.start_s, "s", at_most(5), note=f"{FEW} tenants: {few.start_s:.2f} s"),
        Row("directory", "memory it takes", most.grown_bytes / MIB, "MiB", at_most(300)),
        Row(
            "directory",
            "longest stop of the loop",
            most.blocked_ms,
            "ms",
            note=f"{FEW} tenants: {few.blocked_ms:.0f} ms",
        ),
        Row(
            "directory",
            "look-up of a key",
            most.look_up_us,
            "µs",
            at_most(max(few.look_up_us * 2, few.look_up_us + 1)),
            note=f"{FEW} tenants: {few.look_up_us:.2f} µs; most of it is the key's digest",
        ),
        Row(
            "directory",
            "a change of one tenant",
            most.change_ms,
            "ms",
            at_most(few.change_ms * 2),
            note=f"{FEW} tenants: {few.change_ms:.1f} ms",
        ),
    ]


def _measured(count: int) -> Figures:
    with tempfile.TemporaryDirectory(prefix="enfilade-bench-") as home, asyncio.Runner() as runner:
        return runner.run(_with_database(Path(home), count))


async def _with_database(home: Path, count: int) -> Figures:
    embedded = EmbeddedPostgres(home / "data", SystemClock())
    address = await embedded.start()
    try:
        parts = Parts(Ingredients(address, SystemClock(), master_key=bytes(32)))
        await bring_up(parts, migrates=True)
        async with parts.database.owner() as owner:
            await owner.execute(TENANTS.replace("$1", str(count)))
            for statement in (REVISIONS, DEPARTMENTS, APPLICATIONS, KEYS.replace("$1", str(KEYS_EACH)), SECRETS):
                await owner.execute(statement)
            await owner.execute("ANALYZE")
        await shut(parts)
        context = multiprocessing.get_context("spawn")
        answers = context.SimpleQueue()
        child = context.Process(target=_child, args=(address, count, answers))
        child.start()
        found: Figures = await asyncio.to_thread(answers.get)
        child.join()
        return found
    finally:
        await embedded.stop()


def _child(address: Address, count: int, answers: "multiprocessing.SimpleQueue[Figures]") -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    answers.put(asyncio.run(_figures(address, count)))


async def _figures(address: Address, count: int) -> Figures:
    parts = Parts(Ingredients(address, SystemClock(), master_key=bytes(32)))
    before = resident(os.getpid())
    stops: list[float] = []
    watch = asyncio.create_task(_watch(stops))
    began = time.perf_counter()
    await bring_up(parts, migrates=False)
    start_s = time.perf_counter() - began
    await asyncio.sleep(0)
    watch.cancel()
    grown = resident(os.getpid()) - before
    look_up_us = min(_look_up(parts, count) for _ in range(3))
    changes = [await _change(parts, number) for number in range(1, CHANGES + 1)]
    await shut(parts)
    return Figures(start_s, max(stops, default=0) * 1000, grown, look_up_us, median(changes))


async def _watch(stops: list[float]) -> None:
    while True:
        began = time.perf_counter()
        await asyncio.sleep(TICK_S)
        stops.append(time.perf_counter() - began - TICK_S)


def _look_up(parts: Parts, count: int) -> float:
    # As many different ones of few tenants as of many: what the processor's caches hold is not what is compared.
    spread = [(n * count // BUSY_TENANTS + 1, k + 1) for n in range(BUSY_TENANTS) for k in range(KEYS_EACH)]
    keys = [f"tenant-{tenant}/key-{key}".encode() for tenant, key in spread] * ROUNDS
    now_ns = parts.clock.now_ns()
    authenticate = parts.principals.authenticate
    began = time.perf_counter()
    for key in keys:
        authenticate(key, None, now_ns)
    return (time.perf_counter() - began) / len(keys) * 1e6


async def _change(parts: Parts, number: int) -> float:
    tenant = f"10000000-0000-7000-8000-{number:012x}"
    async with parts.database.owner() as owner, owner.transaction():
        revision = await owner.fetchval(
            "UPDATE enfilade.revision_counter SET revision = revision + 1 RETURNING revision"
        )
        mark = "UPDATE enfilade.tenant_revisions SET revision = $1 WHERE tenant_id = $2"
        await owner.execute(mark, revision, tenant)
    began = time.perf_counter()
    assert await parts.directory.refresh()
    return (time.perf_counter() - began) * 1000
