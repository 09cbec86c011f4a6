"""A thousand open streams: the memory that each one takes."""

from bench.plan import HELD_MODEL, REPLY_MODEL, Plan
from bench.report import Row, at_most
from bench.session import Session

GOAL = at_most(40)
STREAMS = 1000
QUICK_STREAMS = 100
KB = 1000


def run(session: Session) -> list[Row]:
    """Compare the resident memory before with that while all streams are open."""
    streams = QUICK_STREAMS if session.options.quick else STREAMS
    with session.gateway() as gateway:
        # What the first calls allocate once and for all is no stream's.
        session.measure(Plan("calls", [gateway.target], REPLY_MODEL, 8, 1.0, 0.5))
        before = gateway.resident()
        with session.held_open(Plan("hold", [gateway.target], HELD_MODEL, streams)):
            during = gateway.resident()
    note = f"{streams:,} streams: {before / 1e6:.1f} MB before, {during / 1e6:.1f} MB with them"
    return [Row("open streams", "memory each", (during - before) / streams / KB, "KB", GOAL, note=note)]
