"""What takes long to send: a reply that is made while it is sent and ends with whoever asked for it, and large bodies."""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from fastapi import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send


async def ends_with_caller(request: Request) -> None:
    """A dependency: what works on the request is cancelled when whoever sent it goes away."""
    cycle = request.scope.get("enfilade.cycle")
    if cycle is not None:
        cycle.on_lost = asyncio.current_task()


def let_body_take_long(request: Request) -> None:
    """Let a caller who is known send for as long as it takes, rather than for some minutes at most."""
    cycle = request.scope.get("enfilade.cycle")
    if cycle is not None:
        cycle.may_take_long = True


class Download(Response):
    """Chunks as they come. A failure breaks the connection off: without its last chunk nobody takes it for the whole."""

    def __init__(self, chunks: AsyncGenerator[bytes, None], media_type: str, headers: Mapping[str, str]) -> None:
        """Send `chunks`."""
        super().__init__(None, media_type=media_type, headers=headers)
        del self.headers["content-length"]
        self._chunks = chunks

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        del scope, receive
        # Closed here and now, not when the garbage collector comes by: a query may be behind it.
        async with aclosing(self._chunks) as chunks:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async for chunk in chunks:
                await send({"type": "http.response.body", "body": chunk, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
