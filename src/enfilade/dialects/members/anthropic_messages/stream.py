"""The stream of an Anthropic message: read on its way through, or written."""

import msgspec

from enfilade.core.messages import Completion, Finish
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER, NOTHING
from enfilade.dialects.members.anthropic_messages.usage import (
    STOP_REASONS,
    AnthropicUsage,
    finish_of,
    usage_object,
)
from enfilade.dialects.sse import EventCutter, event_data, split_events
from enfilade.dialects.types import StreamFacts


class Envelope(msgspec.Struct, gc=False):
    """As much of the message in `message_start`, or of `message_delta`, as we act on."""

    model: str | None = None
    usage: AnthropicUsage | None = None
    stop_reason: str | None = None


class StreamEvent(msgspec.Struct, gc=False):
    """As much of an event as we act on."""

    type: str = ""
    index: int = 0
    message: Envelope | None = None
    delta: Envelope | None = None
    usage: AnthropicUsage | None = None
    error: msgspec.Raw = NOTHING


_EVENT = msgspec.json.Decoder(StreamEvent)


class MessageStreamReader:
    """See `StreamReader`."""

    __slots__ = ("_cutter", "_envelope", "_held", "_open", "_usage", "facts")

    def __init__(self) -> None:
        """Read from the beginning."""
        self.facts = StreamFacts()
        self._cutter = EventCutter()
        self._usage = AnthropicUsage()
        self._envelope = 1 << 30
        self._held = b""
        self._open: int | None = None

    def feed(self, data: bytes) -> bytes:
        """See `StreamReader.feed`."""
        facts = self.facts
        region = self._cutter.feed(data)
        if not region or facts.done:
            return b""
        outputs = region.count(b'"content_block_delta"')
        if outputs:
            facts.events += outputs
            self._envelope = min(self._envelope, len(region) // outputs)
            facts.output_bytes += len(region) - outputs * self._envelope
        # Nearly every event says nothing that we act on, and passes as it is.
        if b"message_" not in region and b"content_block_st" not in region and b"error" not in region:
            return region
        return b"".join(self._look(event) for event in split_events(region))

    def _look(self, event: bytes) -> bytes:
        facts = self.facts
        data = event_data(event)
        if facts.done or not data:
            return b"" if facts.done else event
        try:
            read = _EVENT.decode(data)
        except (msgspec.DecodeError, RecursionError):
            return event  # An event that is new to us: the caller's SDK decides.
        if read.type == "error":
            facts.error = bytes(read.error)[:500].decode(errors="replace")
            facts.done = True
            return b""
        if read.type == "content_block_start":
            self._open = read.index
        elif read.type == "content_block_stop":
            self._open = None
        elif read.type == "message_start" and read.message is not None:
            facts.model = read.message.model
            self._report(read.message.usage)
            # Output tokens of the first event are a placeholder: only the input counts if nothing follows.
            if facts.usage is not None:
                facts.usage = msgspec.structs.replace(facts.usage, output_tokens=0, reasoning_tokens=0)
        elif read.type == "message_delta":
            self._report(read.usage)
            facts.finish = finish_of(read.delta.stop_reason if read.delta else None) or facts.finish
        elif read.type == "message_stop":
            facts.done = True
            self._held = event
            return b""
        return event

    def _report(self, usage: AnthropicUsage | None) -> None:
        if usage is not None:
            self._usage = self._usage.merged(usage)
            self.facts.usage = self._usage.neutral()
            self.facts.service_tier = self._usage.service_tier

    def finish(self) -> bool:
        """See `StreamReader.finish`: a message without `message_stop` was cut."""
        return self.facts.done and self.facts.error is None

    def length_end(self) -> bytes:
        """See `StreamReader.length_end`."""
        completion = Completion("", self.facts.model or "", 0, (), Finish.LENGTH, None)
        usage = Usage(output_tokens=self.facts.events)
        return b"".join(MessageStreamWriter(completion, self._open).end(Finish.LENGTH, usage))

    def tail(self, _cost_usd: str | None) -> bytes:
        """See `StreamReader.tail`: `message_stop`."""
        return self._held


class MessageStreamWriter:
    """See `StreamWriter`."""

    def __init__(self, completion: Completion, open_block: int | None = None) -> None:
        """Write the events of this completion, from its beginning or with a block open; its parts are to come."""
        self._completion = completion
        self._index = -1 if open_block is None else open_block
        self._open_text = open_block is not None

    def _event(self, kind: str, **fields: object) -> bytes:
        return b"event: " + kind.encode() + b"\ndata: " + ENCODER.encode({"type": kind} | fields) + b"\n\n"

    def start(self) -> bytes:
        """See `StreamWriter.start`."""
        usage = self._completion.usage or Usage()
        message: dict[str, object] = {
            "id": self._completion.id,
            "type": "message",
            "role": "assistant",
            "model": self._completion.model,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": usage_object(usage) | {"output_tokens": 1},
        }
        return self._event("message_start", message=message) + self._event("ping")

    def text(self, piece: str) -> bytes:
        """See `StreamWriter.text`."""
        head = b""
        if not self._open_text:
            self._index += 1
            self._open_text = True
            block = {"type": "text", "text": ""}
            head = self._event("content_block_start", index=self._index, content_block=block)
        delta = {"type": "text_delta", "text": piece}
        return head + self._event("content_block_delta", index=self._index, delta=delta)

    def _close_block(self) -> list[bytes]:
        if not self._open_text:
            return []
        self._open_text = False
        return [self._event("content_block_stop", index=self._index)]

    def tool_call(self, index: int, call_id: str, name: str, arguments: str) -> list[bytes]:
        """See `StreamWriter.tool_call`."""
        del index  # Blocks are numbered in the order in which they come.
        events = self._close_block()
        self._index += 1
        block = {"type": "tool_use", "id": call_id, "name": name, "input": {}}
        events.append(self._event("content_block_start", index=self._index, content_block=block))
        for start in range(0, len(arguments), 12):
            delta = {"type": "input_json_delta", "partial_json": arguments[start : start + 12]}
            events.append(self._event("content_block_delta", index=self._index, delta=delta))
        events.append(self._event("content_block_stop", index=self._index))
        return events

    def end(self, finish: Finish, usage: Usage | None) -> list[bytes]:
        """See `StreamWriter.end`."""
        delta = {"stop_reason": STOP_REASONS[finish], "stop_sequence": None}
        figures = {} if usage is None else {"usage": {"output_tokens": usage.output_tokens}}
        return [*self._close_block(), self._event("message_delta", delta=delta, **figures), self._event("message_stop")]
