"""The nouns of this room."""

from dataclasses import dataclass
from enum import StrEnum

from enfilade.core.scope import Scope
from enfilade.costs.holds.windows import Calendar

PER_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
PERIODS = ("minute", "hour", "day", "week", "month", "quarter", "year", "total")


class Measure(StrEnum):
    """What a limit counts."""

    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"


class Action(StrEnum):
    """What happens when a call does not fit a budget."""

    BLOCK = "block"
    CUT = "cut"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class Subject:
    """Whom a rule concerns: one tenant, department, application, user or key, or each one of a kind."""

    kind: str
    id: str | None = None
    """None: the tenant itself, or, for the other kinds, each one."""

    @property
    def is_each(self) -> bool:
        """Whether every subject of the kind is counted by itself."""
        return self.kind != "tenant" and self.id is None

    def counted_id(self, scope: Scope) -> str | None:
        """Under which id a call of `scope` counts; None when the rule does not concern it."""
        if self.kind == "tenant":
            return scope.tenant
        actual: str | None = getattr(scope, self.kind)
        if actual is None or (self.id is not None and actual != self.id):
            return None
        return actual


@dataclass(frozen=True, slots=True)
class LimitRule:
    """So many requests or tokens in a window, or so many calls at once."""

    id: str
    tenant: str
    subject: Subject
    model: str | None
    measure: Measure
    amount: int
    per: str | None
    version: int = 1

    def counts_like(self, other: "LimitRule") -> bool:
        """Whether it counts the same things as another form of it, so that its meters can keep their figures."""
        return (self.measure, self.per, self.subject, self.model) == (
            other.measure,
            other.per,
            other.subject,
            other.model,
        )


@dataclass(frozen=True, slots=True)
class Raise:
    """So much more, from one moment to another, and why."""

    id: str
    budget: str
    amount_nano: int
    reason: str
    actor: str
    starts_ns: int
    until_ns: int
    ended_ns: int | None = None
    """When somebody ended it before its time."""

    def is_running(self, now_ns: int) -> bool:
        """Whether it counts at that moment."""
        return self.ended_ns is None and self.starts_ns <= now_ns < self.until_ns


@dataclass(frozen=True, slots=True)
class LimitSince:
    """The limit that a budget has had since a moment."""

    since_ns: int
    limit_nano: int


@dataclass(frozen=True, slots=True)
class BudgetRule:
    """So much money in a window of the tenant's calendar."""

    id: str
    tenant: str
    subject: Subject
    model: str | None
    period: str
    limit_nano: int
    alerts: tuple[str, ...] = ()
    """Shares of the limit, as decimal text ("0.8"), that raise an event once per window when they are spent."""
    action: Action = Action.BLOCK
    time_zone: str = "UTC"
    month_starts_on: int = 1
    year_starts_in: int = 1
    carry_over: bool = False
    """Whether what was left of the limit in the window before is added to the limit of this one."""
    carry_over_limit_nano: int | None = None
    """The most that is carried over."""
    raises: tuple[Raise, ...] = ()
    """Temporary raises that have not passed."""
    limits: tuple[LimitSince, ...] = ()
    """Its limits since it was made, in the order of time: what is carried over goes by those of the window before."""
    epoch: int = 0
    """Grows when the ledger was corrected: what was counted before has to be read anew."""
    version: int = 1

    @property
    def calendar(self) -> Calendar:
        """Where its windows begin."""
        return Calendar(self.time_zone, self.month_starts_on, self.year_starts_in)

    def limit_before(self, moment_ns: int) -> int | None:
        """Its own limit just before a moment; None when it was not there yet."""
        found = None
        for entry in self.limits:
            if entry.since_ns < moment_ns:
                found = entry.limit_nano
        return found

    def raised_at(self, now_ns: int) -> int:
        """What the raises that run add to the limit."""
        return sum(entry.amount_nano for entry in self.raises if entry.is_running(now_ns))

    def counts_like(self, other: "BudgetRule") -> bool:
        """Whether it counts the same things as another form of it, so that its meters can keep their figures."""
        return (
            self.period == other.period
            and self.calendar == other.calendar
            and (self.subject, self.model) == (other.subject, other.model)
            and (self.carry_over, self.epoch) == (other.carry_over, other.epoch)
        )


Rule = LimitRule | BudgetRule
