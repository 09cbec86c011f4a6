"""What people see: tables, colours and messages; what programs get: JSON and exit codes."""

import enum
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

CONSOLE = Console(highlight=False)
WIDE = Console(highlight=False, width=10_000)
ERRORS = Console(stderr=True, highlight=False)


NOTHING = "–"  # noqa: RUF001 - an en dash stands for nothing


class Exit(enum.IntEnum):
    """Exit codes."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNAUTHORISED = 3
    NOT_FOUND = 4
    REFUSED = 5
    UNAVAILABLE = 6
    UNHEALTHY = 7
    UNCONFIRMED = 8
    INTERRUPTED = 130

    @classmethod
    def of_status(cls, status: int) -> "Exit":
        """The code for an HTTP status."""
        if status in {401, 403}:
            return cls.UNAUTHORISED
        if status == 404:
            return cls.NOT_FOUND
        if status >= 500:
            return cls.UNAVAILABLE if status in {502, 503, 504} else cls.FAILED
        return cls.REFUSED


EXIT_MEANINGS = {
    Exit.OK: "It was done.",
    Exit.FAILED: "Something went wrong that should not have; the message says what.",
    Exit.USAGE: "The command, an option or a value is not one that there is.",
    Exit.UNAUTHORISED: "No valid key, or one that may not do this.",
    Exit.NOT_FOUND: "There is nothing of that name that the key may see.",
    Exit.REFUSED: "The request does not fit; nothing was changed.",
    Exit.UNAVAILABLE: "The server or its database cannot be reached at the moment.",
    Exit.UNHEALTHY: "`doctor` found a fault, or `migrate --check` something to do.",
    Exit.UNCONFIRMED: "`apply --json` without `--yes` found something to do, and did not do it.",
    Exit.INTERRUPTED: "Ctrl-C.",
}


def fail(message: str, remedy: str | None = None) -> None:
    """Say on the error stream what went wrong, and what to do."""
    # Not folded: a path that is broken over two lines cannot be copied or searched for.
    ERRORS.print(Text.assemble(("✗ ", "bold red"), message), soft_wrap=True)
    if remedy:
        ERRORS.print(Text.assemble(("  → ", "dim"), (remedy, "dim")), soft_wrap=True)


def done(message: str) -> None:
    """Say on the error stream that something was done; the output stream is for results."""
    ERRORS.print(Text.assemble(("✓ ", "bold green"), message), soft_wrap=True)


def note(message: str) -> None:
    """Say something in passing, on the error stream."""
    ERRORS.print(Text(message, style="dim"), soft_wrap=True)


def print_json(value: Any) -> None:
    """One JSON document on the output stream."""
    text = msgspec.json.format(msgspec.json.encode(value), indent=2)
    sys.stdout.write(text.decode() + "\n")


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """A table; columns whose name ends in `#` are right-aligned. `empty` is said when there are no rows."""
    filled = [[_cell(value) for value in row] for row in rows]
    if not filled:
        note(empty)
        return
    table = Table(box=None, header_style="bold", pad_edge=False)
    for column in columns:
        table.add_column(column.rstrip("#"), justify="right" if column.endswith("#") else "left")
    for row in filled:
        table.add_row(*row)
    _print_whole(table)


Column = str | Callable[[Any], object]
"""A member of each item, or what is made of the item."""


def print_list(items: Sequence[Any], columns: Mapping[str, Column], *, empty: str, as_json: bool) -> None:
    """What a list has, for programs or as a table with these headings."""
    if as_json:
        print_json(items)
        return
    rows = (
        [item[column] if isinstance(column, str) else column(item) for column in columns.values()] for item in items
    )
    print_table(tuple(columns), rows, empty=empty)


def print_one(found: dict[str, Any], *, as_json: bool) -> None:
    """One thing, for programs or for people."""
    print_json(found) if as_json else print_fields(found)


def print_fields(fields: dict[str, Any]) -> None:
    """Names and values, one a line."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="dim")
    table.add_column()
    for name, value in fields.items():
        table.add_row(name.replace("_", " "), _cell(value))
    _print_whole(table)


def _print_whole(table: Table) -> None:
    """At its own width: a cell that is broken over lines can be neither searched for nor copied."""
    with WIDE.capture() as capture:
        WIDE.print(table)
    for line in capture.get().splitlines():
        sys.stdout.write(line.rstrip() + "\n")


def _cell(value: object) -> Text:
    if value is None or value in ("", []):
        return Text(NOTHING, style="dim")
    if isinstance(value, bool):
        return Text("yes" if value else "no")
    return value if isinstance(value, Text) else Text(_plain(value))


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(_plain(entry) for entry in value)
    if isinstance(value, dict):
        return " ".join(f"{name}={_plain(entry)}" for name, entry in value.items() if entry not in (None, "", []))
    return str(value)


def money(amount: str) -> Text:
    """An amount of dollars, with the zeros that say nothing left out but cents kept."""
    whole, _, part = amount.partition(".")
    part = part.rstrip("0").ljust(2, "0")
    return Text(f"${int(whole):,}.{part}")
