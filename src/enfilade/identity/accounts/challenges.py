"""Sign-ins that wait for a second factor: issued, tried a few times, used once."""

import hashlib
import re
import secrets
from datetime import timedelta
from uuid import UUID

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.identity.accounts import store
from enfilade.identity.accounts.errors import InvalidChallenge
from enfilade.identity.accounts.types import ENROLMENT, Challenge, IssuedChallenge
from enfilade.storage.unit_of_work import UnitOfWork

LIFE = timedelta(minutes=5)
ENROLMENT_LIFE = timedelta(minutes=15)
MAX_TRIES = 5
MAX_STEPS = 20
"""Setting up asks for more than one thing, and is tried anew when an app was misread."""
NONCE_BYTES = 32
PREFIX = "enc_"
LINK_PREFIX = "enp_"
_SECRET = re.compile(r"en[cp]_([0-9a-f]{32})_[0-9a-f]{64}")


def new_secret(prefix: str, tenant: str) -> tuple[str, bytes]:
    """A secret that leads to its tenant without a search, and its digest."""
    secret = f"{prefix}{UUID(tenant).hex}_{secrets.token_hex(32)}"
    return secret, digest_of(secret)


def digest_of(secret: str) -> bytes:
    """What is stored instead."""
    return hashlib.sha256(secret.encode()).digest()


def tenant_in(secret: str, prefix: str) -> str | None:
    """The tenant that a secret leads to; None for what is none of ours."""
    match = _SECRET.fullmatch(secret) if secret.startswith(prefix) else None
    return None if match is None else str(UUID(match[1]))


class Challenges:
    """The use cases of challenges."""

    def __init__(self, ids: IdFactory, clock: Clock) -> None:
        """Name new ones with `ids`."""
        self._ids = ids
        self._clock = clock

    async def issue(
        self, unit: UnitOfWork, user: str, purpose: str, methods: tuple[str, ...]
    ) -> tuple[IssuedChallenge, bytes]:
        """A new challenge and its nonce. Those that are over are forgotten."""
        now = to_datetime(self._clock.now_ns())
        ends = now + (ENROLMENT_LIFE if purpose == ENROLMENT else LIFE)
        secret, digest = new_secret(PREFIX, unit.tenant)
        nonce = secrets.token_bytes(NONCE_BYTES)
        await unit.execute(store.FORGET_OLD_CHALLENGES, unit.tenant, now)
        await unit.execute(store.INSERT_CHALLENGE, unit.tenant, self._ids.new_id(), digest, user, purpose, nonce, ends)
        return IssuedChallenge(secret, purpose, methods, ends), nonce

    async def attempt(self, unit: UnitOfWork, secret: str, *purposes: str) -> Challenge:
        """The challenge behind a secret; looking is a try. Raises InvalidChallenge."""
        now = to_datetime(self._clock.now_ns())
        most = MAX_STEPS if ENROLMENT in purposes else MAX_TRIES
        row = await unit.fetch_row(store.TRY_CHALLENGE, unit.tenant, digest_of(secret), now, most)
        if row is None or row["purpose"] not in purposes:
            raise no_challenge()
        return Challenge(
            str(row["id"]),
            str(row["tenant_id"]),
            str(row["user_id"]),
            row["email"],
            row["purpose"],
            bytes(row["nonce"]),
        )

    async def take(self, unit: UnitOfWork, challenge: Challenge) -> None:
        """Use a challenge up. Raises InvalidChallenge for the second of two who do."""
        if await unit.fetch_value(store.TAKE_CHALLENGE, unit.tenant, challenge.id) is None:
            raise no_challenge()

    async def forget(self, unit: UnitOfWork, user: str) -> None:
        """End all sign-ins of a user that are under way."""
        await unit.execute(store.FORGET_CHALLENGES, unit.tenant, to_datetime(self._clock.now_ns()), user)


def no_challenge() -> InvalidChallenge:
    """The one answer for what is unknown, used, too old or somebody else's."""
    message = "What this sign-in was to go on with is not valid, or not any more."
    return InvalidChallenge(message)
