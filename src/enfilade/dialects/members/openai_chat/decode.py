"""A provider's stream, as it happens."""

from enfilade.core.happenings import Began, Ended, Failed, Happening, Reported
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, error_text
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.openai_chat.assembly import Assembly
from enfilade.dialects.members.openai_chat.shapes import REPLY, Choice, Reply, finish_of, usage_of
from enfilade.dialects.sse import EventCutter, event_data, split_events

_LAST_SECOND = 1 << 40


class ChatDecoder:
    """See `StreamDecoder`."""

    __slots__ = ("_assembly", "_began", "_cutter", "_finish", "_stop", "_tier", "_upstream", "done")

    def __init__(self, upstream: Upstream) -> None:
        """Read what `upstream` sends."""
        self.done = False
        self._upstream = upstream
        self._cutter = EventCutter()
        self._assembly = Assembly(upstream.call_id)
        self._began = False
        self._finish: object = None
        self._stop: str | None = None
        self._tier: str | None = None

    def feed(self, data: bytes) -> list[Happening]:
        """See `StreamDecoder.feed`."""
        region = b"" if self.done else self._cutter.feed(data)
        happened: list[Happening] = []
        if region:
            for event in split_events(region):
                self._take(event, happened)
                if self.done:
                    break
        return happened

    def close(self) -> list[Happening]:
        """See `StreamDecoder.close`: a last event may lack the blank line after it, and a stream its `[DONE]`."""
        happened: list[Happening] = []
        if not self.done:
            rest = self._cutter.rest
            if rest:
                try:
                    self._take(rest, happened)
                except UnreadableReply:
                    happened.clear()  # It was cut in the middle.
            self._end_if_finished(happened)
        return happened

    def _end_if_finished(self, happened: list[Happening]) -> None:
        if self._finish and not self.done:
            self._end(happened)

    def _take(self, event: bytes, happened: list[Happening]) -> None:
        data = event_data(event)
        if not data:
            data = event.strip()
            if not data.startswith(b"{"):
                return  # A comment, or nothing. An object is an error that came instead of a stream.
        if data.strip() == b"[DONE]":
            self._end(happened)
            return
        try:
            chunk = REPLY.decode(data)
        except UNREADABLE as error:
            if (sound := without_nan(event)) is not None:
                self._take(sound, happened)
                return
            message = "The provider's stream holds something that is not a chunk of a chat completion."
            raise UnreadableReply(message) from error
        if chunk.error:
            happened.append(Failed(error_text(ENCODER.encode(chunk.error))))
            self.done = True
            return
        self._take_chunk(chunk, happened)

    def _take_chunk(self, chunk: Reply, happened: list[Happening]) -> None:
        if chunk.choices:
            if not self._began:
                self._began = True
                happened.append(began(chunk, self._upstream))
            for choice in chunk.choices:
                if not choice.index:
                    self._take_choice(choice, happened)
        if chunk.usage or chunk.x_groq:
            usage = usage_of(chunk.usage, chunk.x_groq, chunk.model)
            if usage is not None:
                happened.append(Reported(usage))
        if chunk.service_tier is not None:
            self._tier = chunk.service_tier

    def _take_choice(self, choice: Choice, happened: list[Happening]) -> None:
        assembly = self._assembly
        if choice.delta is not None:
            assembly.take(choice.delta, choice.logprobs)
        if choice.finish_reason:
            self._finish = choice.finish_reason
            self._stop = choice.stop_reason if isinstance(choice.stop_reason, str) else None
            assembly.close()
        happened += assembly.happened()

    def _end(self, happened: list[Happening]) -> None:
        if not self._began:
            message = "The provider's stream ended before it began."
            raise UnreadableReply(message)
        self._assembly.close()
        happened += self._assembly.happened()
        self.done = True
        finish = finish_of(self._finish, refused=self._assembly.refused)
        happened.append(Ended(finish, self._stop, self._tier))


def began(reply: Reply, upstream: Upstream) -> Began:
    """What the reply says of itself."""
    created = reply.created
    seconds = int(created) if created is not None and 0 <= created < _LAST_SECOND else 0
    return Began(reply.id or "", reply.model or upstream.model, seconds)
