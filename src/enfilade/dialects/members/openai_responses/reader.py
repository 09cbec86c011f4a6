"""The stream of a response, read on its way through."""

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, NOTHING, error_text, is_given
from enfilade.dialects.json_text import in_one_line, without_nan
from enfilade.dialects.members.openai_responses.cut import CutStream
from enfilade.dialects.members.openai_responses.stamps import stamps
from enfilade.dialects.members.openai_responses.wire import FINAL, LIFECYCLE, RAW_FIELDS, ResponseReply
from enfilade.dialects.sse import EventCutter, event_data, named_event, split_events
from enfilade.dialects.types import Request, StreamFacts


class StreamEvent(msgspec.Struct, gc=False):
    """As much of an event as we act on."""

    type: str = ""
    output_index: int = 0
    item: msgspec.Raw = NOTHING
    response: msgspec.Raw = NOTHING


_EVENT = msgspec.json.Decoder(StreamEvent)
_RESPONSE = msgspec.json.Decoder(ResponseReply)


class ResponseStreamReader:
    """See `StreamReader`."""

    __slots__ = ("_cut", "_cutter", "_held", "_stamps", "facts")

    def __init__(self, request: Request) -> None:
        """Read the stream that answers `request`."""
        self.facts = StreamFacts()
        self._cutter = EventCutter()
        self._held = b""
        self._stamps = stamps(request)
        self._cut = CutStream()

    def feed(self, data: bytes) -> bytes:
        """See `StreamReader.feed`."""
        facts = self.facts
        region = self._cutter.feed(data)
        if not region or facts.done:
            return b""
        outputs = region.count(b'.delta"')
        if outputs:
            facts.saw_output(outputs, len(region))
        # Nearly every event says nothing that we act on, and passes as it is.
        if b'"response"' not in region and b'"error"' not in region and b"output_item." not in region:
            self._cut.passed(region)
            return region
        return b"".join(self._look(event) for event in split_events(region))

    def _look(self, event: bytes) -> bytes:
        facts = self.facts
        data = in_one_line(event_data(event))
        if facts.done or not data:
            return b"" if facts.done else event
        try:
            read = _EVENT.decode(data)
        except UNREADABLE:
            sound = without_nan(event)
            # An event that is new to us: the caller's SDK decides.
            return event if sound is None else self._look(sound)
        if read.type == "error":
            self._fail(data)
            return b""
        if read.type in LIFECYCLE and is_given(read.response):
            return self._look_at_response(event, data, read)
        self._cut.passed(event)
        if read.type == "response.output_item.added":
            self._cut.item_began()
        elif read.type == "response.output_item.done" and is_given(read.item):
            self._cut.item_done(read.output_index, read.item)
        return event

    def _look_at_response(self, event: bytes, data: bytes, read: StreamEvent) -> bytes:
        facts = self.facts
        try:
            response = _RESPONSE.decode(read.response)
        except UNREADABLE:
            response = ResponseReply()
        raw = bytes(read.response)
        facts.model = response.model if facts.model is None else facts.model
        facts.service_tier = response.service_tier or facts.service_tier
        if response.usage:
            facts.usage = response.reported() or facts.usage
        if self._stamps:
            raw, event = self._stamped(raw, data)
        if read.type not in FINAL:
            self._cut.passed(event)
            self._cut.begun(raw)
            return event
        facts.whole = raw
        if read.type == "response.failed":
            self._fail(raw)
            return b""
        facts.finish = response.finish()
        facts.done = True
        self._held = event
        return b""

    def _stamped(self, response: bytes, data: bytes) -> tuple[bytes, bytes]:
        """The response with what is true of it here, and the event with that."""
        try:
            stamped = ENCODER.encode(RAW_FIELDS.decode(response) | self._stamps)
            fields = RAW_FIELDS.decode(data)
        except UNREADABLE:
            return response, b"data: " + data + b"\n\n"
        kind = msgspec.json.decode(fields["type"], type=str)
        fields["response"] = msgspec.Raw(stamped)
        return stamped, named_event(kind, fields)

    def _fail(self, data: bytes) -> None:
        """The provider reports an error: in a final response, or in an event of its own."""
        told = RAW_FIELDS.decode(data)
        error = bytes(told.get("error", NOTHING))
        self.facts.error = error_text(data if error in {b"", b"null"} else error)
        self.facts.done = True

    def finish(self) -> bool:
        """See `StreamReader.finish`: a response without its last event was cut."""
        facts = self.facts
        if not facts.done and (rest := self._cutter.rest):
            # Some servers leave out the blank line after the last event.
            self._look(rest + b"\n\n")
        return facts.done and facts.error is None

    def length_end(self) -> bytes:
        """See `StreamReader.length_end`."""
        events, self.facts.whole = self._cut.end(self.facts.model or "")
        return events

    def tail(self, _cost_usd: str | None) -> bytes:
        """See `StreamReader.tail`: the last event, which holds the whole response."""
        return self._held
