"""What taking a hold and settling it costs on one core, in this process: with many budgets, and with limits beside them."""

import time

from bench.report import Row, at_most
from bench.session import Session
from enfilade.bootstrap.memory import tune
from enfilade.core.clock import SystemClock
from enfilade.core.ids import IdFactory
from enfilade.core.money import NANO_PER_USD
from enfilade.costs.holds.hold import Demand, Hold
from enfilade.costs.holds.meter_book import MeterBook
from enfilade.costs.holds.types import BudgetRule, LimitRule, Measure, Rule, Subject
from enfilade.identity.scopes import key_scope

GOAL = at_most(15)
REPEATS = 15
TENANT = "acme"
SCOPE = key_scope(TENANT, "key", department="sales", application="copilot", user="ana")
KINDS = ("tenant", "department", "application", "user", "key")
WINDOWS = ("day", "month", "year")
ALERTS = ("0.5", "0.8", "1")


def run(session: Session) -> list[Row]:
    """Measure a call's arithmetic, from finding its meters to forgetting its hold."""
    tune()  # As a serving process is.
    times = 2_000 if session.options.quick else 20_000
    limit = NANO_PER_USD * 1_000_000
    budgets: list[Rule] = [
        BudgetRule(f"{kind}-{window}", TENANT, Subject(kind), None, window, limit, ALERTS)
        for kind in KINDS
        for window in WINDOWS
    ]
    limits: list[Rule] = [
        LimitRule("requests", TENANT, Subject("key"), None, Measure.REQUESTS, 2**50, "minute"),
        LimitRule("requests-day", TENANT, Subject("tenant"), None, Measure.REQUESTS, 2**50, "day"),
        LimitRule("tokens", TENANT, Subject("application"), None, Measure.TOKENS, 2**50, "minute"),
        LimitRule("tokens-day", TENANT, Subject("tenant"), None, Measure.TOKENS, 2**50, "day"),
        LimitRule("running", TENANT, Subject("tenant"), None, Measure.CONCURRENCY, 2**50, None),
    ]
    rows = []
    for figure, rules in (("15 budgets", budgets), ("15 budgets and 5 limits", budgets + limits)):
        microseconds = min(_seconds(rules, times) for _ in range(REPEATS)) * 1e6
        rows.append(Row("holds", f"hold and settle, {figure}", microseconds, "µs", GOAL))
    return rows


def _seconds(rules: list[Rule], times: int) -> float:
    """For one call. The best of several runs counts: what disturbs the machine only ever adds."""
    clock = SystemClock()
    book = MeterBook(clock)
    book.install({TENANT: tuple(rules)}, None)
    book.mark_seeded(rules)
    ids = [IdFactory(clock).new_id() for _ in range(times)]
    demand = Demand(2_000, 9_000_000, 3_000_000)
    start = time.perf_counter()
    for identifier in ids:
        meters = book.meters_for(SCOPE, "chat")
        hold = Hold(identifier, SCOPE, "chat", clock.now_ns(), 0, 0)
        book.take(meters, hold, demand)
        hold.settle(800, 2_400_000)
        book.forget(hold)
    return (time.perf_counter() - start) / times
