"""What is lent for a while (tokens, keys for a session): kept, and replaced before it ends."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import msgspec
import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.providers.errors import CredentialMissing, ProviderError

T = TypeVar("T")

AHEAD = 0.2
"""The part of its life, its end, in which a loan is replaced while the old one still serves."""
MAX_AHEAD_S = 300.0
MARGIN_S = 10.0
"""A loan that ends within this time is not used any more: the request is still on its way, and clocks differ."""
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 60.0
MIN_AGE_S = 30.0
"""A loan younger than this is not given up when it is refused: what was just made would be refused again, and a
provider that refuses everything must not lead to a request to the token service for each of them."""

log = structlog.get_logger("enfilade.providers")


class Loan(msgspec.Struct, Generic[T], frozen=True):
    """A value, and for how many seconds from now it is good."""

    value: T
    seconds: float


class _Held(msgspec.Struct, Generic[T], frozen=True):
    value: T
    since: float
    renew_at: float
    ends_at: float


class Renewed(Generic[T]):
    """Fetched by the first who needs it, and again ahead of its end by one, while others go on with the old one.

    Nothing runs in the background: who is not called needs no token.
    """

    def __init__(self, fetch: Callable[[], Awaitable[Loan[T]]], clock: Clock, what: str) -> None:
        """Ask `fetch` for loans; `what` names them in the log."""
        self._fetch = fetch
        self._clock = clock
        self._what = what
        self._held: _Held[T] | None = None
        self._lock = asyncio.Lock()
        self._failures = 0
        self._quiet_until = 0.0
        self._error: EnfiladeError | None = None

    async def get(self) -> T:
        """A value that is good now. Raises what `fetch` raises; after a failure, without asking for a while."""
        held = self._held
        now = self._clock.monotonic()
        if held is None or now >= held.ends_at:
            async with self._lock:
                held = self._held
                if held is None or self._clock.monotonic() >= held.ends_at:
                    held = await self._renew()
        elif now >= held.renew_at and now >= self._quiet_until and not self._lock.locked():
            async with self._lock:
                try:
                    held = await self._renew()
                except (ProviderError, CredentialMissing) as error:
                    log.warning("renewal_failed", name=self._what, error=error.message)
        return held.value

    def drop(self) -> None:
        """The value was not accepted: fetch another one, unless this one is quite new."""
        if self._held is not None and self._clock.monotonic() - self._held.since >= MIN_AGE_S:
            self._held = None

    async def _renew(self) -> _Held[T]:
        if self._error is not None and self._clock.monotonic() < self._quiet_until:
            raise self._error.with_traceback(None)
        try:
            loan = await self._fetch()
        except EnfiladeError as error:
            self._failures += 1
            pause = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10))
            self._quiet_until = self._clock.monotonic() + max(pause, error.retry_after or 0)
            self._error = error
            raise
        self._failures, self._error, self._quiet_until = 0, None, 0.0
        now = self._clock.monotonic()
        ahead = min(MAX_AHEAD_S, loan.seconds * AHEAD)
        # Even a loan that is too short is used: whoever lent it says that it is good.
        ends_at = now + max(loan.seconds - MARGIN_S, min(loan.seconds, 1.0))
        self._held = _Held(loan.value, now, min(now + loan.seconds - ahead, ends_at), ends_at)
        return self._held
