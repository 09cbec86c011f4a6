"""Why a group's sums differ: causes that add up to the difference, to the nano-dollar."""

from collections.abc import Mapping
from dataclasses import dataclass

from enfilade.costs.prices.kinds import CONTAINED_IN, KINDS
from enfilade.costs.reconciliation.allotment import allot

MISSING_HERE = "missing_here"
MISSING_THERE = "missing_there"
PRICE = "price"
QUANTITY = "quantity"
ROUNDING = "rounding"
ESTIMATE = "estimate"
UNEXPLAINED = "unexplained"
CAUSES = (MISSING_HERE, MISSING_THERE, PRICE, QUANTITY, ESTIMATE, ROUNDING, UNEXPLAINED)

KNOWN_KINDS = frozenset(KINDS)


@dataclass(slots=True)
class Figures:
    """A quantity and an amount of one kind; None is not said."""

    quantity: int | None = None
    nano: int | None = None
    rows: int = 0

    def merge(self, other: "Figures") -> None:
        """Add what another says."""
        if other.quantity is not None:
            self.quantity = (self.quantity or 0) + other.quantity
        if other.nano is not None:
            self.nano = (self.nano or 0) + other.nano
        self.rows += other.rows


@dataclass(frozen=True, slots=True)
class Comparison:
    """One kind, in the export and here."""

    kind: str | None
    there: Figures
    here: Figures


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is too little to be a difference."""

    unit_nano: int
    """The export's smallest unit: each of its rows may be off by half of it."""
    extra_nano: int = 0
    """What the operator allows in addition, for each day, model and provider."""

    def of(self, rows: int, entries: int) -> int:
        """For so many rows there and entries here: ours are rounded to a nano-dollar for each kind."""
        return (self.unit_nano * rows + entries + 1) // 2


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out for one group."""

    there_nano: int
    here_nano: int
    is_valued: bool
    """Whether the export has no amounts, and its quantities were valued at our own prices."""
    causes: dict[str, int]
    """Only those that are not zero; their sum is the difference."""
    kinds: list[Comparison]
    tolerance_nano: int

    @property
    def difference_nano(self) -> int:
        """There less here: positive when the provider charges more than the ledger says."""
        return self.there_nano - self.here_nano

    @property
    def matches(self) -> bool:
        """Whether the difference is within the tolerance."""
        return abs(self.difference_nano) <= self.tolerance_nano


@dataclass(frozen=True, slots=True)
class Ours:
    """What the ledger says of a group."""

    kinds: Mapping[str | None, Figures]
    nano: int = 0
    entries: int = 0
    estimated_nano: int = 0
    """How much of it stands in entries that are estimates."""


def judge(there: Mapping[str | None, Figures], ours: Ours, tolerance: Tolerance) -> Verdict:
    """Compare a group; `there` is empty when the export has no row for it."""
    rows = sum(figures.rows for figures in there.values())
    rounding = tolerance.of(rows, ours.entries)
    allowed = rounding + tolerance.extra_nano
    is_valued = bool(there) and all(figures.nano is None for figures in there.values())
    kinds = _aligned(there, ours)
    if is_valued:
        kinds = [_valued(comparison) for comparison in kinds]
    there_nano = sum(comparison.there.nano or 0 for comparison in kinds)
    difference = there_nano - ours.nano
    if not there:
        causes = {MISSING_THERE: difference}
    elif not ours.entries:
        causes = {MISSING_HERE: difference}
    elif abs(difference) <= rounding:
        causes = {ROUNDING: difference}
    else:
        causes = _explained(kinds, ours, tolerance)
    causes = {cause: causes[cause] for cause in CAUSES if causes.get(cause)}
    return Verdict(there_nano, ours.nano, is_valued, causes, kinds, allowed)


def _aligned(there: Mapping[str | None, Figures], ours: Ours) -> list[Comparison]:
    """Kind by kind, our kinds folded into those that the export tells apart."""
    here: dict[str | None, Figures] = {}
    named = _without_unnamed(ours.kinds)
    can_compare = bool(there) and None not in there and None not in named
    for kind, figures in named.items():
        # Without kinds on both sides, only the whole can be compared.
        at = _fold(kind, there) if can_compare else (kind if not there else None)
        here.setdefault(at, Figures()).merge(figures)
    export: dict[str | None, Figures] = {}
    for kind, figures in there.items():
        export.setdefault(kind if can_compare else None, Figures()).merge(figures)
    if there and not can_compare:
        # Sums over different kinds are no quantity of anything.
        for pooled in (*here.values(), *export.values()):
            pooled.quantity = None
    order = {kind: place for place, kind in enumerate(KINDS)}
    names = sorted({*here, *export}, key=lambda kind: (order.get(kind or "", len(order)), kind or ""))
    return [Comparison(kind, export.get(kind, Figures()), here.get(kind, Figures())) for kind in names]


def _without_unnamed(kinds: Mapping[str | None, Figures]) -> Mapping[str | None, Figures]:
    """What stands under no kind, as corrections do, spread over the kinds that there are."""
    unnamed = kinds.get(None)
    if unnamed is None or len(kinds) == 1:
        return kinds
    rest: dict[str | None, Figures] = {
        kind: Figures(figures.quantity, figures.nano, figures.rows) for kind, figures in kinds.items() if kind
    }
    parts = allot(unnamed.nano or 0, [max(0, figures.nano or 0) for figures in rest.values()])
    for figures, part in zip(rest.values(), parts, strict=True):
        figures.nano = (figures.nano or 0) + part
    return rest


def _fold(kind: str | None, there: Mapping[str | None, Figures]) -> str | None:
    at = kind
    while at is not None and at not in there and at in CONTAINED_IN:
        at = CONTAINED_IN[at]
    return at if at in there else kind


def _valued(comparison: Comparison) -> Comparison:
    """With the export's quantity at our price; a kind that we have no price of is worth nothing here."""
    there, here = comparison.there, comparison.here
    nano = (here.nano or 0) * (there.quantity or 0) // here.quantity if here.quantity else 0
    return Comparison(comparison.kind, Figures(there.quantity, nano, there.rows), here)


