"""A call of a tenant in a schema and in a database of its own, beside one that shares: in turn, in the same run."""

from bench.plan import REPLY_MODEL, Plan
from bench.report import Row, at_most
from bench.session import Session

ISOLATIONS = ("row", "schema", "database")
CONNECTIONS = 64
NOISE = 1.15
"""What two measurements of the same thing differ by on a machine that others use."""


def run(session: Session) -> list[Row]:
    """Send calls in turn to each."""
    seconds = session.seconds if session.options.quick else max(20.0, session.seconds * 2)
    gateway = session.new_installation({name: name for name in ISOLATIONS})
    try:
        gateway.start()
        targets = [gateway.target_of(name) for name in ISOLATIONS]
        times = session.measure(
            Plan("latency", targets, REPLY_MODEL, CONNECTIONS, seconds, session.warm_seconds)
        ).latency
    finally:
        gateway.stop()
    rows = []
    for quantile in ("p50", "p99"):
        shared = getattr(times["row"], quantile)
        rows.append(Row("cells", f"a call, row: {quantile} at 100/s", shared, "ms"))
        for name in ISOLATIONS[1:]:
            goal = at_most(shared * NOISE) if quantile == "p50" else None
            rows.append(
                Row("cells", f"a call, {name}: {quantile} at 100/s", getattr(times[name], quantile), "ms", goal)
            )
    return rows
