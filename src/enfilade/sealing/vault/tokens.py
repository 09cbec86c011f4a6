"""Our token at Vault: made by a login, renewed before it ends, made anew when it cannot be renewed."""

import asyncio

import msgspec
import structlog

from enfilade.core.clock import Clock
from enfilade.sealing.vault.errors import VaultBusy, VaultError
from enfilade.sealing.vault.logins import Ask, Login, granted
from enfilade.sealing.vault.types import Granted

RENEW_AT = 2 / 3
"""The part of its life after which a token is renewed."""
WORN_AT = 0.5
"""A token that a renewal gives less than this part of its first life is near its greatest age: a login follows."""
MARGIN_S = 5.0
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 60.0

log = structlog.get_logger("enfilade.vault")


class _Held(msgspec.Struct, frozen=True):
    granted: Granted
    first_seconds: float | None
    renew_at: float
    ends_at: float
    worn: bool = False


class TokenKeeper:
    """Gives a token that is good now."""

    def __init__(self, login: Login, ask: Ask, clock: Clock) -> None:
        """Get tokens by `login`, which asks through `ask`."""
        self._login = login
        self._ask = ask
        self._clock = clock
        self._held: _Held | None = None
        self._lock = asyncio.Lock()
        self._failures = 0
        self._quiet_until = 0.0
        self._error: VaultError | None = None

    async def get(self) -> str:
        """A token. Raises VaultError; after a failure, for a while without asking Vault."""
        held = self._held
        if held is not None and not self._is_due(held):
            return held.granted.token
        async with self._lock:
            held = self._held
            if held is None or self._is_over(held):
                held = await self._log_in()
            elif self._is_due(held):
                held = await self._renewed(held)
        return held.granted.token

    def drop(self, token: str) -> None:
        """Vault does not know this token any more."""
        if self._held is not None and self._held.granted.token == token:
            self._held = None

    def due_in(self) -> float:
        """Seconds until the token should be looked at again."""
        now = self._clock.monotonic()
        if self._held is None:
            return max(self._quiet_until - now, FIRST_PAUSE_S)
        return max(min(self._held.renew_at - now, MAX_PAUSE_S), self._quiet_until - now, FIRST_PAUSE_S)

    def _is_over(self, held: _Held) -> bool:
        return self._clock.monotonic() >= held.ends_at or not self._login.is_current(held.granted.token)

    def _is_due(self, held: _Held) -> bool:
        return (
            self._clock.monotonic() >= held.renew_at and self._clock.monotonic() >= self._quiet_until
        ) or self._is_over(held)

    async def _log_in(self) -> _Held:
        if self._error is not None and self._clock.monotonic() < self._quiet_until:
            raise self._error.with_traceback(None)
        try:
            found = await self._login.log_in(self._ask)
        except VaultError as error:
            self._failed(error)
            raise
        return self._hold(found, found.seconds)

    async def _renewed(self, held: _Held) -> _Held:
        """The token with a longer life, or another; while both fail, the one that is still good."""
        try:
            if held.granted.renewable and not held.worn:
                reply = await self._ask("POST", "auth/token/renew-self", {}, held.granted.token)
                return self._hold(granted(reply), held.first_seconds)
            return self._hold(found := await self._login.log_in(self._ask), found.seconds)
        except VaultError as error:
            self._failed(error)
            log.warning("vault_token_not_renewed", error=error.message)
            if not isinstance(error, VaultBusy) and held.granted.renewable and not held.worn:
                # Vault may be away, or the token revoked: the next attempt is a login.
                self._held = held = msgspec.structs.replace(held, worn=True)
            return held

    def _hold(self, found: Granted, first: float | None) -> _Held:
        self._failures, self._error, self._quiet_until = 0, None, 0.0
        now = self._clock.monotonic()
        if found.seconds is None:
            self._held = _Held(found, None, float("inf"), float("inf"))
            return self._held
        ends_at = now + max(found.seconds - MARGIN_S, found.seconds / 2)
        worn = first is not None and found.seconds < first * WORN_AT
        self._held = _Held(found, first, min(now + found.seconds * RENEW_AT, ends_at), ends_at, worn)
        return self._held

    def _failed(self, error: VaultError) -> None:
        self._failures += 1
        pause = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10))
        self._quiet_until = self._clock.monotonic() + max(pause, error.retry_after or 0.0)
        self._error = error
