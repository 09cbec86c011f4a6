"""A provider's stream as happenings."""

from typing import Any

import msgspec

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Finish, Opaque, Part, Reasoning, Sealed, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.anthropic.blocks import DIALECT_NAME
from enfilade.dialects.anthropic.carriers import ORIGIN
from enfilade.dialects.bodies import ENCODER, NOTHING, error_text, is_given
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.anthropic_messages.reply import read_citations, tier_of
from enfilade.dialects.members.anthropic_messages.usage import Reports, finish_of
from enfilade.dialects.sse import EventCutter, event_data, split_events


class Delta(msgspec.Struct, gc=False):
    """What came of a block, or of the message as a whole."""

    type: str = ""
    text: str = ""
    partial_json: str = ""
    thinking: str = ""
    signature: str = ""
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class Head(msgspec.Struct, gc=False):
    """The message at its beginning."""

    id: str | None = None
    model: str | None = None
    usage: msgspec.Raw = NOTHING


class Event(msgspec.Struct, gc=False):
    """As much of an event as has a meaning."""

    type: str = ""
    index: int = 0
    delta: Delta | None = None
    content_block: dict[str, Any] | None = None
    message: Head | None = None
    usage: msgspec.Raw = NOTHING
    error: dict[str, Any] | None = None


class _Kind(msgspec.Struct, gc=False):
    type: str = ""


class _Growth(msgspec.Struct, gc=False):
    delta: dict[str, Any] = {}


_EVENT = msgspec.json.Decoder(Event)
_KIND = msgspec.json.Decoder(_Kind)
_GROWTH = msgspec.json.Decoder(_Growth)
_KNOWN = frozenset(
    [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "error",
    ]
)
_GROWING: dict[str, Part] = {"text": Text(""), "thinking": Reasoning(), "tool_use": ToolCall("", "", "")}


class Block:
    """A block that is arriving."""

    __slots__ = ("citations", "grew", "index", "opened", "pieces", "seal")

    def __init__(self, index: int | None, opened: dict[str, Any]) -> None:
        """A block as it began. Without an index nobody is told of it before it is whole."""
        self.index = index
        self.opened = opened
        self.grew = False
        self.pieces: list[str] = []
        self.citations: list[dict[str, Any]] = []
        self.seal = ""


