"""From starting the process to the first answered call, on all cores."""

from statistics import median

from bench.report import Row, at_most
from bench.session import Session

LATER_STARTS = 3


def run(session: Session) -> list[Row]:
    """Start on an empty directory, then again on what the first start left."""
    gateway = session.new_installation()
    times = []
    for _ in range(2 if session.options.quick else 1 + LATER_STARTS):
        try:
            times.append(gateway.start(pinned=False))
        finally:
            gateway.stop()
    note = f"median of {len(times) - 1}; without making the environment"
    return [
        Row("start-up", "first", times[0], "s", note="makes the database"),
        Row("start-up", "later", median(times[1:]), "s", at_most(3), note=note),
    ]
