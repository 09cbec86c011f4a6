"""One hold over everything that limits a call: taken before a byte goes upstream, ended once after.

Taking is all or nothing: first every meter is asked, then every meter is counted, with no await in between, so two
calls can never both pass where only one fits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

import msgspec

from enfilade.core.scope import Scope
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.meters import ConcurrencyMeter, WindowMeter
from enfilade.costs.holds.refusals import budget_refusal, concurrency_refusal, expiry_refusal, limit_refusal
from enfilade.costs.holds.types import Rule
from enfilade.costs.holds.windows import Window


class Demand(msgspec.Struct, frozen=True, gc=False):
    """A call's worst case."""

    tokens: int
    nano: int
    minimum_nano: int
    """The least for which starting makes sense, when a budget may cut the call: its input and one token of output per choice."""


@dataclass(slots=True, eq=False)
class MeterSet:
    """The meters that count for one scope and model."""

    requests: tuple[WindowMeter, ...] = ()
    tokens: tuple[WindowMeter, ...] = ()
    concurrency: tuple[ConcurrencyMeter, ...] = ()
    budgets: tuple[BudgetMeter, ...] = ()
    unseeded: tuple[Rule, ...] = ()
    """Rules whose earlier use has not been read from the ledger yet."""

    def without(self, hold: "Hold") -> "MeterSet":
        """The meters in which `hold` does not count yet."""
        requests = {id(meter) for meter, _ in hold.requests}
        tokens = {id(meter) for meter, _ in hold.token_meters}
        budgets = {id(budget) for budget, _ in hold.budgets}
        return MeterSet(
            tuple(meter for meter in self.requests if id(meter) not in requests),
            tuple(meter for meter in self.tokens if id(meter) not in tokens),
            tuple(counter for counter in self.concurrency if counter not in hold.concurrency),
            tuple(budget for budget in self.budgets if id(budget) not in budgets),
        )


@dataclass(frozen=True, slots=True)
class Alert:
    """A budget whose spending crossed one of its thresholds."""

    meter: BudgetMeter
    share: str
    window: Window
    spent: int


