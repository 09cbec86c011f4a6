"""Every strategy: an order in which a model's deployments are tried."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.families import members
from enfilade.gateway import strategies as family
from tests.support.properties import examples

STRATEGIES: dict[str, Callable[[Sequence[Any], Random], list[Any]]] = members(family, "STRATEGY")


@dataclass(frozen=True, eq=False)
class Deployment:
    """As much of a target as a strategy may look at."""

    label: str
    weight: int


def deployments(*weights: int) -> tuple[Deployment, ...]:
    """Deployments with these weights."""
    return tuple(Deployment(f"d{index}", weight) for index, weight in enumerate(weights))


def test_the_strategies_that_the_configuration_offers_are_here() -> None:
    assert {"weighted", "ordered"} <= set(STRATEGIES)


@pytest.mark.parametrize("name", STRATEGIES)
@examples(100)
@given(weights=st.lists(st.integers(0, 1000), max_size=8), seed=st.integers())
def test_every_deployment_comes_once_and_the_same_seed_gives_the_same_order(
    name: str, weights: list[int], seed: int
) -> None:
    targets = deployments(*weights)
    ordered = STRATEGIES[name](targets, Random(seed))
    assert sorted(target.label for target in ordered) == [target.label for target in targets]
    assert ordered == STRATEGIES[name](list(targets), Random(seed))
    assert isinstance(ordered, list)


@pytest.mark.parametrize("name", STRATEGIES)
def test_the_configuration_is_not_changed(name: str) -> None:
    targets = list(deployments(1, 2, 3))
    before = list(targets)
    ordered = STRATEGIES[name](targets, Random(7))
    ordered.clear()
    assert targets == before


def test_ordered_keeps_the_order_of_the_configuration() -> None:
    targets = deployments(0, 5, 1)
    for seed in range(20):
        assert STRATEGIES["ordered"](targets, Random(seed)) == list(targets)


@pytest.mark.parametrize("weights", [(1, 1), (1, 3), (5, 3, 2), (1, 0, 1), (98, 1, 1)])
def test_weighted_comes_first_in_proportion_to_its_weight(weights: tuple[int, ...]) -> None:
    random, rounds = Random(11), 4000
    targets = deployments(*weights)
    first = Counter(STRATEGIES["weighted"](targets, random)[0].label for _ in range(rounds))
    for target in targets:
        expected = rounds * target.weight / sum(weights)
        assert abs(first[target.label] - expected) <= 4 * (expected**0.5) + 1


def test_of_those_that_follow_the_weights_decide_again() -> None:
    random, rounds = Random(5), 4000
    second = Counter(
        ordered[1].label
        for _ in range(rounds)
        if (ordered := STRATEGIES["weighted"](deployments(6, 3, 1), random))[0].label == "d0"
    )
    share = second["d1"] / second.total()
    assert 0.70 < share < 0.80


def test_a_weight_of_nothing_comes_last() -> None:
    for seed in range(200):
        labels = [target.label for target in STRATEGIES["weighted"](deployments(0, 1, 0, 3), Random(seed))]
        assert set(labels[:2]) == {"d1", "d3"}
