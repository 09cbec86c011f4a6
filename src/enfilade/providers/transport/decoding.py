"""Replies that come compressed although none was asked for (RFC 9110, section 8.4.1): decompressed as they arrive.

`deflate` means a zlib stream (RFC 1950); servers that send a bare one (RFC 1951) are understood as well. Whatever a
reply grows to is bounded by its size and by how far it grows.
"""

import zlib

from enfilade.providers.errors import UnreadableResponse
from enfilade.providers.transport.exchange import Exchange

MAX_PIECE = 256_000
MAX_RATIO = 250
"""JSON that repeats itself becomes some fifty times shorter; beyond this it is made to explode."""
HARMLESS = 1_000_000
"""As much may come of however little: an upper bound of what a bomb costs us."""

_GZIP, _ZLIB, _BARE = 31, 15, -15
_CODINGS = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": _ZLIB}


def coding_of(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    """How a reply is compressed; None when it is not. Raises UnreadableResponse for what we cannot undo."""
    for name, _ in headers:
        if name == b"content-encoding":
            return _known(headers)
    return None


def _known(headers: list[tuple[bytes, bytes]]) -> bytes | None:
    codings = [
        coding
        for name, value in headers
        if name == b"content-encoding"
        for coding in (part.strip().lower() for part in value.split(b","))
        if coding not in {b"", b"identity"}
    ]
    if not codings:
        return None
    if len(codings) > 1 or codings[0] not in _CODINGS:
        message = "The provider compressed its reply in a way that is not understood, although it was asked not to."
        raise UnreadableResponse(message)
    return codings[0]


class Inflater:
    """Undoes one coding, piece by piece."""

    __slots__ = ("_coding", "_given", "_has_ended", "_max_bytes", "_stream", "_taken", "_waiting")

    def __init__(self, coding: bytes, max_bytes: int) -> None:
        """Undo `coding`; refuse what becomes more than `max_bytes`."""
        self._coding = coding
        self._max_bytes = max_bytes
        self._stream: zlib._Decompress | None = None
        self._waiting = b""
        self._has_ended = False
        self._taken = 0
        self._given = 0

    def feed(self, data: bytes) -> None:
        """Take what has come."""
        self._taken += len(data)
        self._waiting += data

    def piece(self) -> bytes:
        """Some of what it means; empty when more must come first. Raises UnreadableResponse."""
        stream = self._opened()
        if stream is None:
            return b""
        try:
            piece = stream.decompress(self._waiting, MAX_PIECE)
        except zlib.error as error:
            message = "The provider's compressed reply cannot be decompressed."
            raise UnreadableResponse(message) from error
        self._waiting = stream.unconsumed_tail
        if stream.eof:
            self._waiting, self._stream, self._has_ended = stream.unused_data, None, True
        self._given += len(piece)
        self._guard()
        return piece or (self.piece() if self._waiting and stream.eof else b"")

    def check_end(self) -> None:
        """Nothing more will come. Raises UnreadableResponse when something is missing."""
        if self._stream is not None or self._waiting.strip(b"\0"):
            message = "The provider's compressed reply ended before it was whole."
            raise UnreadableResponse(message)

    def _opened(self) -> "zlib._Decompress | None":
        if self._has_ended and self._stream is None:
            # Another member may follow, or the zeros with which some servers fill up a block.
            self._waiting = self._waiting.lstrip(b"\0")
        if self._stream is None and len(self._waiting) >= 2:
            window = _CODINGS[self._coding]
            first = self._waiting[0] << 8 | self._waiting[1]
            if window == _ZLIB and (self._waiting[0] & 0x0F != zlib.DEFLATED or first % 31):
                window = _BARE
            self._stream = zlib.decompressobj(window)
        return self._stream

    def _guard(self) -> None:
        if self._given > self._max_bytes:
            message = "The provider's reply is larger than this installation accepts."
            raise UnreadableResponse(message)
        if self._given > HARMLESS and self._given > MAX_RATIO * (self._taken - len(self._waiting)):
            message = "The provider's compressed reply grows beyond all measure."
            raise UnreadableResponse(message)


class Decompressed:
    """A reply that arrives compressed; see `Exchange`, which it reads."""

    __slots__ = ("_ahead", "_exchange", "_inflater", "headers", "status")

    def __init__(self, exchange: Exchange, coding: bytes) -> None:
        """Read `exchange`, undoing its coding."""
        self._exchange = exchange
        self._inflater = Inflater(coding, exchange.max_body)
        self._ahead: list[bytes] = []
        self.status = exchange.status
        self.headers = exchange.headers

    async def read(self) -> bytes:
        """See `Exchange.read`."""
        pieces = []
        while piece := await self.next_chunk():
            pieces.append(piece)
        return b"".join(pieces)

    async def next_chunk(self) -> bytes:
        """See `Exchange.next_chunk`."""
        if self._ahead:
            return self._ahead.pop(0)
        return await self._next_piece()

    async def peek(self, least: int) -> bytes:
        """See `Exchange.peek`."""
        while sum(map(len, self._ahead)) < least and (piece := await self._next_piece()):
            self._ahead.append(piece)
        self._ahead = [b"".join(self._ahead)] if self._ahead else []
        return self._ahead[0] if self._ahead else b""

    def abort(self) -> None:
        """See `Exchange.abort`."""
        self._exchange.abort()

    async def _next_piece(self) -> bytes:
        try:
            while not (piece := self._inflater.piece()):
                data = await self._exchange.next_chunk()
                if not data:
                    self._inflater.check_end()
                    break
                self._inflater.feed(data)
        except UnreadableResponse:
            self._exchange.abort()
            raise
        return piece