class Hold(msgspec.Struct, weakref=True):
    """What one call has taken. It is ended by `settle`, exactly once."""

    call_id: str
    scope: Scope
    model: str
    started_ns: int
    tokens: int
    nano: int
    is_cut: bool = False
    """Whether a budget gave less than the worst case: the call must end when `nano` is used up."""
    requests: list[tuple[WindowMeter, int]] = []
    token_meters: list[tuple[WindowMeter, int]] = []
    concurrency: list[ConcurrencyMeter] = []
    budgets: list[tuple[BudgetMeter, Window]] = []
    ended: bool = False
    lost_tokens: int = 0
    lost_nano: int = 0
    """What attempts that may have cost something, and answered nothing, can have cost: it is never given back."""
    losses: list[tuple[str, int]] = []
    """The same by the model that the call had then."""
    posted_nano: dict[int, int] = {}
    """By the id of a budget that joined later: what earlier attempts lost, which is none of its business."""
    crossed: list[Alert] = []
    """Thresholds that losses crossed in budgets which the call has left since."""
    expires_at: float = float("inf")
    """When it is given back unless it has ended, by the monotonic clock: a wall clock that jumps expires nothing."""
    expired: bool = False

    def extend(self, demand: Demand, now_ns: int) -> None:
        """Take as much again for a further attempt, when an earlier one may have cost something.

        Raises the same refusals as `take`, and HoldExpired; the hold is then as it was.
        """
        if self.expired:
            raise expiry_refusal()
        for meter, _ in self.token_meters:
            if not meter.fits(demand.tokens, now_ns):
                raise limit_refusal(meter, demand.tokens, now_ns)
        for budget, window in self.budgets:
            # What a call costs belongs to the window in which it began: of one that has passed nobody knows any more
            # what is left.
            left = budget.left(now_ns)
            if not budget.only_warns and (demand.nano > left or window != budget.window):
                raise budget_refusal(budget, demand.nano, now_ns)
        for meter, slot in self.token_meters:
            meter.settle(slot, demand.tokens)
        for budget, window in self.budgets:
            budget.settle(window, -demand.nano, 0)
        self.tokens += demand.tokens
        self.nano += demand.nano
        self.lost_tokens += demand.tokens
        self.lost_nano += demand.nano
        self.losses.append((self.model, demand.nano))

    def expire(self) -> None:
        """Give back what no attempt can have used. What is settled later is posted all the same, as an overrun."""
        self.expired = True
        for meter, slot in self.token_meters:
            meter.settle(slot, self.lost_tokens - self.tokens)
        for counter in self.concurrency:
            counter.active -= 1
        self.concurrency = []
        for budget, window in self.budgets:
            budget.settle(window, self.nano - self.lost_nano, 0)
        self.tokens, self.nano = self.lost_tokens, self.lost_nano

    def switch(self, meters: "MeterSet", now_ns: int) -> None:
        """Count for another set of meters, when the call goes to another model than the one it asked for.

        What both sets share stays as it is. Raises a refusal of the new ones, or HoldExpired, and is then as it was.
        """
        if self.expired:
            raise expiry_refusal()
        fresh = meters.without(self)
        _ask(fresh, self.tokens, now_ns)
        needed = self.nano - self.lost_nano
        for budget in fresh.budgets:
            left = budget.left(now_ns)
            began_in_it = budget.window.start_ns <= self.started_ns < budget.window.end_ns
            if not budget.only_warns and (needed > left or not began_in_it):
                raise budget_refusal(budget, needed, now_ns)
        self._leave(meters)
        self.requests += [(meter, meter.take(1)) for meter in fresh.requests]
        self.token_meters += [(meter, meter.take(self.tokens)) for meter in fresh.tokens]
        for counter in fresh.concurrency:
            counter.active += 1
            self.concurrency.append(counter)
        for budget in fresh.budgets:
            window = budget.pin(self.started_ns, needed)
            if window is not None:
                self.budgets.append((budget, window))
                if self.lost_nano:
                    self.posted_nano = self.posted_nano | {id(budget): self.lost_nano}

    def _leave(self, meters: "MeterSet") -> None:
        """Give back what was taken from meters that no longer concern this call; its request stays counted.

        What attempts lost stays with the budgets of the model that lost it: so the ledger has it.
        """
        for meter, slot in self.token_meters:
            if meter not in meters.tokens:
                meter.settle(slot, -self.tokens)
        for counter in self.concurrency:
            if counter not in meters.concurrency:
                counter.active -= 1
        for budget, window in self.budgets:
            if budget not in meters.budgets:
                posted = self.posted_nano.get(id(budget), 0)
                crossed = budget.settle(window, self.nano - posted, self.lost_nano - posted)
                self.crossed = self.crossed + [Alert(budget, share, window, budget.spent) for share in crossed]
        self.token_meters = [entry for entry in self.token_meters if entry[0] in meters.tokens]
        self.concurrency = [counter for counter in self.concurrency if counter in meters.concurrency]
        self.budgets = [entry for entry in self.budgets if entry[0] in meters.budgets]

    def settle(self, tokens: int, nano: int) -> list[Alert]:
        """Replace the worst case by what was used and let go of the rest; returns what crossed a threshold.

        A second call does nothing: whoever ends a call twice must not count it twice.
        """
        if self.ended:
            return []
        self.ended = True
        if tokens != self.tokens:
            difference = tokens - self.tokens
            for meter, slot in self.token_meters:
                meter.settle(slot, difference)
        for counter in self.concurrency:
            counter.active -= 1
        held = self.nano
        alerts: list[Alert] = list(self.crossed)
        if self.posted_nano:
            return alerts + self._settle_apart(nano)
        for budget, window in self.budgets:
            if crossed := budget.settle(window, held, nano):
                alerts += [Alert(budget, share, window, budget.spent) for share in crossed]
        return alerts

    def _settle_apart(self, nano: int) -> list[Alert]:
        """Settle budgets of which some are not concerned by what earlier attempts lost."""
        alerts = []
        for budget, window in self.budgets:
            posted = self.posted_nano.get(id(budget), 0)
            crossed = budget.settle(window, self.nano - posted, nano - posted)
            alerts += [Alert(budget, share, window, budget.spent) for share in crossed]
        return alerts

    def join(self, budget: BudgetMeter, *, is_concerned: bool) -> None:
        """Count in the fresh meter of a budget, while the call runs: what it holds, and what it lost for its model.

        One that is not concerned any more, since the call went on to another model, has its losses.
        """
        pattern = budget.rule.model
        lost = sum(nano for model, nano in self.losses if pattern is None or fnmatchcase(model, pattern))
        window = budget.pin(self.started_ns, self.nano - self.lost_nano + lost if is_concerned else 0)
        if window is None:
            return
        if is_concerned:
            self.budgets.append((budget, window))
            self.posted_nano = self.posted_nano | {id(budget): self.lost_nano - lost}
        else:
            budget.seed(window, lost)

    def let_go_of(self, rules: Collection[str]) -> None:
        """Stop counting for these rules, whose meters are being thrown away."""
        self.requests = [entry for entry in self.requests if entry[0].rule.id not in rules]
        self.token_meters = [entry for entry in self.token_meters if entry[0].rule.id not in rules]
        self.concurrency = [counter for counter in self.concurrency if counter.rule.id not in rules]
        self.budgets = [entry for entry in self.budgets if entry[0].rule.id not in rules]


