"""A whole reply that is changed once it has been read: services that answer otherwise than the dialect expects."""

from collections.abc import Callable

from enfilade.providers.types import Incoming

ReplyChange = Callable[[bytes], bytes]


class ChangedReply:
    """See `Incoming`."""

    __slots__ = ("_change", "_given", "_reply", "headers", "status")

    def __init__(self, reply: Incoming, change: ReplyChange) -> None:
        """Change the body of `reply`."""
        self._reply = reply
        self._change = change
        self._given = False
        self.status = reply.status
        self.headers = reply.headers

    async def read(self) -> bytes:
        """See `Incoming.read`."""
        return self._change(await self._reply.read())

    async def next_chunk(self) -> bytes:
        """See `Incoming.next_chunk`: all of it, since it can only be changed whole."""
        if self._given:
            return b""
        self._given = True
        return await self.read()

    def abort(self) -> None:
        """See `Incoming.abort`."""
        self._reply.abort()
