"""Calls that are settled while something else goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from itertools import count

from enfilade.bootstrap.compose import Parts, Service
from tests.support.parts import NOON, call_event, intent_text, new_ids
from tests.support.waiting import eventually

CALLS = 15


def writers(parts: Parts) -> Sequence[Service]:
    """All that write."""
    return (parts.writer.run, parts.writers.run)


@asynccontextmanager
async def calls_settled(parts: Parts, tenant: str, told: list[str]) -> AsyncIterator[Callable[[], None]]:
    """Calls of the tenant are settled while the block runs, some each time that it asks; who was told stands in `told`."""
    turns, moments = asyncio.Semaphore(0), count(1)

    async def settle() -> None:
        while True:
            await turns.acquire()
            # Each at a moment of its own, as calls are.
            moment = NOON + timedelta(milliseconds=next(moments))
            (call,) = new_ids(1, moment)
            writer = parts.writers.of(tenant)
            writer.intend(call, partial(intent_text, tenant, call, parts.replica, moment))
            await writer.settle(call, call_event(tenant, call, moment, metadata={"team": "sales"}))
            told.append(call)

    asked = 0

    def more() -> None:
        nonlocal asked
        asked += CALLS
        for _ in range(CALLS):
            turns.release()

    settling = [asyncio.create_task(settle()) for _ in range(2)]
    try:
        yield more
        await eventually(lambda: len(told) == asked, within=60)
    finally:
        for task in settling:
            task.cancel()
