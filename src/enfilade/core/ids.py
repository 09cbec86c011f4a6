"""Identifiers: UUIDs of version 7 (RFC 9562), which sort by the time they were made."""

import os
from collections.abc import Callable
from uuid import UUID

from enfilade.core.clock import Clock

PLATFORM_ID = "00000000-0000-0000-0000-000000000000"
"""The tenant id under which the platform itself keeps its keys and its events."""

_BLOCK = 10 * 256


class IdFactory:
    """Makes identifiers; one per process, with the process's clock."""

    def __init__(self, clock: Clock, random_bytes: Callable[[int], bytes] = os.urandom) -> None:
        """Take time from `clock` and entropy from `random_bytes` (a seeded source in simulations)."""
        self._clock = clock
        self._random_bytes = random_bytes
        self._pool = ""
        self._offset = 0
        self._latest = 0
        self._count = 0

    def new_id(self, time_ns: int | None = None) -> str:
        """A new identifier as lower-case text, stamped with `time_ns` or the clock's time."""
        milliseconds = (self._clock.now_ns() if time_ns is None else time_ns) // 1_000_000
        offset = self._offset
        if offset >= len(self._pool):
            # Entropy is fetched in blocks: a system call per identifier would cost more than the rest.
            self._pool = self._random_bytes(_BLOCK).hex()
            offset = 0
        self._offset = offset + 20
        entropy = self._pool[offset : offset + 20]
        if milliseconds != self._latest:
            self._latest = milliseconds
            self._count = int(entropy[:3], 16) & 0x7FF
        else:
            # Those of one millisecond keep their order (RFC 9562, section 6.2): lists are read in it.
            self._count = self._count + 1 & 0xFFF
        stamp = f"{milliseconds:012x}"
        variant = "89ab"[int(entropy[3], 16) & 3]
        return f"{stamp[:8]}-{stamp[8:]}-7{self._count:03x}-{variant}{entropy[4:7]}-{entropy[7:19]}"


def id_time_ms(identifier: str) -> int:
    """The Unix time in milliseconds at which a version 7 identifier was made.

    Raises ValueError when `identifier` is no UUID of version 7.
    """
    parsed = UUID(identifier)
    if parsed.version != 7:
        message = "not a version 7 identifier"
        raise ValueError(message)
    return parsed.int >> 80
