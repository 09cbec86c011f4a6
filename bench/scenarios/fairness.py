"""A quiet tenant, alone and beside one at full load: how much longer its calls take."""

from concurrent.futures import ThreadPoolExecutor

from bench.plan import SLOW_MODEL, Latency, Plan
from bench.report import Row, at_most
from bench.session import Session

QUIET_A_SECOND = 20.0
QUIET_CONNECTIONS = 64
LOUD_CONNECTIONS = 128
LEAD_S = 2.0
"""How much longer than the quiet one the loud one goes on, twice: it begins with the quiet one's warming up."""


def run(session: Session) -> list[Row]:
    """The provider answers after 100 ms, so that there is something to be served beside."""
    seconds = session.seconds if session.options.quick else max(20.0, session.seconds * 2)
    gateway = session.new_installation({"loud": "row", "quiet": "row"})
    try:
        gateway.start()
        quiet = Plan(
            "latency",
            [gateway.target_of("quiet")],
            SLOW_MODEL,
            QUIET_CONNECTIONS,
            seconds,
            session.warm_seconds,
            per_second=QUIET_A_SECOND,
        )
        alone = session.measure(quiet).latency["quiet"]
        loud = Plan(
            "calls",
            [gateway.target_of("loud")],
            SLOW_MODEL,
            LOUD_CONNECTIONS,
            seconds + 2 * LEAD_S,
            session.warm_seconds,
        )
        with ThreadPoolExecutor(1) as pool:
            loading = pool.submit(session.measure, loud)
            beside: Latency = session.measure(quiet).latency["quiet"]
            load = loading.result()
    finally:
        gateway.stop()
    note = f"alone {alone.p99:.0f} ms; the loud one made {load.calls_per_second:,.0f} calls a second"
    return [
        Row("fairness", "a quiet tenant's p50 beside a loud one", beside.p50, "ms", note=f"alone {alone.p50:.0f} ms"),
        Row("fairness", "its p99", beside.p99, "ms", at_most(alone.p99 * 2), note=note),
    ]
