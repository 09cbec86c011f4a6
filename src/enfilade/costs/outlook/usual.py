"""What an hour usually costs, and whether one is out of the ordinary. Pure functions.

The usual is the median of hours alike, so that a few odd ones among them change nothing, and how far hours stray from
it is their median distance. Floats are used here and nowhere after: what leaves this module is whole nano-dollars.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from statistics import median

from enfilade.costs.outlook.hours import Alike

FEWEST_HOURS = 4
"""So many hours alike are needed: of one odd hour among three the median would be half-way to it."""
FEWEST_DAYS = 14
"""A scope that is younger has no usual."""
TO_DEVIATIONS = 1.4826
"""A median distance as a standard deviation, where values are spread as they usually are."""

HOUR_OF_WEEK = "hour_of_week"
HOUR_OF_DAY = "hour_of_day"


@dataclass(frozen=True, slots=True)
class Usual:
    """What hours alike cost."""

    nano: int
    """The median."""
    deviation_nano: int
    """How far they stray from it."""
    busy_nano: int
    """The median of those in which anything was spent; 0 when there is none."""
    hours: int
    basis: str
    """Whether they are the same hour of the week, or the same hour of working days, or of weekends."""

    def threshold(self, factor: float, deviations: float, least_nano: int) -> int:
        """What an hour must exceed to be out of the ordinary.

        A scope that is mostly idle at this hour is measured by what it costs when it is not.
        """
        level = self.nano or self.busy_nano
        return max(round(factor * level), level + round(deviations * self.deviation_nano), least_nano)


def usual_of(alike: Sequence[Alike], costs: Mapping[datetime, int], first_day: date, today: date) -> Usual | None:
    """What the hour usually costs; None where there is too little to say so.

    `first_day` is the day on which the scope began to spend: an hour after it that has no cost, cost nothing.
    """
    known = [hour for hour in alike if hour.day > first_day]
    if (today - first_day).days < FEWEST_DAYS or len(known) < FEWEST_HOURS:
        return None
    weekly = [hour for hour in known if hour.same_weekday]
    chosen, basis = (weekly, HOUR_OF_WEEK) if len(weekly) >= FEWEST_HOURS else (known, HOUR_OF_DAY)
    values = [costs.get(hour.start, 0) for hour in chosen]
    middle = median(values)
    deviation = median(abs(value - middle) for value in values) * TO_DEVIATIONS
    busy = [cost for hour in known if (cost := costs.get(hour.start, 0)) > 0]
    return Usual(round(middle), round(deviation), round(median(busy)) if busy else 0, len(values), basis)
