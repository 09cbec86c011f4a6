"""A reply that is made as it is read, with the faults that its script asks for."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from enfilade.core.clock import Clock
from enfilade.providers.errors import ConnectionBroken, ProviderTimeout
from enfilade.providers.simulated.script import Script
from enfilade.providers.transport.types import Timeouts

GARBAGE = b"\x00\xff\xfenot what anybody asked for\r\n\r\n<html>"


@dataclass(slots=True)
class Plan:
    """The events of a streamed reply: before, with, and after the output."""

    head: bytes
    outputs: Sequence[bytes]
    tail: Sequence[bytes]
    error: bytes = b""


@dataclass(slots=True, eq=False)
class SimulatedReply:
    """See `Incoming`. `plan` is set for streams, `body` for whole replies."""

    script: Script
    clock: Clock
    timeouts: Timeouts
    plan: Plan | None = None
    body: bytes = b""
    status: int = 200
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    aborted: bool = False
    _position: int = 0

    async def begin(self) -> None:
        """Wait as long as the script says before the first byte. Raises ProviderTimeout."""
        if self.script.hang_after == 0:
            await self._wait(self.timeouts.first_byte)
            raise ProviderTimeout("The provider did not answer in time.")
        if self.script.slow_s >= self.timeouts.first_byte:
            await self._wait(self.timeouts.first_byte)
            raise ProviderTimeout("The provider did not answer in time.")
        if self.script.slow_s:
            await self._wait(self.script.slow_s)

    async def read(self) -> bytes:
        """See `Incoming.read`."""
        if self.script.hang_after:
            await self._wait(self.timeouts.between_bytes)
            raise ProviderTimeout("The provider did not go on in time.")
        if self.script.cut_after is not None:
            raise ConnectionBroken("The connection to the provider broke before its reply was whole.")
        if self.plan is not None:
            return b"".join([self.plan.head, *self.plan.outputs, *self.plan.tail])
        return self.body

    async def next_chunk(self) -> bytes:
        """See `Incoming.next_chunk`."""
        if self.aborted:
            raise ConnectionBroken("The call was given up.")
        plan = self.plan
        if plan is None or self.script.garbage:
            chunk, self.body = self.body, b""
            return chunk
        if self._position == 0:
            self._position = 1
            if plan.head:
                return plan.head
        produced = self._position - 1
        self._position += 1
        await self._misbehave(produced)
        if produced < len(plan.outputs):
            if self.script.pace_s:
                await self._wait(self.script.pace_s)
            elif produced % 16 == 0:
                await asyncio.sleep(0)  # Let others run: a script without a pace would never wait.
            return plan.outputs[produced]
        if self.script.error_after is not None and produced == self.script.error_after:
            return plan.error
        if produced == len(plan.outputs):
            return b"".join(plan.tail)
        return b""

    async def _misbehave(self, produced: int) -> None:
        if produced == self.script.cut_after:
            raise ConnectionBroken("The connection to the provider broke before its reply was whole.")
        if produced == self.script.hang_after:
            await self._wait(self.timeouts.between_bytes)
            raise ProviderTimeout("The provider did not go on in time.")

    def abort(self) -> None:
        """See `Incoming.abort`."""
        self.aborted = True

    async def _wait(self, seconds: float) -> None:
        await self.clock.sleep(seconds)
