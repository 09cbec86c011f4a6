"""The nouns of this room."""

from dataclasses import dataclass
from enum import StrEnum

from enfilade.core.scope import Scope

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
    version: int = 1


Rule = LimitRule | BudgetRule
