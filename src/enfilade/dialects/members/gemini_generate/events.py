"""A completion that arrives, as the stream of its caller.

Google's parts cannot interleave: what belongs to a part that is not the first open one waits.
"""

from typing import Any

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Part, Reasoning, Refusal, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.collecting import completed
from enfilade.dialects.gemini.contents import UNPARSED
from enfilade.dialects.gemini.usage import usage_object
from enfilade.dialects.json_text import arguments_object
from enfilade.dialects.members.gemini_generate.evidence import citation_metadata, logprobs_result
from enfilade.dialects.members.gemini_generate.framing import END_OF_EVENT, EVENT, Framing
from enfilade.dialects.members.gemini_generate.reply import part_object, sealed
from enfilade.dialects.members.gemini_generate.wire import FINISH_REASONS

_HEAD = b'{"candidates":[{"content":{"parts":['
_TEXT = b'{"text":'
_THOUGHT = b',"thought":true}'
_ROLE = b'],"role":"model"},"index":0}],"modelVersion":'


class ContentWriter:
    """See `EventWriter`."""

    __slots__ = ("_citations", "_foot", "_framing", "_grown", "_open", "_parts", "_quick", "_said", "_tail", "_waiting")

    def __init__(self, call_id: str, *, as_array: bool) -> None:
        """Write the answer to that call."""
        self._framing = Framing(as_array=as_array)
        self._quick = not as_array
        self._open: int | None = None
        """The part that is being written."""
        self._waiting: dict[int, list[Happening]] = {}
        self._parts: dict[int, Part] = {}
        self._grown: dict[int, list[str]] = {}
        self._said: list[str] = []
        self._citations: list[dict[str, Any]] = []
        self._name(Began(call_id, ""))

    def _name(self, began: Began) -> None:
        """What stands at the end of each chunk."""
        foot = ENCODER.encode(began.model) + b',"responseId":' + ENCODER.encode(began.id) + b"}"
        self._foot = _ROLE + foot
        self._tail = {"modelVersion": began.model, "responseId": began.id}

    def write(self, happening: Happening) -> bytes:
        """See `EventWriter.write`."""
        if isinstance(happening, PartGrew):
            if happening.index == self._open:
                return self._grew(happening)
            self._waiting.setdefault(happening.index, []).append(happening)
        elif isinstance(happening, PartBegan):
            if self._open is None:
                self._open = happening.index
                return self._began(happening)
            self._waiting.setdefault(happening.index, []).append(happening)
        elif isinstance(happening, PartEnded):
            if happening.index == self._open:
                return self._ended(happening) + self._next()
            self._waiting.setdefault(happening.index, []).append(happening)
        elif isinstance(happening, Began):
            self._name(happening)
        return b""

    def _next(self) -> bytes:
        """Write what has waited, part after part, as far as parts have ended."""
        written = []
        self._open = None
        while self._waiting and self._open is None:
            index = min(self._waiting)
            self._open = index
            for happening in self._waiting.pop(index):
                if isinstance(happening, PartGrew):
                    written.append(self._grew(happening))
                elif isinstance(happening, PartBegan):
                    written.append(self._began(happening))
                elif isinstance(happening, PartEnded):
                    written.append(self._ended(happening))
                    self._open = None
        return b"".join(written)

    def _began(self, happening: PartBegan) -> bytes:
        part = happening.part
        self._parts[happening.index] = part
        text = getattr(part, "text", None)
        # A seal is written at the end, with what else is known only then.
        return self._words(part, text, getattr(part, "logprobs", ())) if text and _has_words(part) else b""

    def _grew(self, happening: PartGrew) -> bytes:
        part = self._parts.get(happening.index)
        if part is None:
            return b""
        if isinstance(part, Text | Reasoning | Refusal):
            return self._words(part, happening.text, happening.logprobs)
        self._grown.setdefault(happening.index, []).append(happening.text)
        return b""

    def _words(self, part: Part, text: str, logprobs: tuple[dict[str, object], ...]) -> bytes:
        if not text and not logprobs:
            return b""
        encoded = _TEXT + ENCODER.encode(text) + (_THOUGHT if isinstance(part, Reasoning) else b"}")
        if not isinstance(part, Reasoning):
            self._said.append(text)
        if logprobs:
            extra = b'],"role":"model"},"logprobsResult":' + ENCODER.encode(logprobs_result(logprobs))
            return self._framing.entry(_HEAD + encoded + extra + self._foot.removeprefix(b'],"role":"model"}'))
        data = _HEAD + encoded + self._foot
        return EVENT + data + END_OF_EVENT if self._quick else self._framing.entry(data)

    def _ended(self, happening: PartEnded) -> bytes:
        part = self._parts.pop(happening.index, None)
        if part is None:
            return b""
        if happening.last is not None:
            part = completed(part, happening.last)
        if isinstance(part, Text):
            self._citations += part.citations
        if _has_words(part):
            if getattr(part, "seal", None) is None:
                return b""
            entry: dict[str, Any] = {"text": ""}
            if isinstance(part, Reasoning):
                entry["thought"] = True
            return self._entry(sealed(entry, part))
        if isinstance(part, ToolCall):
            arguments = part.arguments + "".join(self._grown.pop(happening.index, ()))
            call = {"id": part.id, "name": part.name, "args": arguments_object(arguments, UNPARSED)}
            return self._entry(sealed({"functionCall": call}, part))
        return self._entry(part_object(part))

    def _entry(self, entry: dict[str, Any] | None) -> bytes:
        return b"" if entry is None else self._framing.entry(_HEAD + ENCODER.encode(entry) + self._foot)

    def end(self, ended: Ended, usage: Usage | None, cost_usd: str | None = None) -> bytes:
        """See `EventWriter.end`: the last chunk has the finish and the usage, which every caller gets."""
        del cost_usd  # The SDK's types refuse fields that they do not know in some of their versions.
        written = []
        while self._open is not None or self._waiting:
            if self._open is not None:
                written.append(self._ended(PartEnded(self._open)))
            written.append(self._next())
        candidate: dict[str, Any] = {
            "content": {"parts": [{"text": ""}], "role": "model"},
            "finishReason": FINISH_REASONS[ended.finish],
            "index": 0,
        }
        if metadata := citation_metadata(self._citations, "".join(self._said)):
            candidate["citationMetadata"] = metadata
        chunk: dict[str, Any] = {"candidates": [candidate]}
        if usage is not None:
            chunk["usageMetadata"] = usage_object(usage)
        return b"".join(written) + self._framing.entry(ENCODER.encode(chunk | self._tail)) + self._framing.end()


def _has_words(part: Part) -> bool:
    return isinstance(part, Text | Reasoning | Refusal)
