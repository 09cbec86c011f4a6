"""Time as a value that is passed in, so that tests and simulations own it."""

import asyncio
import heapq
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

NANOSECONDS = 1_000_000_000


class Clock(Protocol):
    """Where the time comes from."""

    def now_ns(self) -> int:
        """Wall-clock time in nanoseconds since the Unix epoch (UTC). May jump."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start that never go backwards: for durations and deadlines."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return after `seconds` of this clock's time."""
        ...


class SystemClock:
    """The machine's clock."""

    now_ns = staticmethod(time.time_ns)
    monotonic = staticmethod(time.monotonic)
    sleep = staticmethod(asyncio.sleep)


class ManualClock:
    """A clock that moves only when it is told to; sleepers wake in the order of their deadlines."""

    def __init__(self, start: datetime = datetime(2026, 11, 2, 12, tzinfo=UTC)) -> None:
        """Stand still at `start`."""
        self._now_ns = int(start.timestamp()) * NANOSECONDS
        self._monotonic_ns = 0
        self._sleepers: list[tuple[int, int, asyncio.Future[None]]] = []
        self._tie = 0

    def now_ns(self) -> int:
        """Wall-clock nanoseconds since the epoch."""
        return self._now_ns

    def monotonic(self) -> float:
        """Seconds advanced since this clock was made."""
        return self._monotonic_ns / NANOSECONDS

    def jump(self, seconds: float) -> None:
        """Move the wall clock only, as an administrator or NTP would; sleepers do not notice."""
        self._now_ns += round(seconds * NANOSECONDS)

    def advance(self, seconds: float) -> None:
        """Move both clocks forward and wake whoever slept until then."""
        step = round(seconds * NANOSECONDS)
        self._now_ns += step
        self._monotonic_ns += step
        while self._sleepers and self._sleepers[0][0] <= self._monotonic_ns:
            _, _, sleeper = heapq.heappop(self._sleepers)
            if not sleeper.done():
                sleeper.set_result(None)

    def next_wake(self) -> float | None:
        """Seconds until the earliest sleeper wakes, or None when nobody sleeps."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)
        if not self._sleepers:
            return None
        return max(0, self._sleepers[0][0] - self._monotonic_ns) / NANOSECONDS

    async def sleep(self, seconds: float) -> None:
        """Wait until `advance` has moved this clock `seconds` further."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        sleeper = asyncio.get_running_loop().create_future()
        self._tie += 1
        deadline = self._monotonic_ns + round(seconds * NANOSECONDS)
        heapq.heappush(self._sleepers, (deadline, self._tie, sleeper))
        await sleeper


def to_datetime(time_ns: int) -> datetime:
    """Epoch nanoseconds as an aware UTC datetime, cut to microseconds."""
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    return datetime.fromtimestamp(seconds, UTC) + timedelta(microseconds=nanoseconds // 1000)


def to_ns(moment: datetime) -> int:
    """An aware datetime as epoch nanoseconds, exact to its microseconds."""
    delta = moment - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * NANOSECONDS + delta.microseconds * 1000


_SECOND_TEXT: dict[int, str] = {}


def to_rfc3339(time_ns: int) -> str:
    """Epoch nanoseconds as RFC 3339 text with microseconds, e.g. `2026-11-02T12:00:00.000000Z`.

    Every call's record holds two of these, so the text of the current second is kept.
    """
    seconds, nanoseconds = divmod(time_ns, NANOSECONDS)
    text = _SECOND_TEXT.get(seconds)
    if text is None:
        text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        if len(_SECOND_TEXT) > 64:
            _SECOND_TEXT.clear()
        _SECOND_TEXT[seconds] = text
    return f"{text}.{nanoseconds // 1000:06d}Z"
