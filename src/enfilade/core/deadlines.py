"""Deadlines without a timer each: one sweep per process looks at everything that waits.

Moving a deadline is an assignment, which is why a stream can do it for every chunk.
"""

from typing import Protocol

from enfilade.core.clock import Clock

TICK_S = 0.1
"""A deadline is noticed at most this much late."""
NEVER = float("inf")


class Waiting(Protocol):
    """Something that must not wait for ever."""

    deadline: float
    """On the monotonic clock; `NEVER` when nothing is awaited."""

    def expire(self) -> None:
        """The deadline has passed."""
        ...


class DeadlineSweeper:
    """Watches what waits."""

    def __init__(self, clock: Clock) -> None:
        """Measure by `clock`."""
        self._clock = clock
        self._watched: set[Waiting] = set()

    def now(self) -> float:
        """The clock by which deadlines are set."""
        return self._clock.monotonic()

    def watch(self, item: Waiting) -> None:
        """Look at the item's deadline from now on."""
        self._watched.add(item)

    def forget(self, item: Waiting) -> None:
        """Stop looking; harmless when it is not watched."""
        self._watched.discard(item)

    def sweep(self) -> None:
        """Expire what is late. Each item is told once: it is forgotten first."""
        now = self._clock.monotonic()
        for item in [item for item in self._watched if item.deadline < now]:
            if item in self._watched:  # Unless one before it had it forgotten.
                self._watched.discard(item)
                item.expire()

    async def run(self) -> None:
        """Sweep until cancelled."""
        while True:
            await self._clock.sleep(TICK_S)
            self.sweep()
