"""Replies from Google, whole or as they arrive, as happenings.

A whole reply is read as a stream of one chunk, so both come to the same.
"""

from typing import Any

import msgspec

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Finish, Media, Opaque, Part, Reasoning, Sealed, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, NOTHING, error_text, is_given
from enfilade.dialects.codec import Upstream
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.gemini.contents import DIALECT, ORIGIN
from enfilade.dialects.gemini.media import kind_of
from enfilade.dialects.gemini.write import INVENTED
from enfilade.dialects.json_text import text_in_reply, without_nan
from enfilade.dialects.members.gemini_generate.calls import PartialArguments
from enfilade.dialects.members.gemini_generate.evidence import citations_of, logprobs_of
from enfilade.dialects.members.gemini_generate.wire import (
    CHUNK,
    Blob,
    Candidate,
    Chunk,
    Consumption,
    FunctionCall,
    ReplyPart,
    finish_of,
    is_blocked,
)
from enfilade.dialects.sse import EventCutter, event_data, split_events

_ATTRIBUTES = frozenset({"thought", "thoughtSignature", "partMetadata"})


class Parts:
    """Turns chunks into happenings. Text of one kind that follows on itself is one part, unless it is signed: Google
    wants signed parts back as they came, neither split nor joined."""

    __slots__ = (
        "_began",
        "_calls",
        "_consumption",
        "_finish",
        "_index",
        "_logprobs",
        "_open",
        "_pending",
        "_said",
        "_thinks",
        "_upstream",
    )

    def __init__(self, upstream: Upstream) -> None:
        """Read what `upstream` answers."""
        self._upstream = upstream
        self._began = False
        self._index = -1
        self._open = False
        """Whether the latest part is words that may go on."""
        self._thinks = False
        self._said: list[str] = []
        """The words of the open part, for the places in them that sources name."""
        self._calls = 0
        self._pending: PartialArguments | None = None
        """The arguments of the latest part, a call that goes on."""
        self._logprobs: tuple[dict[str, object], ...] = ()
        self._finish: Finish | None = None
        self._consumption = Consumption()

    def take(self, chunk: Chunk, data: bytes) -> list[Happening]:
        """What a chunk adds."""
        if is_given(chunk.error):
            return [Failed(error_text(bytes(chunk.error)))]
        found: list[Happening] = []
        if not self._began:
            self._began = True
            found.append(
                Began(chunk.response_id or self._upstream.call_id, chunk.model_version or self._upstream.model)
            )
        for position, candidate in enumerate(chunk.candidates or ()):
            if not candidate.index:
                self._candidate(candidate, position, data, found)
        if is_blocked(chunk):
            self._finish = Finish.CONTENT_FILTER
        if (usage := self._consumption.take(chunk)) is not None:
            found.append(Reported(usage))
        return found

    def _candidate(self, candidate: Candidate, position: int, data: bytes, found: list[Happening]) -> None:
        if candidate.logprobs_result is not NOTHING:
            self._logprobs = logprobs_of(candidate.logprobs_result)
        if candidate.content is not None:
            for place, part in enumerate(candidate.content.parts or ()):
                if part.text is not None:
                    self._words(part, part.text, found)
                elif part.function_call is not None:
                    self._call(part.function_call, part.thought_signature, found)
                else:
                    self._other(part, data, (position, place), found)
        if candidate.grounding_metadata is not NOTHING or candidate.citation_metadata is not NOTHING:
            citations = citations_of(candidate.grounding_metadata, candidate.citation_metadata, "".join(self._said))
            if citations and self._open and not self._thinks:
                self._close(found, Text("", citations=citations))
        self._finish = finish_of(candidate.finish_reason, calls=self._calls > 0) or self._finish

    def _words(self, part: ReplyPart, text: str, found: list[Happening]) -> None:
        thinks = bool(part.thought)
        seal = Sealed(ORIGIN, part.thought_signature) if part.thought_signature else None
        if seal is not None and thinks:
            # The signature of thoughts covers what came of them before.
            if text or not (self._open and self._thinks):
                self._grow(text, thinks=True, found=found)
            self._close(found, Reasoning(seal=seal))
        elif seal is not None:
            self._close(found)
            self._begin(Text("", seal=seal), found)
            if text:
                found.append(PartGrew(self._index, text, self._taken_logprobs()))
            found.append(PartEnded(self._index))
        elif text:
            self._grow(text, thinks=thinks, found=found)

    def _grow(self, text: str, *, thinks: bool, found: list[Happening]) -> None:
        if not self._open or self._thinks != thinks:
            self._close(found)
            self._begin(Reasoning() if thinks else Text(""), found)
            self._open, self._thinks = True, thinks
        if not thinks:
            self._said.append(text)
        if text:
            found.append(PartGrew(self._index, text, () if thinks else self._taken_logprobs()))

    def _taken_logprobs(self) -> tuple[dict[str, object], ...]:
        """The probabilities of a chunk's tokens: they stand beside its parts, and go with the first text."""
        if not self._logprobs:
            return ()
        taken, self._logprobs = self._logprobs, ()
        return taken

    def _begin(self, part: Part, found: list[Happening]) -> None:
        self._index += 1
        found.append(PartBegan(self._index, part))

    def _close(self, found: list[Happening], last: Part | None = None) -> None:
        if self._pending is not None:
            arguments = ENCODER.encode(self._pending.value).decode()
            self._pending = None
            found += [PartGrew(self._index, arguments), PartEnded(self._index)]
        if self._open:
            self._open = False
            found.append(PartEnded(self._index, last))
        self._said.clear()

    def _call(self, call: FunctionCall, signature: str | None, found: list[Happening]) -> None:
        if self._pending is not None and not call.name:
            self._pending.take(call.partial_args)
            if not call.will_continue:
                self._close(found)
            return
        self._close(found)
        call_id = call.id or self._invented()
        self._calls += 1
        seal = Sealed(ORIGIN, signature) if signature else None
        self._begin(ToolCall(call_id, call.name or "", "", seal=seal), found)
        if call.will_continue or is_given(call.partial_args):
            self._pending = PartialArguments()
            self._pending.take(call.partial_args)
            if not call.will_continue:
                self._close(found)
            return
        arguments = text_in_reply(call.args) if is_given(call.args) else "{}"
        found += [PartGrew(self._index, arguments), PartEnded(self._index)]

    def _invented(self) -> str:
        """An id for a call without one, which no other turn has; 40 characters, as many as OpenAI takes."""
        return f"{INVENTED}{self._upstream.call_id.replace('-', '')[-32:]}_{self._calls}"

    def _other(self, part: ReplyPart, data: bytes, place: tuple[int, int], found: list[Happening]) -> None:
        """A part that is no words and no call."""
        blob = part.inline_data or part.file_data
        seal = Sealed(ORIGIN, part.thought_signature) if part.thought_signature else None
        if blob is not None:
            whole: Part | None = _media(blob, seal)
        else:
            whole = _opaque(data, place) or (Text("", seal=seal) if seal else None)
        if whole is not None:
            self._close(found)
            self._begin(whole, found)
            found.append(PartEnded(self._index))

    def close(self) -> list[Happening]:
        """The end of the reply; without a finish reason there is no `Ended`."""
        found: list[Happening] = []
        self._close(found)
        if self._finish is not None:
            found.append(Ended(self._finish))
        return found


