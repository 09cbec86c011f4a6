"""Contents at rest: sealed under the installation's master key, each bound to its tenant and its place."""

import asyncio
from collections.abc import Sequence

from enfilade.storage.sealing import Sealer

INLINE_BYTES = 200_000
INLINE_PIECES = 50
"""More than this is sealed and opened in a thread: other calls go on meanwhile."""

Sealed = tuple[str, bytes]
"""What it is for, and its bytes."""


class Contents:
    """Seals and opens contents."""

    def __init__(self, sealer: Sealer) -> None:
        """Use this key."""
        self._sealer = sealer

    @property
    def can_be_kept(self) -> bool:
        """Whether there is a key to seal them with."""
        return self._sealer.has_key

    async def seal(self, contents: Sequence[Sealed]) -> list[bytes]:
        """The sealed forms, in order."""
        if _is_small(contents):
            return self._seal(contents)
        return await asyncio.to_thread(self._seal, contents)

    async def open(self, contents: Sequence[Sealed]) -> list[bytes]:
        """The contents, in order. Raises StorageFault for what was altered or sealed under another key."""
        if _is_small(contents):
            return self._open(contents)
        return await asyncio.to_thread(self._open, contents)

    def _seal(self, contents: Sequence[Sealed]) -> list[bytes]:
        return [self._sealer.seal(content.decode("utf-8", "replace"), purpose) for purpose, content in contents]

    def _open(self, contents: Sequence[Sealed]) -> list[bytes]:
        return [self._sealer.open(content, purpose).encode() for purpose, content in contents]


def _is_small(contents: Sequence[Sealed]) -> bool:
    return len(contents) <= INLINE_PIECES and sum(len(content) for _, content in contents) <= INLINE_BYTES


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
