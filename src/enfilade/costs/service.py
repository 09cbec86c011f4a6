"""The face of this room for the line: holds before a call, settlement after it."""

from collections.abc import Collection

from enfilade.core.clock import Clock
from enfilade.core.events import Event
from enfilade.core.scope import Scope
from enfilade.costs.errors import BudgetExhausted
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.events import budget_exhausted, threshold_crossed
from enfilade.costs.holds.hold import Demand, Hold, MeterSet
from enfilade.costs.holds.loading import load_rules
from enfilade.costs.holds.meter_book import MeterBook
from enfilade.costs.holds.seeding import Seeder
from enfilade.costs.holds.types import BudgetRule
from enfilade.costs.ledger.oddities import Oddities
from enfilade.identity.directory import Install
from enfilade.storage.unit_of_work import UnitOfWork


class Costs:
    """Limits and budgets, as the request path uses them."""

    def __init__(self, book: MeterBook, seeder: Seeder, clock: Clock) -> None:
        """Work on the meters of `book`."""
        self.book = book
        self._seeder = seeder
        self._clock = clock
        self._oddities = Oddities()

    async def meters_for(self, scope: Scope, model: str) -> MeterSet:
        """The meters of a call, complete with what was used before. Raises DatabaseUnavailable.

        It waits only the first time that a rule is met; `meters_ready` says so without waiting.
        """
        meters = self.book.meters_for(scope, model)
        while meters.unseeded:
            await self._seeder.seed(scope.tenant, meters.unseeded)
            meters = self.book.meters_for(scope, model)
        return meters

    def hold(self, hold: Hold, meters: MeterSet, demand: Demand, *, may_cut: bool = True) -> None:
        """Take the hold, or raise one of the refusals that `holds.take` names."""
        self.book.take(meters, hold, demand, may_cut=may_cut)

    def refusal_events(self, refusal: BudgetExhausted) -> list[Event]:
        """What to tell the audit log when a budget has refused a call: the first time in its window, that it did."""
        rule, subject = str(refusal.details.get("rule")), str(refusal.details.get("subject"))
        meter = self.book.find(rule, subject)
        if not isinstance(meter, BudgetMeter) or meter.told_exhausted:
            return []
        meter.told_exhausted = True
        return [budget_exhausted(meter, self._clock.now_ns())]

    def settle(self, hold: Hold, tokens: int, nano: int) -> list[Event]:
        """End the hold with what was used; returns the alerts that belong into the same transaction."""
        alerts = hold.settle(tokens, nano)
        self.book.forget(hold)
        if not alerts:
            return []
        now_ns = self._clock.now_ns()
        return [threshold_crossed(alert, now_ns) for alert in alerts]

    def odd_events(
        self, scope: Scope, call_id: str, model: str, flags: tuple[str, ...], overrun_nano: int
    ) -> list[Event]:
        """The alerts that an odd settlement raises, for the same transaction."""
        return self._oddities.events(scope, call_id, model, flags, overrun_nano, self._clock.now_ns())

    async def budget_meters(self, rule: BudgetRule) -> list[BudgetMeter]:
        """The live meters of a budget, complete."""
        while not self.book.is_seeded(rule):
            current = next((r for r in self.book.rules(rule.tenant) if r.id == rule.id), None)
            if current is None:
                return []
            await self._seeder.seed(rule.tenant, (current,))
        now_ns = self._clock.now_ns()
        meters = [meter for meter in self.book.meters_of_id(rule.id) if isinstance(meter, BudgetMeter)]
        for meter in meters:
            meter.advance(now_ns)
        return meters

    async def load(self, unit: UnitOfWork, tenants: Collection[str] | None) -> Install:
        """See `Section.load`: the limits and budgets."""
        rules = await load_rules(unit, tenants, self._clock.now_ns())
        return lambda: self.book.install(rules, tenants)
