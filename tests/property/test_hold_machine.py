"""Random histories of budgets, against a list of calls from which everything is added up anew after each step.

Calls are admitted, tried again, sent to other models, settled, and left behind; meanwhile clocks go forward over the
edges of windows and back, limits change, raises come and pass, rules come and go, the ledger is corrected, and the
process starts anew and reads its past.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from enfilade.core.clock import NANOSECONDS, ManualClock
from enfilade.core.errors import BudgetReached, LimitReached
from enfilade.core.scope import Scope
from enfilade.costs.holds.budget_meter import BudgetMeter
from enfilade.costs.holds.hold import Demand, Hold
from enfilade.costs.holds.meter_book import HOLD_LASTS_S, MeterBook
from enfilade.costs.holds.types import Action, BudgetRule, LimitSince, Raise, Subject
from enfilade.costs.holds.windows import Window, window_at, window_before
from enfilade.identity.scopes import key_scope
from tests.support.properties import examples

TENANT = "t"
MODELS = ("small", "large")
PHASES = (Phase.explicit, Phase.generate)
SCOPES = [
    key_scope(TENANT, f"k{number}", department=f"d{number // 2}", application=f"a{number}", user="u")
    for number in range(3)
]
EDGES = [
    ("UTC", datetime(2028, 2, 28, 23, 0, tzinfo=UTC)),  # A leap day comes.
    ("UTC", datetime(2026, 12, 31, 22, 0, tzinfo=UTC)),
    ("Europe/Vienna", datetime(2026, 10, 24, 20, 0, tzinfo=UTC)),  # An hour comes twice.
    ("America/Santiago", datetime(2026, 9, 6, 2, 0, tzinfo=UTC)),  # A midnight does not come.
    ("Africa/Cairo", datetime(2026, 10, 29, 19, 30, tzinfo=UTC)),  # The hour before a midnight comes twice.
    ("America/Havana", datetime(2026, 11, 1, 2, 0, tzinfo=UTC)),  # A midnight comes twice.
    ("Australia/Lord_Howe", datetime(2026, 10, 3, 13, 0, tzinfo=UTC)),  # Half an hour is missing.
]
amounts = st.one_of(st.integers(0, 3), st.integers(0, 400))
indices = st.integers(0, 99)
Key = tuple[str, str]


@dataclass
class Entry:
    """An attempt of a call: what it holds, or cost."""

    model: str
    nano: int
    windows: dict[str, Window] = field(default_factory=dict)
    """By budget, in which of its windows this counts. A budget that is not there does not count it."""


@dataclass
class Life:
    """A call: the attempts that were lost, and the last one."""

    hold: Hold
    entries: list[Entry]
    is_live: bool = True

    @property
    def lost(self) -> int:
        """What all but the last attempt may have cost."""
        return sum(entry.nano for entry in self.entries[:-1])


class Books(RuleBasedStateMachine):
    """See the module."""

    def __init__(self) -> None:
        """The rules come with the first step."""
        super().__init__()
        self.clock = ManualClock()
        self.book = MeterBook(self.clock)
        self.lives: list[Life] = []
        self.budgets: dict[str, BudgetRule] = {}
        self.resting: list[BudgetRule] = []
        """Rules that are not in force at the moment."""
        self.seen_ns: dict[Key, int] = {}
        """For each meter, the latest time that it saw: windows do not begin again when a clock goes back a little."""
        self.excused: set[Key] = set()
        self.may_exceed = False
        """Whether the last step was one that may put a limit below what is used already."""
        self.calls = 0

    @initialize(
        edge=st.sampled_from(EDGES),
        limits=st.lists(st.integers(0, 1500), min_size=6, max_size=6),
        periods=st.lists(st.sampled_from(["hour", "day", "month", "quarter"]), min_size=6, max_size=6),
        most=st.one_of(st.none(), st.integers(0, 500)),
        starts_on=st.sampled_from([1, 7, 28]),
    )
    def declare(
        self, edge: tuple[str, datetime], limits: list[int], periods: list[str], most: int | None, starts_on: int
    ) -> None:
        """Budgets of every kind, nested; each has been there for some time."""
        zone, moment = edge
        self.clock.jump((moment - datetime(2026, 11, 2, 12, tzinfo=UTC)).total_seconds())
        subjects = [Subject("tenant"), Subject("department"), Subject("application"), Subject("key", "k1")]
        forms: list[dict[str, Any]] = [
            {"subject": subject, "carry_over": number % 2 == 0} for number, subject in enumerate(subjects)
        ]
        forms[1] |= {"action": Action.CUT, "carry_over": True, "carry_over_limit_nano": most}
        forms.append({"subject": Subject("tenant"), "model": "large"})
        forms.append({"subject": Subject("tenant"), "model": "small", "carry_over": True})
        for number, (form, limit, period) in enumerate(zip(forms, limits, periods, strict=True)):
            fields = {"model": None, "action": Action.BLOCK, "month_starts_on": starts_on} | form
            identifier = f"b{number}"
            since = (LimitSince(0, limit),)
            self.budgets[identifier] = BudgetRule(
                id=identifier, tenant=TENANT, period=period, limit_nano=limit, time_zone=zone, limits=since, **fields
            )
        self.install()

    # Calls.

    @rule(scope=st.sampled_from(SCOPES), model=st.sampled_from(MODELS), nano=amounts, share=st.integers(0, 4))
    def reserve(self, scope: Scope, model: str, nano: int, share: int) -> None:
        self.calls += 1
        now_ns = self.clock.now_ns()
        hold = Hold(f"call-{self.calls}", scope, model, now_ns, 0, 0)
        before = self.figures()
        try:
            self.book.take(self.book.meters_for(scope, model), hold, Demand(0, nano, nano * share // 4))
        except BudgetReached:
            assert self.figures() == before, "a refused call counts nowhere"
            return
        entry = Entry(model, hold.nano)
        for budget in self.budgets.values():
            if budget.model in {None, model} and (subject := budget.subject.counted_id(scope)):
                seen_ns = max(now_ns, self.seen_ns.get((budget.id, subject), 0))
                entry.windows[budget.id] = window_at(budget.period, seen_ns, *budget.calendar)
        self.lives.append(Life(hold, [entry]))

    @precondition(lambda self: self.running)
    @rule(which=indices, nano=amounts)
    def try_again(self, which: int, nano: int) -> None:
        life = self.pick(which)
        before = self.figures()
        try:
            life.hold.extend(Demand(0, nano, nano), self.clock.now_ns())
        except (BudgetReached, LimitReached):
            assert self.figures() == before
            return
        # What is held for the next attempt is what the present one is now known to cost at most.
        running = life.entries[-1]
        life.entries[-1:] = [replace(running, nano=nano), replace(running, windows=dict(running.windows))]

    @precondition(lambda self: self.running)
    @rule(which=indices)
    def fall_back(self, which: int) -> None:
        life = self.pick(which)
        model = "small" if life.hold.model == "large" else "large"
        before = self.figures()
        try:
            life.hold.switch(self.book.meters_for(life.hold.scope, model), self.clock.now_ns())
        except (BudgetReached, LimitReached):
            assert self.figures() == before
            return
        life.hold.model = model
        running = life.entries[-1]
        running.model = model
        for budget in self.budgets.values():
            if budget.model not in {None, model}:
                running.windows.pop(budget.id, None)
            elif budget.id not in running.windows and budget.subject.counted_id(life.hold.scope):
                running.windows[budget.id] = self.own_window(budget, life)

    @precondition(lambda self: self.live)
    @rule(which=indices, share=st.integers(0, 4), overrun=st.sampled_from([0, 0, 0, 50]))
    def settle(self, which: int, share: int, overrun: int) -> None:
        life = self.live[which % len(self.live)]
        running = life.entries[-1]
        nano = life.lost + (0 if life.hold.expired else running.nano * share // 4) + overrun
        self.may_exceed = nano > life.hold.nano
        self.end(life, nano)

    @precondition(lambda self: len(self.live) < len(self.lives))
    @rule(which=indices, nano=amounts)
    def settle_again(self, which: int, nano: int) -> None:
        over = [life for life in self.lives if not life.is_live]
        before = self.figures()
        assert over[which % len(over)].hold.settle(0, nano) == []
        assert self.figures() == before, "a hold ends once"

    @rule()
    def leave_behind(self) -> None:
        self.wait(HOLD_LASTS_S)
        self.book.expire()
        for life in self.live:
            assert life.hold.expired
            life.entries[-1].nano = 0

    # Time.

    @rule(seconds=st.sampled_from([60, 1800, 3600, 5400, 6 * 3600, 86_400, 29 * 86_400]))
    def wait(self, seconds: float) -> None:
        before_ns = self.clock.now_ns()
        self.clock.advance(seconds)
        passed = [entry for budget in self.budgets.values() for entry in budget.raises]
        self.may_exceed = any(before_ns < entry.until_ns <= self.clock.now_ns() for entry in passed)

    @rule()
    def set_the_clock_right(self) -> None:
        self.clock.jump(-1)

    @rule(seconds=st.sampled_from([-5400, -86_400, -40 * 86_400, 5400]))
    def set_the_clock(self, seconds: int) -> None:
        self.clock.jump(seconds)
        self.book.start_over()
        self.seed()

    # Changes.

    @precondition(lambda self: self.budgets)
    @rule(which=indices, limit=st.integers(0, 1500))
    def change_the_limit(self, which: int, limit: int) -> None:
        budget = self.picked_rule(which)
        since = (*budget.limits, LimitSince(self.clock.now_ns(), limit))
        since = tuple(sorted(since, key=lambda entry: entry.since_ns))
        self.budgets[budget.id] = replace(budget, limit_nano=limit, limits=since)
        self.install(may_exceed=True)

    @precondition(lambda self: self.budgets)
    @rule(which=indices, amount=st.integers(1, 500), hours=st.sampled_from([1, 30, 24 * 40]))
    def raise_a_limit(self, which: int, amount: int, hours: int) -> None:
        budget, now_ns = self.picked_rule(which), self.clock.now_ns()
        until_ns = now_ns + hours * 3600 * NANOSECONDS
        added = Raise(f"r{len(budget.raises)}", budget.id, amount, "", "", now_ns, until_ns)
        self.budgets[budget.id] = replace(budget, raises=(*budget.raises, added))
        self.install()

    @precondition(lambda self: any(budget.raises for budget in self.budgets.values()))
    @rule()
    def end_all_raises(self) -> None:
        self.budgets = {budget.id: replace(budget, raises=()) for budget in self.budgets.values()}
        self.install(may_exceed=True)

    @precondition(lambda self: len(self.budgets) > 2)
    @rule(which=indices)
    def lift_a_rule(self, which: int) -> None:
        self.resting.append(self.budgets.pop(self.picked_rule(which).id))
        self.install()

    @precondition(lambda self: self.resting)
    @rule()
    def bring_a_rule_back(self) -> None:
        budget = self.resting.pop()
        self.budgets[budget.id] = budget
        self.install(may_exceed=True)

    @precondition(lambda self: len(self.live) < len(self.lives))
    @rule(which=indices, nano=st.integers(-200, 200))
    def correct(self, which: int, nano: int) -> None:
        over = [life for life in self.lives if not life.is_live]
        over[which % len(over)].entries[-1].nano += nano
        self.budgets = {budget.id: replace(budget, epoch=budget.epoch + 1) for budget in self.budgets.values()}
        self.install(may_exceed=True)

    @rule()
    def forget_what_is_idle(self) -> None:
        self.book.forget_idle()

    @rule()
    def start_again(self) -> None:
        """A crash: what ran is settled at its worst case, and everything is read from the ledger."""
        for life in self.live:
            life.is_live = False
        self.book = MeterBook(self.clock)
        self.install(may_exceed=True)

    # What must hold.

    @invariant()
    def meters_say_what_the_history_says(self) -> None:
        now_ns = self.clock.now_ns()
        for budget in self.budgets.values():
            for subject in self.subjects(budget):
                key = (budget.id, subject)
                meter = self.book.find(*key)
                if meter is None:
                    self.seen_ns.pop(key, None)
                    window = window_at(budget.period, now_ns, *budget.calendar)
                    assert self.used(budget, subject, window) == 0
                    continue
                assert isinstance(meter, BudgetMeter)
                meter.advance(now_ns)
                seen_ns = self.seen_ns[key] = max(now_ns, self.seen_ns.get(key, 0))
                window = window_at(budget.period, seen_ns, *budget.calendar)
                assert meter.window == window
                assert meter.used == self.used(budget, subject, window)
                # While a clock that went back a little catches up, raises count as they did at one moment or the other.
                edges = [moment for entry in budget.raises for moment in (entry.starts_ns, entry.until_ns)]
                moments = {now_ns, seen_ns, *(moment for moment in edges if now_ns <= moment <= seen_ns)}
                assert meter.ceiling in {self.ceiling(budget, subject, window, at) for at in moments}
                self.check_limit(key, meter)
        self.may_exceed = False

    def check_limit(self, key: Key, meter: BudgetMeter) -> None:
        """What is used is within the limit, unless the limit went below it, or an overrun was flagged."""
        if meter.used <= meter.ceiling:
            self.excused.discard(key)
            return
        if self.may_exceed:
            self.excused.add(key)
        assert key in self.excused

    def teardown(self) -> None:
        """End every call and look once more."""
        for life in self.live:
            self.end(life, life.lost)
        self.meters_say_what_the_history_says()
        assert self.book.holds == {}

    # The history.

    def used(self, budget: BudgetRule, subject: str, window: Window) -> int:
        """Everything that counts in a window, held or spent."""
        return sum(
            entry.nano
            for life in self.lives
            if budget.subject.counted_id(life.hold.scope) == subject
            for entry in life.entries
            if entry.windows.get(budget.id) == window
        )

    def ceiling(self, budget: BudgetRule, subject: str, window: Window, now_ns: int) -> int:
        """What may be used in a window."""
        raised = sum(entry.amount_nano for entry in budget.raises if entry.starts_ns <= now_ns < entry.until_ns)
        carried = 0
        before = window_before(budget.period, window, budget.calendar)
        earlier = [entry.limit_nano for entry in budget.limits if entry.since_ns < window.start_ns]
        if budget.carry_over and before is not None and earlier:
            carried = max(0, earlier[-1] - self.used(budget, subject, before))
            if budget.carry_over_limit_nano is not None:
                carried = min(carried, budget.carry_over_limit_nano)
        return budget.limit_nano + raised + carried

    @property
    def live(self) -> list[Life]:
        """The calls that have not ended."""
        return [life for life in self.lives if life.is_live]

    @property
    def running(self) -> list[Life]:
        """Those that were not left behind."""
        return [life for life in self.live if not life.hold.expired]

    def pick(self, which: int) -> Life:
        """One that runs."""
        return self.running[which % len(self.running)]

    def picked_rule(self, which: int) -> BudgetRule:
        """One of the rules in force."""
        return list(self.budgets.values())[which % len(self.budgets)]

    def subjects(self, budget: BudgetRule) -> set[str]:
        """Everybody whom a rule concerns."""
        return {subject for scope in SCOPES if (subject := budget.subject.counted_id(scope))}

    def own_window(self, budget: BudgetRule, life: Life) -> Window:
        """The window to which the ledger counts a call."""
        return window_at(budget.period, life.hold.started_ns, *budget.calendar)

    def end(self, life: Life, nano: int) -> None:
        """Settle a call, here and there."""
        life.hold.settle(0, nano)
        self.book.forget(life.hold)
        life.entries[-1].nano = nano - life.lost
        life.is_live = False

    def figures(self) -> dict[Key, tuple[int, int]]:
        """Everything that is counted now."""
        found = {}
        for budget in self.budgets.values():
            for subject in self.subjects(budget):
                meter = self.book.find(budget.id, subject)
                if isinstance(meter, BudgetMeter):
                    meter.advance(self.clock.now_ns())
                    found[budget.id, subject] = (meter.used, meter.spent)
        return {key: figures for key, figures in found.items() if any(figures)}

    # The present, and the past when it has to be read.

    def install(self, *, may_exceed: bool = False) -> None:
        """Put the rules in force, and let those that are new read their past."""
        self.may_exceed = may_exceed
        self.book.install({TENANT: tuple(self.budgets.values())}, None)
        self.seed()

    def seed(self) -> None:
        """What `Seeder` does, with the list of calls for the ledger."""
        now_ns = self.clock.now_ns()
        for budget in self.budgets.values():
            if self.book.is_seeded(budget):
                continue
            self.may_exceed = True
            self.seen_ns = {key: seen for key, seen in self.seen_ns.items() if key[0] != budget.id}
            running = set(self.book.attach_running(budget))
            window = window_at(budget.period, now_ns, *budget.calendar)
            before = window_before(budget.period, window, budget.calendar) if budget.carry_over else None
            for life in self.lives:
                subject = budget.subject.counted_id(life.hold.scope)
                for entry in life.entries if subject else ():
                    entry.windows.pop(budget.id, None)
                    if budget.model not in {None, entry.model}:
                        continue
                    own = entry.windows[budget.id] = self.own_window(budget, life)
                    is_ahead = own.start_ns >= window.end_ns
                    if life.hold.call_id not in running and (own in {window, before} or is_ahead):
                        meter = self.book.meter(budget, str(subject))
                        assert isinstance(meter, BudgetMeter)
                        meter.seed(own, entry.nano)
            self.book.mark_seeded([budget])


TestBooks: Any = Books.TestCase
TestBooks.settings = settings(examples(70), stateful_step_count=35, phases=PHASES)
