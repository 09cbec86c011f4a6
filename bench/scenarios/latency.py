"""What the gateway adds to a call's time at 100 calls a second, its commit included."""

from bench.plan import REPLY_MODEL, Plan
from bench.report import Row, at_most
from bench.session import Session

GOALS = {"p50": at_most(3), "p99": at_most(12)}
CONNECTIONS = 64


def run(session: Session) -> list[Row]:
    """Send calls in turn to the provider directly, through the bare proxy, and through the gateway."""
    seconds = session.seconds if session.options.quick else max(20.0, session.seconds * 2)
    with session.gateway() as gateway:
        targets = [session.mock, session.proxy.target, gateway.target]
        plan = Plan("latency", targets, REPLY_MODEL, CONNECTIONS, seconds, session.warm_seconds)
        times = session.measure(plan).latency
    rows = []
    for quantile, goal in GOALS.items():
        direct, bare, found = (getattr(times[name], quantile) for name in ("direct", "proxy", "gateway"))
        note = f"direct {direct:.2f} ms, {session.proxy.name} {bare:.2f} ms, gateway {found:.2f} ms"
        rows.append(Row("latency", f"added {quantile} at 100/s", found - direct, "ms", goal, bare - direct, note))
    return rows
