"""What a decision about access costs on one core, in this process: remembered, asked anew of 200 policies, and none."""

import time
from collections.abc import Callable

from bench.report import Row, at_most
from bench.session import Session
from enfilade.access.compiled import compile_content
from enfilade.access.content import Content, MatrixRow
from enfilade.access.decisions import TenantAccess
from enfilade.access.service import Access
from enfilade.access.types import Caller, Circumstances, Resource, ResourceKind
from enfilade.bootstrap.memory import tune

CACHED, ASKED, NOTHING = at_most(2), at_most(200), at_most(0.5)
REPEATS = 15
POLICIES = 200
DEPARTMENTS, MODELS = 20, 25


def run(session: Session) -> list[Row]:
    """Measure what the line does for a call: find the caller and the deployment, and decide."""
    tune()  # As a serving process is.
    times = 500 if session.options.quick else 5_000
    matrix = tuple(
        MatrixRow(
            f"row-{n}",
            departments=(f"department-{n % DEPARTMENTS}",),
            models=(f"model-{n % MODELS}",),
            use_cases=("writing", f"use-{n}"),
            approval=n % 5 == 0,
        )
        for n in range(POLICIES)
    )
    content = Content(matrix=matrix)
    guard = TenantAccess("acme", content, PolicyTable(compile_content(content).policies), {}, "Europe/Vienna")
    caller = Caller(user="ana@acme.example", department="department-3", roles=frozenset({"developer"}), key="ana-key")
    seat = guard.seat("ana", caller)
    place = guard.place(
        "there", Resource(ResourceKind.DEPLOYMENT, "openai/model-3", "model-3", "openai", "public_cloud", "eu")
    )
    access = Access()

    def remembered() -> None:
        found, there = guard.find_seat("ana"), guard.find_place("there")
        assert found is not None
        assert there is not None
        guard.decide(found, "call", there, Circumstances("writing", None, "10.1.2.3", 1_795_311_099_000_000_000))

    def asked() -> None:
        guard.ask(seat, "call", place, Circumstances("writing", None, "10.1.2.3", 1_795_311_099_000_000_000))

    def nothing() -> None:
        access.guard("acme")

    return [
        Row("access", "a remembered decision", _microseconds(remembered, times), "µs", CACHED),
        Row("access", f"a decision of {POLICIES} policies", _microseconds(asked, times // 10), "µs", ASKED),
        Row("access", "a tenant without policies", _microseconds(nothing, times), "µs", NOTHING),
    ]


def _microseconds(ask: Callable[[], None], times: int) -> float:
    """For one decision. The best of several runs counts: what disturbs the machine only ever adds."""
    ask()
    best = float("inf")
    for _ in range(REPEATS):
        start = time.perf_counter()
        for _ in range(times):
            ask()
        best = min(best, time.perf_counter() - start)
    return best / times * 1e6
