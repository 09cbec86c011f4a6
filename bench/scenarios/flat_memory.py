"""Many calls, one after the other: whether memory stays where it is."""

from bench.plan import REPLY_MODEL, Plan
from bench.report import Row, at_most
from bench.session import Session

CALLS = 60_000
LONG_CALLS = 500_000
QUICK_CALLS = 2_000
SAMPLES = 50
CONNECTIONS = 64
GOAL = at_most(20)
"""Bytes a call: over 500,000 calls this is 10 MB, the noise of an allocator."""


def run(session: Session) -> list[Row]:
    """Sample the memory all along, and fit a line to the second half: the first fills pools and caches."""
    options = session.options
    calls = QUICK_CALLS if options.quick else LONG_CALLS if options.long else CALLS
    with session.gateway() as gateway:
        plan = Plan(
            "calls",
            [gateway.target],
            REPLY_MODEL,
            CONNECTIONS,
            warm_seconds=session.warm_seconds,
            calls=calls,
            watch=gateway.pid,
            sample_every=calls // SAMPLES,
        )
        samples = session.measure(plan).samples
        gateway.empty_log()
    (_, first), (_, last) = samples[0], samples[-1]
    note = f"{calls:,} calls: {first / 1e6:.1f} MB at first, {last / 1e6:.1f} MB at last"
    return [Row("flat memory", "growth a call", slope(samples[len(samples) // 2 :]), "bytes", GOAL, note=note)]


def slope(points: list[tuple[int, int]]) -> float:
    """The least-squares slope."""
    count = len(points)
    middle_x = sum(x for x, _ in points) / count
    middle_y = sum(y for _, y in points) / count
    spread = sum((x - middle_x) ** 2 for x, _ in points)
    return sum((x - middle_x) * (y - middle_y) for x, y in points) / spread if spread else 0.0
