"""How forecasts, movers, savings and alerts are shown to people: words, figures and bars."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rich.text import Text

from enfilade.cli.output import NOTHING, money, note

WIDTH = 28
CENT = Decimal("0.01")
SHADES = {"spent": "█", "low": "▓", "expected": "▒", "high": "░"}


def said(item: dict[str, Any]) -> str:
    """The few figures of an alert that matter at a glance."""
    write = SAYINGS.get(item["type"])
    return str(item["title"]) if write is None else write(item["data"], item["scope"])


def _anomaly(data: dict[str, Any], scope: str | None) -> str:
    times = f", {data['times_usual']} times as much" if data["times_usual"] else ""
    hour = data["hour"][:16].replace("T", " ")
    cost, usual = plain(data["actual_usd"]), plain(data["usual_usd"])
    return f"{data['scope']} {scope}: {cost} in the hour of {hour}; usually {usual}{times}"


def _threshold(data: dict[str, Any], scope: str | None) -> str:
    share = f"{Decimal(data['share']) * 100:.4f}".rstrip("0").rstrip(".")
    spent = f"{plain(data['spent_usd'])} of {plain(data['limit_usd'])}"
    return f"{data['scope']} {scope}: {share} % of the {data['window']}'s budget, {spent}"


def _exhausted(data: dict[str, Any], scope: str | None) -> str:
    spent = f"{plain(data['spent_usd'])} of {plain(data['limit_usd'])} spent"
    return f"{data['scope']} {scope}: the {data['window']}'s budget did not cover a call, {spent}"


SAYINGS: dict[str, Callable[[dict[str, Any], str | None], str]] = {
    "CostAnomalyDetected": _anomaly,
    "BudgetThresholdCrossed": _threshold,
    "BudgetExhausted": _exhausted,
    "ReconciliationDifference": lambda data, _: (
        f"{data['provider']}: {plain(data['difference_usd'])} from {data['from']} to {data['to']}"
    ),
    "OverrunSettlement": lambda data, _: (
        f"{data['model']}: {plain(data['overrun_usd'])} more than was held, call {data['call']}"
    ),
    "UnpricedSettlement": lambda data, _: f"{data['model']}: a price was missing, call {data['call']}",
}


def named(item: dict[str, Any]) -> str:
    """What a row is about."""
    budget = item["budget"]
    if budget is None:
        return str(item["name"])
    model = f" {budget['model']}" if budget["model"] else ""
    return f"{item['kind']}:{item['name']}{model} per {item['window']}"


def used_up(item: dict[str, Any]) -> Text:
    """When a budget is used up."""
    budget = item["budget"]
    if item["basis"] == "none" and not budget["used_up_at"]:
        return Text(NOTHING, style="dim")
    ends = "a year" if item["window_end"] is None else "this window"
    if budget["used_up_at"] is None:
        earliest = budget["earliest_at"]
        return Text(f"not within {ends}" + (f"; at the earliest {day_of(earliest)}" if earliest else ""), style="green")
    if budget["days_left"] <= 0:
        return Text("used up", style="bold red")
    latest = day_of(budget["latest_at"]) if budget["latest_at"] else "not at all"
    days = f"in {budget['days_left']:g} days ({day_of(budget['earliest_at'])} to {latest})"
    return Text(days, style="yellow")


def explain(items: list[dict[str, Any]], left_out: int) -> None:
    """Say below a table of forecasts what is not to be seen in it."""
    for item in items:
        if item["note"]:
            note(f"{named(item)}: {item['note']}")
        elif item["basis"] == "short":
            days = "1 day" if item["history_days"] == 1 else f"{item['history_days']} days"
            note(f"{named(item)}: only {days} to go by, so the range is wide.")
    if items:
        legend = f"{SHADES['spent']} spent  {SHADES['low']} at least  {SHADES['expected']} expected  {SHADES['high']} at most"
        note(legend + "; eight of ten ranges hold what it comes to")
    if left_out:
        note(f"There are {left_out} more; ask for them with --limit.")


def span(part: dict[str, Any]) -> str:
    """A period, to the minute."""
    return f"{part['from'][:16]} to {part['to'][:16]}".replace("T", " ")


def day_of(text: str) -> str:
    """The day of a moment."""
    return f"{datetime.fromisoformat(text):%Y-%m-%d}"


def until(text: str | None) -> str:
    """The last day before a moment."""
    return "" if text is None else f"{datetime.fromisoformat(text) - timedelta(seconds=1):%Y-%m-%d}"


# Figures.


def plain(amount: str) -> str:
    """An amount without colours."""
    return rounded(amount).plain


def rounded(amount: str | None) -> Text:
    """In cents; with all digits where it is less than one."""
    if amount is None:
        return Text(NOTHING, style="dim")
    figure = Decimal(amount)
    if figure and abs(figure) < CENT:
        return money(amount) if figure > 0 else Text(f"-{money(amount.lstrip('-')).plain}")
    return Text(f"{'-' if figure < 0 else ''}${abs(figure):,.2f}")


def reach(item: dict[str, Any]) -> Text:
    """From the lower end of a range to the upper."""
    if item["low_usd"] is None:
        return rounded(None)
    return Text(f"{plain(item['low_usd'])} to {plain(item['high_usd'])}")


def change(amount: str) -> Text:
    """A difference, with its sign."""
    figure = Decimal(amount)
    if not figure:
        return Text("0", style="dim")
    return Text(("+" if figure > 0 else "") + plain(amount), style="red" if figure > 0 else "green")


# Bars.


def furthest(item: dict[str, Any]) -> Decimal:
    """The largest amount that a row shows."""
    return Decimal(item["high_usd"] or item["spent_usd"])


def bar(item: dict[str, Any], most: Decimal) -> Text:
    """What is spent, and the range beyond it, one after the other."""
    text = Text()
    reached = 0
    for part, style in (("spent", "cyan"), ("low", "cyan"), ("expected", "blue"), ("high", "blue")):
        amount = item[f"{part}_usd"]
        end = min(_length(Decimal(amount), most, WIDTH), WIDTH) if amount is not None else reached
        text.append(SHADES[part] * (end - reached), style=style)
        reached = max(reached, end)
    return text


def _length(amount: Decimal, most: Decimal, width: int) -> int:
    return max(0, round(amount / most * width)) if most > 0 else 0


def swing(amount: str, most: Decimal) -> Text:
    """To the right what has grown, to the left what has shrunk."""
    half = WIDTH // 2
    length = _length(abs(Decimal(amount)), most, half)
    if Decimal(amount) < 0:
        return Text.assemble(" " * (half - length), ("█" * length, "green"), "│")
    return Text.assemble(" " * half, "│", ("█" * length, "red"))


def stacked(parts: list[Decimal], most: Decimal) -> Text:
    """What was saved, and what could be, one after the other."""
    text = Text()
    for amount, shade, style in zip(parts, "█▓░", ("green", "green", "yellow"), strict=True):
        text.append(shade * _length(amount, most, WIDTH), style=style)
    return text
