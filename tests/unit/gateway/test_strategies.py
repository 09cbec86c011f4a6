"""In which order deployments are tried."""

from collections import Counter
from random import Random

import pytest

from enfilade.core.families import members
from enfilade.gateway import strategies as family
from enfilade.gateway.strategies.ordered import order as ordered
from enfilade.gateway.strategies.weighted import order as weighted
from enfilade.gateway.types import Target
from tests.unit.gateway.parts import Provider, target

ROUNDS = 20_000


def targets(*weights: int) -> list[Target]:
    """Deployments with these weights."""
    return [target(Provider(f"p{number}"), weight=weight) for number, weight in enumerate(weights)]


def test_every_file_of_the_folder_is_a_strategy() -> None:
    assert sorted(members(family, "STRATEGY")) == ["ordered", "weighted"]


def test_ordered_keeps_the_order_of_the_configuration() -> None:
    given = targets(1, 5, 0)

    assert ordered(given, Random(1)) == given


@pytest.mark.parametrize("order", [ordered, weighted])
def test_a_strategy_returns_every_deployment_once_in_a_list_of_its_own(order: object) -> None:
    for given in (targets(), targets(3), targets(0, 0), targets(1, 2, 3, 0)):
        found = order(given, Random(7))  # type: ignore[operator]
        assert found is not given
        assert sorted(found, key=id) == sorted(given, key=id)


@pytest.mark.parametrize("weights", [(1, 1), (3, 1), (1, 2, 7), (1_000_000, 500_000), (90, 9, 1)])
def test_each_deployment_comes_first_in_proportion_to_its_weight(weights: tuple[int, ...]) -> None:
    given, random = targets(*weights), Random(20261102)

    first = Counter(given.index(weighted(given, random)[0]) for _ in range(ROUNDS))

    for number, weight in enumerate(weights):
        share = weight / sum(weights)
        # Five standard deviations: the seed is fixed, so that this is a statement about the method, not about luck.
        assert abs(first[number] / ROUNDS - share) < 5 * (share * (1 - share) / ROUNDS) ** 0.5


def test_those_that_follow_are_chosen_by_their_weights_too() -> None:
    given, random = targets(5, 3, 1), Random(3)
    orders = [weighted(given, random) for _ in range(ROUNDS)]

    after_first = [order for order in orders if order[0] is given[0]]
    second = sum(order[1] is given[1] for order in after_first) / len(after_first)

    assert abs(second - 3 / 4) < 0.02


def test_a_weight_of_nothing_comes_last() -> None:
    given, random = targets(0, 1, 0, 1), Random(5)

    for _ in range(200):
        assert {id(each) for each in weighted(given, random)[2:]} == {id(given[0]), id(given[2])}


def test_the_same_seed_gives_the_same_orders() -> None:
    given = targets(1, 2, 3)

    def run() -> list[list[str]]:
        random = Random(11)
        return [[each.label for each in weighted(given, random)] for _ in range(50)]

    assert run() == run()
