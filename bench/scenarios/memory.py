"""Resident memory of the serving process, idle and under load."""

import psutil

from bench.plan import REPLY_MODEL, Plan
from bench.report import Row, at_most
from bench.session import Session

GOAL = at_most(120)
CONNECTIONS = 64
MB = 1_000_000


def run(session: Session) -> list[Row]:
    """Measure after the first answered call, and after seconds of load."""
    with session.gateway() as gateway:
        idle = gateway.resident()
        session.measure(
            Plan("calls", [gateway.target], REPLY_MODEL, CONNECTIONS, session.seconds, session.warm_seconds)
        )
        loaded = gateway.resident()
        gateway.empty_log()
        beside = database_memory(gateway.pid)
    note = f"PostgreSQL beside it: {beside / MB:.0f} MB" if beside else ""
    return [
        Row("memory", "idle", idle / MB, "MB", GOAL),
        Row("memory", "after load", loaded / MB, "MB", note=note),
    ]


def database_memory(pid: int) -> int:
    """What the gateway's children take, shared pages counted once; 0 where the system does not tell."""
    try:
        return sum(int(child.memory_full_info().pss) for child in psutil.Process(pid).children(recursive=True))
    except (psutil.Error, AttributeError):
        return 0
