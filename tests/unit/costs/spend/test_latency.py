"""Quantiles from counted places are as near to the truth as they say."""

import random

import pytest

from enfilade.costs.spend.latency import BOUNDS_US, LARGEST_ERROR, PLACES, quantile


def _counted(durations: list[int]) -> list[int]:
    counts = [0] * PLACES
    for duration in durations:
        counts[sum(bound <= duration for bound in BOUNDS_US)] += 1
    return counts


@pytest.mark.parametrize("share", [0.5, 0.95, 0.99])
def test_a_quantile_is_within_its_error_of_the_true_one(share: float) -> None:
    chance = random.Random(7)
    for size in (1, 2, 3, 100, 1000):
        durations = sorted(int(10 ** chance.uniform(3, 8.7)) for _ in range(size))
        true = durations[-(-int(share * 100) * size // 100) - 1]
        found = quantile(_counted(durations), share)
        assert found is not None
        assert abs(found - true) <= true * (LARGEST_ERROR + 0.001), (size, true, found)


def test_the_error_is_what_the_documentation_says() -> None:
    assert LARGEST_ERROR < 0.15


def test_of_nothing_there_is_no_quantile() -> None:
    assert quantile([0] * PLACES, 0.5) is None


@pytest.mark.parametrize(("duration", "shown"), [(0, BOUNDS_US[0]), (999, BOUNDS_US[0]), (10**12, BOUNDS_US[-1])])
def test_what_is_beyond_all_bounds_is_shown_as_the_nearest(duration: int, shown: int) -> None:
    assert quantile(_counted([duration]), 0.99) == shown


def test_bounds_go_from_a_millisecond_to_ten_minutes() -> None:
    assert BOUNDS_US[0] == 1000
    assert 600_000_000 <= BOUNDS_US[-1] <= 700_000_000
    assert list(BOUNDS_US) == sorted(set(BOUNDS_US))
