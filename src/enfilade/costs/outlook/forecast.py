"""Forecasts: what scopes and budgets will have spent at the end of their windows, and when budgets are used up."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from fnmatch import fnmatchcase
from itertools import compress
from typing import Any

from enfilade.core.clock import NANOSECONDS, to_datetime
from enfilade.costs.errors import InvalidRule
from enfilade.costs.holds.windows import FOREVER_NS, Calendar, Window, window_at
from enfilade.costs.outlook import store
from enfilade.costs.outlook.hours import Slot, slots_left, zone_of
from enfilade.costs.outlook.past import Past, Reading, Wanted, pasts_of, sum_of
from enfilade.costs.outlook.projection import History, Projection, project, used_up_at
from enfilade.storage.rounds import ask_cells
from enfilade.storage.unit_of_work import UnitOfWork

KINDS = ("tenant", "department", "application", "user", "key", "model")
WINDOWS = ("day", "week", "month", "quarter", "year")
TOO_SHORT = ("minute", "hour")
HISTORY_DAYS = 84
HOURLY_DAYS = 14
"""Days whose hours say how a day is spread over its hours."""
MOST_SCOPES = 200
FARTHEST_DAYS = 366
"""How far ahead a budget without an end is looked at."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a scope will have spent at the end of a window."""

    tenant: str
    kind: str
    subject: str
    window: Window
    spent: int
    projection: Projection | None
    """What comes on top; None where nothing is known."""


@dataclass(frozen=True, slots=True)
class ScopeQuestion:
    """Which scopes to look at, and until when."""

    kind: str
    period: str
    tenant: str | None
    limit: int = 50


@dataclass(frozen=True, slots=True)
class BudgetQuestion:
    """A budget's window for one subject, as it stands."""

    tenant: str
    kind: str
    subject: str
    model: str | None
    """A pattern over models' names, where only some count."""
    window: Window
    ceiling: int
    """What may be spent in it."""
    spent: int
    """What its meter says: used where the ledger is not read back to the window's beginning."""


@dataclass(frozen=True, slots=True)
class BudgetForecast:
    """A forecast, and when the budget is used up: None is not within the window, or not within a year."""

    forecast: Forecast
    expected_at: datetime | None = None
    earliest_at: datetime | None = None
    latest_at: datetime | None = None


async def forecast_scopes(
    unit: UnitOfWork, asked: ScopeQuestion, now_ns: int, zones: Mapping[str, str]
) -> tuple[list[Forecast], int]:
    """The dearest scopes of a kind in the running window, and how many there are. Raises InvalidRule.

    It needs a unit that only reads.
    """
    kind, period, tenant = asked.kind, asked.period, asked.tenant
    if kind not in KINDS or period not in WINDOWS:
        message = f"forecasts are by {', '.join(KINDS)} and for a {', '.join(WINDOWS)}"
        raise InvalidRule(message, param="by" if kind not in KINDS else "window")
    windows = {zone: window_at(period, now_ns, zone) for zone in {"UTC", *zones.values()}}
    first = min(_local_day(window.start_ns, zone) for zone, window in windows.items())
    first = min(first, _first_day(now_ns))
    most = min(asked.limit, MOST_SCOPES)
    daily = Wanted(tenant, first, [kind], limit=most)

    async def ask() -> tuple[list[Any], list[Any]]:
        rows = await reading.read(daily, store.DAILY)
        subjects = [row["subject"] for row in rows]
        wanted = Wanted(tenant, _hourly_from(now_ns), [kind], subjects)
        return rows, await reading.read(wanted, store.HOURLY)

    reading = Reading(unit, tenant, zones)
    cells = await ask_cells(unit, tenant, ask)
    # A tenant lives in one cell: what is dearest of all is among the dearest of its cell.
    rows = [row for rows, _ in cells for row in rows]
    rows.sort(key=lambda row: (-sum(row["costs"]), str(row["tenant_id"]), row["subject"]))
    count = sum(rows[0]["scopes"] for rows, _ in cells if rows)
    hourly = [row for _, rows in cells for row in rows]
    pasts = {key[:3]: past for key, past in pasts_of(rows[:most], hourly).items()}
    slots = {zone: slots_left(now_ns, window.end_ns, zone) for zone, window in windows.items()}

    def work_out() -> list[Forecast]:
        found = []
        for (owner, _, subject), past in pasts.items():
            zone = zones.get(owner, "UTC")
            window = windows[zone]
            projection = project(history, slots[zone]) if (history := history_of(past, now_ns, zone)) else None
            spent = _spent_since(past, window, zone)
            found.append(Forecast(owner, kind, subject, window, spent, projection))
        return found

    # Arithmetic of some milliseconds for each scope: beside the event loop, where calls are waiting.
    return await asyncio.to_thread(work_out), count


