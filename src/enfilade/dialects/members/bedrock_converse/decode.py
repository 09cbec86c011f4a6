"""A stream of Converse, as it arrives.

`contentBlockStart` comes for calls of tools only: texts and thoughts begin with their first piece. `metadata`, with the
usage, comes after `messageStop`.
"""

from typing import Any

import msgspec

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Finish, Part, Reasoning, Sealed, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bedrock.usage import converse_usage
from enfilade.dialects.bodies import ENCODER, NOTHING, error_text
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.event_stream import Frame, FrameCutter
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.bedrock_converse.reply import (
    FINISHES,
    HOSTED,
    Tier,
    ToolUse,
    citation,
    signature_origin,
    stop_sequence,
)
from enfilade.dialects.members.bedrock_converse.rules import ORIGIN


class _Start(msgspec.Struct, rename="camel", gc=False):
    tool_use: ToolUse | None = None


class _BlockStart(msgspec.Struct, rename="camel", gc=False):
    content_block_index: int
    start: _Start = msgspec.field(default_factory=_Start)


class _ToolDelta(msgspec.Struct, gc=False):
    input: str = ""


class _ReasoningDelta(msgspec.Struct, rename="camel", gc=False):
    text: str | None = None
    signature: str | None = None
    redacted_content: str | None = None


class _Delta(msgspec.Struct, rename="camel", gc=False):
    text: str | None = None
    tool_use: _ToolDelta | None = None
    reasoning_content: _ReasoningDelta | None = None
    citation: dict[str, Any] | None = None


class _BlockDelta(msgspec.Struct, rename="camel", gc=False):
    content_block_index: int
    delta: _Delta


class _BlockStop(msgspec.Struct, rename="camel", gc=False):
    content_block_index: int


class _MessageStop(msgspec.Struct, rename="camel", gc=False):
    stop_reason: str | None = None
    additional_model_response_fields: Any = None


class _Metadata(msgspec.Struct, rename="camel", gc=False):
    usage: msgspec.Raw = NOTHING
    service_tier: Tier | None = None


class _Exception(msgspec.Struct, gc=False):
    message: str | None = None


_START = msgspec.json.Decoder(_BlockStart)
_DELTA = msgspec.json.Decoder(_BlockDelta)
_STOP = msgspec.json.Decoder(_BlockStop)
_MESSAGE_STOP = msgspec.json.Decoder(_MessageStop)
_METADATA = msgspec.json.Decoder(_Metadata)
_EXCEPTION = msgspec.json.Decoder(_Exception)


class _Open(msgspec.Struct):
    """A part that is growing."""

    index: int
    part: Part
    redacted: list[str] = []
    citations: tuple[dict[str, Any], ...] = ()
    signature: str | None = None
    grew: bool = False


