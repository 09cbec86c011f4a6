"""Second factors: added, confirmed, shown, removed; and recovery codes."""

import hashlib
import re
import secrets
from datetime import datetime, timedelta
from typing import Any

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.identity.accounts import store, totp, webauthn
from enfilade.identity.accounts.errors import TooManyFactors, UnknownFactor, WrongCode
from enfilade.identity.accounts.types import RECOVERY_CODE, TOTP, WEBAUTHN, Added, Answer, Factor, NewTotp
from enfilade.identity.accounts.webauthn import Credential, RelyingParty
from enfilade.identity.rows import check_name
from enfilade.identity.types import User
from enfilade.sealing.sealer import Sealer
from enfilade.storage.unit_of_work import UnitOfWork

MOST = 10
CODES = 10
CODE_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
PENDING = timedelta(minutes=15)
NAME = re.compile(r"[^\x00-\x1f\x7f]{1,60}")


class Factors:
    """The use cases of second factors."""

    def __init__(self, ids: IdFactory, clock: Clock, sealer: Sealer, party: RelyingParty) -> None:
        """Seal shared secrets with `sealer`; bind security keys to `party`."""
        self._ids = ids
        self._clock = clock
        self._sealer = sealer
        self.party = party

    async def of(self, unit: UnitOfWork, user: str) -> list[Factor]:
        """A user's second factors."""
        return [_factor_of(row) for row in await unit.fetch(store.LIST_FACTORS, unit.tenant, user)]

    async def codes_left(self, unit: UnitOfWork, user: str) -> int:
        """How many recovery codes were not used yet."""
        left: int = await unit.fetch_value(store.COUNT_CODES, unit.tenant, user)
        return left

    async def begin_totp(self, unit: UnitOfWork, user: User, name: str, tenant: str) -> NewTotp:
        """A shared secret for an app; it counts once a code of it was shown. Raises TooManyFactors."""
        await self._require_room(unit, user.id, name)
        secret, identifier = totp.new_secret(), self._ids.new_id()
        await unit.execute(store.FORGET_PENDING, unit.tenant, user.id)
        sealed = self._sealer.seal(secret, _purpose(user.id))
        await unit.execute(store.INSERT_TOTP, unit.tenant, identifier, user.id, name, sealed, self._now())
        return NewTotp(identifier, secret, totp.uri_of(secret, user.spec.email, tenant))

    async def confirm_totp(self, unit: UnitOfWork, user: str, identifier: str, code: str) -> Added:
        """Let an app count, because it shows the right code. Raises UnknownFactor, WrongCode."""
        row = await unit.fetch_row(store.PENDING_TOTP, unit.tenant, user, identifier, self._now() - PENDING)
        if row is None:
            message = "There is nothing to confirm, or not any more; begin anew."
            raise UnknownFactor(message)
        secret = self._sealer.open(bytes(row["secret"]), _purpose(user))
        step = totp.find_step(secret, code, self._clock.now_ns(), 0)
        if step is None:
            raise wrong_code()
        await unit.execute(store.CONFIRM_TOTP, unit.tenant, row["id"], self._now(), step)
        return await self._added(unit, user, str(row["id"]), TOTP)

    async def credentials(self, unit: UnitOfWork, user: str) -> list[bytes]:
        """The names of a user's security keys, as browsers ask for them."""
        return [bytes(row["credential_id"]) for row in await unit.fetch(store.LIST_CREDENTIALS, unit.tenant, user)]

    async def registration_options(self, unit: UnitOfWork, user: User, nonce: bytes) -> dict[str, Any]:
        """What a browser makes a credential from. Raises TooManyFactors."""
        await self._require_room(unit, user.id, WEBAUTHN)
        person = (user.id, user.spec.email, user.spec.display_name or user.spec.email)
        return webauthn.registration_options(self.party, nonce, person, await self.credentials(unit, user.id))

    async def add_webauthn(self, unit: UnitOfWork, user: str, name: str, nonce: bytes, answer: dict[str, Any]) -> Added:
        """Keep a new security key. Raises AuthenticatorRefused, TooManyFactors."""
        await self._require_room(unit, user, name)
        credential = webauthn.verify_registration(self.party, nonce, answer)
        identifier = self._ids.new_id()
        await unit.execute(
            store.INSERT_WEBAUTHN,
            *(unit.tenant, identifier, user, name, credential.id, credential.public_key, credential.sign_count),
            self._now(),
        )
        return await self._added(unit, user, identifier, WEBAUTHN)

    async def check(self, unit: UnitOfWork, user: str, nonce: bytes, answer: Answer) -> str:
        """What was shown, if it is right. Raises WrongCode, AuthenticatorRefused."""
        if answer.credential is not None:
            return await self._check_webauthn(unit, user, nonce, answer.credential)
        if answer.code is not None:
            return await self._check_totp(unit, user, answer.code)
        digest = _code_digest(user, answer.recovery_code or "")
        if await unit.fetch_value(store.USE_CODE, unit.tenant, user, digest) is None:
            raise wrong_code()
        left = await self.codes_left(unit, user)
        unit.record("RecoveryCodeUsed", user=user, left=left)
        return RECOVERY_CODE

    async def _check_totp(self, unit: UnitOfWork, user: str, code: str) -> str:
        for row in await unit.fetch(store.TOTP_SECRETS, unit.tenant, user):
            secret = self._sealer.open(bytes(row["secret"]), _purpose(user))
            step = totp.find_step(secret, code, self._clock.now_ns(), row["last_step"])
            if step is not None and await unit.fetch_value(store.USE_TOTP, unit.tenant, row["id"], step, self._now()):
                return TOTP
        raise wrong_code()

    async def _check_webauthn(self, unit: UnitOfWork, user: str, nonce: bytes, answer: dict[str, Any]) -> str:
        rows = await unit.fetch(store.LIST_CREDENTIALS, unit.tenant, user)
        known = [Credential(bytes(row["credential_id"]), bytes(row["public_key"]), row["sign_count"]) for row in rows]
        credential, count = webauthn.verify_authentication(self.party, nonce, answer, known)
        identifier = rows[known.index(credential)]["id"]
        if await unit.fetch_value(store.USE_WEBAUTHN, unit.tenant, identifier, count, self._now()) is None:
            raise wrong_code()
        return WEBAUTHN

    async def remove(self, unit: UnitOfWork, user: str, identifier: str) -> None:
        """Remove a second factor; with the last one the recovery codes go. Raises UnknownFactor."""
        kind = await unit.fetch_value(store.DELETE_FACTOR, unit.tenant, user, identifier)
        if kind is None:
            message = "There is no such second factor."
            raise UnknownFactor(message)
        if not await self.of(unit, user):
            await unit.execute(store.DELETE_CODES, unit.tenant, user)
        unit.record("SecondFactorRemoved", user=user, factor=identifier, kind=kind)

    async def remove_all(self, unit: UnitOfWork, user: str) -> int:
        """Remove all of a user's second factors and recovery codes, because they lost them; say how many."""
        removed = await unit.fetch(store.DELETE_FACTORS, unit.tenant, user)
        await unit.execute(store.DELETE_CODES, unit.tenant, user)
        if removed:
            unit.record("SecondFactorsReset", user=user, count=len(removed))
        return len(removed)

    async def new_codes(self, unit: UnitOfWork, user: str) -> tuple[str, ...]:
        """Ten new recovery codes; those from before are void."""
        codes = tuple(_new_code() for _ in range(CODES))
        await unit.execute(store.DELETE_CODES, unit.tenant, user)
        digests = [_code_digest(user, code) for code in codes]
        await unit.execute(store.INSERT_CODES, unit.tenant, user, digests)
        unit.record("RecoveryCodesIssued", user=user, count=CODES)
        return codes

    async def _added(self, unit: UnitOfWork, user: str, identifier: str, kind: str) -> Added:
        factors = await self.of(unit, user)
        unit.record("SecondFactorAdded", user=user, factor=identifier, kind=kind)
        codes = await self.new_codes(unit, user) if len(factors) == 1 else ()
        return Added(next(factor for factor in factors if factor.id == identifier), codes)

    async def _require_room(self, unit: UnitOfWork, user: str, name: str) -> None:
        check_name(name, NAME)
        if len(await self.of(unit, user)) >= MOST:
            message = f"Nobody can have more than {MOST} second factors."
            raise TooManyFactors(message)

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())


def wrong_code() -> WrongCode:
    """The one answer to whatever was not right."""
    message = "The code is wrong, was used before, or is over."
    return WrongCode(message)


def _purpose(user: str) -> str:
    return f"totp:{user}"


def _new_code() -> str:
    text = "".join(secrets.choice(CODE_ALPHABET) for _ in range(16))
    return "-".join(text[place : place + 4] for place in range(0, 16, 4))


def _code_digest(user: str, code: str) -> bytes:
    """Of the code as it is meant: people take o for 0, and i or l for 1."""
    plain = re.sub(r"[\s-]", "", code.lower()).translate(str.maketrans("oil", "011"))
    return hashlib.sha256(f"{user}\x00{plain}".encode()).digest()


def _factor_of(row: Any) -> Factor:
    return Factor(str(row["id"]), row["kind"], row["name"], row["created_at"], row["confirmed_at"], row["used_at"])
