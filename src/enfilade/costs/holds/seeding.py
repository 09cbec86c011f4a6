"""Starting a rule's meters from what the ledger already knows.

A rule is seeded when the first call for it comes: at start-up, or when the rule is new. Calls that run at that
moment are attached to its meters and left out of the sums, so that nothing is counted twice or missed.
"""

import asyncio
from collections.abc import Collection
from fnmatch import fnmatchcase
from typing import Any

from enfilade.core.clock import NANOSECONDS, Clock, to_datetime, to_ns
from enfilade.costs.holds import store
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.meter_book import MeterBook
from enfilade.costs.holds.meters import SLOTS, WindowMeter
from enfilade.costs.holds.types import PER_SECONDS, BudgetRule, LimitRule, Measure, Rule
from enfilade.costs.holds.windows import FOREVER_NS, Window, window_at, window_before
from enfilade.identity.scopes import tenant_scope
from enfilade.storage.unit_of_work import Storage, UnitOfWork
from enfilade.storage.writers import Writers

Past = tuple[Window | None, list[Any]]


class Seeder:
    """Reads earlier use from the database."""

    def __init__(self, book: MeterBook, storage: Storage, writers: Writers, clock: Clock) -> None:
        """Seed the meters of `book`."""
        self._book = book
        self._storage = storage
        self._writers = writers
        self._clock = clock
        self._locks: dict[str, asyncio.Lock] = {}

    async def seed(self, tenant: str, rules: Collection[Rule]) -> None:
        """Make the rules' meters complete. Raises DatabaseUnavailable; calls for the rules must then be refused."""
        async with self._locks.setdefault(tenant, asyncio.Lock()):
            # Whoever waited for the lock may know a former form of a rule: what is looked at is the form of now.
            wanted = {rule.id for rule in rules}
            waiting = [
                rule for rule in self._book.rules(tenant) if rule.id in wanted and not self._book.is_seeded(rule)
            ]
            if not waiting:
                return
            # Everything that ended before this moment is queued for the database, everything that runs is attached:
            # after the flush, the ledger without the attached calls is exactly what is missing.
            now_ns = self._clock.now_ns()
            running = {rule.id: self._book.attach_running(rule) for rule in waiting}
            try:
                await self._writers.of(tenant).flush()
                async with self._storage.unit_of_work(tenant_scope(tenant, "seeding"), readonly=True) as unit:
                    found = [(rule, await self._read(unit, rule, running[rule.id], now_ns)) for rule in waiting]
            except BaseException:
                self._book.detach(waiting)
                raise
            # A rule that was changed meanwhile, or made to start over, has to look again.
            complete = [(rule, rows) for rule, rows in found if self._book.is_attached(rule)]
            self._book.detach([rule for rule in waiting if not self._book.is_attached(rule)])
            for rule, rows in complete:
                self._fill(rule, rows, now_ns)
            self._book.mark_seeded([rule for rule, _ in complete])

    async def _read(self, unit: UnitOfWork, rule: Rule, running: list[str], now_ns: int) -> list[Past]:
        """What the ledger has of a rule, by the window to which it belongs; limits have none."""
        if isinstance(rule, BudgetRule):
            statement = store.SPENT_BEFORE[rule.subject.kind]
            found: list[Past] = []
            for window in _windows(rule, now_ns):
                span = (to_datetime(window.start_ns), to_datetime(min(window.end_ns, FOREVER_NS)))
                found.append((window, await unit.fetch(statement, rule.tenant, *span, rule.subject.id, running)))
            return found + await self._ahead(unit, rule, running, found[0][0])
        if rule.measure is Measure.CONCURRENCY:
            return []
        length_ns = PER_SECONDS[rule.per or "second"] * NANOSECONDS
        slot_ns = length_ns // SLOTS
        span = (to_datetime(now_ns - length_ns - slot_ns), to_datetime(now_ns + slot_ns))
        statement = store.USED_BEFORE[rule.subject.kind]
        return [(None, await unit.fetch(statement, rule.tenant, *span, rule.subject.id, running, slot_ns))]

    async def _ahead(self, unit: UnitOfWork, rule: BudgetRule, running: list[str], window: Window | None) -> list[Past]:
        """What the ledger has of windows to come: a clock that was ahead has been set back."""
        if window is None or window.end_ns >= FOREVER_NS:
            return []
        statement = store.SPENT_AHEAD[rule.subject.kind]
        start = to_datetime(window.end_ns)
        rows = await unit.fetch(statement, rule.tenant, start, rule.subject.id, running)
        return [(window_at(rule.period, to_ns(row["minute"]), *rule.calendar), [row]) for row in rows]

    def _fill(self, rule: Rule, past: list[Past], now_ns: int) -> None:
        for window, rows in past:
            for row in rows:
                if rule.model is not None and not fnmatchcase(row["model"] or "", rule.model):
                    continue
                meter = self._book.meter(rule, str(row["subject"]))
                if isinstance(meter, BudgetMeter) and window is not None:
                    meter.seed(window, row["nano"])
                elif isinstance(meter, WindowMeter) and isinstance(rule, LimitRule):
                    amount = row["requests"] if rule.measure is Measure.REQUESTS else row["tokens"]
                    meter.seed(row["slot"], amount, now_ns)


def _windows(rule: BudgetRule, now_ns: int) -> list[Window]:
    """The windows whose spending counts now: where the rest is carried over, also the one before."""
    window = window_at(rule.period, now_ns, *rule.calendar)
    before = window_before(rule.period, window, rule.calendar) if rule.carry_over else None
    return [window] if before is None else [window, before]