class ConverseDecoder:
    """See `StreamDecoder`."""

    def __init__(self, upstream: Upstream) -> None:
        """Read an answer of this model."""
        self._upstream = upstream
        self._cutter = FrameCutter()
        self._began = False
        self._open: dict[int, _Open | None] = {}
        """By the provider's index; None for a block that nobody is shown."""
        self._next = 0
        self._stopped: _MessageStop | None = None
        self._ended = False

    @property
    def done(self) -> bool:
        """See `StreamDecoder.done`."""
        return self._ended

    def feed(self, data: bytes) -> list[Happening]:
        """See `StreamDecoder.feed`."""
        happened: list[Happening] = []
        for frame in self._cutter.feed(data):
            if self._ended:
                break
            try:
                self._take(frame, happened)
            except UNREADABLE as error:
                message = "The provider's stream holds an event that cannot be read."
                raise UnreadableReply(message) from error
        return happened

    def close(self) -> list[Happening]:
        """See `StreamDecoder.close`."""
        if self._ended or self._stopped is None or self._cutter.unfinished:
            return []
        return self._end(_Metadata())

    def _take(self, frame: Frame, happened: list[Happening]) -> None:
        headers = frame.headers
        if headers.get(":message-type") != "event":
            happened.append(_failed(frame))
            self._ended = True
            return
        if not self._began:
            self._began = True
            happened.append(Began(self._upstream.call_id, self._upstream.model))
        match headers.get(":event-type"):
            case "contentBlockDelta":
                delta = _DELTA.decode(frame.payload)
                self._grow(delta.content_block_index, delta.delta, happened)
            case "contentBlockStart":
                self._start(_START.decode(frame.payload), happened)
            case "contentBlockStop":
                self._close(_STOP.decode(frame.payload).content_block_index, happened)
            case "messageStop":
                self._stopped = _MESSAGE_STOP.decode(frame.payload)
                for index in list(self._open):
                    self._close(index, happened)
            case "metadata":
                happened.extend(self._end(_METADATA.decode(without_nan(frame.payload) or frame.payload)))

    def _start(self, start: _BlockStart, happened: list[Happening]) -> None:
        call = start.start.tool_use
        if call is None:
            return  # What it is shows with its first piece.
        if call.type == HOSTED:
            self._open[start.content_block_index] = None  # The service runs it itself.
            return
        self._begin(start.content_block_index, ToolCall(call.tool_use_id, call.name, ""), happened)

    def _begin(self, at: int, part: Part, happened: list[Happening]) -> _Open:
        opened = self._open[at] = _Open(self._next, part)
        self._next += 1
        happened.append(PartBegan(opened.index, part))
        return opened

    def _grow(self, at: int, delta: _Delta, happened: list[Happening]) -> None:
        opened = self._open.get(at)
        if opened is None and at in self._open:
            return
        if (text := delta.text) is not None:
            opened = opened or self._begin(at, Text(""), happened)
            happened.append(PartGrew(opened.index, text))
        elif delta.tool_use is not None:
            if opened is None:
                message = "The provider's stream goes on with a call that never began."
                raise UnreadableReply(message)
            opened.grew = opened.grew or bool(delta.tool_use.input)
            happened.append(PartGrew(opened.index, delta.tool_use.input))
        elif delta.citation is not None:
            opened = opened or self._begin(at, Text(""), happened)
            opened.citations += (citation(delta.citation),)
        elif delta.reasoning_content is not None:
            self._think(at, opened, delta.reasoning_content, happened)

    def _think(self, at: int, opened: _Open | None, delta: _ReasoningDelta, happened: list[Happening]) -> None:
        if delta.redacted_content is not None and (opened is None or opened.redacted):
            # It is shown once it is whole: what it is made of is nothing to anybody.
            if opened is None:
                opened = self._open[at] = _Open(self._next, Reasoning(redacted=True))
                self._next += 1
            opened.redacted.append(delta.redacted_content)
            return
        opened = opened or self._begin(at, Reasoning(), happened)
        if delta.signature is not None:
            opened.signature = (opened.signature or "") + delta.signature
        if delta.text:
            happened.append(PartGrew(opened.index, delta.text))

    def _close(self, at: int, happened: list[Happening]) -> None:
        opened = self._open.pop(at, None)
        if opened is None:
            return
        if opened.redacted:
            part = Reasoning(seal=Sealed(ORIGIN, "".join(opened.redacted)), redacted=True)
            happened += [PartBegan(opened.index, part), PartEnded(opened.index)]
            return
        last: Part | None = None
        if isinstance(opened.part, ToolCall) and not opened.grew:
            happened.append(PartGrew(opened.index, "{}"))  # Nothing came: a call without arguments.
        if opened.signature is not None:
            last = Reasoning(seal=Sealed(signature_origin(self._upstream.model), opened.signature))
        elif opened.citations:
            last = Text("", citations=opened.citations)
        happened.append(PartEnded(opened.index, last))

    def _end(self, metadata: _Metadata) -> list[Happening]:
        self._ended = True
        stopped = self._stopped
        if stopped is None:
            return []  # The message never stopped: the stream was cut.
        tier = metadata.service_tier.type if metadata.service_tier is not None else None
        finish = FINISHES.get(stopped.stop_reason or "", Finish.STOP)
        ended = Ended(finish, stop_sequence(stopped.additional_model_response_fields), tier)
        usage = converse_usage(metadata.usage, self._upstream.model)
        return [ended] if usage is None else [Reported(usage), ended]


def _failed(frame: Frame) -> Failed:
    """An exception (`:exception-type`), or an error of the service that carries it (`:error-code`)."""
    name = frame.header(":exception-type") or frame.header(":error-code") or "error"
    said = frame.header(":error-message")
    if said is None:
        try:
            said = _EXCEPTION.decode(frame.payload).message
        except UNREADABLE:
            said = None
    return Failed(error_text(ENCODER.encode({"type": name, "message": said})))
