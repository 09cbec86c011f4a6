"""What is fetched from an issuer and kept: refreshed by age, kept while the issuer is away, asked for seldom."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.identity.tokens.errors import IssuerAway

T = TypeVar("T")

FRESH_S = 900.0
"""What is older is fetched again."""
LAST_GOOD_S = 86_400.0
"""What is older is used no more, although there is nothing newer."""
LEAST_PAUSE_S = 5.0
MOST_PAUSE_S = 300.0
DEMAND_PAUSE_S = 30.0
"""So often at most is something fetched because a token names what is not there."""


class Refreshed(Generic[T]):
    """One document of an issuer."""

    def __init__(self, fetch: Callable[[], Awaitable[T]], clock: Clock) -> None:
        """Nothing is fetched before it is needed."""
        self._fetch = fetch
        self._clock = clock
        self._value: T | None = None
        self._fetched_at = float("-inf")
        self._tried_at = float("-inf")
        self._pause_s = 0.0
        self._turn = asyncio.Lock()
        self.fault: EnfiladeError | None = None
        """Why the last attempt failed; None when it did not."""

    @property
    def value(self) -> T | None:
        """What is known, unless that is too long ago."""
        return self._value if self._clock.monotonic() - self._fetched_at < LAST_GOOD_S else None

    @property
    def is_due(self) -> bool:
        """Whether it is time to ask again."""
        now = self._clock.monotonic()
        return now - self._fetched_at >= FRESH_S and now - self._tried_at >= self._pause_s

    async def get(self) -> T:
        """What is known, fetched if it is old. Raises IssuerAway when there is nothing."""
        if self.is_due:
            # One at a time: whoever comes meanwhile waits, and finds it done.
            async with self._turn:
                if self.is_due:
                    await self._attempt()
        if (value := self.value) is None:
            message = "The issuer cannot be reached at the moment." if self.fault is None else self.fault.message
            raise IssuerAway(message, retry_after=self._pause_s or LEAST_PAUSE_S)
        return value

    async def demand(self) -> T | None:
        """Fetch it although it is not old, unless that was done just now; what is known afterwards."""
        if self._may_be_demanded:
            async with self._turn:
                if self._may_be_demanded:
                    await self._attempt()
        return self.value

    @property
    def _may_be_demanded(self) -> bool:
        return self._clock.monotonic() - self._tried_at >= max(self._pause_s, DEMAND_PAUSE_S)

    async def _attempt(self) -> None:
        self._tried_at = self._clock.monotonic()
        try:
            value = await self._fetch()
        except EnfiladeError as error:
            self.fault = error
            self._pause_s = min(MOST_PAUSE_S, max(LEAST_PAUSE_S, self._pause_s * 2))
        else:
            self._value, self.fault, self._pause_s = value, None, 0.0
            self._fetched_at = self._clock.monotonic()
