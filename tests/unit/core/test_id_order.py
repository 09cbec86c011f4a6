"""Identifiers sort in the order in which they were made, also within one millisecond."""

from uuid import UUID

import pytest

from enfilade.core.clock import ManualClock
from enfilade.core.ids import IdFactory, id_time_ms


@pytest.mark.parametrize("entropy", [b"\x00", b"\x7f", b"\xff"])
def test_those_of_one_millisecond_keep_their_order(entropy: bytes) -> None:
    clock = ManualClock()
    ids = IdFactory(clock, lambda count: entropy * count)
    made = [ids.new_id() for _ in range(2000)]
    clock.advance(0.001)
    made += [ids.new_id() for _ in range(10)]
    assert made == sorted(made)
    assert len(set(made)) == len(made)
    assert {UUID(identifier).version for identifier in made} == {7}
    assert {id_time_ms(identifier) for identifier in made[:2000]} == {clock.now_ns() // 1_000_000 - 1}
