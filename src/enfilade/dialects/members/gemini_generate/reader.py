"""A stream from Google on its way through."""

from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER, error_text, is_given
from enfilade.dialects.gemini.usage import usage_object
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.gemini_generate.framing import Framing
from enfilade.dialects.members.gemini_generate.wire import CHUNK, Chunk, Consumption, finish_of, is_blocked
from enfilade.dialects.sse import EventCutter, event_data, split_events
from enfilade.dialects.types import StreamFacts


class ContentStreamReader:
    """See `StreamReader`. Nothing marks the end of Google's streams: it is the last chunk before the connection's end,
    and one with a finish reason for every candidate."""

    __slots__ = (
        "_as_is",
        "_calls",
        "_consumption",
        "_cutter",
        "_finished",
        "_framing",
        "_held",
        "_id",
        "_wanted",
        "facts",
    )

    def __init__(self, *, candidates: int = 1, as_array: bool = False) -> None:
        """Expect that many candidates."""
        self.facts = StreamFacts()
        self._cutter = EventCutter()
        self._framing = Framing(as_array=as_array)
        self._as_is = not as_array
        self._finished: set[int] = set()
        self._wanted = candidates
        self._calls = False
        self._consumption = Consumption()
        self._held = b""
        self._id: str | None = None

    def feed(self, data: bytes) -> bytes:
        """See `StreamReader.feed`."""
        region = self._cutter.feed(data)
        if not region or self.facts.done:
            return b""
        return b"".join(self._look(event) for event in split_events(region))

    def _look(self, event: bytes) -> bytes:
        facts = self.facts
        if facts.done:
            return b""
        data = event_data(event)
        if not data:
            return event if self._as_is else b""
        try:
            chunk = CHUNK.decode(data)
        except UNREADABLE:
            sound = without_nan(event)
            # Not a chunk as we know it: the caller's SDK decides.
            return self._passed(event, data) if sound is None else self._look(sound)
        if is_given(chunk.error):
            facts.error = error_text(bytes(chunk.error))
            facts.done = True
            return b""
        ends = self._read(chunk, len(data))
        if not ends and not self._held:
            return self._passed(event, data)
        # The latest chunk waits: some models give a finish reason with each of their chunks.
        before, self._held = self._held, self._passed(event, data)
        return before

    def _passed(self, event: bytes, data: bytes) -> bytes:
        return event if self._as_is else self._framing.entry(data)

    def _read(self, chunk: Chunk, size: int) -> bool:
        """Take the facts of a chunk; tell whether it may be the last one."""
        facts = self.facts
        facts.usage = self._consumption.take(chunk) or facts.usage
        if facts.model is None:
            facts.model = chunk.model_version
        self._id = self._id or chunk.response_id
        for candidate in chunk.candidates or ():
            parts = candidate.content.parts if candidate.content is not None else None
            if parts:
                if any(part.text != "" for part in parts):
                    facts.saw_output(1, size)
                self._calls = self._calls or any(part.function_call is not None for part in parts)
            finish = finish_of(candidate.finish_reason, calls=self._calls)
            if finish is not None:
                facts.finish = finish
                self._finished.add(candidate.index or 0)
        if is_blocked(chunk):
            facts.finish = finish_of("SAFETY", calls=False)
            return True
        return len(self._finished) >= self._wanted

    def finish(self) -> bool:
        """See `StreamReader.finish`: a stream without a finish reason was cut."""
        if self.facts.error is not None or self.facts.finish is None:
            return False
        self.facts.done = True
        return True

    def length_end(self) -> bytes:
        """See `StreamReader.length_end`."""
        content = {"parts": [{"text": ""}], "role": "model"}
        chunk: dict[str, object] = {"candidates": [{"content": content, "finishReason": "MAX_TOKENS", "index": 0}]}
        chunk["usageMetadata"] = usage_object(self.facts.usage or Usage(output_tokens=self.facts.events))
        chunk |= {"modelVersion": self.facts.model or ""} | ({"responseId": self._id} if self._id else {})
        return self._framing.entry(ENCODER.encode(chunk)) + self._framing.end()

    def tail(self, _cost_usd: str | None) -> bytes:
        """See `StreamReader.tail`: the last chunk."""
        return self._held + self._framing.end()
