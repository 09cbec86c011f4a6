"""One hold over everything that limits a call: taken before a byte goes upstream, ended once after.

Taking is all or nothing: first every meter is asked, then every meter is counted, with no await in between, so two
calls can never both pass where only one fits.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import msgspec

from enfilade.core.clock import NANOSECONDS
from enfilade.core.errors import EnfiladeError
from enfilade.core.money import format_usd
from enfilade.core.scope import Scope
from enfilade.costs.errors import (
    BudgetExhausted,
    ConcurrencyLimitReached,
    RequestLimitReached,
    TokenLimitReached,
)
from enfilade.costs.holds.meters import BudgetMeter, ConcurrencyMeter, WindowMeter
from enfilade.costs.holds.types import Rule
from enfilade.costs.holds.windows import FOREVER_NS, Window


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


class Hold(msgspec.Struct):
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

    def extend(self, demand: Demand, now_ns: int) -> None:
        """Take as much again for a further attempt, when an earlier one may have cost something.

        Raises the same refusals as `take`; the hold is then as it was.
        """
        for meter, _ in self.token_meters:
            if not meter.fits(demand.tokens, now_ns):
                raise _limit_refusal(meter, demand.tokens, now_ns)
        for budget, window in self.budgets:
            # What a call costs belongs to the window in which it began: of one that has passed nobody knows any more
            # what is left.
            left = budget.left(now_ns)
            if not budget.only_warns and (demand.nano > left or window != budget.window):
                raise _budget_refusal(budget, demand.nano, now_ns)
        for meter, slot in self.token_meters:
            meter.settle(slot, demand.tokens)
        for budget, window in self.budgets:
            if window == budget.window:
                budget.take(demand.nano)
        self.tokens += demand.tokens
        self.nano += demand.nano

    def switch(self, meters: "MeterSet", now_ns: int) -> None:
        """Count for another set of meters, when the call goes to another model than the one it asked for.

        What both sets share stays as it is. Raises a refusal of the new ones, and is then as it was.
        """
        fresh = meters.without(self)
        _ask(fresh, self.tokens, now_ns)
        for budget in fresh.budgets:
            left = budget.left(now_ns)
            began_in_it = budget.window.start_ns <= self.started_ns < budget.window.end_ns
            if not budget.only_warns and (self.nano > left or not began_in_it):
                raise _budget_refusal(budget, self.nano, now_ns)
        self._leave(meters)
        self.requests += [(meter, meter.take(1)) for meter in fresh.requests]
        self.token_meters += [(meter, meter.take(self.tokens)) for meter in fresh.tokens]
        for counter in fresh.concurrency:
            counter.active += 1
            self.concurrency.append(counter)
        for budget in fresh.budgets:
            if budget.window.start_ns <= self.started_ns < budget.window.end_ns:
                self.budgets.append((budget, budget.take(self.nano)))

    def _leave(self, meters: "MeterSet") -> None:
        """Give back what was taken from meters that no longer concern this call; its request stays counted."""
        for meter, slot in self.token_meters:
            if meter not in meters.tokens:
                meter.settle(slot, -self.tokens)
        for counter in self.concurrency:
            if counter not in meters.concurrency:
                counter.active -= 1
        for budget, window in self.budgets:
            if budget not in meters.budgets:
                budget.settle(window, self.nano, 0)
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
        difference = tokens - self.tokens
        for meter, slot in self.token_meters:
            meter.settle(slot, difference)
        for counter in self.concurrency:
            counter.active -= 1
        alerts: list[Alert] = []
        for budget, window in self.budgets:
            crossed = budget.settle(window, self.nano, nano)
            alerts += [Alert(budget, share, window, budget.spent) for share in crossed]
        return alerts

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
    _ask(meters, demand.tokens, hold.started_ns)
    hold.tokens = demand.tokens
    hold.nano = _affordable(meters.budgets, demand, hold.started_ns, may_cut=may_cut)
    hold.is_cut = hold.nano < demand.nano
    for meter in meters.requests:
        hold.requests.append((meter, meter.take(1)))
    for meter in meters.tokens:
        hold.token_meters.append((meter, meter.take(demand.tokens)))
    for counter in meters.concurrency:
        counter.active += 1
        hold.concurrency.append(counter)
    for budget in meters.budgets:
        hold.budgets.append((budget, budget.take(hold.nano)))


def _ask(meters: MeterSet, tokens: int, now_ns: int) -> None:
    """Raise the first refusal of a limit."""
    for meter in meters.requests:
        if not meter.fits(1, now_ns):
            raise _limit_refusal(meter, 1, now_ns)
    for counter in meters.concurrency:
        if counter.active >= counter.rule.amount:
            raise _concurrency_refusal(counter)
    for meter in meters.tokens:
        if not meter.fits(tokens, now_ns):
            raise _limit_refusal(meter, tokens, now_ns)


def _affordable(budgets: Sequence[BudgetMeter], demand: Demand, now_ns: int, *, may_cut: bool) -> int:
    """What all budgets together let this call hold."""
    allowed = demand.nano
    for budget in budgets:
        left = budget.left(now_ns)
        if demand.nano <= left or budget.only_warns:
            continue
        if not (may_cut and budget.cuts) or demand.minimum_nano > left:
            raise _budget_refusal(budget, demand.nano, now_ns)
        allowed = min(allowed, left)
    return allowed


def _where(rule: Rule, subject: str) -> dict[str, object]:
    return {"rule": rule.id, "scope": rule.subject.kind, "subject": subject, "model": rule.model}


def _limit_refusal(meter: WindowMeter, amount: int, now_ns: int) -> EnfiladeError:
    rule = meter.rule
    wait = meter.seconds_until_fits(amount, now_ns)
    left = meter.left(now_ns)
    details = _where(rule, meter.subject) | {
        "limit": rule.amount,
        "per": rule.per,
        "left": left,
        "needed": amount,
        "resets_in_s": None if wait is None else round(wait, 3),
    }
    unit = rule.measure.value
    message = f"The limit of {rule.amount} {unit} per {rule.per} for the {rule.subject.kind} is reached: {left} left, {amount} needed."
    if wait is None:
        message += " This call alone is larger than the limit."
    error = RequestLimitReached if unit == "requests" else TokenLimitReached
    return error(message, retry_after=wait, details=details)


def _concurrency_refusal(counter: ConcurrencyMeter) -> EnfiladeError:
    rule = counter.rule
    message = f"The limit of {rule.amount} calls at the same time for the {rule.subject.kind} is reached."
    details = _where(rule, counter.subject) | {"limit": rule.amount, "active": counter.active}
    return ConcurrencyLimitReached(message, retry_after=1.0, details=details)


def _budget_refusal(budget: BudgetMeter, nano: int, now_ns: int) -> EnfiladeError:
    rule = budget.rule
    end = budget.window.end_ns
    resets_in = None if end >= FOREVER_NS else (end - now_ns) / NANOSECONDS
    details = _where(rule, budget.subject) | {
        "window": rule.period,
        "limit_usd": format_usd(rule.limit_nano),
        "spent_usd": format_usd(budget.spent),
        "held_usd": format_usd(budget.held),
        "needed_usd": format_usd(nano),
        "resets_in_s": None if resets_in is None else round(resets_in, 3),
    }
    each = "in total" if rule.period == "total" else f"per {rule.period}"
    message = (
        f"The budget of {format_usd(rule.limit_nano)} USD {each} for the {rule.subject.kind} does not cover this call: "
        f"{format_usd(budget.spent)} spent, {format_usd(budget.held)} held for running calls, {format_usd(nano)} needed."
    )
    return BudgetExhausted(message, retry_after=resets_in, details=details)
