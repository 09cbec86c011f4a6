"""How often tenants' own master keys are asked for."""

import asyncio
from typing import Any, cast

from enfilade.core.clock import ManualClock
from enfilade.sealing.envelope import Envelope
from enfilade.sealing.watch import OwnKeyWatch
from tests.support.waiting import eventually


class Asked:
    """Counts how often it was asked."""

    times = 0

    async def check_own_keys(self) -> None:
        """See `Envelope.check_own_keys`."""
        self.times += 1


async def test_keys_are_looked_at_as_often_as_is_set() -> None:
    clock, asked = ManualClock(), Asked()
    watch = OwnKeyWatch(cast("Envelope", cast("Any", asked)), clock, every_s=5.0)
    running = asyncio.create_task(watch.run())
    for before in (0, 1):
        await eventually(lambda: clock.next_wake() == 5.0)
        assert asked.times == before
        clock.advance(5.0)
    await eventually(lambda: asked.times == 2)
    running.cancel()