def _explained(kinds: list[Comparison], ours: Ours, tolerance: Tolerance) -> dict[str, int]:
    causes = dict.fromkeys(CAUSES, 0)
    for comparison in kinds:
        for cause, nano in _of_kind(comparison, ours.entries, tolerance).items():
            causes[cause] += nano
    for cause in (QUANTITY, UNEXPLAINED):
        # An estimate may explain as much as it amounts to: what it says may be all wrong, and no more.
        room = ours.estimated_nano - abs(causes[ESTIMATE])
        taken = max(-room, min(room, causes[cause])) if room > 0 else 0
        causes[ESTIMATE] += taken
        causes[cause] -= taken
    return causes


def _of_kind(comparison: Comparison, entries: int, tolerance: Tolerance) -> dict[str, int]:
    there, here = comparison.there, comparison.here
    difference = (there.nano or 0) - (here.nano or 0)
    rounding = tolerance.of(there.rows, entries)
    if abs(difference) <= rounding:
        return {ROUNDING: difference}
    if comparison.kind is None:
        return {UNEXPLAINED: difference}
    if not there.rows or not here.quantity:
        return {QUANTITY: difference}
    if there.quantity is None:
        return {UNEXPLAINED: difference}
    if there.quantity == here.quantity:
        return {PRICE: difference}
    # At the provider's own price; what is left is that price against ours.
    quantity = difference_of_quantity(there, here)
    rest = difference - quantity
    return {QUANTITY: quantity, (ROUNDING if abs(rest) <= rounding else PRICE): rest}


def difference_of_quantity(there: Figures, here: Figures) -> int:
    """What the difference in quantity comes to, at the export's price, or at ours where it counts nothing."""
    counted = there.quantity or 0
    if counted == 0:
        return (there.nano or 0) - (here.nano or 0)
    return (there.nano or 0) - ((there.nano or 0) * (here.quantity or 0)) // counted
