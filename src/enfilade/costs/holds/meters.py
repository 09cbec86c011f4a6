"""Live counters, one per rule and subject. In memory, single-threaded, without a single await.

Three kinds: a sliding window for requests and tokens, a plain count for concurrency, a calendar window for money.
`fits` asks, `take` counts a worst case, and a later `settle` replaces it by what was really used.
"""

from functools import lru_cache

from enfilade.core.clock import NANOSECONDS
from enfilade.costs.holds.types import PER_SECONDS, Action, BudgetRule, LimitRule
from enfilade.costs.holds.windows import Window, window_at

SLOTS = 60
RING = SLOTS + 1


class WindowMeter:
    """Counts over the last `per`, exactly enough never to let more than the limit through in any such span.

    The span is cut into 60 slots; 61 are kept, so that whatever is younger than the span is counted. A limit is
    therefore reached at most one sixtieth of a span longer than strictly needed, and never exceeded.
    """

    __slots__ = ("_head", "_ring", "_slot_ns", "rule", "subject", "total")

    def __init__(self, rule: LimitRule, subject: str) -> None:
        """Start empty."""
        self.rule = rule
        self.subject = subject
        self.total = 0
        self._ring = [0] * RING
        self._head = 0
        self._slot_ns = PER_SECONDS[rule.per or "second"] * NANOSECONDS // SLOTS

    @property
    def slot_ns(self) -> int:
        """The length of one slot."""
        return self._slot_ns

    def _advance(self, now_ns: int) -> None:
        slot = now_ns // self._slot_ns
        steps = slot - self._head
        if steps <= 0:
            return  # The same slot, or a clock that went back: what was counted stays counted.
        if steps >= RING:
            self._ring = [0] * RING
            self.total = 0
        elif self.total:
            ring = self._ring
            for passed in range(self._head + 1, slot + 1):
                position = passed % RING
                self.total -= ring[position]
                ring[position] = 0
        self._head = slot

    def fits(self, amount: int, now_ns: int) -> bool:
        """Whether `amount` more would stay within the limit."""
        self._advance(now_ns)
        return self.total + amount <= self.rule.amount

    def take(self, amount: int) -> int:
        """Count `amount` now, after `fits`; returns the slot it went to."""
        self._ring[self._head % RING] += amount
        self.total += amount
        return self._head

    def settle(self, slot: int, difference: int) -> None:
        """Correct what was counted in `slot`, unless that has left the window."""
        if self._head - RING < slot <= self._head:
            self._ring[slot % RING] += difference
            self.total += difference

    def seed(self, slot: int, amount: int, now_ns: int) -> None:
        """Count what happened before this process started."""
        self._advance(now_ns)
        self.settle(slot, amount)

    def left(self, now_ns: int) -> int:
        """How much is free now."""
        self._advance(now_ns)
        return max(0, self.rule.amount - self.total)

    def seconds_until_fits(self, amount: int, now_ns: int) -> float | None:
        """When `amount` will fit if nothing else is counted; None when it is more than the limit itself."""
        if amount > self.rule.amount:
            return None
        excess = self.total + amount - self.rule.amount
        freed = 0
        for slot in range(self._head - SLOTS, self._head + 1):
            freed += self._ring[slot % RING]
            if freed >= excess:
                return max(0.001, ((slot + RING) * self._slot_ns - now_ns) / NANOSECONDS)
        return 0.001

    def figures(self, now_ns: int) -> tuple[int, int, float]:
        """The limit, what is left of it, and in how many seconds everything counted will have left the window."""
        self._advance(now_ns)
        amount, ring, slot = self.rule.amount, self._ring, self._head
        if not self.total:
            return amount, amount, 0.0
        while not ring[slot % RING]:
            slot -= 1
        return amount, max(0, amount - self.total), ((slot + RING) * self._slot_ns - now_ns) / NANOSECONDS

    def is_idle(self, now_ns: int) -> bool:
        """Whether forgetting this meter would change nothing."""
        self._advance(now_ns)
        return self.total == 0


class ConcurrencyMeter:
    """Counts calls that are running."""

    __slots__ = ("active", "rule", "subject")

    def __init__(self, rule: LimitRule, subject: str) -> None:
        """Start at zero: no call survives the process that ran it."""
        self.rule = rule
        self.subject = subject
        self.active = 0

    def is_idle(self, _now_ns: int) -> bool:
        """Whether forgetting this meter would change nothing."""
        return self.active == 0


class BudgetMeter:
    """Counts money in the current calendar window: what is spent, and what is held for running calls."""

    __slots__ = ("_fired", "held", "rule", "spent", "subject", "told_exhausted", "window")

    def __init__(self, rule: BudgetRule, subject: str, now_ns: int) -> None:
        """Start the window that holds `now_ns`, with nothing spent."""
        self.rule = rule
        self.subject = subject
        self.spent = 0
        self.held = 0
        self.window = window_at(rule.period, now_ns, rule.time_zone)
        self.told_exhausted = False
        self._fired: set[str] = set()

    def advance(self, now_ns: int) -> None:
        """Begin the next window when the current one has passed; a clock that goes back changes nothing."""
        if now_ns >= self.window.end_ns:
            self.window = window_at(self.rule.period, now_ns, self.rule.time_zone)
            self.spent = self.held = 0
            self.told_exhausted = False
            self._fired.clear()

    def left(self, now_ns: int) -> int:
        """What may still be held; without bound for a budget that only warns."""
        self.advance(now_ns)
        return max(0, self.rule.limit_nano - self.spent - self.held)

    @property
    def only_warns(self) -> bool:
        """Whether this budget never stops a call."""
        return self.rule.action is Action.WARN

    @property
    def cuts(self) -> bool:
        """Whether a call that does not fit may start with what is left."""
        return self.rule.action is Action.CUT

    def take(self, nano: int) -> Window:
        """Hold money, after `left`; returns the window to which the hold is pinned."""
        self.held += nano
        return self.window

    def settle(self, window: Window, held: int, spent: int) -> list[str]:
        """End a hold and post what was spent; returns the alert thresholds that this crossed."""
        if window != self.window:
            return []  # The window has passed: the ledger has the amount, nothing is counted here any more.
        self.held -= held
        self.spent += spent
        return self._crossed() if spent else []

    def seed(self, window: Window, nano: int) -> None:
        """Count what the ledger says was spent before; its alerts were raised then."""
        if window == self.window:
            self.spent += nano
            self._fired.update(share for share in self.rule.alerts if self._reached(share, self.spent))

    def obey(self, rule: BudgetRule) -> None:
        """Go by a changed rule. A threshold that a higher limit has put above what is spent is told of anew."""
        self.rule = rule
        self._fired = {share for share in self._fired if self._reached(share, self.spent)}

    def _crossed(self) -> list[str]:
        """The thresholds that nobody was told of yet; also those that a lower limit has put below what is spent."""
        crossed = [share for share in self.rule.alerts if share not in self._fired and self._reached(share, self.spent)]
        self._fired.update(crossed)
        return crossed

    def _reached(self, share: str, spent: int) -> bool:
        return spent * 1_000_000 >= self.rule.limit_nano * _millionths(share) and spent > 0

    def is_idle(self, now_ns: int) -> bool:
        """Whether forgetting this meter would change nothing."""
        return self.held == 0 and (now_ns >= self.window.end_ns or not (self.spent or self.told_exhausted))


@lru_cache(maxsize=512)
def _millionths(share: str) -> int:
    whole, _, part = share.partition(".")
    return int(whole or "0") * 1_000_000 + int((part + "000000")[:6])


Meter = WindowMeter | ConcurrencyMeter | BudgetMeter
