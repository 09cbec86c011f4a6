"""All live meters of this process, and which of them count for a call."""

from collections.abc import Collection, Iterable
from fnmatch import fnmatchcase
from weakref import WeakValueDictionary

import structlog

from enfilade.core.clock import NANOSECONDS, Clock
from enfilade.core.scope import Scope
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.hold import Demand, Hold, MeterSet, take
from enfilade.costs.holds.meters import ConcurrencyMeter, Meter, WindowMeter
from enfilade.costs.holds.types import BudgetRule, LimitRule, Measure, Rule

MAX_CACHED_SETS = 50_000
PRUNE_EVERY_S = 60.0
CLOCK_LOOK_S = 1.0
HOLD_LASTS_S = 86_400.0
"""No call takes so long: the longest deadline of an attempt, times the attempts, is far below it for any provider. What
is still held then was left behind by a fault of ours. A call that does take longer is settled as an overrun."""
JUMP_NS = 2 * NANOSECONDS
"""Less than this is a clock being set right in small steps."""

log = structlog.get_logger("enfilade.costs.holds.meters")


def applies(rule: Rule, scope: Scope, model: str) -> str | None:
    """The id under which a call counts for the rule, or None when the rule does not concern it."""
    if rule.tenant != scope.tenant or (rule.model is not None and not fnmatchcase(model, rule.model)):
        return None
    return rule.subject.counted_id(scope)


