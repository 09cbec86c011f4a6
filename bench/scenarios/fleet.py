"""A thousand schemas of tenants' own: making them, migrating them with an interruption and a broken one, serving them."""

import asyncio
import logging
import multiprocessing
import os
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from statistics import median

import psutil
import structlog

from bench.machine import BrokenRun, resident
from bench.report import Row
from bench.session import Session
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.process import bring_up, shut
from enfilade.core.clock import SystemClock
from enfilade.identity.scopes import system_scope
from enfilade.identity.types import TenantSpec
from enfilade.storage import migrations
from enfilade.storage.address import Address
from enfilade.storage.database import Database
from enfilade.storage.embedded.supervisor import EmbeddedPostgres
from enfilade.storage.fleet import AT_ONCE, CellState
from enfilade.storage.migrations import Migration, migrate
from enfilade.storage.residents import diagnose_cells

MANY, FEW = 1_000, 24
MADE_AT_ONCE = 4
MIB = 1 << 20
OUR_BACKENDS = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
# As a version brings it: a table with a policy and an index, and a column more.
NEXT = Migration(
    9000,
    "next",
    """
    CREATE TABLE added (tenant_id uuid NOT NULL, id uuid NOT NULL, name text NOT NULL, PRIMARY KEY (tenant_id, id));
    CREATE INDEX added_name ON added (tenant_id, name);
    ALTER TABLE added ENABLE ROW LEVEL SECURITY;
    ALTER TABLE added FORCE ROW LEVEL SECURITY;
    CREATE POLICY own_tenant ON added TO enfilade_app USING (tenant_id = current_tenant());
    GRANT SELECT, INSERT ON added TO enfilade_app;
    ALTER TABLE departments ADD COLUMN added text;
    """,
)


@dataclass(frozen=True, slots=True)
class Serving:
    """What a process and its database need for so many cells."""

    start_s: float
    grown: int
    turn_s: float
    connections: int
    largest_backend: int
    doctor_s: float


