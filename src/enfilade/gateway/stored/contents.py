"""Contents at rest: sealed under their subject's key (the person, or the application), each bound to its tenant and place."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TypeVar

from enfilade.core.scope import Scope
from enfilade.sealing.envelope import Envelope
from enfilade.sealing.errors import ContentErased
from enfilade.sealing.prepared import Prepared

INLINE_BYTES = 200_000
INLINE_PIECES = 50
"""More than this is sealed and opened in a thread: other calls go on meanwhile."""

Pieces = TypeVar("Pieces")

Sealed = tuple[str, bytes]
"""What it is for, and its bytes."""


class Contents:
    """Seals and opens contents."""

    def __init__(self, envelope: Envelope) -> None:
        """Use these keys."""
        self._envelope = envelope

    @property
    def can_be_kept(self) -> bool:
        """Whether there is a key to seal them with."""
        return self._envelope.has_key

    async def prepare(self, scope: Scope) -> Prepared:
        """The keys to seal with for whoever acts. To be called outside of a unit of work: it may need one of its own.

        Raises KeyWithdrawn, KeyDestroyed, ContentErased, NoMasterKey, MasterKeyUnavailable, DatabaseUnavailable.
        """
        return await self._envelope.prepare(scope.tenant, subject_of(scope))

    async def seal(self, keys: Prepared, contents: Sequence[Sealed]) -> list[bytes]:
        """The sealed forms, in order."""
        return await _run(contents, lambda: [keys.seal(purpose, content) for purpose, content in contents])

    async def open(self, tenant: str, contents: Sequence[Sealed]) -> list[bytes]:
        """The contents, in order. To be called outside of a unit of work.

        Raises ContentErased when the key of one was destroyed, CannotOpen for what was altered, and as `prepare` does.
        """
        keys = await self._envelope.prepare(tenant, sealed=[content for _, content in contents])
        return await _run(contents, lambda: [keys.open(purpose, content) for purpose, content in contents])

    async def open_left(self, tenant: str, contents: Sequence[Sealed]) -> list[bytes | None]:
        """Like `open`, with None for what was erased."""
        keys = await self._envelope.prepare(tenant, sealed=[content for _, content in contents])
        return await _run(contents, lambda: [_open_left(keys, purpose, content) for purpose, content in contents])


def subject_of(scope: Scope) -> str | None:
    """Whose contents these are: the person's, or the application's where there is no person."""
    return scope.user or scope.application


def _open_left(keys: Prepared, purpose: str, content: bytes) -> bytes | None:
    try:
        return keys.open(purpose, content)
    except ContentErased:
        return None


async def _run(contents: Sequence[Sealed], work: Callable[[], Pieces]) -> Pieces:
    if len(contents) <= INLINE_PIECES and sum(len(content) for _, content in contents) <= INLINE_BYTES:
        return work()
    return await asyncio.to_thread(work)


def for_input(tenant: str, response: str) -> str:
    """What a response's input is sealed for."""
    return f"response:{tenant}:{response}:input"


def for_reply(tenant: str, response: str) -> str:
    """What a response itself is sealed for."""
    return f"response:{tenant}:{response}:reply"


def for_metadata(tenant: str, conversation: str) -> str:
    """What a conversation's metadata are sealed for."""
    return f"conversation:{tenant}:{conversation}:metadata"


def for_item(tenant: str, conversation: str, item: str) -> str:
    """What an item of a conversation is sealed for."""
    return f"conversation:{tenant}:{conversation}:item:{item}"
