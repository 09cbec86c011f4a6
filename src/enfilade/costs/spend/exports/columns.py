"""What an exported table is made of, whatever the format that it is written in."""

from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

Kind = Literal["text", "json", "integer", "decimal", "moment", "second", "date", "flag"]
"""What a column holds: a moment has microseconds, a second has none."""
Value = str | int | datetime | None
"""A decimal is text that holds all of its digits, a date is text as well, a flag is a bool."""
Row = Sequence[Value]
Batches = AsyncGenerator[list[Row], None]

MONEY_SCALE = 9


@dataclass(frozen=True, slots=True)
class Column:
    """A column, with what the reference says of it."""

    name: str
    kind: Kind
    meaning: str
    scale: int = 0
    """Decimal places, where it is a decimal."""
    optional: bool = True
    """Whether it may be empty."""


def usd(name: str, meaning: str, *, optional: bool = False) -> Column:
    """A column of exact dollars."""
    return Column(name, "decimal", meaning, MONEY_SCALE, optional)


class Expand(Protocol):
    """What makes rows of a record."""

    def __call__(self, record: Any, /, *, is_platform: bool) -> Iterable[Row]:
        """The rows; what providers charge is left out for a tenant."""
        ...


@dataclass(frozen=True, slots=True)
class Table:
    """What is exported: a statement, and what becomes of each of its rows."""

    name: str
    meaning: str
    columns: tuple[Column, ...]
    statements: Mapping[str, str]
    """By granularity. Parameters: start, end, the tenant or null, the time zone, who issues invoices."""
    rows: Expand
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What a file says of itself, where its format has a place for it."""


@dataclass(frozen=True, slots=True)
class Format:
    """How a table is written."""

    name: str
    meaning: str
    media_type: str
    suffix: str
    tables: tuple[str, ...]
    """The names of the tables that it can write; the first is what it writes unless it is told another."""
    encode: Callable[[Table, Batches], AsyncGenerator[bytes, None]]


def moment_text(moment: datetime) -> str:
    """RFC 3339 in UTC with microseconds."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def second_text(moment: datetime) -> str:
    """RFC 3339 in UTC without a fraction."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def decimal_text(value: int, scale: int) -> str:
    """An integer of 10^-scale units as decimal text, without zeros that say nothing."""
    sign = "-" if value < 0 else ""
    whole, part = divmod(abs(value), 10**scale)
    digits = f"{part:0{scale}d}".rstrip("0") if scale else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"
