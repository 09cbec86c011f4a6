"""What an export says, and what the ledger says beside it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from enfilade.core.money import MAX_NANO
from enfilade.costs.errors import UnreadableExport

NANO_PLACES = 9
COARSEST_PLACES = 2
"""No provider's export is coarser than a cent: one that shows whole dollars only happens to have no cents."""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount as an export wrote it, in nano-dollars."""

    nano: int
    is_rounded: bool
    """Whether it was finer than a nano-dollar."""
    places: int
    """How many decimal places of a dollar it was written with."""


def dollars(amount: Decimal) -> Money:
    """An exact amount of dollars; what is finer than a nano-dollar is rounded half-up."""
    nano = amount.scaleb(NANO_PLACES)
    whole = nano.to_integral_value(ROUND_HALF_UP)
    exponent = amount.as_tuple().exponent
    return Money(int(whole), whole != nano, max(0, -exponent) if isinstance(exponent, int) else 0)


@dataclass(frozen=True, slots=True)
class CostItem:
    """One row of an export."""

    day: date
    """The day in UTC on which the provider counts it."""
    model: str
    """As the provider calls it."""
    keys: tuple[str, ...]
    """By which key, project, workspace, account: the most specific first."""
    kind: str | None
    """One of the price kinds; None where the export does not say."""
    quantity: int | None
    money: Money | None
    """None in exports that count and do not price."""
    line: str
    """Where it stands in its file."""


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row that is not about what models consumed: taxes, credits, other services."""

    what: str
    nano: int


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of days that an export covers, whether or not it has rows for them; the end is not in it."""

    start: date
    end: date


Row = CostItem | LeftOut | Span


@dataclass(frozen=True, slots=True)
class Table:
    """A CSV file as it is read, row by row."""

    name: str
    header: Sequence[str]
    rows: Iterator[tuple[int, list[str]]]
    """Line numbers and fields; each row has as many fields as the header."""


@dataclass(frozen=True, slots=True)
class Page:
    """One reply of a provider's administration API."""

    name: str
    """File and place, for messages."""
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """A format of JSON pages."""

    title: str
    recognises: Callable[[Mapping[str, Any]], bool]
    """Whether a bucket is one of this format's."""
    read: Callable[[Page], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class CsvFormat:
    """A format of CSV files."""

    title: str
    recognises: Callable[[frozenset[str]], bool]
    """Whether a file with these columns is one of this format's."""
    read: Callable[[Table], Iterable[Row]]


Format = JsonFormat | CsvFormat


@dataclass(slots=True)
class Sums:
    """What the rows of one day, model, provider and kind add up to."""

    quantity: int | None = None
    nano: int | None = None
    rows: int = 0

    def add(self, item: CostItem) -> None:
        """Count a row. Raises UnreadableExport when the sum is beyond what can be kept."""
        self.rows += 1
        if item.quantity is not None:
            self.quantity = (self.quantity or 0) + item.quantity
        if item.money is not None:
            self.nano = (self.nano or 0) + item.money.nano
        if max(abs(self.quantity or 0), abs(self.nano or 0)) > MAX_NANO:
            message = f"{item.line}: the sum is beyond what can be kept; is the column the right one?"
            raise UnreadableExport(message)


@dataclass(frozen=True, slots=True)
class Entry:
    """The sums of one day, model, provider and kind, as they are kept."""

    day: date
    model: str
    provider: str
    kind: str | None
    quantity: int | None
    nano: int | None
    rows: int


@dataclass(slots=True)
class Reading:
    """All that was read from the files of one import."""

    start: date
    end: date
    """Not in it."""
    formats: list[str] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    rows: int = 0
    rounded_rows: int = 0
    places: int = COARSEST_PLACES
    """The finest amount has so many decimal places of a dollar."""
    outside_rows: int = 0
    """Rows of days outside the period that was asked for."""
    left_out: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Rows and nano-dollars of what is not about models, by what it is."""
    keys: dict[str, int] = field(default_factory=dict)
    """What each of the export's keys cost, for those who map them."""
    entries: list[Entry] = field(default_factory=list)