class MessageDecoder:
    """See `StreamDecoder`."""

    __slots__ = ("_blocks", "_cutter", "_parts", "_reports", "_stop", "done")

    def __init__(self) -> None:
        """Read from the beginning."""
        self._cutter = EventCutter()
        self._blocks: dict[int, Block] = {}
        self._parts = 0
        self._reports = Reports()
        self._stop: Delta | None = None
        self.done = False

    def feed(self, data: bytes) -> list[Happening]:
        """See `StreamDecoder.feed`."""
        region = self._cutter.feed(data)
        happenings: list[Happening] = []
        if region:
            for event in split_events(region):
                if self.done:
                    break
                if payload := event_data(event):
                    self._take(payload, happenings)
        return happenings

    def close(self) -> list[Happening]:
        """See `StreamDecoder.close`: nothing is held back, and what has not ended was cut."""
        return []

    def _take(self, payload: bytes, out: list[Happening]) -> None:
        event = _event_in(payload)
        kind = event.type
        if kind == "content_block_delta":
            self._grow(event, payload, out)
        elif kind == "content_block_start":
            self._open(event, out)
        elif kind == "content_block_stop":
            self._close(event.index, out)
        elif kind == "message_start":
            head = event.message or Head()
            out.append(Began(head.id or "", head.model or ""))
            self._report(head.usage, out, first=True)
        elif kind == "message_delta":
            self._stop = event.delta or self._stop
            self._report(event.usage, out)
        elif kind == "message_stop":
            self._end(out)
        elif kind == "error":
            out.append(Failed(error_text(ENCODER.encode(event.error or {}))))
            self.done = True

    def _open(self, event: Event, out: list[Happening]) -> None:
        self._close(event.index, out)
        opened = event.content_block or {}
        kind = opened.get("type")
        if kind == "redacted_thinking":
            self._whole(Reasoning(seal=Sealed(ORIGIN, _string(opened.get("data"))), redacted=True), out)
            return
        part = _GROWING.get(kind) if isinstance(kind, str) else None
        if part is None:
            self._blocks[event.index] = Block(None, opened)
            return
        if isinstance(part, ToolCall):
            part = ToolCall(_string(opened.get("id")), _string(opened.get("name")), "")
        block = self._blocks[event.index] = Block(self._parts, opened)
        out.append(PartBegan(self._parts, part))
        self._parts += 1
        if isinstance(part, Text):
            block.citations.extend(entry for entry in opened.get("citations") or () if isinstance(entry, dict))
        if isinstance(part, Reasoning):
            block.seal = _string(opened.get("signature"))
        if text := _string(opened.get("thinking" if isinstance(part, Reasoning) else "text")):
            self._say(block, text, out)

    def _whole(self, part: Part, out: list[Happening]) -> None:
        out += (PartBegan(self._parts, part), PartEnded(self._parts))
        self._parts += 1

    def _say(self, block: Block, text: str, out: list[Happening]) -> None:
        if block.index is None:
            block.pieces.append(text)
        else:
            block.grew = True
            out.append(PartGrew(block.index, text))

    def _grow(self, event: Event, payload: bytes, out: list[Happening]) -> None:
        delta, block = event.delta, self._blocks.get(event.index)
        if delta is None or block is None:
            message = "The provider's stream goes on with a block that never began."
            raise UnreadableReply(message)
        text = delta.text or delta.partial_json or delta.thinking
        if text and (block.index is not None or delta.partial_json):
            self._say(block, text, out)
        elif delta.citation is not None:
            block.citations.append(delta.citation)
        elif delta.signature:
            block.seal = delta.signature
        elif block.index is None:
            _grow_unknown(block.opened, payload)

    def _close(self, index: int, out: list[Happening]) -> None:
        block = self._blocks.pop(index, None)
        if block is None:
            return
        if block.index is None:
            self._whole(_opaque(block), out)
            return
        last: Part | None = None
        kind = block.opened.get("type")
        if kind == "tool_use" and not block.grew:
            # Nothing came: what stood there from the beginning counts, and that is `{}` as a rule.
            given = block.opened.get("input")
            out.append(PartGrew(block.index, ENCODER.encode(given or {}).decode()))
        elif block.seal:
            last = Reasoning(seal=Sealed(ORIGIN, block.seal))
        elif block.citations:
            last = Text("", citations=read_citations(block.citations))
        out.append(PartEnded(block.index, last))

    def _report(self, usage: msgspec.Raw, out: list[Happening], *, first: bool = False) -> None:
        if is_given(usage) and (found := self._reports.take(usage, first=first)) is not None:
            out.append(Reported(found))

    def _end(self, out: list[Happening]) -> None:
        for index in list(self._blocks):
            self._close(index, out)
        stop = self._stop or Delta()
        out.append(Ended(finish_of(stop.stop_reason) or Finish.STOP, stop.stop_sequence, tier_of(self._reports.tier)))
        self.done = True


def _event_in(payload: bytes) -> Event:
    """The event, or one of no type for one that is new to us. Raises UnreadableReply."""
    try:
        return _EVENT.decode(payload)
    except UNREADABLE as error:
        if (sound := without_nan(payload)) is not None:
            return _event_in(sound)
        if _is_news(payload):
            return Event()
        message = "The provider's stream holds an event that cannot be read."
        raise UnreadableReply(message) from error


def _is_news(payload: bytes) -> bool:
    """Whether the event is JSON of a kind that is new to us."""
    try:
        return _KIND.decode(payload).type not in _KNOWN
    except UNREADABLE:
        return False


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""


def _grow_unknown(opened: dict[str, Any], payload: bytes) -> None:
    """A block that is new to us grows by the fields of its deltas: texts are added, anything else replaces."""
    try:
        delta = _GROWTH.decode(payload).delta
    except UNREADABLE:
        return
    for name, value in delta.items():
        if name == "type":
            continue
        before = opened.get(name)
        opened[name] = before + value if isinstance(before, str) and isinstance(value, str) else value


def _opaque(block: Block) -> Opaque:
    value = block.opened
    if block.pieces:
        written = "".join(block.pieces)
        try:
            value["input"] = msgspec.json.decode(written)
        except UNREADABLE:
            value["input"] = written
    return Opaque(DIALECT_NAME, _string(value.get("type")), value)
