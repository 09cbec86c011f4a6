"""What a decision about access costs on one core, in this process: remembered, asked anew of 200 policies, and none.

What is asked anew is measured whole: the caller and the deployment are made what the engine takes, the policies that can
concern them are found and evaluated, the answer is read and written down. What was asked before a change is parsed when
the change is read, beside the event loop; after a start, the first question of each kind waits for that. Times are the
process's own (CPU), so that other processes' do not count. Beside them stands the wall's.
"""

import time
from collections.abc import Callable, Iterator
from itertools import count

import msgspec

from bench.report import Goal, Row, at_most
from bench.session import Session
from enfilade.access.compiled import compile_content
from enfilade.access.content import Content, MatrixRow, PolicySpec
from enfilade.access.decisions import TenantAccess
from enfilade.access.service import Access
from enfilade.access.table import PolicyTable
from enfilade.access.types import Caller, Circumstances, Resource, ResourceKind
from enfilade.bootstrap.memory import tune

CACHED, ASKED, NOTHING = at_most(2), at_most(200), at_most(0.5)
REPEATS = 15
POLICIES = 200
DEPARTMENTS, MODELS = 20, 25
NOW_NS = 1_795_311_099_000_000_000
MODEL = Resource(ResourceKind.DEPLOYMENT, "openai/model-3", "model-3", "openai", "public_cloud", "eu")

Ask = Callable[[], object]


def run(session: Session) -> list[Row]:
    """Measure what the line does for a call: find the caller and the deployment, and decide."""
    tune()  # As a serving process is.
    times = 500 if session.options.quick else 5_000
    few, access = times // 20, Access()
    guard = _guard(_matrix())
    return [
        _row("a remembered decision", _remembered(guard), times, CACHED),
        _row(f"one of {POLICIES} policies", _anew(guard, _one()), few, ASKED),
        _row("the same, each of a new caller", _anew(guard, _new()), few, ASKED),
        _row("the same, with an approval missing", _anew(_guard(_matrix(approval=True)), _one()), few, ASKED),
        _row("the same, two policies being parsed for it", _first(few * REPEATS + 1), few),
        _row("one that concerns all of them", _anew(_guard(_hours()), _one()), few),
        _row("a tenant without policies", lambda: access.guard("acme"), times, NOTHING),
    ]


def _matrix(*, approval: bool = False) -> Content:
    rows = (
        MatrixRow(
            f"row-{n}",
            departments=(f"department-{n % DEPARTMENTS}",),
            models=(f"model-{n % MODELS}",),
            use_cases=("writing", f"use-{n}"),
            approval=approval or n % 5 == 0,
        )
        for n in range(POLICIES)
    )
    return Content(matrix=tuple(rows))


def _hours() -> Content:
    text = (
        'permit (principal, action == Action::"call", resource) when {{ context.hour == {} && context.minute == {} }};'
    )
    return Content(policies=tuple(PolicySpec(f"p-{n}", text.format(n % 24, n % 60)) for n in range(POLICIES)))


def _guard(content: Content) -> TenantAccess:
    table = PolicyTable(compile_content(content).policies)
    table.prepare()
    return TenantAccess("acme", content, table, {}, "Europe/Vienna")


def _caller(name: str) -> Caller:
    return Caller(user=name, department="department-3", roles=frozenset({"developer"}), key="ana-key")


def _one() -> Iterator[Caller]:
    caller = _caller("ana@acme.example")
    while True:
        yield caller


def _new() -> Iterator[Caller]:
    for number in count():
        yield _caller(f"user-{number}@acme.example")


def _decide(guard: TenantAccess, caller: Caller, context: Circumstances) -> bytes:
    seat = guard.find_seat(caller) or guard.seat(caller, caller)
    place = guard.find_place(MODEL) or guard.place(MODEL, MODEL)
    return msgspec.json.encode(guard.ask(seat, "call", place, context))


def _remembered(guard: TenantAccess) -> Ask:
    guard.seat("ana", _caller("ana@acme.example"))
    guard.place("there", MODEL)

    def ask() -> None:
        seat, place = guard.find_seat("ana"), guard.find_place("there")
        assert seat is not None
        assert place is not None
        guard.decide(seat, "call", place, Circumstances("writing", None, "10.1.2.3", NOW_NS))

    return ask


def _anew(guard: TenantAccess, callers: Iterator[Caller]) -> Ask:
    return lambda: _decide(guard, next(callers), Circumstances("writing", None, "10.1.2.3", NOW_NS))


def _first(times: int) -> Ask:
    """Of a tenant whose policies were read a moment ago: nothing is parsed yet."""
    content, caller = _matrix(), _caller("ana@acme.example")
    policies = compile_content(content).policies
    waiting = [TenantAccess("acme", content, PolicyTable(policies), {}, "Europe/Vienna") for _ in range(times)]
    return lambda: _decide(waiting.pop(), caller, Circumstances("writing", None, "10.1.2.3", NOW_NS))


def _row(figure: str, ask: Ask, times: int, goal: Goal | None = None) -> Row:
    """For one decision. The best of several runs counts: what disturbs the machine only ever adds."""
    ask()
    own, wall = float("inf"), float("inf")
    for _ in range(REPEATS):
        began, began_own = time.perf_counter(), time.process_time()
        for _ in range(times):
            ask()
        own = min(own, time.process_time() - began_own)
        wall = min(wall, time.perf_counter() - began)
    return Row("access", figure, own / times * 1e6, "µs", goal, note=f"{wall / times * 1e6:.2f} µs by the wall")