def take(meters: MeterSet, hold: Hold, demand: Demand, *, may_cut: bool = True) -> None:
    """Fill `hold` with `demand` from all meters, or raise one refusal and count nothing.

    A budget that cuts gives what is left, unless `may_cut` says that a smaller demand is to be tried first. Raises RequestLimitReached, TokenLimitReached, ConcurrencyLimitReached, BudgetExhausted.
    """
    now_ns, nano = hold.started_ns, demand.nano
    _ask(meters, demand.tokens, now_ns)
    budgets = meters.budgets
    for budget in budgets:
        if now_ns >= budget.turn_ns:
            budget.advance(now_ns)
        if budget.used + nano > budget.ceiling:
            nano = _affordable(budgets, demand, now_ns, may_cut=may_cut)
            break
    hold.tokens, hold.nano = demand.tokens, nano
    hold.is_cut = nano < demand.nano
    if meters.requests:
        hold.requests = [(meter, meter.take(1)) for meter in meters.requests]
    if meters.tokens:
        hold.token_meters = [(meter, meter.take(demand.tokens)) for meter in meters.tokens]
    for counter in meters.concurrency:
        counter.active += 1
        hold.concurrency.append(counter)
    pinned = hold.budgets
    for budget in budgets:
        # `BudgetMeter.take`, written out: this line runs for every budget of every call.
        budget.used += nano
        pinned.append((budget, budget.window))


def _ask(meters: MeterSet, tokens: int, now_ns: int) -> None:
    """Raise the first refusal of a limit."""
    for meter in meters.requests:
        if not meter.fits(1, now_ns):
            raise limit_refusal(meter, 1, now_ns)
    for counter in meters.concurrency:
        if counter.active >= counter.rule.amount:
            raise concurrency_refusal(counter)
    for meter in meters.tokens:
        if not meter.fits(tokens, now_ns):
            raise limit_refusal(meter, tokens, now_ns)


def _affordable(budgets: Sequence[BudgetMeter], demand: Demand, now_ns: int, *, may_cut: bool) -> int:
    """What all budgets together let this call hold."""
    allowed = demand.nano
    for budget in budgets:
        left = budget.left(now_ns)
        if demand.nano <= left or budget.only_warns:
            continue
        if not (may_cut and budget.cuts) or demand.minimum_nano > left:
            raise budget_refusal(budget, demand.nano, now_ns)
        allowed = min(allowed, left)
    return allowed
