"""`enfilade doctor isolation`: everything in which tenants meet, with its guard, and what came of trying."""

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from enfilade import __version__
from enfilade.bootstrap.compose import Parts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.isolation.answers import probe_answers
from enfilade.bootstrap.isolation.memory import probe_memory
from enfilade.bootstrap.isolation.scratch import Scratch, scratch_installation
from enfilade.bootstrap.isolation.things import OURS, THEIRS
from enfilade.bootstrap.isolation.walk import Walk
from enfilade.bootstrap.process import find_cells, shut
from enfilade.core.clock import to_datetime
from enfilade.core.errors import EnfiladeError
from enfilade.storage.cells import ROW, SCHEMA
from enfilade.storage.isolation.examination import examine
from enfilade.storage.isolation.types import Guarded

Progress = Callable[[str], None]


@dataclass(slots=True)
class Report:
    """The whole of it."""

    at: str
    servers: dict[str, str]
    items: list[Guarded] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    """What could not be tried, and why."""

    @property
    def findings(self) -> list[Guarded]:
        """What is wrong."""
        return [item for item in self.items if item.faults]

    def shown(self) -> dict[str, Any]:
        """For programs, and to be kept: the digest is of everything but itself, as compact JSON in this order."""
        content = {
            "at": self.at,
            "version": __version__,
            "servers": self.servers,
            "counts": dict(sorted(Counter(item.kind for item in self.items).items())),
            "findings": len(self.findings),
            "left_out": self.left_out,
            "items": [item.shown() for item in self.items],
        }
        return content | {"sha256": hashlib.sha256(msgspec.json.encode(content)).hexdigest()}


async def examine_isolation(
    ingredients: Ingredients, progress: Progress, isolations: Sequence[str] = (ROW, SCHEMA)
) -> Report:
    """Examine the databases as they are; routes and memory in installations that are made for it and removed.

    Those have tenants of each of these isolations; with none of them, routes and memory are left out.
    """
    parts = Parts(ingredients)
    at = to_datetime(ingredients.clock.now_ns()).isoformat()
    try:
        await parts.database.open()
        await find_cells(parts)
        found = await examine(parts.cells, progress)
    finally:
        await shut(parts)
    report = Report(at, found.servers, found.items)
    if not isolations:
        report.left_out.append("routes and memory: they were not asked for")
    for isolation in isolations:
        progress(f"routes, isolation {isolation}")
        try:
            async with scratch_installation(ingredients.address, isolation) as scratch:
                report.items += await _try(scratch, f"trial, {isolation}")
                report.items += list(probe_memory(scratch.parts)) if isolation == isolations[0] else []
        except EnfiladeError as error:
            report.left_out.append(f"routes, isolation {isolation}: {error.message}")
    return report


async def _try(scratch: Scratch, place: str) -> list[Guarded]:
    ours, theirs = scratch.askers(OURS), scratch.askers(THEIRS)
    walk = await Walk.between(scratch.application.addresses(), ours, theirs)
    found = [item async for item in walk.go(place)]
    return found + [item async for item in probe_answers(walk, ours, theirs, place)]
