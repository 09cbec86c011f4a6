"""Calls of 1 KB that are answered whole: how many the gateway's core can take."""

from bench.plan import REPLY_MODEL
from bench.report import Row, at_least
from bench.session import Session

GOAL = at_least(5000)
CONNECTIONS = (16, 64, 256)
QUICK_CONNECTIONS = (16,)


def run(session: Session) -> list[Row]:
    """Measure at several numbers of connections."""
    rows = []
    with session.gateway() as gateway:
        for connections in QUICK_CONNECTIONS if session.options.quick else CONNECTIONS:
            found, bare = session.compare("calls", REPLY_MODEL, connections, gateway)
            waits = found.latency["gateway"]
            note = (
                f"{found.cpu_seconds / found.calls * 1e6:.0f} µs of CPU a call, core {found.busy:.0%} busy, "
                f"p50 {waits.p50:.0f} ms, p99 {waits.p99:.0f} ms"
            )
            figure = f"{connections} connections"
            rows.append(Row("calls", figure, found.calls_per_second, "calls/s", GOAL, bare.calls_per_second, note))
    return rows
