"""Looks now and then whether the master keys that tenants brought may still be used."""

from enfilade.core.clock import Clock
from enfilade.sealing.envelope import Envelope

EVERY_S = 30.0


class OwnKeyWatch:
    """See the module. Every process looks for itself."""

    def __init__(self, envelope: Envelope, clock: Clock, every_s: float = EVERY_S) -> None:
        """Look after the keys of `envelope`."""
        self._envelope = envelope
        self._clock = clock
        self._every_s = every_s

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            await self._clock.sleep(self._every_s)
            await self._envelope.check_own_keys()
