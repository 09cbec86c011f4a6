"""A deployment that fails repeatedly is left alone, tried once, and taken back when it works."""

import pytest

from enfilade.core.clock import ManualClock
from enfilade.gateway.breaker import FAILURES_TO_OPEN, MAX_OPEN_S, OPEN_S, Breaker


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def opened(clock: ManualClock) -> Breaker:
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN):
        assert breaker.allows()
        breaker.failed()
    return breaker


def test_it_is_closed_until_as_many_calls_in_a_row_have_failed(clock: ManualClock) -> None:
    breaker = Breaker(clock)
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed()
    breaker.succeeded()
    for _ in range(FAILURES_TO_OPEN - 1):
        breaker.failed()

    assert (breaker.state, breaker.allows()) == ("closed", True)
    breaker.failed()
    assert (breaker.state, breaker.allows()) == ("open", False)


def test_it_lets_nothing_through_while_it_is_open(opened: Breaker, clock: ManualClock) -> None:
    assert opened.seconds_until_trial() == OPEN_S
    clock.advance(OPEN_S - 0.001)

    assert not opened.allows()
    assert opened.seconds_until_trial() == pytest.approx(0.001)


def test_it_lets_one_call_through_to_find_out(opened: Breaker, clock: ManualClock) -> None:
    clock.advance(OPEN_S)

    assert opened.state == "half_open"
    assert [opened.allows() for _ in range(3)] == [True, False, False]


def test_a_trial_that_succeeds_closes_it(opened: Breaker, clock: ManualClock) -> None:
    clock.advance(OPEN_S)
    opened.allows()
    opened.succeeded()

    assert opened.state == "closed"
    assert [opened.allows() for _ in range(3)] == [True] * 3
    for _ in range(FAILURES_TO_OPEN - 1):
        opened.failed()
    assert opened.state == "closed"


def test_a_trial_that_fails_opens_it_for_longer_each_time_up_to_a_bound(opened: Breaker, clock: ManualClock) -> None:
    waits = []
    for _ in range(8):
        waits.append(opened.seconds_until_trial())
        clock.advance(waits[-1])
        assert opened.allows()
        opened.failed()
        assert opened.state == "open"

    assert waits == [10, 20, 40, 80, 120, 120, 120, 120]
    assert max(waits) == MAX_OPEN_S


def test_after_it_has_closed_it_opens_for_a_short_time_again(opened: Breaker, clock: ManualClock) -> None:
    for succeeds in (False, False, True):
        clock.advance(opened.seconds_until_trial())
        assert opened.allows()
        (opened.succeeded if succeeds else opened.failed)()
    for _ in range(FAILURES_TO_OPEN):
        opened.failed()

    assert opened.seconds_until_trial() == OPEN_S


def test_a_trial_that_told_nothing_lets_the_next_call_try(opened: Breaker, clock: ManualClock) -> None:
    clock.advance(OPEN_S)
    opened.allows()
    opened.gave_up()

    assert opened.state == "half_open"
    assert opened.allows()


def test_the_wall_clock_does_not_matter(opened: Breaker, clock: ManualClock) -> None:
    clock.jump(1_000_000)
    assert not opened.allows()
    clock.jump(-5_000_000)
    clock.advance(OPEN_S)
    assert opened.allows()
