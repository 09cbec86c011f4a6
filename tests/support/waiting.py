"""Waiting for what another process or task will bring about."""

import asyncio
import time
from collections.abc import Awaitable, Callable

POLL_S = 0.01


async def eventually(condition: Callable[[], bool | Awaitable[bool]], within: float = 10.0) -> None:
    """Return as soon as the condition holds. Fails the test when it never does: `within` is patience, not pace."""
    deadline = time.monotonic() + within
    while True:
        holds = condition()
        if not isinstance(holds, bool):
            holds = await holds
        if holds:
            return
        assert time.monotonic() < deadline, f"this never came true within {within} s: {condition}"
        await asyncio.sleep(POLL_S)
