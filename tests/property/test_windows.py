"""Windows: a budget's window holds the moment it was asked for; a limit's span never lets too much through."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.clock import NANOSECONDS, to_datetime, to_ns
from enfilade.costs.holds.meters import WindowMeter
from enfilade.costs.holds.types import PER_SECONDS, PERIODS, LimitRule, Measure, Subject
from enfilade.costs.holds.windows import window_at
from tests.support.properties import examples

ZONES = sorted(available_timezones())
moments = st.integers(to_ns(datetime(2020, 1, 1, tzinfo=UTC)), to_ns(datetime(2040, 1, 1, tzinfo=UTC)))
# Steps back and forth over half an hour find the daylight saving times that whole hours miss.
near_changes = st.builds(
    lambda year, month, day, minutes: to_ns(datetime(year, month, day, tzinfo=UTC)) + minutes * 60 * NANOSECONDS,
    st.integers(2020, 2037),
    st.sampled_from([3, 4, 9, 10, 11]),
    st.integers(1, 30),
    st.integers(-720, 720),
)


@pytest.mark.parametrize(
    "zone", ["Australia/Lord_Howe", "Antarctica/Troll", "America/Havana", "Africa/Cairo", "Asia/Kolkata"]
)
@pytest.mark.parametrize("period", [period for period in PERIODS if period != "total"])
def test_windows_hold_every_half_hour_of_the_months_in_which_clocks_change(zone: str, period: str) -> None:
    for month in (3, 4, 9, 10, 11):
        start_ns = to_ns(datetime(2026, month, 1, 0, 10, tzinfo=UTC))
        for step in range(30 * 48):
            now_ns = start_ns + step * 30 * 60 * NANOSECONDS
            window = window_at(period, now_ns, zone)
            assert window.start_ns <= now_ns < window.end_ns, to_datetime(now_ns)


@given(
    st.sampled_from([period for period in PERIODS if period != "total"]),
    st.one_of(moments, near_changes),
    st.sampled_from(ZONES),
    st.integers(1, 28),
    st.integers(1, 12),
)
@examples(400)
def test_windows_follow_one_another_without_a_gap_or_an_overlap(
    period: str, now_ns: int, zone: str, starts_on: int, starts_in: int
) -> None:
    calendar = (zone, starts_on, starts_in)
    window = window_at(period, now_ns, *calendar)

    assert window.start_ns <= now_ns < window.end_ns
    assert window_at(period, window.end_ns, *calendar).start_ns == window.end_ns
    assert window_at(period, window.start_ns, *calendar) == window
    assert window_at(period, window.end_ns - 1, *calendar) == window


def changes(zone: ZoneInfo) -> Iterator[int]:
    """The moments between 2000 and 2037 at which a zone's clocks change."""
    step = 30 * 86_400
    low, end = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (2000, 2037))
    while low < end:
        high = low + step
        if offset(zone, high) != offset(zone, low):
            first, last = low, high
            while last - first > 1:
                middle = (first + last) // 2
                first, last = (middle, last) if offset(zone, middle) == offset(zone, low) else (first, middle)
            yield last
        low = high


def offset(zone: ZoneInfo, at: int) -> timedelta | None:
    return datetime.fromtimestamp(at, zone).utcoffset()


ODD = [
    *("Africa/Cairo", "Africa/Casablanca", "America/Asuncion", "America/Havana", "America/Nuuk", "America/Santiago"),
    *("America/Sao_Paulo", "America/Scoresbysund", "America/St_Johns", "Antarctica/Troll", "Asia/Amman", "Asia/Beirut"),
    *("Asia/Gaza", "Asia/Kathmandu", "Asia/Tehran", "Atlantic/Azores", "Australia/Lord_Howe", "Europe/Dublin"),
    *("Europe/Vienna", "Pacific/Apia", "Pacific/Chatham", "Pacific/Easter", "Pacific/Fakaofo", "Asia/Pyongyang"),
]


