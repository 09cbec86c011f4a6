"""Passwords: which are taken, and how they are hashed and compared."""

import asyncio
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

from argon2 import PasswordHasher, profiles
from argon2.exceptions import InvalidHashError, VerificationError, VerifyMismatchError

from enfilade.identity.accounts.common_passwords import COMMON
from enfilade.identity.accounts.errors import SignInBusy, WeakPassword

MIN_LENGTH = 12
MAX_LENGTH = 256
MAX_WAITING = 32
"""So many passwords wait for their turn: a few seconds. Whoever comes then is told to come again."""
LEAST_NAME = 4
LEAST_REST = 8
"""What a password has beside the names in its owner's address."""


def check_password(password: str, email: str) -> str:
    """The password in its normal form, as it is hashed. Raises WeakPassword."""
    normal = normal_password(password)
    if not MIN_LENGTH <= len(normal) <= MAX_LENGTH:
        message = f"A password has {MIN_LENGTH} to {MAX_LENGTH} characters; there are no other rules about them."
        raise WeakPassword(message, param="password")
    folded = normal.casefold()
    plain = "".join(character for character in folded if character.isalnum())
    local, _, domain = email.casefold().partition("@")
    rest = folded
    for part in (email.casefold(), local, domain.partition(".")[0]):
        rest = rest.replace(part, "") if len(part) >= LEAST_NAME else rest
    if rest != folded and len(rest) < LEAST_REST:
        message = "The password is little more than the e-mail address."
        raise WeakPassword(message, param="password")
    if plain in COMMON or plain.rstrip("0123456789") in COMMON or _is_repeated(folded):
        message = "The password is among the first that anybody would try."
        raise WeakPassword(message, param="password")
    return normal


def normal_password(password: str) -> str:
    """The form in which two keyboards' ways to write the same characters are one."""
    return unicodedata.normalize("NFKC", password)


def _is_repeated(text: str) -> bool:
    """Whether it is one short piece over and over, or characters in the order of their codes."""
    steps = {ord(after) - ord(before) for before, after in pairwise(text)}
    return steps <= {1} or steps <= {-1} or any((text[:size] * len(text))[: len(text)] == text for size in range(1, 5))


class Passwords:
    """Argon2id with the second recommendation of RFC 9106, one at a time and off the event loop."""

    def __init__(self, hasher: PasswordHasher | None = None, waiting: int = MAX_WAITING) -> None:
        """Hash with these parameters; of more than `waiting` at once, the last are refused."""
        self.hasher = hasher or PasswordHasher.from_parameters(profiles.RFC_9106_LOW_MEMORY)
        """With which passwords are hashed from now on; hashes of other parameters go on being compared."""
        # One thread: hashing has lanes of its own, and a flood of passwords takes no more than this of the machine.
        self._pool = ThreadPoolExecutor(1, "passwords")
        self._waiting = 0
        self._most = waiting
        self._decoy: str | None = None

    async def hash(self, password: str) -> str:
        """The hash of a password that was checked. Raises SignInBusy."""
        hashed: str = await self._run(self.hasher.hash, password)
        return hashed

    async def matches(self, hashed: str | None, password: str) -> bool:
        """Whether it is the password; without a hash, the same work for nothing. Raises SignInBusy."""
        matched: bool = await self._run(self._compare, hashed, normal_password(password)[:MAX_LENGTH])
        return matched

    def is_weaker(self, hashed: str) -> bool:
        """Whether the hash was made with other parameters than today's."""
        return self.hasher.check_needs_rehash(hashed)

    def _compare(self, hashed: str | None, password: str) -> bool:
        if self._decoy is None:
            self._decoy = self.hasher.hash("nobody has this password")
        try:
            self.hasher.verify(hashed or self._decoy, password)
        except VerifyMismatchError:
            return False
        except (VerificationError, InvalidHashError):
            return False
        return hashed is not None

    async def _run(self, work: Any, *values: Any) -> Any:
        if self._waiting >= self._most:
            message = "Too many people sign in at this moment."
            raise SignInBusy(message, retry_after=2)
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *values)
        finally:
            self._waiting -= 1
