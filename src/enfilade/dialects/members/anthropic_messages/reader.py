"""The stream of an Anthropic message on its way through."""

import msgspec

from enfilade.core.messages import Finish
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import NOTHING, error_text, is_given
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.anthropic_messages.framing import STOP, event
from enfilade.dialects.members.anthropic_messages.usage import Reports, finish_of, stop_fields
from enfilade.dialects.sse import EventCutter, event_data, split_events
from enfilade.dialects.types import StreamFacts


class Envelope(msgspec.Struct, gc=False):
    """As much of the message in `message_start`, or of `message_delta`, as we act on."""

    model: str | None = None
    usage: msgspec.Raw = NOTHING
    stop_reason: str | None = None


class StreamEvent(msgspec.Struct, gc=False):
    """As much of an event as we act on."""

    type: str = ""
    index: int = 0
    message: Envelope | None = None
    delta: Envelope | None = None
    usage: msgspec.Raw = NOTHING
    error: msgspec.Raw = NOTHING


_EVENT = msgspec.json.Decoder(StreamEvent)


class MessageStreamReader:
    """See `StreamReader`."""

    __slots__ = ("_cutter", "_held", "_open", "_reports", "facts")

    def __init__(self) -> None:
        """Read from the beginning."""
        self.facts = StreamFacts()
        self._cutter = EventCutter()
        self._reports = Reports()
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
            facts.saw_output(outputs, len(region))
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
        except UNREADABLE:
            sound = without_nan(event)
            # An event that is new to us: the caller's SDK decides.
            return event if sound is None else self._look(sound)
        if read.type == "error":
            facts.error = error_text(bytes(read.error))
            facts.done = True
            return b""
        if read.type == "content_block_start":
            self._open = read.index
        elif read.type == "content_block_stop":
            self._open = None
        elif read.type == "message_start" and read.message is not None:
            facts.model = read.message.model
            self._report(read.message.usage, first=True)
        elif read.type == "message_delta":
            self._report(read.usage)
            facts.finish = finish_of(read.delta.stop_reason if read.delta else None) or facts.finish
        elif read.type == "message_stop":
            facts.done = True
            self._held = event
            return b""
        return event

    def _report(self, usage: msgspec.Raw, *, first: bool = False) -> None:
        if is_given(usage):
            self.facts.usage = self._reports.take(usage, first=first)
            self.facts.service_tier = self._reports.tier

    def finish(self) -> bool:
        """See `StreamReader.finish`: a message without `message_stop` was cut."""
        return self.facts.done and self.facts.error is None

    def length_end(self) -> bytes:
        """See `StreamReader.length_end`."""
        closed = b"" if self._open is None else event("content_block_stop", index=self._open)
        usage = {"output_tokens": self.facts.events}
        return closed + event("message_delta", delta=stop_fields(Finish.LENGTH, None), usage=usage) + STOP

    def tail(self, _cost_usd: str | None) -> bytes:
        """See `StreamReader.tail`: `message_stop`."""
        return self._held
