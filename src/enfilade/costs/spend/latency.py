"""Durations, counted in places whose bounds grow by a factor: what a quantile needs, in a row of fixed size."""

from collections.abc import Sequence
from itertools import accumulate
from math import ceil, sqrt

FIRST_BOUND_US = 1000
GROWTH = 1.32
BOUNDS_US = tuple(round(FIRST_BOUND_US * GROWTH**step) for step in range(49))
"""From a millisecond to ten minutes. What is shorter counts in the place before the first, what is longer after the last."""
PLACES = len(BOUNDS_US) + 1
LARGEST_ERROR = sqrt(GROWTH) - 1
"""How far from the truth a quantile may be, as a share of it: 15 %. It stands in the middle of its place."""


def quantile(counts: Sequence[int], share: float) -> int | None:
    """The duration in microseconds that `share` of all did not exceed; None where there were none."""
    rank = ceil(share * sum(counts))
    if rank == 0:
        return None
    place = next(place for place, passed in enumerate(accumulate(counts)) if passed >= rank)
    if place == 0:
        return FIRST_BOUND_US
    low = BOUNDS_US[place - 1]
    return low if place == PLACES - 1 else round(sqrt(low * BOUNDS_US[place]))
