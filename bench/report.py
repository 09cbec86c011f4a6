"""What is measured, and how it is shown."""

from typing import Literal

import msgspec
from rich.console import Console
from rich.table import Table

NOTHING = "–"  # noqa: RUF001 - an en dash stands for nothing


class Goal(msgspec.Struct, frozen=True):
    """The figure to reach."""

    value: float
    better: Literal["more", "less"]

    def is_reached(self, value: float) -> bool:
        """Whether a figure reaches it."""
        return value >= self.value if self.better == "more" else value <= self.value


def at_least(value: float) -> Goal:
    """More is better."""
    return Goal(value, "more")


def at_most(value: float) -> Goal:
    """Less is better."""
    return Goal(value, "less")


class Row(msgspec.Struct):
    """One figure."""

    scenario: str
    figure: str
    value: float
    unit: str
    goal: Goal | None = None
    bare: float | None = None
    """The same figure of the bare proxy."""
    note: str = ""

    @property
    def ratio(self) -> float | None:
        """The gateway's figure as a share of the bare proxy's."""
        return self.value / self.bare if self.bare else None

    @property
    def reached(self) -> bool | None:
        """Whether the goal is reached, if there is one."""
        return None if self.goal is None else self.goal.is_reached(self.value)


class Report(msgspec.Struct):
    """A run."""

    machine: dict[str, str]
    layout: str
    proxy: str
    rows: list[Row]
    broken: dict[str, str]
    """Scenarios that could not be measured, and why."""


def to_json(report: Report) -> str:
    """The report for programs."""
    content = msgspec.to_builtins(report)
    for row, plain in zip(report.rows, content["rows"], strict=True):
        plain |= {"ratio": row.ratio, "reached": row.reached}
    return msgspec.json.format(msgspec.json.encode(content)).decode()


def show(report: Report, console: Console) -> None:
    """The report for people."""
    table = Table(header_style="bold", title_justify="left")
    for name, justify in (
        ("scenario", "left"),
        ("figure", "left"),
        ("gateway", "right"),
        ("target", "right"),
        (report.proxy, "right"),
        ("ratio", "right"),
        ("", "left"),
    ):
        table.add_column(name, justify=justify, no_wrap=name != "")  # type: ignore[arg-type]
    last = ""
    for row in report.rows:
        table.add_row(
            row.scenario if row.scenario != last else "",
            row.figure,
            _coloured(row),
            NOTHING if row.goal is None else f"{'≥' if row.goal.better == 'more' else '≤'} {_number(row.goal.value)}",
            NOTHING if row.bare is None else _number(row.bare),
            NOTHING if row.ratio is None else f"{row.ratio:.2f}",
            row.note,
            end_section=False,
        )
        last = row.scenario
    console.print(table)
    console.print(f"[dim]{report.layout}[/]", highlight=False)
    console.print(
        "[dim]" + " · ".join(f"{name} {value}" for name, value in report.machine.items()) + "[/]", highlight=False
    )
    for name, reason in report.broken.items():
        console.print(f"[bold red]{name} is broken:[/] {reason}", highlight=False, markup=True)


def _coloured(row: Row) -> str:
    text = f"{_number(row.value)} {row.unit}"
    if row.reached is None:
        return text
    return f"[green]{text}[/]" if row.reached else f"[red]{text}[/]"


def _number(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
