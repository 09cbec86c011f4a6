"""What budgets promise, as one can work it out from outside: how much may have been spent in each window at most."""

from collections import defaultdict
from dataclasses import dataclass, field

from enfilade.core.clock import to_ns
from enfilade.costs.holds.types import Action, BudgetRule
from enfilade.costs.holds.windows import Window, window_at
from tests.simulation.books import Books

WITHOUT_BOUND = 1 << 62


@dataclass(frozen=True, slots=True)
class Change:
    """A budget was set at some moment, when some subjects had already used something."""

    at_ns: int
    limit: int
    used: dict[str, int]


@dataclass(slots=True)
class Promises:
    """Follows the budgets' changes."""

    changes: dict[str, list[Change]] = field(default_factory=lambda: defaultdict(list))
    uncertain: list[tuple[int, int]] = field(default_factory=list)
    """Spans of which nobody can say to which window they belong: over which the wall clock was turned back."""

    def note(self, rule: BudgetRule, used: dict[str, int], at_ns: int) -> None:
        """A budget is in force from now on."""
        limit = WITHOUT_BOUND if rule.action is Action.WARN else rule.limit_nano
        self.changes[rule.id].append(Change(at_ns, limit, used))

    def is_vague(self, window: Window) -> bool:
        """Whether an end of this window lies in a span that is uncertain."""
        return any(
            first < window.end_ns
            and last >= window.start_ns
            and not (window.start_ns <= first and last < window.end_ns)
            for first, last in self.uncertain
        )

    def most(self, rule: BudgetRule, subject: str, window: Window) -> int:
        """What may have been spent in the window at most.

        Where a limit was lowered below what was used already, that is the most; what was noted before the window
        began says nothing about its use.
        """
        known = [change for change in self.changes[rule.id] if change.at_ns < window.end_ns]
        if not known or self.is_vague(window):
            return WITHOUT_BOUND
        last = known[-1]
        if last.at_ns < window.start_ns:
            return last.limit
        return max(last.limit, last.used.get(subject, 0))

    def check_windows(self, rule: BudgetRule, books: Books) -> None:
        """No window, past or present, has more in the ledger than its budget allowed."""
        spent: dict[tuple[str, Window], int] = defaultdict(int)
        for row in books.ledger:
            subject = row[rule.subject.kind]
            wanted = rule.subject.id or (rule.tenant if rule.subject.kind == "tenant" else subject)
            if row["tenant"] != rule.tenant or subject is None or subject != wanted:
                continue
            if rule.model is None or row["model"] == rule.model:
                spent[subject, window_at(rule.period, to_ns(row["started_at"]), rule.time_zone)] += row["nano"]
        for (subject, window), nano in spent.items():
            assert nano <= self.most(rule, subject, window), (rule, subject, window, nano)
