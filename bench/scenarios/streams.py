"""Streams of 200 chunks that come as fast as they can be written: how many chunks the gateway's core can relay."""

from bench.plan import STREAM_MODEL
from bench.report import Row, at_least
from bench.session import Session

GOAL = at_least(60_000)
CONNECTIONS = (16, 64)
QUICK_CONNECTIONS = (16,)


def run(session: Session) -> list[Row]:
    """Measure at several numbers of streams at a time."""
    rows = []
    with session.gateway() as gateway:
        for connections in QUICK_CONNECTIONS if session.options.quick else CONNECTIONS:
            found, bare = session.compare("streams", STREAM_MODEL, connections, gateway)
            cost = found.cpu_seconds / found.chunks * 1e6
            note = f"{cost:.1f} µs of CPU a chunk, core {found.busy:.0%} busy"
            figure = f"{connections} streams at a time"
            rows.append(Row("streams", figure, found.chunks_per_second, "chunks/s", GOAL, bare.chunks_per_second, note))
    return rows
