"""Money in the calendar windows of one budget and one subject: what is spent, what is held, and what may be.

What may be spent is the limit, with the raises that run, and with what was left in the window before where that is
carried over. It is worked out when one of these changes, not when somebody asks.
"""

from functools import lru_cache

from enfilade.core.clock import NANOSECONDS
from enfilade.costs.holds.types import Action, BudgetRule
from enfilade.costs.holds.windows import Window, window_at, window_before

NEVER = 1 << 80
"""More than anybody can spend."""
MILLION = 1_000_000
SET_BACK_NS = 60 * NANOSECONDS
"""So far a clock may be set right in steps too small to start over: the window before could begin again."""


class WindowBefore:
    """The window before the current one, as long as its rest is carried over."""

    __slots__ = ("used", "window")

    def __init__(self, window: Window, used: int = 0) -> None:
        """`used` is what was spent in it, and what calls that began in it still hold."""
        self.window = window
        self.used = used


class BudgetMeter:
    """Counts money in the current calendar window. A budget that is full lets calls through that cost nothing."""

    __slots__ = (
        "_alert_nano",
        "_fired",
        "_told",
        "ahead",
        "before",
        "carried",
        "ceiling",
        "only_warns",
        "raised",
        "rule",
        "spent",
        "subject",
        "told_exhausted",
        "turn_ns",
        "used",
        "window",
    )

    def __init__(self, rule: BudgetRule, subject: str, now_ns: int) -> None:
        """Start the window that holds `now_ns`, with nothing spent."""
        self.rule = rule
        self.subject = subject
        self.used = 0
        """What is spent and what is held, together."""
        self.spent = 0
        self.only_warns = False
        """Whether this budget never stops a call."""
        self.raised = 0
        self.carried = 0
        self.ceiling = 0
        """What may be used in this window at this moment."""
        self.turn_ns = 0
        """When the window ends, or a raise begins or ends: until then nothing changes by itself."""
        self.told_exhausted = False
        self._fired: set[str] = set()
        self._told: dict[str, int] = {}
        """The highest amount of each threshold that was told of in this window."""
        self._alert_nano = NEVER
        self.window = window_at(rule.period, now_ns, *rule.calendar)
        self.before = self._window_before()
        self.ahead: dict[Window, tuple[int, int]] = {}
        """What is used and spent in windows to come: calls of a time when the clock was ahead."""
        self._work_out(now_ns)

    @property
    def held(self) -> int:
        """What is held for running calls."""
        return self.used - self.spent

    @property
    def cuts(self) -> bool:
        """Whether a call that does not fit may start with what is left."""
        return self.rule.action is Action.CUT

    def advance(self, now_ns: int) -> None:
        """Begin the next window when the current one has passed; a clock that goes back changes nothing."""
        if now_ns < self.turn_ns:
            return
        if now_ns < self.window.end_ns:
            self._work_out(now_ns)
            return
        self._begin_window(now_ns)
        self._work_out(now_ns)
        if self.spent:
            self._crossed()  # Before its time: the alerts were raised then.

    def _begin_window(self, now_ns: int) -> None:
        passed = WindowBefore(self.window, self.used)
        self.window = window_at(self.rule.period, now_ns, *self.rule.calendar)
        self.before = self._window_before()
        if self.before is not None and self.before.window == passed.window:
            self.before = passed
        elif self.before is not None and self.before.window in self.ahead:
            self.before.used = self.ahead[self.before.window][0]
        self.used, self.spent = self.ahead.get(self.window, (0, 0))
        if self.ahead:
            end_ns = self.window.end_ns
            self.ahead = {window: figures for window, figures in self.ahead.items() if window.start_ns >= end_ns}
        self.told_exhausted = False
        self._fired.clear()
        self._told.clear()

    def left(self, now_ns: int) -> int:
        """What may still be held."""
        if now_ns >= self.turn_ns:
            self.advance(now_ns)
        return max(0, self.ceiling - self.used)

    def take(self, nano: int) -> Window:
        """Hold money, after `left`; returns the window to which the hold is pinned."""
        self.used += nano
        return self.window

    def pin(self, started_ns: int, nano: int) -> Window | None:
        """Hold money for a call that runs already, in the window in which it began; None when that has passed."""
        if started_ns >= self.window.end_ns:
            window = window_at(self.rule.period, started_ns, *self.rule.calendar)
            self.settle(window, -nano, 0)
            return window
        known = (self.window,) if self.before is None else (self.window, self.before.window)
        for window in known:
            if window.start_ns <= started_ns < window.end_ns:
                self.settle(window, -nano, 0)
                return window
        return None

    def settle(self, window: Window, held: int, spent: int) -> list[str]:
        """End a hold and post what was spent; returns the alert thresholds that this crossed."""
        if window is not self.window and window != self.window:
            # Of a window that has passed the ledger has the amount. Here it counts where its rest is carried over.
            if self.before is not None and window == self.before.window:
                self.before.used += spent - held
                self._work_out_ceiling()
            elif window.start_ns >= self.window.end_ns:
                ahead_used, ahead_spent = self.ahead.get(window, (0, 0))
                self.ahead[window] = (ahead_used + spent - held, ahead_spent + spent)
            return []
        self.used += spent - held
        self.spent += spent
        return self._crossed() if spent and self.spent >= self._alert_nano else []

    def seed(self, window: Window, nano: int) -> None:
        """Count what the ledger says was spent before; its alerts were raised then."""
        if window != self.window:
            self.settle(window, 0, nano)
            return
        self.used += nano
        self.spent += nano
        self._crossed()

    def obey(self, rule: BudgetRule, now_ns: int) -> None:
        """Go by a changed rule. A threshold that a higher limit has put above what is spent is told of anew."""
        self.rule = rule
        self.advance(now_ns)
        self._work_out(now_ns)

    def is_idle(self, now_ns: int) -> bool:
        """Whether forgetting this meter would change nothing."""
        if self.rule.carry_over:
            self.advance(now_ns)
        if now_ns < self.window.start_ns + SET_BACK_NS:
            return False
        used_before = self.before.used if self.before is not None else 0
        if self.held or used_before or self.ahead:
            return False
        return now_ns >= self.window.end_ns + SET_BACK_NS or not (self.spent or self.told_exhausted)

    # What may be used.

    def _window_before(self) -> WindowBefore | None:
        if not self.rule.carry_over:
            return None
        window = window_before(self.rule.period, self.window, self.rule.calendar)
        return None if window is None else WindowBefore(window)

    def _work_out(self, now_ns: int) -> None:
        """Work out everything that follows from the rule and the time."""
        rule = self.rule
        self.only_warns = rule.action is Action.WARN
        self.raised = rule.raised_at(now_ns)
        turns = [moment for entry in rule.raises for moment in (entry.starts_ns, entry.until_ns) if moment > now_ns]
        self.turn_ns = min(self.window.end_ns, *turns) if turns else self.window.end_ns
        self._work_out_ceiling()
        self._fired = {share for share in self._fired if self._amount(share) <= self.spent}
        self._arm()

    def _work_out_ceiling(self) -> None:
        rule = self.rule
        own = rule.limit_before(self.window.start_ns) if self.before is not None else None
        self.carried = 0
        if own is not None and self.before is not None:
            left = max(0, own - self.before.used)
            self.carried = left if rule.carry_over_limit_nano is None else min(left, rule.carry_over_limit_nano)
        self.ceiling = rule.limit_nano + self.raised + self.carried
        self._arm()

    # Alerts.

    def _crossed(self) -> list[str]:
        """The thresholds that nobody was told of yet; also those that a lower limit has put below what is spent."""
        crossed = [share for share in self._waiting() if self._amount(share) <= self.spent]
        for share in crossed:
            self._fired.add(share)
            self._told[share] = self._amount(share)
        self._arm()
        return crossed

    def _waiting(self) -> list[str]:
        """Those of which is to be told: one is told of again only when more has to be spent for it."""
        waiting = (share for share in self.rule.alerts if share not in self._fired)
        return [share for share in waiting if self._amount(share) > self._told.get(share, 0)]

    def _arm(self) -> None:
        self._alert_nano = min((self._amount(share) for share in self._waiting()), default=NEVER)

    def _amount(self, share: str) -> int:
        """The least that has to be spent to reach a threshold."""
        return max(1, -(-self.ceiling * _millionths(share) // MILLION))


@lru_cache(maxsize=512)
def _millionths(share: str) -> int:
    whole, _, part = share.partition(".")
    return int(whole or "0") * MILLION + int((part + "000000")[:6])
