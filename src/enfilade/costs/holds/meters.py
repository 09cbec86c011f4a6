"""Live counters, one per rule and subject. In memory, single-threaded, without a single await.

Three kinds: a sliding window for requests and tokens, a plain count for concurrency, and for money a calendar window
(`budget_meter.py`). `fits` asks, `take` counts a worst case, and a later `settle` replaces it by what was really used.
"""

from enfilade.core.clock import NANOSECONDS
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.types import PER_SECONDS, LimitRule

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


Meter = WindowMeter | ConcurrencyMeter | BudgetMeter
