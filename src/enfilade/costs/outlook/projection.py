"""What will have been spent at the end of a window: the arithmetic of forecasts. Pure functions.

A day's cost is taken as a level times a factor of its weekday; the level is the weighted mean of the last four weeks, in
which a day counts half as much as one a week later. How far such forecasts would have been off in the past gives the
range. Floats are used here and nowhere after: what leaves this module is whole nano-dollars.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from math import sqrt
from statistics import fmean, median

from enfilade.costs.outlook.hours import DAY_HOURS, HOUR, SATURDAY, WEEK_DAYS, Slot, days_in
from enfilade.costs.outlook.usual import TO_DEVIATIONS

LEVEL_DAYS = 28
HALF_LIFE_DAYS = 7.0
WEEKDAYS_FROM = 14
"""Days of history from which on weekdays are told apart; working days and weekends from 7."""
BACKTEST_FROM = 21
"""Days of history from which on earlier forecasts tell how wide the range is."""
BACKTESTS = 16
SPIKE_DEVIATIONS = 6.0
LONGEST_SPIKE = 2
"""Days. What is high for longer is no spike, but how things are now."""
LOW, HIGH = 0.1, 0.9
LEAST_ERROR = 0.02
MOST_SCALE = 3.0

NO_HISTORY = "none"
SHORT = "short"
BACKTESTED = "backtested"


@dataclass(frozen=True, slots=True)
class History:
    """What a scope has cost until today."""

    days: Sequence[int]
    """Each whole day, oldest first; the last is yesterday."""
    yesterday: date
    hours: Sequence[int] = field(default=(0,) * (2 * DAY_HOURS))
    """The last weeks by hour of the day: 24 of working days, 24 of weekends."""


@dataclass(frozen=True, slots=True)
class Projection:
    """What is expected beyond what is spent already."""

    expected: int
    low: int
    high: int
    history_days: int
    basis: str
    rates: tuple[float, ...] = ()
    """Nano-dollars an hour, by the hour of the week."""


def project(history: History, slots: Sequence[Slot]) -> Projection | None:
    """What the slots will cost; None where nothing is known."""
    days = list(history.days)
    if not days:
        return None
    model = _fit(days, history.yesterday)
    shares = _shares(history.hours)
    rates = tuple(
        model.level * model.factors[weekday] * shares[weekday >= SATURDAY][hour]
        for weekday in range(WEEK_DAYS)
        for hour in range(DAY_HOURS)
    )
    expected = sum(rates[slot.place] * slot.hours for slot in slots)
    ahead = days_in(slots)
    if expected <= 0:
        return Projection(0, 0, round(fmean(days) * ahead), len(days), SHORT, rates)
    if len(days) < BACKTEST_FROM:
        spread = 3 / sqrt(len(days))
        low, high = expected / (1 + spread), expected * (1 + spread)
        return Projection(round(expected), round(low), round(high), len(days), SHORT, rates)
    down, up = _errors(days, history.yesterday, ahead)
    low, high = expected * (1 + down), expected * (1 + up)
    return Projection(round(expected), round(low), round(high), len(days), BACKTESTED, rates)


def used_up_at(projection: Projection, total: int, left: int, slots: Sequence[Slot]) -> datetime | None:
    """When `left` is spent, if the slots cost `total`; None when it is not within them."""
    if not slots or left > total or total <= 0:
        return None if left > 0 or not slots else slots[0].start
    shape = [projection.rates[slot.place] * slot.hours for slot in slots]
    if sum(shape) <= 0:
        shape = [slot.hours for slot in slots]
    wanted = sum(shape) * left / total
    for slot, cost in zip(slots, shape, strict=True):
        if cost >= wanted:
            part = wanted / cost if cost else 0.0
            return slot.start + HOUR * slot.hours * part
        wanted -= cost
    return slots[-1].start + HOUR * slots[-1].hours


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie, between two of them in proportion."""
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    lower = int(place)
    upper = min(lower + 1, len(ordered) - 1)
    return ordered[lower] + (ordered[upper] - ordered[lower]) * (place - lower)


# The model.


@dataclass(frozen=True, slots=True)
class _Model:
    level: float
    factors: tuple[float, ...]


def _fit(days: Sequence[int], last: date) -> _Model:
    calm = _without_spikes(days, last)
    weekdays = _weekdays(len(calm), last)
    factors = _factors(calm, weekdays)
    recent = range(max(0, len(calm) - LEVEL_DAYS), len(calm))
    cost = weight_of_factors = 0.0
    for day in recent:
        weight = 0.5 ** ((len(calm) - 1 - day) / HALF_LIFE_DAYS)
        cost += weight * calm[day]
        weight_of_factors += weight * factors[weekdays[day]]
    return _Model(cost / weight_of_factors if weight_of_factors > 0 else 0.0, factors)


