"""Streams whose chunks come 20 ms apart, as from a model: what a chunk costs when it comes alone."""

from bench.plan import PACED_MODEL
from bench.report import Row, at_most
from bench.session import Session

GOAL = at_most(30)
STREAMS = 300
QUICK_STREAMS = 20


def run(session: Session) -> list[Row]:
    """Measure at a load that leaves the core some air, so that chunks are not joined in its queue."""
    streams = QUICK_STREAMS if session.options.quick else STREAMS
    with session.gateway() as gateway:
        found, _ = session.compare("streams", PACED_MODEL, streams, gateway)
    cost = found.cpu_seconds / found.chunks * 1e6
    note = f"{streams} streams, {found.chunks_per_second:,.0f} chunks/s, core {found.busy:.0%} busy"
    return [Row("paced streams", "CPU a chunk", cost, "µs", GOAL, note=note)]
