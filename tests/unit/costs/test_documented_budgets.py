"""The worked example of the budgets page: each of its figures is what the meters say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from enfilade.core.clock import to_ns
from enfilade.costs.errors import BudgetExhausted
from enfilade.costs.holds.hold import Hold
from enfilade.costs.holds.types import LimitSince, Raise, Subject
from tests.unit.costs.rules import Desk, budget

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "budgets.md"
ZONE = ZoneInfo("Europe/Vienna")
MONTHS = {"October": 10, "November": 11, "December": 12, "January": 13, "February": 14}
USD = 10**9


def documented() -> list[tuple[datetime, list[int]]]:
    """The table's moments and figures."""
    found = []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[0].isdigit():
            day, month, time = cells[1].split()
            year, number = divmod(MONTHS[month] - 1, 12)
            hour, minute = time.split(":")
            moment = datetime(2026 + year, number + 1, int(day), int(hour), int(minute), tzinfo=ZONE)
            found.append((moment, [int(cell.replace(",", "")) for cell in cells[3:]]))
    return found


def test_the_worked_example_is_right() -> None:
    steps = documented()
    rule = budget(
        1000 * USD,
        "month",
        subject=Subject("department"),
        time_zone="Europe/Vienna",
        alerts=("0.8",),
        carry_over=True,
        carry_over_limit_nano=200 * USD,
        limits=(LimitSince(to_ns(datetime(2026, 10, 2, tzinfo=ZONE)), 1000 * USD),),
    )
    desk = Desk(rule, start=datetime(2026, 10, 2, 12, tzinfo=ZONE))
    running: list[Hold] = []

    def first() -> None:
        assert desk.spend(850 * USD) == ["0.8"]
        running.append(desk.take(30 * USD))

    def fourth() -> None:
        assert desk.spend(911 * USD) == []
        assert desk.spend(1 * USD) == ["0.8"]
        desk.spend(188 * USD)

    def fifth() -> None:
        with pytest.raises(BudgetExhausted):
            desk.take(60 * USD)

    def sixth() -> None:
        until_ns = to_ns(datetime(2026, 11, 26, tzinfo=ZONE))
        made = Raise("raise", "budget", 300 * USD, "", "", desk.clock.now_ns(), until_ns)
        desk.install(replace(rule, raises=(made,)))

    def tenth() -> None:
        desk.spend(600 * USD)
        lowered = LimitSince(desk.clock.now_ns(), 500 * USD)
        desk.install(replace(rule, limit_nano=500 * USD, limits=(*rule.limits, lowered)))

    happenings: dict[int, Callable[[], object]] = {
        1: first,
        3: lambda: desk.settle(running[0], 10 * USD),
        4: fourth,
        5: fifth,
        6: sixth,
        7: lambda: desk.spend(250 * USD),
        10: tenth,
    }
    assert len(steps) == 12
    for number, (moment, figures) in enumerate(steps, start=1):
        desk.clock.jump((to_ns(moment) - desk.clock.now_ns()) / 10**9)
        happenings.get(number, lambda: None)()
        meter = desk.budget(subject="sales")
        said = [meter.ceiling, meter.spent, meter.held, meter.left(desk.clock.now_ns())]
        assert said == [figure * USD for figure in figures], f"step {number}"
