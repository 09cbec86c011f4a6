"""What roll-ups measure, and the sums that reports show of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.spend.latency import PLACES, quantile

SUMS = ("tokens", "amount_nano", "provider_nano", "list_nano", "saved_nano", "could_save_nano", "overrun_nano")
STATUSES = ("refused", "failed", "cut", "abandoned", "interrupted")
MARKS = ("cached", "stream", "estimated")
QUANTITIES = tuple(f"q_{kind}" for kind in KINDS)
AMOUNTS = tuple(f"a_{kind}" for kind in KINDS)
TOOK = tuple(f"l_{place}" for place in range(PLACES))
BEGAN = tuple(f"f_{place}" for place in range(PLACES))
MEASURES = (*SUMS, *QUANTITIES, *AMOUNTS, "calls", *STATUSES, *MARKS, *TOOK, *BEGAN)
"""The columns of every roll-up, in their order. A measure of nothing is null."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What some calls came to. Durations are microseconds, amounts nano-dollars."""

    calls: int
    refused: int
    failed: int
    cut: int
    abandoned: int
    interrupted: int
    cached: int
    streamed: int
    estimated: int
    tokens: int
    nano: int
    provider_nano: int
    list_nano: int
    saved_nano: int
    could_save_nano: int
    overrun_nano: int
    quantities: dict[str, int]
    amounts: dict[str, int]
    """By kind, without those that were not used."""
    took: tuple[int | None, int | None, int | None]
    """From a call's arrival to its end: the median, the 95th and the 99th percentile."""
    began: tuple[int | None, int | None]
    """From its arrival to the first byte of its answer: the median and the 95th percentile."""

    @property
    def failures(self) -> int:
        """Calls that were admitted and did not end well for a reason that was not their caller's."""
        return self.failed + self.cut + self.interrupted


def added(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The measures of several rows as those of one: histograms add up like everything else."""
    if len(rows) == 1:
        return rows[0]
    return {name: sum(row[name] or 0 for row in rows) for name in MEASURES}


def sums_of(row: Mapping[str, Any]) -> Sums:
    """The sums that a row with all measures holds."""
    took = [row[name] or 0 for name in TOOK]
    began = [row[name] or 0 for name in BEGAN]
    return Sums(
        **{name: row[name] or 0 for name in ("calls", *STATUSES, "cached", "estimated", "tokens")},
        streamed=row["stream"] or 0,
        nano=row["amount_nano"] or 0,
        **{name: row[name] or 0 for name in SUMS[2:]},
        quantities={kind: row[name] for kind, name in zip(KINDS, QUANTITIES, strict=True) if row[name]},
        amounts={kind: row[name] for kind, name in zip(KINDS, AMOUNTS, strict=True) if row[name]},
        took=(quantile(took, 0.5), quantile(took, 0.95), quantile(took, 0.99)),
        began=(quantile(began, 0.5), quantile(began, 0.95)),
    )
