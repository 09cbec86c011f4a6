"""Which cells a job visits: one that was tried in vain is due again, a quiet one is not."""

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, cast

from enfilade.core.clock import ManualClock
from enfilade.storage.turns import ALL_EVERY_S, Turns


@dataclass(frozen=True)
class Place:
    """What of a cell is looked at."""

    name: str
    tenant: str | None = None


SHARED, OWN = Place("shared"), Place("own", "t")


class Cells:
    """Two cells, one of them a tenant's own."""

    def __init__(self) -> None:
        self.unreached: dict[str, str] = {}

    def all(self) -> list[Any]:
        return [SHARED, OWN]


def turns(written: dict[Any, int]) -> tuple[Turns, ManualClock, Cells]:
    clock, cells = ManualClock(), Cells()
    return Turns(cast("Any", cells), cast("Any", SimpleNamespace(written=written)), clock), clock, cells


def visited(job: Turns, *, done: bool = True) -> list[str]:
    due = job.due()
    for cell in due:
        if done:
            job.done(cell)
    return [cell.name for cell in due]


async def test_a_quiet_cell_is_visited_now_and_then() -> None:
    job, clock, _ = turns({})
    assert visited(job) == ["shared", "own"]
    assert visited(job) == ["shared"]
    clock.advance(ALL_EVERY_S)
    assert visited(job) == ["shared", "own"]


async def test_a_cell_where_something_happened_is_visited_at_once() -> None:
    written: dict[Any, int] = {}
    job, _, _ = turns(written)
    visited(job)
    written[OWN] = 3
    assert visited(job) == ["shared", "own"]
    assert visited(job) == ["shared"]


async def test_a_turn_in_vain_is_due_again() -> None:
    written: dict[Any, int] = {}
    job, _, _ = turns(written)
    assert visited(job, done=False) == ["shared", "own"]
    assert visited(job) == ["shared", "own"]
    written[OWN] = 1
    assert visited(job, done=False) == ["shared", "own"]
    assert visited(job, done=False) == ["shared", "own"]
    assert visited(job) == ["shared", "own"]
    assert visited(job) == ["shared"]


async def test_what_is_written_during_the_turn_is_another_turns() -> None:
    written: dict[Any, int] = {OWN: 1}
    job, _, _ = turns(written)
    (_, own) = job.due()
    written[OWN] = 2
    job.done(own)
    assert visited(job) == ["shared", "own"]


async def test_a_cell_that_cannot_be_reached_is_left_out_until_it_can() -> None:
    job, _, cells = turns({})
    cells.unreached["own"] = "away"
    assert visited(job) == ["shared"]
    cells.unreached.clear()
    assert visited(job) == ["shared", "own"]