def run(session: Session) -> list[Row]:
    """Measure."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    count = FEW if session.options.quick else MANY
    with tempfile.TemporaryDirectory(prefix="enfilade-bench-") as home, asyncio.Runner() as runner:
        return runner.run(_measure(Path(home), count))


async def _measure(home: Path, count: int) -> list[Row]:
    embedded = EmbeddedPostgres(home / "data", SystemClock())
    address = await embedded.start()
    try:
        rows = await _making(address, count)
        async with Database(address).owner() as owner:
            size = await owner.fetchval("SELECT pg_database_size(current_database())")
        rows.append(Row("fleet", "database", size / MIB / count, "MiB a cell", note="without any call"))
        serving = await asyncio.to_thread(_in_child, _serve, address)
        rows += [
            Row("fleet", f"start with {count:,} cells", serving.start_s, "s"),
            Row("fleet", "memory they take in the process", serving.grown / MIB, "MiB"),
            Row("fleet", "a job's turn through all of them", serving.turn_s, "s"),
            Row("fleet", "largest server process by then", serving.largest_backend / MIB, "MiB", note="its own memory"),
            Row("fleet", "connections by then", float(serving.connections), ""),
            Row("fleet", "`enfilade doctor` looks at them", serving.doctor_s, "s"),
        ]
        return rows + await _migrating(address, count)
    finally:
        await embedded.stop()


async def _making(address: Address, count: int) -> list[Row]:
    parts = Parts(Ingredients(address, SystemClock(), master_key=bytes(32)))
    await bring_up(parts, migrates=True)
    times: list[float] = []
    waiting = iter(range(count))

    async def work() -> None:
        for number in waiting:
            began = time.perf_counter()
            async with parts.storage.unit_of_work(system_scope("bench")) as unit:
                await parts.identity.tenants.put(unit, TenantSpec(f"tenant-{number}", "schema"))
            times.append((time.perf_counter() - began) * 1000)

    began = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(MADE_AT_ONCE)))
    seconds = time.perf_counter() - began
    await shut(parts)
    note = f"{MADE_AT_ONCE} at once; the last hundred {median(times[-100:]):.0f} ms each"
    return [Row("fleet", f"making {count:,} schemas", seconds, "s", note=note)]


async def _migrating(address: Address, count: int) -> list[Row]:
    began = time.perf_counter()
    done = await asyncio.to_thread(_killed_after, address, count // 2)
    until_killed = time.perf_counter() - began
    with _newer():
        parts = Parts(Ingredients(address, SystemClock(), master_key=bytes(32)))
        await _open(parts)
        broken = parts.cells.all()[-1]
        async with parts.database.owner() as owner:
            if await owner.fetchval("SELECT to_regclass($1) IS NULL", f'"{broken.schema}".added'):
                await owner.execute(f'CREATE TABLE "{broken.schema}".added (a int)')
        seen: list[str] = []
        began = time.perf_counter()
        failed = await parts.fleet.migrate(lambda state: seen.append(state.cell.name))
        resumed = time.perf_counter() - began
        async with parts.database.owner() as owner:
            applied = await owner.fetchval("SELECT count(*) FROM enfilade.migrations WHERE number = 9000")
        await shut(parts)
    if [state.cell for state in failed] != [broken] or applied != count or not done <= count - len(seen) + AT_ONCE:
        raise BrokenRun(f"{len(failed)} failed, {applied} of {count} are migrated")
    note = f"{count - len(seen):,} were done when the first was killed; one cell is broken, and named"
    return [
        Row("fleet", "migrating, until killed", until_killed, "s", note=f"after {done:,} cells"),
        Row("fleet", f"migrating the other {len(seen):,} cells", resumed, "s", note=note),
        Row("fleet", "a cell", resumed / len(seen) * 1000, "ms", note=f"{AT_ONCE} at once"),
    ]


@contextmanager
def _newer() -> Iterator[None]:
    """The next version of the program, with one more migration of cells."""
    carried = migrations.load_set
    migrations.load_set = lambda name: carried(name) + ([NEXT] if name == "cell" else [])
    try:
        yield
    finally:
        migrations.load_set = carried


async def _open(parts: Parts) -> None:
    await parts.database.open()
    await parts.fleet.find()


def _killed_after(address: Address, cells: int) -> int:
    """Migrate in a process that is killed when so many cells are done; returns how many it had reported by then."""
    context = multiprocessing.get_context("spawn")
    mine, theirs = context.Pipe(duplex=False)
    child = context.Process(target=_migrate, args=(address, theirs.send))
    child.start()
    theirs.close()
    done = 0
    try:
        while done < cells:
            done = mine.recv()
    except EOFError:
        raise BrokenRun(f"the migration ended after {done} cells") from None
    assert child.pid is not None, "it was started"
    os.kill(child.pid, signal.SIGKILL)
    child.join()
    return done


def _migrate(address: Address, report: Callable[[int], None]) -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    asyncio.run(_migrate_all(address, report))


async def _migrate_all(address: Address, report: Callable[[int], None]) -> None:
    parts = Parts(Ingredients(address, SystemClock(), master_key=bytes(32)))
    seen: list[str] = []

    def finished(state: CellState) -> None:
        seen.append(state.cell.name)
        report(len(seen))

    with _newer():
        async with parts.database.owner() as owner:
            await migrate(owner, address)
        await _open(parts)
        await parts.fleet.migrate(finished)


def _in_child(work: "Callable[[Address, SimpleQueue[Serving]], None]", address: Address) -> Serving:
    context = multiprocessing.get_context("spawn")
    answers: SimpleQueue[Serving] = context.SimpleQueue()
    child = context.Process(target=work, args=(address, answers))
    child.start()
    found = answers.get()
    child.join()
    return found


def _serve(address: Address, answers: "SimpleQueue[Serving]") -> None:
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    answers.put(asyncio.run(_served(address)))


async def _served(address: Address) -> Serving:
    parts = Parts(Ingredients(address, SystemClock(), master_key=bytes(32)))
    before = resident(os.getpid())
    began = time.perf_counter()
    await bring_up(parts, migrates=False)
    start_s = time.perf_counter() - began
    began = time.perf_counter()
    await parts.roll_ups.catch_up()
    turn_s = time.perf_counter() - began
    grown = resident(os.getpid()) - before
    async with parts.database.owner() as owner:
        pids = [row["pid"] for row in await owner.fetch(OUR_BACKENDS)]
    largest = max(psutil.Process(pid).memory_full_info().uss for pid in pids)
    began = time.perf_counter()
    await diagnose_cells(parts.fleet)
    doctor_s = time.perf_counter() - began
    await shut(parts)
    return Serving(start_s, grown, turn_s, len(pids), largest, doctor_s)