@pytest.mark.parametrize("name", ODD)
def test_no_moment_near_a_change_of_clocks_is_in_two_windows_or_in_none(name: str) -> None:
    for change in list(changes(ZoneInfo(name)))[-12:]:
        for period in ("hour", "day"):
            start_ns = (change - 26 * 3600) * NANOSECONDS
            window = window_at(period, start_ns, name)
            while window.end_ns < (change + 26 * 3600) * NANOSECONDS:
                for moment_ns in (window.start_ns, (window.start_ns + window.end_ns) // 2, window.end_ns - 1):
                    assert window_at(period, moment_ns, name) == window, to_datetime(moment_ns)
                following = window_at(period, window.end_ns, name)
                assert following.start_ns == window.end_ns
                window = following


@given(
    st.sampled_from(sorted(PER_SECONDS)),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(0, 12)), max_size=40),
)
@examples(300)
def test_no_span_of_the_window_holds_more_than_the_limit(per: str, limit: int, steps: list[tuple[int, int]]) -> None:
    span_ns = PER_SECONDS[per] * NANOSECONDS
    slot_ns = span_ns // 60
    meter = WindowMeter(LimitRule("l", "t", Subject("tenant"), None, Measure.TOKENS, limit, per), "t")
    now_ns = to_ns(datetime(2026, 11, 2, tzinfo=UTC))
    passed: list[tuple[int, int]] = []
    for share, amount in steps:
        now_ns += span_ns * share // 60_000
        if meter.fits(amount, now_ns):
            meter.take(amount)
            passed.append((now_ns, amount))
            assert sum(taken for at, taken in passed if at > now_ns - span_ns) <= limit
        else:
            young = sum(taken for at, taken in passed if at > now_ns - span_ns - slot_ns)
            assert young + amount > limit, "refused although there was room"


@given(
    st.sampled_from(sorted(PER_SECONDS)),
    st.lists(st.tuples(st.integers(0, 100_000), st.integers(1, 10)), min_size=1, max_size=20),
    st.integers(1, 10),
)
@examples(300)
def test_the_announced_wait_is_long_enough_and_no_slot_too_long(
    per: str, steps: list[tuple[int, int]], amount: int
) -> None:
    meter = WindowMeter(LimitRule("l", "t", Subject("tenant"), None, Measure.TOKENS, 10, per), "t")
    now_ns = to_ns(datetime(2026, 11, 2, tzinfo=UTC))
    for share, taken in steps:
        now_ns += meter.slot_ns * share // 1000
        if meter.fits(taken, now_ns):
            meter.take(taken)
    if meter.fits(amount, now_ns):
        return

    wait = meter.seconds_until_fits(amount, now_ns)

    assert wait is not None
    # The wait is told in seconds; the rounding of a float is far below a microsecond.
    ready_ns = now_ns + round(wait * NANOSECONDS) + 1000
    if wait > 0.001:
        assert not meter.fits(amount, ready_ns - 2000)
    assert meter.fits(amount, ready_ns)


@given(st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 5), st.integers(-5, 5)), max_size=40))
@examples(300)
def test_corrections_leave_a_window_empty_when_everything_has_passed(steps: list[tuple[int, int, int]]) -> None:
    meter = WindowMeter(LimitRule("l", "t", Subject("tenant"), None, Measure.TOKENS, 1000, "minute"), "t")
    now_ns = 0
    open_slots: list[tuple[int, int]] = []
    for milliseconds, amount, difference in steps:
        now_ns += milliseconds * 20_000_000
        if meter.fits(amount, now_ns):
            open_slots.append((meter.take(amount), amount))
        if open_slots and difference:
            slot, held = open_slots.pop(0)
            meter.settle(slot, max(-held, difference))
        assert meter.total >= 0
    meter.left(now_ns + 62 * NANOSECONDS)

    assert meter.total == 0
    assert meter.is_idle(now_ns + 62 * NANOSECONDS)


def test_a_correction_after_the_window_changes_nothing() -> None:
    meter = WindowMeter(LimitRule("l", "t", Subject("tenant"), None, Measure.TOKENS, 10, "second"), "t")
    slots = []
    for now_ns in (0, 3 * NANOSECONDS):
        assert meter.fits(5, now_ns)
        slots.append(meter.take(5))
    for first, second in pairwise(slots):
        meter.settle(first, -5)
        assert meter.left(3 * NANOSECONDS) == 5
        meter.settle(second, -5)
        assert meter.left(3 * NANOSECONDS) == 10
