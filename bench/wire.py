"""As much of HTTP/1.1 as the bench's own processes need of one another."""

import asyncio
import json
from collections.abc import Iterator

from bench.plan import PATH, PROMPT, Target

END_OF_HEAD = b"\r\n\r\n"
LENGTH = b"content-length:"


def announce(server: asyncio.Server) -> None:
    """Tell whoever started this process on which port it listens."""
    print(server.sockets[0].getsockname()[1], flush=True)


def content_length(head: bytes) -> int:
    """The declared length of the body; 0 when none is declared."""
    lowered = head.lower()
    start = lowered.find(LENGTH)
    return int(lowered[start + len(LENGTH) :].split(b"\r\n", 1)[0]) if start >= 0 else 0


class RequestReader:
    """Cuts requests out of what a connection brings."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Each request that is complete now, head and body."""
        self._rest = self._rest + data if self._rest else data
        while (end := self._rest.find(END_OF_HEAD)) >= 0:
            size = end + len(END_OF_HEAD) + content_length(self._rest[:end])
            if len(self._rest) < size:
                return
            request, self._rest = self._rest[:size], self._rest[size:]
            yield request


def render_request(target: Target, model: str, *, stream: bool) -> bytes:
    """A call with a body of about 1 KB, with the headers that an SDK sends."""
    content = {
        "model": model,
        "messages": [{"role": "user", "content": PROMPT}],
        "max_tokens": 300,
        "temperature": 0.2,
    }
    body = json.dumps(content | ({"stream": True} if stream else {})).encode()
    head = (
        f"POST {PATH} HTTP/1.1\r\nhost: {target.host}:{target.port}\r\nauthorization: Bearer {target.key}\r\n"
        f"content-type: application/json\r\naccept: application/json\r\nuser-agent: bench\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def dechunked(data: bytes) -> bytes:
    """What a chunked body carries. Raises ValueError when it is not well formed."""
    parts: list[bytes] = []
    place = 0
    while True:
        end = data.index(b"\r\n", place)
        size = int(data[place:end], 16)
        if size == 0:
            return b"".join(parts)
        place = end + 2 + size + 2
        parts.append(data[end + 2 : place - 2])