async def forecast_budgets(
    unit: UnitOfWork, questions: Sequence[BudgetQuestion], now_ns: int, tenant: str | None, zones: Mapping[str, str]
) -> list[BudgetForecast | None]:
    """What becomes of budgets, in their order; None where the tenant's cell could not be asked.

    It needs a unit that only reads.
    """
    if not questions:
        return []
    days = [
        _local_day(asked.window.start_ns, zones.get(asked.tenant, "UTC"))
        for asked in questions
        if not _is_endless(asked.window)
    ]
    first = min([*days, _first_day(now_ns)])
    kinds = sorted({asked.kind for asked in questions})
    subjects = sorted({asked.subject for asked in questions})
    by_model = any(asked.model is not None for asked in questions)
    reading, reached = Reading(unit, tenant, zones), set()

    async def ask() -> tuple[list[Any], list[Any]]:
        daily = await reading.read(Wanted(tenant, first, kinds, subjects, by_model), store.DAILY)
        wanted = Wanted(tenant, _hourly_from(now_ns), kinds, subjects, by_model)
        found = daily, await reading.read(wanted, store.HOURLY)
        reached.add(unit.current)
        return found

    cells = await ask_cells(unit, tenant, ask)
    pasts = pasts_of([row for rows, _ in cells for row in rows], [row for _, rows in cells for row in rows])
    grouped: dict[tuple[str, str, str], list[tuple[str | None, Past]]] = {}
    for (owner, kind, subject, model), past in pasts.items():
        grouped.setdefault((owner, kind, subject), []).append((model, past))
    is_known = [tenant is not None or unit.places(question.tenant)[0] in reached for question in questions]
    known = list(compress(questions, is_known))
    found = iter(await asyncio.to_thread(_work_out_budgets, known, grouped, now_ns, zones))
    return [next(found) if it_is else None for it_is in is_known]


def _work_out_budgets(
    questions: Sequence[BudgetQuestion],
    grouped: Mapping[tuple[str, str, str], list[tuple[str | None, Past]]],
    now_ns: int,
    zones: Mapping[str, str],
) -> list[BudgetForecast]:
    slots: dict[tuple[str, int], list[Slot]] = {}
    found = []
    for asked in questions:
        zone = zones.get(asked.tenant, "UTC")
        end_ns = min(asked.window.end_ns, now_ns + FARTHEST_DAYS * 86_400 * NANOSECONDS)
        if (zone, end_ns) not in slots:
            slots[zone, end_ns] = slots_left(now_ns, end_ns, zone)
        parts = grouped.get((asked.tenant, asked.kind, asked.subject), [])
        past = sum_of([past for model, past in parts if asked.model is None or fnmatchcase(model or "", asked.model)])
        found.append(_budget(asked, past, slots[zone, end_ns], now_ns, zone))
    return found


def _budget(asked: BudgetQuestion, past: Past, slots: Sequence[Slot], now_ns: int, zone: str) -> BudgetForecast:
    is_endless = _is_endless(asked.window)
    spent = asked.spent if is_endless else _spent_since(past, asked.window, zone)
    history = history_of(past, now_ns, zone)
    projection = project(history, slots) if history is not None else None
    forecast = Forecast(asked.tenant, asked.kind, asked.subject, asked.window, spent, projection)
    left = asked.ceiling - spent
    if left <= 0:
        now = to_datetime(now_ns)
        return BudgetForecast(forecast, now, now, now)
    if projection is None:
        return BudgetForecast(forecast)
    return BudgetForecast(
        forecast,
        used_up_at(projection, projection.expected, left, slots),
        used_up_at(projection, projection.high, left, slots),
        used_up_at(projection, projection.low, left, slots),
    )


def budget_window(period: str, now_ns: int, calendar: Calendar) -> Window | None:
    """The running window of a budget; None where it is too short to be foretold."""
    return None if period in TOO_SHORT else window_at(period, now_ns, *calendar)


def history_of(past: Past, now_ns: int, time_zone: str) -> History | None:
    """The whole days since a scope began to spend; the day on which it began is none, unless there is no other."""
    today = _local_day(now_ns, time_zone)
    spending = [day for day, cost in past.days.items() if cost > 0 and day < today]
    if not spending:
        return None
    yesterday = today - timedelta(days=1)
    earliest = today - timedelta(days=HISTORY_DAYS)
    begun = min(spending)
    first = max(earliest, min(begun + timedelta(days=1), yesterday))
    days = [max(0, past.days.get(first + timedelta(days=step), 0)) for step in range((today - first).days)]
    return History(days, yesterday, past.hours)


def _spent_since(past: Past, window: Window, zone: str) -> int:
    start = _local_day(window.start_ns, zone)
    return sum(cost for day, cost in past.days.items() if day >= start)


def _is_endless(window: Window) -> bool:
    return window.end_ns >= FOREVER_NS


def _local_day(at_ns: int, zone: str) -> date:
    return to_datetime(at_ns).astimezone(zone_of(zone)).date()


def _first_day(now_ns: int) -> date:
    # A day more than is needed: where it is still yesterday, the days before are others.
    return to_datetime(now_ns).date() - timedelta(days=HISTORY_DAYS + 1)


def _hourly_from(now_ns: int) -> date:
    return to_datetime(now_ns).date() - timedelta(days=HOURLY_DAYS)