class MeterBook:
    """Finds, makes, keeps and forgets meters. Nothing here waits."""

    def __init__(self, clock: Clock) -> None:
        """Start with no rules and no meters."""
        self._clock = clock
        self._rules: dict[str, tuple[Rule, ...]] = {}
        self._meters: dict[tuple[str, str], Meter] = {}
        self._sets: dict[tuple[str | None, str | None, str], MeterSet] = {}
        self._seeded: set[str] = set()
        self._attached: set[str] = set()
        """Rules that count the running calls already, while the ledger is read for the rest."""
        self.holds: dict[str, Hold] = {}
        """The running calls' holds by call id."""
        self._expired: WeakValueDictionary[str, Hold] = WeakValueDictionary()
        """Holds that were given back, as long as somebody is there who may still settle them."""

    # Rules.

    def rules(self, tenant: str) -> tuple[Rule, ...]:
        """The rules of a tenant."""
        return self._rules.get(tenant, ())

    def install(self, rules: dict[str, tuple[Rule, ...]], tenants: Collection[str] | None) -> None:
        """Put new rules in force, for some tenants or for all; what was counted stays counted."""
        former = [rule for tenant in (self._rules if tenants is None else tenants) for rule in self.rules(tenant)]
        if tenants is None:
            self._rules = rules
        else:
            for tenant in tenants:
                self._rules.pop(tenant, None)
            self._rules.update(rules)
        current = {rule.id: rule for group in rules.values() for rule in group}
        gone = {rule.id for rule in former if rule.id not in current or not _still_counts_alike(rule, current[rule.id])}
        # Also when no meter of it is live: one that is made later has to look into the past by the new rule.
        self._seeded -= gone
        self._attached -= gone
        if gone:
            # A call that runs is attached anew when the rule is seeded. Until then a meter of the former rule must not
            # refuse it a further attempt.
            for hold in self._unsettled():
                hold.let_go_of(gone)
        for key, meter in list(self._meters.items()):
            if tenants is not None and meter.rule.tenant not in tenants:
                continue
            successor = current.get(key[0])
            if successor is None or key[0] in gone:
                del self._meters[key]
            elif isinstance(meter, BudgetMeter) and isinstance(successor, BudgetRule):
                meter.obey(successor, self._clock.now_ns())
            elif not isinstance(meter, BudgetMeter) and isinstance(successor, LimitRule):
                meter.rule = successor
        self._sets.clear()

    # Calls.

    def meters_for(self, scope: Scope, model: str) -> MeterSet:
        """The meters that count for a call."""
        key = (scope.key, scope.user, model)
        found = self._sets.get(key)
        if found is None:
            found = self._assemble(scope, model)
            if not found.unseeded:
                if len(self._sets) >= MAX_CACHED_SETS:
                    self._sets.clear()
                self._sets[key] = found
        return found

    def take(self, meters: MeterSet, hold: Hold, demand: Demand, *, may_cut: bool = True) -> None:
        """Take a hold; see `holds.take`. The call counts as running until `settle`."""
        take(meters, hold, demand, may_cut=may_cut)
        hold.expires_at = self._clock.monotonic() + HOLD_LASTS_S
        self.holds[hold.call_id] = hold

    def forget(self, hold: Hold) -> None:
        """The call has ended."""
        self.holds.pop(hold.call_id, None)
        if hold.expired:
            self._expired.pop(hold.call_id, None)

    def expire(self) -> int:
        """Give back what holds that were left behind still hold; returns how many those were."""
        now = self._clock.monotonic()
        leaked = [hold for hold in self.holds.values() if hold.expires_at <= now]
        for hold in leaked:
            hold.expire()
            del self.holds[hold.call_id]
            self._expired[hold.call_id] = hold
            log.warning("hold_expired", call_id=hold.call_id, tenant=hold.scope.tenant, seconds=HOLD_LASTS_S)
        return len(leaked)

    def _assemble(self, scope: Scope, model: str) -> MeterSet:
        requests: list[WindowMeter] = []
        tokens: list[WindowMeter] = []
        concurrency: list[ConcurrencyMeter] = []
        budgets: list[BudgetMeter] = []
        unseeded: list[Rule] = []
        for rule in self._rules.get(scope.tenant, ()):
            subject = applies(rule, scope, model)
            if subject is None:
                continue
            if rule.id not in self._seeded:
                unseeded.append(rule)
            meter = self.meter(rule, subject)
            if isinstance(meter, BudgetMeter):
                budgets.append(meter)
            elif isinstance(meter, ConcurrencyMeter):
                concurrency.append(meter)
            elif meter.rule.measure is Measure.REQUESTS:
                requests.append(meter)
            else:
                tokens.append(meter)
        return MeterSet(tuple(requests), tuple(tokens), tuple(concurrency), tuple(budgets), tuple(unseeded))

    def meter(self, rule: Rule, subject: str) -> Meter:
        """The meter of a rule for one subject, made if need be."""
        meter = self._meters.get((rule.id, subject))
        if meter is None:
            if isinstance(rule, BudgetRule):
                meter = BudgetMeter(rule, subject, self._clock.now_ns())
            elif rule.measure is Measure.CONCURRENCY:
                meter = ConcurrencyMeter(rule, subject)
            else:
                meter = WindowMeter(rule, subject)
            self._meters[rule.id, subject] = meter
        return meter

    def find(self, rule_id: str, subject: str) -> Meter | None:
        """The meter of a rule for one subject, if there is one."""
        return self._meters.get((rule_id, subject))

    def meters_of_id(self, rule_id: str) -> list[Meter]:
        """The meters that a rule has now, one per subject that used it."""
        rule = next((r for group in self._rules.values() for r in group if r.id == rule_id), None)
        if rule is None:
            return []
        if not rule.subject.is_each:
            return [self.meter(rule, rule.subject.id or rule.tenant)]
        return [meter for (identifier, _), meter in self._meters.items() if identifier == rule_id]

    # Seeding: a rule that this process has not counted from its beginning starts from what the ledger knows.

    def attach_running(self, rule: Rule) -> list[str]:
        """Count the calls that run already for a new rule; returns their ids, which the ledger must leave out."""
        self._attached.add(rule.id)
        attached = []
        for hold in self._unsettled():
            subject = applies(rule, hold.scope, hold.model)
            if isinstance(rule, BudgetRule):
                former = (applies(rule, hold.scope, model) for model, _ in hold.losses)
                counted = subject or next((found for found in former if found), None)
                if counted is None:
                    continue
                meter = self.meter(rule, counted)
                if isinstance(meter, BudgetMeter):
                    hold.join(meter, is_concerned=subject is not None)
            elif subject is not None:
                _attach(hold, self.meter(rule, subject), self._clock.now_ns())
            else:
                continue
            attached.append(hold.call_id)
        return attached

    def _unsettled(self) -> list[Hold]:
        """The holds of which the ledger has nothing yet."""
        return [*self.holds.values(), *self._expired.values()]

    def detach(self, rules: Iterable[Rule]) -> None:
        """Undo `attach_running`: the ledger could not be read, and the next try must start afresh."""
        dropped = {rule.id for rule in rules}
        for key in [key for key in self._meters if key[0] in dropped]:
            del self._meters[key]
        for hold in self._unsettled():
            hold.let_go_of(dropped)
        self._attached -= dropped
        self._sets.clear()

    def mark_seeded(self, rules: Iterable[Rule]) -> None:
        """Let calls count for these rules from now on without looking back."""
        seeded = {rule.id for rule in rules}
        self._seeded |= seeded
        self._attached -= seeded
        self._sets.clear()

    def is_attached(self, rule: Rule) -> bool:
        """Whether nothing has undone `attach_running` since: another form of the rule, or `start_over`."""
        return rule.id in self._attached

    def is_seeded(self, rule: Rule) -> bool:
        """Whether the rule's meters hold everything that happened before."""
        return rule.id in self._seeded

    def start_over(self) -> None:
        """Forget all figures. Every rule looks into the ledger again when the next call meets it."""
        self._seeded.clear()
        self.detach([rule for rules in self._rules.values() for rule in rules])

    async def watch_clock(self) -> None:
        """Start over when the wall clock jumps, until cancelled: windows then end, or begin again, that were counted."""
        clock = self._clock
        offset = clock.now_ns() - clock.monotonic() * NANOSECONDS
        while True:
            await clock.sleep(CLOCK_LOOK_S)
            former, offset = offset, clock.now_ns() - clock.monotonic() * NANOSECONDS
            if abs(offset - former) > JUMP_NS:
                log.warning("clock_jumped", seconds=round((offset - former) / NANOSECONDS, 3))
                self.start_over()

    async def prune(self) -> None:
        """Forget idle meters and expired holds now and then, until cancelled: memory must not grow."""
        while True:
            await self._clock.sleep(PRUNE_EVERY_S)
            self.expire()
            self.forget_idle()

    def forget_idle(self) -> None:
        """Forget the meters that would be made anew as they are."""
        now_ns = self._clock.now_ns()
        # Also a call that holds nothing there may have cost something when it is settled.
        awaited = {id(meter) for hold in self._unsettled() for meter, _ in (*hold.budgets, *hold.token_meters)}
        idle = [key for key, meter in self._meters.items() if id(meter) not in awaited and meter.is_idle(now_ns)]
        for key in idle:
            del self._meters[key]
        if idle:
            self._sets.clear()


def _still_counts_alike(former: Rule, current: Rule) -> bool:
    """Whether a changed rule counts the same things, so that its meters keep their figures."""
    if isinstance(former, LimitRule) and isinstance(current, LimitRule):
        return former.counts_like(current)
    return isinstance(former, BudgetRule) and isinstance(current, BudgetRule) and former.counts_like(current)


def _attach(hold: Hold, meter: Meter, now_ns: int) -> None:
    if isinstance(meter, ConcurrencyMeter):
        if not hold.expired:
            meter.active += 1
            hold.concurrency.append(meter)
    elif isinstance(meter, WindowMeter):
        # What began while the clock was ahead counts now: in its own slot it would keep the meter from moving on.
        started_ns = min(hold.started_ns, now_ns)
        slot = started_ns // meter.slot_ns
        amount = 1 if meter.rule.measure is Measure.REQUESTS else hold.tokens
        meter.seed(slot, amount, started_ns)
        if meter.rule.measure is Measure.TOKENS:
            hold.token_meters.append((meter, slot))
        else:
            hold.requests.append((meter, slot))
