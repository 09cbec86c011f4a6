"""Random lives of calls over nested scopes, against a plain list of everything that was ever held or spent.

The rules under test keep counters; the reference keeps the history and adds it up anew each time.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from enfilade.core.clock import ManualClock
from enfilade.core.errors import BudgetReached, LimitReached
from enfilade.core.scope import Scope
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.hold import Demand, Hold
from enfilade.costs.holds.meter_book import MeterBook
from enfilade.costs.holds.meters import ConcurrencyMeter, WindowMeter
from enfilade.costs.holds.types import Action, BudgetRule, LimitRule, Measure, Rule, Subject
from enfilade.costs.holds.windows import Window, window_at
from enfilade.identity.scopes import key_scope
from tests.support.properties import examples

TENANT = "t"
KINDS = ("tenant", "department", "application", "user", "key")
MODELS = ("small", "large")
NANOSECONDS = 1_000_000_000
PHASES = (Phase.explicit, Phase.generate)
"""Making a failing life shorter takes minutes and changes little: the steps are printed as they are."""


def scopes() -> list[Scope]:
    """Two departments with two applications each, two users, a key per application."""
    found = []
    for number in range(4):
        department, application = f"d{number // 2}", f"a{number}"
        found += [
            key_scope(TENANT, f"k{number}", department=department, application=application, user=user)
            for user in ("u0", "u1")
        ]
    return found


SCOPES = scopes()
amounts = st.one_of(st.integers(0, 3), st.integers(0, 400))

indices = st.integers(0, 99)


@dataclass
class Loss:
    """What an attempt may have cost that answered nothing."""

    model: str
    nano: int
    windows: dict[str, Window]
    posted: set[str] = field(default_factory=set)
    """Budgets that the call has left since, where it is spent already."""


@dataclass
class Life:
    """What the reference knows of one call."""

    hold: Hold
    tokens: int
    nano: int
    is_live: bool = True
    windows: dict[str, Window] = field(default_factory=dict)
    """For each budget, the window that was current when the call began to count for it."""
    since_ns: dict[str, int] = field(default_factory=dict)
    """For each limit, when the call began to count for it."""
    losses: list[Loss] = field(default_factory=list)

    @property
    def lost(self) -> int:
        """What all lost attempts may have cost."""
        return sum(loss.nano for loss in self.losses)


class Calls(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        """Start with an empty book; the rules come with the first step."""
        super().__init__()
        self.clock = ManualClock(datetime(2026, 11, 2, 23, 58, tzinfo=UTC))
        self.book = MeterBook(self.clock)
        self.lives: list[Life] = []
        self.budgets: list[BudgetRule] = []
        self.limits: list[LimitRule] = []
        self.alerts: set[tuple[str, str, Window, str]] = set()

    @initialize(
        amounts=st.lists(st.integers(0, 1500), min_size=5, max_size=5),
        actions=st.lists(st.sampled_from([Action.BLOCK, Action.BLOCK, Action.CUT]), min_size=5, max_size=5),
        periods=st.lists(st.sampled_from(["minute", "hour", "day", "total"]), min_size=5, max_size=5),
        running=st.integers(1, 4),
        requests=st.integers(1, 8),
        tokens=st.integers(100, 1500),
    )
    def declare(
        self,
        amounts: list[int],
        actions: list[Action],
        periods: list[str],
        running: int,
        requests: int,
        tokens: int,
    ) -> None:
        """Five nested budgets, one that only warns, one for a model, and limits of every kind."""
        self.budgets = [
            BudgetRule(f"b-{kind}", TENANT, Subject(kind), None, period, amount, ("0.5", "1"), action)
            for kind, amount, action, period in zip(KINDS, amounts, actions, periods, strict=True)
        ]
        self.budgets.append(BudgetRule("b-warn", TENANT, Subject("tenant"), None, "day", 300, ("0.5",), Action.WARN))
        self.budgets.append(BudgetRule("b-model", TENANT, Subject("tenant"), "large", "day", 1000))
        self.limits = [
            LimitRule("l-running", TENANT, Subject("application"), None, Measure.CONCURRENCY, running, None),
            LimitRule("l-large", TENANT, Subject("tenant"), "large", Measure.CONCURRENCY, 3, None),
            LimitRule("l-requests", TENANT, Subject("key"), None, Measure.REQUESTS, requests, "minute"),
            LimitRule("l-tokens", TENANT, Subject("department"), None, Measure.TOKENS, tokens, "minute"),
            LimitRule("l-asked", TENANT, Subject("tenant"), "large", Measure.REQUESTS, 6, "minute"),
            LimitRule("l-model", TENANT, Subject("tenant"), "large", Measure.TOKENS, 600, "minute"),
        ]
        rules: tuple[Rule, ...] = (*self.budgets, *self.limits)
        self.book.install({TENANT: rules}, None)
        self.book.mark_seeded(rules)

    # What may happen.

    @rule(
        scope=st.sampled_from(SCOPES),
        model=st.sampled_from(MODELS),
        tokens=amounts,
        nano=amounts,
        share=st.integers(0, 4),
    )
    def reserve(self, scope: Scope, model: str, tokens: int, nano: int, share: int) -> None:
        hold = Hold(f"call-{len(self.lives)}", scope, model, self.clock.now_ns(), 0, 0)
        before = self.figures()
        try:
            self.book.take(self.book.meters_for(scope, model), hold, Demand(tokens, nano, nano * share // 4))
        except (BudgetReached, LimitReached):
            assert self.figures() == before, "a refused call counts nowhere"
            return
        assert hold.nano <= nano
        assert hold.is_cut == (hold.nano < nano)
        self.lives.append(Life(hold, tokens, hold.nano))
        self.remember(self.lives[-1])

    @precondition(lambda self: self.live)
    @rule(which=indices, used=st.integers(0, 4), spent=st.integers(0, 4))
    def settle(self, which: int, used: int, spent: int) -> None:
        life = self.live[which % len(self.live)]
        self.end(life, life.tokens * used // 4, life.lost + (life.nano - life.lost) * spent // 4)

    @precondition(lambda self: self.live)
    @rule(which=indices)
    def release(self, which: int) -> None:
        life = self.live[which % len(self.live)]
        self.end(life, 0, life.lost)

    @precondition(lambda self: len(self.live) < len(self.lives))
    @rule(which=indices, nano=amounts)
    def settle_again(self, which: int, nano: int) -> None:
        over = [life for life in self.lives if not life.is_live]
        ended = over[which % len(over)]
        before = self.figures()
        assert ended.hold.settle(nano, nano) == []
        assert self.figures() == before, "a call that has ended counts once"

    @precondition(lambda self: self.live)
    @rule(which=indices, tokens=amounts, nano=amounts)
    def try_again(self, which: int, tokens: int, nano: int) -> None:
        life = self.live[which % len(self.live)]
        before = self.figures()
        try:
            life.hold.extend(Demand(tokens, nano, nano), self.clock.now_ns())
        except (BudgetReached, LimitReached):
            assert self.figures() == before
            return
        life.tokens += tokens
        life.nano += nano
        life.losses.append(Loss(life.hold.model, nano, dict(life.windows)))

    @precondition(lambda self: self.live)
    @rule(which=indices)
    def fall_back(self, which: int) -> None:
        life = self.live[which % len(self.live)]
        model = "small" if life.hold.model == "large" else "large"
        before = self.figures()
        try:
            life.hold.switch(self.book.meters_for(life.hold.scope, model), self.clock.now_ns())
        except (BudgetReached, LimitReached):
            assert self.figures() == before
            return
        for loss in life.losses:
            loss.posted |= {budget.id for budget in self.budgets if budget.model not in {None, model}}
        life.hold.model = model
        self.remember(life)

    @rule(seconds=st.sampled_from([0.4, 1, 7, 30, 61, 3600, 90_000]))
    def wait(self, seconds: float) -> None:
        self.clock.advance(seconds)

    # What must hold.

    @invariant()
    def budgets_are_what_the_history_says(self) -> None:
        now_ns = self.clock.now_ns()
        for budget in self.budgets:
            window = window_at(budget.period, now_ns, "UTC")
            for subject in self.subjects(budget):
                held, spent = self.naive_budget(budget, subject, window)
                meter = self.book.find(budget.id, subject)
                if meter is None:
                    assert (held, spent) == (0, 0)
                    continue
                assert isinstance(meter, BudgetMeter)
                meter.advance(now_ns)
                assert (meter.held, meter.spent) == (held, spent)
                for share in budget.alerts:
                    if spent and spent >= Decimal(share) * budget.limit_nano:
                        assert (budget.id, subject, window, share) in self.alerts
                if not meter.only_warns:
                    assert held + spent <= budget.limit_nano

    @invariant()
    def running_calls_are_counted(self) -> None:
        for limit in self.limits:
            if limit.measure is not Measure.CONCURRENCY:
                continue
            for subject in self.subjects(limit):
                running = sum(self.counts(limit, life) == subject for life in self.live)
                meter = self.book.find(limit.id, subject)
                assert running <= limit.amount
                assert running == (meter.active if isinstance(meter, ConcurrencyMeter) else 0)

    @invariant()
    def no_window_lets_more_through_than_its_limit(self) -> None:
        now_ns = self.clock.now_ns()
        for limit in self.limits:
            if limit.per is None:
                continue
            for subject in self.subjects(limit):
                counted = self.naive_window(limit, subject, now_ns - 60 * NANOSECONDS)
                assert counted <= limit.amount
                meter = self.book.find(limit.id, subject)
                left = meter.left(now_ns) if isinstance(meter, WindowMeter) else limit.amount
                # What is as old as the window and one slot more is forgotten.
                at_least = limit.amount - self.naive_window(limit, subject, now_ns - 61 * NANOSECONDS)
                assert at_least <= left <= limit.amount - counted

    def teardown(self) -> None:
        """End every call and look once more."""
        for life in self.live:
            self.end(life, life.tokens, life.nano)
        for meter in self.meters():
            if isinstance(meter, BudgetMeter):
                assert meter.held == 0
            elif isinstance(meter, ConcurrencyMeter):
                assert meter.active == 0
        assert self.book.holds == {}

    # The reference.

    @property
    def live(self) -> list[Life]:
        """The calls that have not ended."""
        return [life for life in self.lives if life.is_live]

    def end(self, life: Life, tokens: int, nano: int) -> None:
        """Settle a call, here and there."""
        for alert in life.hold.settle(tokens, nano):
            key = (alert.meter.rule.id, alert.meter.subject, alert.window, alert.share)
            assert key not in self.alerts, "a threshold is told once in a window"
            self.alerts.add(key)
        self.book.forget(life.hold)
        life.tokens, life.nano, life.is_live = tokens, nano, False

    def remember(self, life: Life) -> None:
        """When a call began to count for what concerns it now; a budget's window is pinned at that moment."""
        now_ns = self.clock.now_ns()
        for budget in self.budgets:
            if self.counts(budget, life) is None:
                life.windows.pop(budget.id, None)
            else:
                life.windows.setdefault(budget.id, window_at(budget.period, now_ns, "UTC"))
        for limit in self.limits:
            if self.counts(limit, life) is not None:
                life.since_ns.setdefault(limit.id, now_ns)
            elif limit.measure is not Measure.REQUESTS:
                # A request that was made stays made; tokens are counted where they are used.
                life.since_ns.pop(limit.id, None)

    def counts(self, limit: Rule, life: Life) -> str | None:
        """Under which subject a call counts for a rule now."""
        return None if limit.model not in {None, life.hold.model} else self.who(limit, life)

    def who(self, limit: Rule, life: Life) -> str:
        """The subject of a rule to which a call belongs."""
        return TENANT if limit.subject.kind == "tenant" else str(getattr(life.hold.scope, limit.subject.kind))

    def subjects(self, limit: Rule) -> set[str]:
        """Everybody whom a rule concerns."""
        kind = limit.subject.kind
        return {TENANT} if kind == "tenant" else {str(getattr(scope, kind)) for scope in SCOPES}

    def naive_budget(self, budget: BudgetRule, subject: str, window: Window) -> tuple[int, int]:
        """Held and spent in a window, added up."""
        held = spent = 0
        for life in self.lives:
            if self.who(budget, life) != subject:
                continue
            here = [
                loss
                for loss in life.losses
                if budget.model in {None, loss.model} and loss.windows.get(budget.id) == window
            ]
            spent += sum(loss.nano for loss in here if budget.id in loss.posted)
            rest = sum(loss.nano for loss in here if budget.id not in loss.posted)
            if self.counts(budget, life) == subject and life.windows[budget.id] == window:
                rest += life.nano - life.lost
            held, spent = (held + rest, spent) if life.is_live else (held, spent + rest)
        return held, spent

    def naive_window(self, limit: LimitRule, subject: str, after_ns: int) -> int:
        """Requests or tokens of calls that began after a moment."""
        total = 0
        for life in self.lives:
            if life.since_ns.get(limit.id, after_ns) > after_ns and self.who(limit, life) == subject:
                total += 1 if limit.measure is Measure.REQUESTS else life.tokens
        return total

    def meters(self) -> list[BudgetMeter | ConcurrencyMeter | WindowMeter]:
        """Every meter there is."""
        rules: tuple[Rule, ...] = (*self.budgets, *self.limits)
        found = [self.book.find(rule.id, subject) for rule in rules for subject in sorted(self.subjects(rule))]
        return [meter for meter in found if meter is not None]

    def figures(self) -> list[object]:
        """Everything that is counted now."""
        now_ns = self.clock.now_ns()
        figures: list[object] = []
        for meter in self.meters():
            if isinstance(meter, BudgetMeter):
                meter.advance(now_ns)
                figures.append((meter.rule.id, meter.subject, meter.held, meter.spent))
            elif isinstance(meter, ConcurrencyMeter):
                figures.append((meter.rule.id, meter.subject, meter.active))
            else:
                figures.append((meter.rule.id, meter.subject, meter.rule.amount - meter.left(now_ns)))
        return [figure for figure in figures if any(figure[2:])]  # type: ignore[index]


TestCalls: Any = Calls.TestCase
TestCalls.settings = settings(examples(60), stateful_step_count=40, phases=PHASES)