def _media(blob: Blob, seal: Sealed | None) -> Media:
    uri = blob.file_uri
    is_web = uri is not None and uri.startswith(("http://", "https://"))
    return Media(
        kind_of(blob.mime_type),
        blob.mime_type,
        data=blob.data,
        url=uri if is_web else None,
        file_id=None if is_web else uri,
        name=blob.display_name,
        seal=seal,
    )


def _opaque(data: bytes, place: tuple[int, int]) -> Opaque | None:
    """The part at that place as it stands in the chunk, read once more in full."""
    try:
        whole: Any = msgspec.json.decode(data)
        value = whole["candidates"][place[0]]["content"]["parts"][place[1]]
    except UNREADABLE as error:
        message = "The provider's reply cannot be read."
        raise UnreadableReply(message) from error
    kinds = [name for name, content in value.items() if name not in _ATTRIBUTES and content is not None]
    return Opaque(DIALECT, kinds[0], value) if kinds else None


def decoded(data: bytes) -> Chunk:
    """A chunk. Raises UnreadableReply."""
    try:
        return CHUNK.decode(data)
    except UNREADABLE as error:
        if (sound := without_nan(data)) is not None:
            return decoded(sound)
        message = "The provider's reply is not one of Gemini's."
        raise UnreadableReply(message) from error


class ContentDecoder:
    """See `StreamDecoder`."""

    __slots__ = ("_cutter", "_failed", "_parts")

    def __init__(self, upstream: Upstream) -> None:
        """Read what `upstream` answers."""
        self._cutter = EventCutter()
        self._parts = Parts(upstream)
        self._failed = False

    def feed(self, data: bytes) -> list[Happening]:
        """See `StreamDecoder.feed`."""
        region = self._cutter.feed(data)
        if not region:
            return []
        found: list[Happening] = []
        for event in split_events(region):
            if self._failed:
                break
            content = event_data(event)
            if content:
                found += self._parts.take(decoded(content), content)
                self._failed = bool(found) and isinstance(found[-1], Failed)
        return found

    def close(self) -> list[Happening]:
        """See `StreamDecoder.close`."""
        if self._failed:
            return []
        found: list[Happening] = []
        # A last event may lack its blank line.
        if (rest := self._cutter.rest.strip()) and (content := event_data(rest)):
            try:
                found += self._parts.take(decoded(content), content)
            except UnreadableReply:
                return found  # It was cut.
        return found + self._parts.close()

    @property
    def done(self) -> bool:
        """See `StreamDecoder.done`: nothing but the connection's end says so."""
        return self._failed
