"""Identifiers: unique, of version 7, sorted by the time at which they were made."""

from datetime import UTC, datetime
from random import Random
from uuid import RFC_4122, UUID

import pytest

from enfilade.core.clock import ManualClock, to_ns
from enfilade.core.ids import PLATFORM_ID, IdFactory, id_time_ms


def seeded(clock: ManualClock, seed: int = 7) -> IdFactory:
    """A factory whose entropy is chosen."""
    return IdFactory(clock, Random(seed).randbytes)


def test_an_identifier_is_a_uuid_of_version_7_in_its_usual_form() -> None:
    ids = seeded(ManualClock())
    for _ in range(1000):
        identifier = ids.new_id()
        parsed = UUID(identifier)
        assert (str(parsed), parsed.version, parsed.variant) == (identifier, 7, RFC_4122)


def test_identifiers_sort_by_the_millisecond_in_which_they_were_made() -> None:
    clock = ManualClock()
    ids, made = seeded(clock), []
    for _ in range(2000):
        made.append(ids.new_id())
        clock.advance(0.001)

    assert made == sorted(made)


def test_identifiers_of_one_millisecond_differ() -> None:
    ids = seeded(ManualClock())

    assert len({ids.new_id() for _ in range(50_000)}) == 50_000


def test_identifiers_stay_unique_when_the_clock_goes_back() -> None:
    clock = ManualClock()
    ids, made = seeded(clock), set()
    for _ in range(200):
        clock.jump(-0.05)
        for _ in range(50):
            made.add(ids.new_id())
            clock.advance(0.001)

    assert len(made) == 200 * 50


def test_two_processes_do_not_make_the_same_identifiers() -> None:
    clock = ManualClock()
    one, other = IdFactory(clock), IdFactory(clock)

    assert not {one.new_id() for _ in range(5000)} & {other.new_id() for _ in range(5000)}


def test_entropy_is_used_once_also_where_one_block_ends() -> None:
    ids = seeded(ManualClock())
    tails = [ids.new_id()[14:] for _ in range(3000)]

    assert len(set(tails)) == len(tails)


def test_the_same_seed_makes_the_same_identifiers() -> None:
    runs = []
    for _ in range(2):
        ids = seeded(ManualClock())
        runs.append([ids.new_id() for _ in range(600)])

    assert runs[0] == runs[1]


def test_the_time_can_be_read_back() -> None:
    clock = ManualClock()
    clock.advance(1.2345)

    assert id_time_ms(seeded(clock).new_id()) == clock.now_ns() // 1_000_000
    moment = to_ns(datetime(2026, 1, 1, tzinfo=UTC)) + 7_000_000
    assert id_time_ms(seeded(clock).new_id(moment)) == moment // 1_000_000


@pytest.mark.parametrize("identifier", ["66f1ba93-f4c2-4cc0-9073-066e4b6959b3", PLATFORM_ID, "", "call-1", "z" * 36])
def test_what_is_no_identifier_of_ours_has_no_time(identifier: str) -> None:
    with pytest.raises(ValueError, match=r"version 7|badly formed"):
        id_time_ms(identifier)
