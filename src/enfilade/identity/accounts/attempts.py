"""Slowing whoever guesses, without a lock that could be put on somebody else's account.

Tries are counted by account, by network, and by both together. The first few cost nothing; then each costs a wait that
doubles up to a minute or a few. An account is never locked. Who signed in from the same network lately has a count of
their own, which strangers elsewhere cannot touch: an attack on an account from all over the world does not keep
its owner out. A try is counted before it is looked at, so that many at once are no way around, and counted
back when it succeeds. The counts are in the database, under the platform: they survive restarts, hold for all
replicas, and are the same for people, tenants and addresses that do not exist.
"""

import hashlib
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import PLATFORM_ID
from enfilade.identity.accounts import store
from enfilade.identity.sign_in.errors import TooManyTries
from enfilade.storage.unit_of_work import UnitOfWork

WINDOW = timedelta(minutes=15)
"""After so long without a try, counting begins anew."""
KNOWN = timedelta(days=90)
"""So long a network counts as one where somebody signs in."""


@dataclass(frozen=True, slots=True)
class _Pace:
    free: int
    most_s: float


PAIR = _Pace(5, 60)
ACCOUNT = _Pace(10, 60)
NETWORK = _Pace(30, 30)
FACTOR = _Pace(5, 300)


@dataclass(frozen=True, slots=True)
class Attempt:
    """A try that was let through, and counted."""

    pair: bytes
    account: bytes
    network: bytes
    is_known: bool
    """Whether this person signed in from this network lately."""
    failures: int
    """How many there are in a row, this one among them, should it fail."""


class Attempts:
    """Counts tries."""

    def __init__(self, clock: Clock) -> None:
        """Go by this clock."""
        self._clock = clock

    async def claim(self, unit: UnitOfWork, tenant: str, email: str, address: str | None) -> Attempt:
        """Count a try with a password. Raises TooManyTries; nothing was counted then."""
        network = _network(address)
        pair, account = _bucket("pair", tenant, email, network), _bucket("account", tenant, email)
        row = await self._count(unit, pair, PAIR)
        is_known = row[1] is not None and row[1] > self._now() - KNOWN
        failures = row[0]
        if not is_known:
            failures = max(failures, (await self._count(unit, account, ACCOUNT))[0])
            await self._count(unit, _bucket("network", network), NETWORK)
        return Attempt(pair, account, _bucket("network", network), is_known, failures)

    async def succeeded(self, unit: UnitOfWork, attempt: Attempt) -> None:
        """Somebody came in, with all that was asked for."""
        now = self._now()
        await unit.execute(store.ATTEMPT_SUCCEEDED, PLATFORM_ID, attempt.pair, now)
        if not attempt.is_known:
            await unit.execute(store.FORGET_ATTEMPTS, PLATFORM_ID, attempt.account)
            # One less, not none: a guesser who has an account of their own gains nothing by signing in to it.
            await unit.execute(store.UNCOUNT_ATTEMPT, PLATFORM_ID, attempt.network)
        await unit.execute(store.FORGET_OLD_ATTEMPTS, PLATFORM_ID, now - timedelta(days=1), now - KNOWN)

    async def claim_factor(self, unit: UnitOfWork, tenant: str, user: str) -> int:
        """Count a try with a second factor. Raises TooManyTries."""
        return (await self._count(unit, _bucket("factor", tenant, user), FACTOR))[0]

    async def factor_succeeded(self, unit: UnitOfWork, tenant: str, user: str) -> None:
        """The second factor was right."""
        await unit.execute(store.FORGET_ATTEMPTS, PLATFORM_ID, _bucket("factor", tenant, user))

    def attempt_of(self, tenant: str, email: str, address: str | None) -> Attempt:
        """The try that a sign-in began with which now goes on."""
        network = _network(address)
        pair, account = _bucket("pair", tenant, email, network), _bucket("account", tenant, email)
        return Attempt(pair, account, _bucket("network", network), is_known=False, failures=0)

    async def _count(self, unit: UnitOfWork, bucket: bytes, pace: _Pace) -> tuple[int, datetime | None]:
        now = self._now()
        row = await unit.fetch_row(store.COUNT_ATTEMPT, PLATFORM_ID, bucket, now, WINDOW, pace.free, pace.most_s)
        if row is None:
            next_at = await unit.fetch_value(store.NEXT_ATTEMPT, PLATFORM_ID, bucket)
            wait = (next_at - now).total_seconds() if next_at else 1.0
            message = "There were too many tries to sign in; wait a little before the next."
            raise TooManyTries(message, retry_after=max(1.0, wait))
        return row["failures"], row["succeeded_at"]

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())


def is_telling(failures: int) -> bool:
    """Whether the log tells of so many failures: of 5, 10, 20, 40 and so on."""
    return failures >= 5 and failures % 5 == 0 and (failures // 5).bit_count() == 1


def _network(address: str | None) -> str:
    """The network that an address stands for: itself, or with IPv6 the 64 bits that one customer has."""
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return str(parsed)


def _bucket(*parts: str) -> bytes:
    return hashlib.sha256("\x00".join(parts).encode()).digest()
