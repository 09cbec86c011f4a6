"""Replies and streams of chat completions on their way through."""

import re

import msgspec

from enfilade.core.messages import Finish
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, NOTHING, error_text, is_given
from enfilade.dialects.json_text import in_one_line, without_nan
from enfilade.dialects.members.openai_chat.shapes import DONE, FINISHES, usage_of
from enfilade.dialects.sse import EventCutter, event_data, split_events
from enfilade.dialects.types import StreamFacts

NULL_USAGE = b',"usage":null'
_OUTPUT = re.compile(rb'"(?:content|arguments|reasoning_content|reasoning|refusal)"\s*:\s*"(?!")')


class Choice(msgspec.Struct, gc=False):
    """As much of a choice as we act on."""

    finish_reason: str | None = None


class ChatReply(msgspec.Struct, gc=False):
    """As much of a reply, or of a chunk of it, as we act on."""

    choices: list[Choice] | None = None
    usage: msgspec.Raw = NOTHING
    id: str | None = None
    created: int | float | None = None
    model: str | None = None
    service_tier: str | None = None
    error: msgspec.Raw = NOTHING
    x_groq: msgspec.Raw = NOTHING


_CHUNK = msgspec.json.Decoder(ChatReply)
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def finish_of(reason: str | None) -> Finish | None:
    """The neutral finish; unknown reasons, which some servers invent, count as a plain stop."""
    return FINISHES.get(reason, Finish.STOP) if reason else None


def _says_nothing(events: bytes) -> bool:
    """Whether events that follow the first one hold nothing that we act on. False may also mean: look closer."""
    return (
        events.count(b'"finish_reason"') == events.count(b'"finish_reason":null')
        and events.count(b'"usage"') == events.count(b'"usage":null')
        and b"[DONE]" not in events
        and b'"error"' not in events
    )


def _without_usage(data: bytes) -> bytes:
    fields = _FIELDS.decode(in_one_line(data))
    fields.pop("usage", None)
    return b"data: " + ENCODER.encode(fields) + b"\n\n"


class ChatStreamReader:
    """See `StreamReader`."""

    __slots__ = ("_created", "_cutter", "_held", "_hide_usage", "_id", "_usage_event", "facts")

    def __init__(self, *, hide_usage: bool) -> None:
        """Take out the usage that the caller did not ask for when `hide_usage`."""
        self.facts = StreamFacts()
        self._cutter = EventCutter()
        self._hide_usage = hide_usage
        self._usage_event: bytes | None = None
        self._held = b""
        self._id = ""
        self._created = 0

    def feed(self, data: bytes) -> bytes:
        """See `StreamReader.feed`."""
        facts = self.facts
        region = self._cutter.feed(data)
        if not region or facts.done:
            return b""
        outputs = len(_OUTPUT.findall(region))
        if outputs:
            facts.saw_output(outputs, len(region))
        if self._hide_usage:
            region = region.replace(NULL_USAGE, b"")
        # Nearly every event says nothing that we act on, and passes as it is.
        if facts.model is not None and _says_nothing(region):
            return region
        return b"".join(self._look(event) for event in split_events(region))

    def _look(self, event: bytes) -> bytes:
        facts = self.facts
        if facts.model is not None and not facts.done and _says_nothing(event):
            return event
        data = event_data(event)
        if facts.done or not data:
            return b"" if facts.done else event
        if data.strip() == b"[DONE]":
            facts.done = True
            self._held = event
            return b""
        try:
            chunk = _CHUNK.decode(data)
        except UNREADABLE:
            sound = without_nan(event)
            # Not a chunk as we know it: the caller's SDK decides.
            return event if sound is None else self._look(sound)
        if is_given(chunk.error):
            facts.error = error_text(bytes(chunk.error))
            facts.done = True
            return b""
        if facts.model is None and chunk.choices:
            # The first event with a choice introduces the completion; Azure's filter results may come before it.
            facts.model = chunk.model or ""
            self._id, self._created = chunk.id or "", int(chunk.created or 0)
        facts.service_tier = chunk.service_tier or facts.service_tier
        for choice in chunk.choices or ():
            facts.finish = finish_of(choice.finish_reason) or facts.finish
        return self._take_usage(event, data, chunk)

    def _take_usage(self, event: bytes, data: bytes, chunk: ChatReply) -> bytes:
        """What is left of the event for now, when its usage is read, and hidden or kept for the end."""
        if chunk.x_groq or is_given(chunk.usage):
            # Figures of a running stream are cumulative: the last ones count.
            self.facts.usage = usage_of(chunk.usage, chunk.x_groq, chunk.model) or self.facts.usage
        if not is_given(chunk.usage):
            return _without_usage(data) if self._hide_usage and b'"usage"' in data else event
        if not self._hide_usage:
            if chunk.choices:
                return event
            self._usage_event = in_one_line(data)
            return b""
        return _without_usage(data) if chunk.choices else b""

    def finish(self) -> bool:
        """See `StreamReader.finish`: some servers leave `[DONE]` out, which only matters without a finish reason."""
        facts = self.facts
        if facts.error is not None:
            return False
        if facts.done:
            return True
        if facts.finish is None:
            return False
        self._held = DONE
        facts.done = True
        return True

    def length_end(self) -> bytes:
        """See `StreamReader.length_end`."""
        choice = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "length"}
        head = {"id": self._id, "object": "chat.completion.chunk", "created": self._created}
        last = head | {"model": self.facts.model or "", "choices": [choice]}
        return b"data: " + ENCODER.encode(last) + b"\n\n" + DONE

    def tail(self, cost_usd: str | None) -> bytes:
        """See `StreamReader.tail`: the usage chunk, with what it cost, and `[DONE]`."""
        if self._usage_event is None:
            return self._held
        data = self._usage_event
        if cost_usd is not None:
            fields = _FIELDS.decode(data)
            fields["enfilade"] = msgspec.Raw(ENCODER.encode({"cost_usd": cost_usd}))
            data = ENCODER.encode(fields)
        return b"data: " + data + b"\n\n" + self._held
