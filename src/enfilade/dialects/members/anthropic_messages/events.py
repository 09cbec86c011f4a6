"""A completion as a stream of events for callers.

Blocks never interleave: a part that grows while another is open waits for the end of that one.
"""

import msgspec

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.anthropic.blocks import DIALECT_NAME
from enfilade.dialects.anthropic.carriers import UNSEALED, part_seal
from enfilade.dialects.anthropic.citations import shown_citation
from enfilade.dialects.anthropic.turns import media_block
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.members.anthropic_messages.framing import PING, STOP, event
from enfilade.dialects.members.anthropic_messages.usage import SHOWN_TIERS, stop_fields, usage_object

_DELTAS: dict[type, tuple[str, str]] = {
    Text: ("text_delta", "text"),
    Refusal: ("text_delta", "text"),
    Reasoning: ("thinking_delta", "thinking"),
    ToolCall: ("input_json_delta", "partial_json"),
}


class _Waiting(msgspec.Struct):
    """A part, and what has come of it while it cannot be written."""

    part: Part
    pieces: list[str]
    ended: PartEnded | None = None


class MessageWriter:
    """See `EventWriter`."""

    __slots__ = ("_block", "_call_id", "_model", "_open", "_part", "_prefix", "_said", "_started", "_waiting")

    def __init__(self, model: str, call_id: str) -> None:
        """Write for a caller who asked for `model`."""
        self._model = model
        self._call_id = call_id
        self._started = False
        self._block = 0
        """The number of the next block."""
        self._open = -1
        """The part that is being written."""
        self._part: Part = Text("")
        self._prefix = b""
        """What stands before each piece of the open block; empty before it is written that the block began."""
        self._said: list[str] | None = None
        """The open text, where citations may want to quote it."""
        self._waiting: dict[int, _Waiting] = {}

    def write(self, happening: Happening) -> bytes:
        """See `EventWriter.write`."""
        if isinstance(happening, PartGrew):
            if happening.index == self._open and self._prefix:
                if not happening.text:
                    return b""
                if self._said is not None:
                    self._said.append(happening.text)
                return self._prefix + ENCODER.encode(happening.text) + b"}}\n\n"
            return self._grow(happening)
        if isinstance(happening, PartBegan):
            return self._begin(happening)
        if isinstance(happening, PartEnded):
            return self._end_part(happening)
        return self._start(happening.id, happening.model) if isinstance(happening, Began) else b""

    def end(self, ended: Ended, usage: Usage | None, cost_usd: str | None = None) -> bytes:
        """See `EventWriter.end`: usage stands in the last but one event, whole, since nobody knew it at the first."""
        del cost_usd  # What is not declared, SDKs of this dialect do not show.
        written = [] if self._started else [self._start("", "")]
        if self._open >= 0:
            written.append(self._finish_open(None))
        while self._waiting:
            written.append(self._next())
            if self._open >= 0:
                written.append(self._finish_open(None))
        figures = usage_object(usage or Usage())
        if (tier := SHOWN_TIERS.get(ended.service_tier or "")) is not None:
            figures["service_tier"] = tier
        delta = stop_fields(ended.finish, ended.stop_sequence)
        return b"".join([*written, event("message_delta", delta=delta, usage=figures), STOP])

    def _start(self, identifier: str, model: str) -> bytes:
        if self._started:
            return b""
        self._started = True
        message: dict[str, object] = {
            "id": identifier or f"msg_{self._call_id}",
            "type": "message",
            "role": "assistant",
            "model": model or self._model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(Usage()),
        }
        return event("message_start", message=message) + PING

    def _begin(self, happening: PartBegan) -> bytes:
        head = b"" if self._started else self._start("", "")
        if self._open >= 0 or self._waiting:
            self._waiting[happening.index] = _Waiting(happening.part, [])
            return head
        return head + self._take_up(happening.index, happening.part)

    def _take_up(self, index: int, part: Part) -> bytes:
        """Make this the open part. Its block begins with its first word, or at once where it needs none."""
        self._open, self._part, self._prefix, self._said = index, part, b"", None
        if isinstance(part, ToolCall):
            head = b"" if part.seal is None else self._redacted(part_seal(part.seal, "next"))
            return head + self._open_block() + self._piece(part.arguments)
        if isinstance(part, Text | Refusal) or (isinstance(part, Reasoning) and not part.redacted):
            return self._piece(part.text)
        return b""

    def _piece(self, text: str) -> bytes:
        if not text:
            return b""
        head = b"" if self._prefix else self._open_block()
        if self._said is not None:
            self._said.append(text)
        return head + self._prefix + ENCODER.encode(text) + b"}}\n\n"

    def _open_block(self) -> bytes:
        part, number = self._part, self._block
        block: dict[str, object] = {"type": "text", "text": ""}
        if isinstance(part, Reasoning):
            block = {"type": "thinking", "thinking": "", "signature": ""}
        elif isinstance(part, ToolCall):
            block = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
        else:
            self._said = []
        kind, name = _DELTAS[type(part)]
        self._prefix = (
            f'event: content_block_delta\ndata: {{"type":"content_block_delta","index":{number},'
            f'"delta":{{"type":"{kind}","{name}":'
        ).encode()
        return event("content_block_start", index=number, content_block=block)

    def _close_block(self) -> bytes:
        number = self._block
        self._block += 1
        self._prefix = b""
        return b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % number

    def _grow(self, happening: PartGrew) -> bytes:
        if happening.index == self._open:
            return self._piece(happening.text)
        waiting = self._waiting.get(happening.index)
        if waiting is not None:
            waiting.pieces.append(happening.text)
        return b""

    def _end_part(self, happening: PartEnded) -> bytes:
        if happening.index != self._open:
            if (waiting := self._waiting.get(happening.index)) is not None:
                waiting.ended = happening
            return b""
        written = [self._finish_open(happening.last)]
        while self._waiting and self._open < 0:
            written.append(self._next())
        return b"".join(written)

    def _next(self) -> bytes:
        """Write what has come of the part that waited longest; it stays open unless it has ended."""
        index = next(iter(self._waiting))
        waiting = self._waiting.pop(index)
        written = self._take_up(index, waiting.part) + self._piece("".join(waiting.pieces))
        return written if waiting.ended is None else written + self._finish_open(waiting.ended.last)

    def _finish_open(self, last: Part | None) -> bytes:
        """The end of the open part, with what is known of it only now."""
        part, self._open = self._part, -1
        if isinstance(part, Reasoning):
            seal = last.seal if isinstance(last, Reasoning) and last.seal is not None else part.seal
            return self._finish_reasoning(part, seal.value if seal is not None else None)
        if isinstance(part, Opaque | Media):
            return self._standing(part)
        seal = last.seal if isinstance(last, Text | ToolCall) else None
        if isinstance(part, Text):
            seal = seal or part.seal
        written = b""
        if self._prefix:  # A text without words is no block.
            written = self._citations(last if isinstance(last, Text) and last.citations else part) + self._close_block()
        return written if seal is None else written + self._redacted(part_seal(seal, "previous"))

    def _citations(self, part: Part) -> bytes:
        if not isinstance(part, Text) or not part.citations:
            return b""
        text = "".join(self._said or ())
        shown = (shown_citation(entry, text) for entry in part.citations)
        deltas = ({"type": "citations_delta", "citation": citation} for citation in shown if citation is not None)
        return b"".join(event("content_block_delta", index=self._block, delta=delta) for delta in deltas)

    def _standing(self, part: Opaque | Media) -> bytes:
        if isinstance(part, Opaque) and part.origin != DIALECT_NAME:
            return b""
        block = part.value if isinstance(part, Opaque) else media_block(part)
        return event("content_block_start", index=self._block, content_block=block) + self._close_block()

    def _finish_reasoning(self, part: Reasoning, seal: str | None) -> bytes:
        if part.redacted:
            return b"" if seal is None else self._redacted(seal)
        if not self._prefix and seal is None:
            return b""
        head = b"" if self._prefix else self._open_block()
        delta = {"type": "signature_delta", "signature": seal or UNSEALED}
        return head + event("content_block_delta", index=self._block, delta=delta) + self._close_block()

    def _redacted(self, data: str) -> bytes:
        block = {"type": "redacted_thinking", "data": data}
        return event("content_block_start", index=self._block, content_block=block) + self._close_block()
