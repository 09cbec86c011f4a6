"""Where the time goes, by stage of the line: a statistical profile, scaled to the processor time without it."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Literal

from bench.gateway import Gateway
from bench.machine import BrokenRun
from bench.plan import REPLY_MODEL, STREAM_MODEL, Plan, Result
from bench.report import Row
from bench.session import Session

CONNECTIONS = 64
PATIENCE_S = 10.0


def run(session: Session) -> list[Row]:
    """Profile whole replies, then streams."""
    return [*profiled(session, "calls", REPLY_MODEL, "call"), *profiled(session, "streams", STREAM_MODEL, "chunk")]


def profiled(session: Session, kind: Literal["calls", "streams"], model: str, unit: str) -> list[Row]:
    """Microseconds by stage."""
    with session.gateway() as gateway:
        plain = measured(session, gateway, kind, model)
    output = session.home / f"profile-{kind}.json"
    with session.gateway(profile=output) as gateway:
        os.kill(gateway.pid, signal.SIGUSR1)
        measured(session, gateway, kind, model)
        os.kill(gateway.pid, signal.SIGUSR2)
        stages = counts(output)
    each = plain.cpu_seconds / (plain.calls if kind == "calls" else plain.chunks) * 1e6
    total = sum(stages.values())
    rows = [
        Row(f"profile of a {unit}", stage, each * count / total, "µs", note=f"{count / total:.0%}")
        for stage, count in sorted(stages.items(), key=lambda item: -item[1])
    ]
    return [*rows, Row(f"profile of a {unit}", "all", each, "µs")]


def measured(session: Session, gateway: Gateway, kind: Literal["calls", "streams"], model: str) -> Result:
    """A load, with the gateway's processor time."""
    targets = [gateway.target]
    found = session.measure(
        Plan(kind, targets, model, CONNECTIONS, session.seconds, session.warm_seconds, watch=gateway.pid)
    )
    gateway.empty_log()
    return found


def counts(output: Path) -> dict[str, int]:
    """What the profiler wrote, once it has."""
    deadline = time.monotonic() + PATIENCE_S
    while not output.exists():
        if time.monotonic() > deadline:
            raise BrokenRun("the profiler wrote nothing")
        time.sleep(0.05)
    content = json.loads(output.read_text())
    if os.environ.get("BENCH_FUNCTIONS"):
        for name, count in content["functions"].items():
            print(f"{count:6} {name}")
    stages: dict[str, int] = content["stages"]
    return stages
