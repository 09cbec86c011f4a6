"""Replies of Bedrock that come in another form than their dialect's: events in binary frames, counts in headers."""

import base64
import binascii
from collections.abc import Callable
from typing import Protocol

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.event_stream import CONTENT_TYPE, PRELUDE_BYTES, Frame, FrameCutter
from enfilade.providers.changed_reply import ChangedReply, ReplyChange
from enfilade.providers.error_reports import ErrorReport, HeaderMap, read_error
from enfilade.providers.errors import ProviderError, UnreadableResponse
from enfilade.providers.failures import failure_of
from enfilade.providers.types import Incoming, Outgoing

MAX_LOOK = 64_000
ERROR_TYPE = b"x-amzn-errortype"
INPUT_TOKENS = b"x-amzn-bedrock-input-token-count"
COUNT_FIELD = "inputTextTokenCount"

_STATUSES = {
    "validationexception": 400,
    "throttlingexception": 429,
    "internalserverexception": 500,
    "modelstreamerrorexception": 424,
    "modeltimeoutexception": 408,
    "serviceunavailableexception": 503,
}


class Arriving(Incoming, Protocol):
    """A reply of which nothing has been read."""

    async def peek(self, least: int) -> bytes:
        """See `Exchange.peek`."""
        ...


def read_bedrock_error(status: int, headers: HeaderMap, body: bytes) -> ErrorReport:
    """See `ErrorReader`: the name of the exception stands in a header, before a colon, or in the body's `__type`."""
    report = read_error(status, headers, body)
    name = headers.get(ERROR_TYPE, b"").decode("latin-1")
    if not name:
        try:
            name = msgspec.json.decode(body, type=_Typed).type.rpartition("#")[2]
        except UNREADABLE:
            name = ""
    if name := name.partition(":")[0].strip():
        report.words = (name, *report.words)
    return report


class _Typed(msgspec.Struct):
    type: str = msgspec.field(name="__type", default="")


async def arrived(outgoing: Outgoing, reply: Arriving) -> Incoming:
    """See `HttpAdapter.arrived`. Raises ProviderError for a stream that begins with an exception."""
    if outgoing.stream:
        if (b"content-type", CONTENT_TYPE) not in reply.headers:
            return reply
        await _check_first_frame(reply)
        return Unframed(reply) if outgoing.dialect.name == "anthropic_messages" else reply
    if outgoing.dialect.name == "anthropic_count":
        return ChangedReply(reply, _with_fields(_as_anthropic_counts))
    count = next((value for name, value in reply.headers if name == INPUT_TOKENS), b"")
    if not (count.isdigit() and outgoing.dialect.name.endswith("_embed")):
        return reply
    field = msgspec.Raw(str(int(count)).encode())
    return ChangedReply(reply, _with_fields(lambda fields: {COUNT_FIELD: field} | fields))


async def _check_first_frame(reply: Arriving) -> None:
    """What begins with an exception has not begun: another attempt may be made."""
    wanted = PRELUDE_BYTES
    while True:
        came = await reply.peek(wanted)
        if not came:
            raise UnreadableResponse("The provider's reply is empty.")
        try:
            frames = FrameCutter().feed(came)
        except UnreadableReply as error:
            raise UnreadableResponse(error.message) from error
        if frames:
            if (failure := exception_in(frames[0])) is not None:
                raise failure
            return
        if len(came) < wanted or len(came) > MAX_LOOK:
            return
        wanted = len(came) + 1


def exception_in(frame: Frame) -> ProviderError | None:
    """The error that a frame reports; None for an event."""
    if frame.headers.get(":message-type") == "event":
        return None
    name = frame.header(":exception-type") or frame.header(":error-code") or ""
    body = frame.payload
    if (said := frame.header(":error-message")) is not None:
        body = msgspec.json.encode({"message": said})
    headers = [(ERROR_TYPE, name.encode())]
    return failure_of(_STATUSES.get(name.lower(), 500), headers, body, read_bedrock_error, 0)


class _Chunk(msgspec.Struct, gc=False):
    bytes: str


class _Event(msgspec.Struct, gc=False):
    type: str = ""


_CHUNK = msgspec.json.Decoder(_Chunk)
_EVENT = msgspec.json.Decoder(_Event)


class Unframed:
    """Events of the model's own dialect, taken out of their frames and written as server-sent events; see `Incoming`."""

    def __init__(self, reply: Incoming) -> None:
        """Read `reply`."""
        self._reply = reply
        self._cutter = FrameCutter()
        self.status = reply.status
        self.headers = reply.headers

    async def read(self) -> bytes:
        """See `Incoming.read`."""
        pieces = []
        while piece := await self.next_chunk():
            pieces.append(piece)
        return b"".join(pieces)

    async def next_chunk(self) -> bytes:
        """See `Incoming.next_chunk`."""
        while data := await self._reply.next_chunk():
            try:
                written = b"".join([_event_of(frame) for frame in self._cutter.feed(data)])
            except (UnreadableReply, msgspec.DecodeError, binascii.Error, RecursionError) as error:
                self.abort()
                raise UnreadableResponse("The provider's stream cannot be read.") from error
            if written:
                return written
        if self._cutter.unfinished:
            raise UnreadableResponse("The provider's stream ended inside a frame.")
        return b""

    def abort(self) -> None:
        """See `Incoming.abort`."""
        self._reply.abort()


def _event_of(frame: Frame) -> bytes:
    if frame.headers.get(":message-type") != "event":
        name = frame.header(":exception-type") or frame.header(":error-code") or "error"
        kind = (
            "overloaded_error"
            if name.lower() in {"throttlingexception", "serviceunavailableexception"}
            else "api_error"
        )
        said = read_error(200, {}, frame.payload).message or frame.header(":error-message") or "no message"
        error = {"type": "error", "error": {"type": kind, "message": f"{name}: {said}"}}
        return _sse("error", msgspec.json.encode(error))
    if frame.headers.get(":event-type") != "chunk":
        return b""
    data = base64.b64decode(_CHUNK.decode(frame.payload).bytes, validate=True)
    return _sse(_EVENT.decode(data).type, data)


def _sse(kind: str, data: bytes) -> bytes:
    if b"\n" in data or b"\r" in data:
        data = msgspec.json.encode(msgspec.json.decode(data))
    return b"event: %b\ndata: %b\n\n" % (kind.encode(), data)


Fields = dict[str, msgspec.Raw]


def _as_anthropic_counts(fields: Fields) -> Fields:
    count = fields.pop("inputTokens", None)
    return fields if count is None else fields | {"input_tokens": count}


def _with_fields(change: Callable[[Fields], Fields]) -> ReplyChange:
    """The change of a reply's fields as one of its body."""

    def changed(body: bytes) -> bytes:
        try:
            fields = msgspec.json.decode(body, type=Fields)
        except UNREADABLE:
            return body  # Whoever reads it says what is wrong.
        return msgspec.json.encode(change(fields))

    return changed
