"""What can be measured, in the order in which it is."""

from collections.abc import Callable

from bench.report import Row
from bench.scenarios import (
    access,
    calls,
    cells,
    directory,
    fairness,
    flat_memory,
    fleet,
    holds,
    latency,
    memory,
    open_streams,
    paced_streams,
    profile,
    spend,
    startup,
    streams,
    tenants,
    tokens,
    translation,
)
from bench.session import Session

SCENARIOS: dict[str, Callable[[Session], list[Row]]] = {
    "calls": calls.run,
    "streams": streams.run,
    "paced_streams": paced_streams.run,
    "open_streams": open_streams.run,
    "latency": latency.run,
    "translation": translation.run,
    "holds": holds.run,
    "access": access.run,
    "tokens": tokens.run,
    "directory": directory.run,
    "fairness": fairness.run,
    "cells": cells.run,
    "spend": spend.run,
    "tenants": tenants.run,
    "fleet": fleet.run,
    "startup": startup.run,
    "memory": memory.run,
    "flat_memory": flat_memory.run,
    "profile": profile.run,
}
DEFAULT = [name for name in SCENARIOS if name not in {"profile", "fleet"}]
