"""Limits and budgets for the tests of this folder, and calls that count for them."""

from datetime import UTC, datetime
from typing import Any

from enfilade.core.clock import ManualClock
from enfilade.core.scope import Scope
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.hold import Demand, Hold, MeterSet
from enfilade.costs.holds.meter_book import MeterBook
from enfilade.costs.holds.meters import ConcurrencyMeter, WindowMeter
from enfilade.costs.holds.types import Action, BudgetRule, LimitRule, Measure, Rule, Subject
from enfilade.identity.scopes import key_scope

TENANT = "acme"
SCOPE = key_scope(TENANT, "key-1", department="sales", application="copilot", user="ana")
START = datetime(2026, 11, 2, 12, tzinfo=UTC)


def budget(limit: int, period: str = "month", action: Action = Action.BLOCK, **more: Any) -> BudgetRule:
    """A budget of so many nano-dollars for the tenant."""
    fields: dict[str, Any] = {"id": "budget", "tenant": TENANT, "subject": Subject("tenant"), "model": None} | more
    return BudgetRule(period=period, limit_nano=limit, action=action, **fields)


def limit(measure: Measure, amount: int, per: str | None = "minute", **more: Any) -> LimitRule:
    """A limit for the tenant."""
    fields: dict[str, Any] = {"id": measure.value, "tenant": TENANT, "subject": Subject("tenant"), "model": None} | more
    return LimitRule(measure=measure, amount=amount, per=None if measure is Measure.CONCURRENCY else per, **fields)


class Desk:
    """A book with rules in force, and calls against it."""

    def __init__(self, *rules: Rule, start: datetime = START) -> None:
        """Put the rules in force, with nothing counted before."""
        self.clock = ManualClock(start)
        self.book = MeterBook(self.clock)
        self.install(*rules)
        self.book.mark_seeded(rules)
        self._calls = 0

    def install(self, *rules: Rule) -> None:
        """Replace the tenant's rules."""
        self.book.install({TENANT: rules}, {TENANT})

    def meters(self, scope: Scope = SCOPE, model: str = "chat") -> MeterSet:
        """The meters that count for a call."""
        return self.book.meters_for(scope, model)

    def take(
        self, nano: int = 0, tokens: int = 0, minimum: int | None = None, scope: Scope = SCOPE, model: str = "chat"
    ) -> Hold:
        """Admit a call, or raise its refusal."""
        self._calls += 1
        hold = Hold(f"call-{self._calls}", scope, model, self.clock.now_ns(), 0, 0)
        demand = Demand(tokens, nano, nano if minimum is None else minimum)
        self.book.take(self.meters(scope, model), hold, demand)
        return hold

    def spend(self, nano: int, tokens: int = 0) -> list[str]:
        """Admit a call and settle it at exactly what it held; returns the thresholds that it crossed."""
        return [alert.share for alert in self.settle(self.take(nano, tokens), nano, tokens)]

    def settle(self, hold: Hold, nano: int, tokens: int = 0) -> list[Any]:
        """End a call."""
        alerts = hold.settle(tokens, nano)
        self.book.forget(hold)
        return alerts

    def budget(self, identifier: str = "budget", subject: str = TENANT) -> BudgetMeter:
        """The meter of a budget, in the window of now."""
        meter = self.book.find(identifier, subject)
        assert isinstance(meter, BudgetMeter)
        meter.advance(self.clock.now_ns())
        return meter

    def running(self, identifier: str = "concurrency", subject: str = TENANT) -> int:
        """How many calls a concurrency limit counts."""
        meter = self.book.find(identifier, subject)
        assert isinstance(meter, ConcurrencyMeter)
        return meter.active

    def left(self, identifier: str, subject: str = TENANT) -> int:
        """What is left of a window's limit."""
        meter = self.book.find(identifier, subject)
        assert isinstance(meter, WindowMeter)
        return meter.left(self.clock.now_ns())