def _weekdays(count: int, last: date) -> list[int]:
    return [(last - timedelta(days=count - 1 - day)).weekday() for day in range(count)]


def _without_spikes(days: Sequence[int], last: date) -> list[float]:
    """One or two days that are far beyond others of their kind, cut to what is just not that."""
    calm = [float(day) for day in days]
    weekdays = _weekdays(len(days), last)
    most = [_most(days, weekdays, weekend=weekend) for weekend in (False, True)]
    high = [day > most[weekday >= SATURDAY] for day, weekday in zip(days, weekdays, strict=True)]
    start = 0
    while start < len(days):
        end = start
        while end < len(days) and high[end]:
            end += 1
        if end - start <= LONGEST_SPIKE:
            for day in range(start, end):
                calm[day] = most[weekdays[day] >= SATURDAY]
        start = max(end, start + 1)
    return calm


def _most(days: Sequence[int], weekdays: Sequence[int], *, weekend: bool) -> float:
    values = [day for day, weekday in zip(days, weekdays, strict=True) if (weekday >= SATURDAY) == weekend]
    if len(values) < WEEK_DAYS - SATURDAY + 1:
        return float("inf")
    middle = median(values)
    if middle <= 0:
        # Idle but for some days: those are what it costs.
        return float("inf")
    deviation = median(abs(value - middle) for value in values) * TO_DEVIATIONS
    return max(middle + SPIKE_DEVIATIONS * deviation, 3 * middle)


def _factors(calm: Sequence[float], weekdays: Sequence[int]) -> tuple[float, ...]:
    """How dear each weekday is, compared with the mean of all; drawn to its kind where there are few of it."""
    overall = fmean(calm)
    if len(calm) < WEEK_DAYS or overall <= 0:
        return (1.0,) * WEEK_DAYS
    kinds = []
    for weekend in (False, True):
        values = [cost for cost, weekday in zip(calm, weekdays, strict=True) if (weekday >= SATURDAY) == weekend]
        kinds.append(fmean(values) / overall if values else 1.0)
    factors = []
    for weekday in range(WEEK_DAYS):
        kind = kinds[weekday >= SATURDAY]
        values = [cost for cost, at in zip(calm, weekdays, strict=True) if at == weekday]
        factors.append((sum(values) / overall + kind) / (len(values) + 1) if len(calm) >= WEEKDAYS_FROM else kind)
    return tuple(factors)


def _shares(hours: Sequence[int]) -> list[list[float]]:
    """Which part of a day's cost falls into each hour, of working days and of weekends."""
    known = [max(0, cost) for cost in hours]
    both = [known[hour] + known[hour + DAY_HOURS] for hour in range(DAY_HOURS)]
    found = []
    for kind in (known[:DAY_HOURS], known[DAY_HOURS:]):
        chosen = kind if any(kind) else both
        total = sum(chosen)
        found.append([cost / total for cost in chosen] if total else [1 / DAY_HOURS] * DAY_HOURS)
    return found


# How far off it would have been.


def _errors(days: Sequence[int], last: date, ahead: float) -> tuple[float, float]:
    """The errors, as shares of a forecast, between which eight of ten lay; wider where few could be looked at."""
    wanted = max(1, round(ahead))
    span = min(wanted, max(1, len(days) - BACKTEST_FROM))
    origins = range(WEEKDAYS_FROM, len(days) - span + 1)
    step = max(1, len(origins) // BACKTESTS)
    errors = []
    for origin in origins[::-step]:
        before = last - timedelta(days=len(days) - origin)
        model = _fit(days[:origin], before)
        weekdays = ((before + timedelta(days=day)).weekday() for day in range(1, span + 1))
        forecast = sum(model.level * model.factors[weekday] for weekday in weekdays)
        actual = sum(days[origin : origin + span])
        if forecast > 0:
            errors.append(actual / forecast - 1)
    if not errors:
        return -1.0, MOST_SCALE
    independent = max(1.0, (len(days) - WEEKDAYS_FROM) / span)
    scale = (1 + 1 / sqrt(independent)) * min(MOST_SCALE, sqrt(wanted / span))
    down = min(quantile(errors, LOW) * scale, -LEAST_ERROR)
    up = max(quantile(errors, HIGH) * scale, LEAST_ERROR)
    return max(down, -1.0), up
