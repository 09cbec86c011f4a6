"""A provider's message, whole or growing, as the happenings that it comes to.

The dialect does not say where one part ends and the next begins: words end when a call begins, thoughts when words do.
Whole messages take the same way as streamed ones, so that both come to the same.
"""

from typing import Any

import msgspec

from enfilade.core.happenings import Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Media, Opaque, Part, Reasoning, Refusal, Sealed, Text
from enfilade.dialects.errors import WrongType
from enfilade.dialects.members.openai_chat.assistant import citations
from enfilade.dialects.members.openai_chat.calls import Calls
from enfilade.dialects.members.openai_chat.details import ENCRYPTED, TEXTS, read_detail
from enfilade.dialects.members.openai_chat.marks import seal_of
from enfilade.dialects.members.openai_chat.media import image
from enfilade.dialects.members.openai_chat.shapes import Said, pieces_of, tokens_of

_FRAGMENTS = frozenset({"signature", "data"})


class _Thought(msgspec.Struct, gc=False):
    """Reasoning that is open."""

    index: int
    key: object
    """What tells it from other entries of `reasoning_details`; None for the plain field."""
    words: list[str]
    detail: dict[str, Any]


class Assembly:
    """One message."""

    __slots__ = (
        "_audio",
        "_calls",
        "_citations",
        "_next",
        "_out",
        "_refusal",
        "_seal",
        "_text",
        "_thought",
        "_whole",
        "refused",
    )

    def __init__(self, call_id: str, *, whole: bool = False) -> None:
        """Ids that the service leaves out are made from `call_id`. `whole`: the message comes in one piece."""
        self._whole = whole
        self.refused = False
        """Whether the assistant has declined in words."""
        self._out: list[Happening] = []
        self._next = 0
        self._thought: _Thought | None = None
        self._text: int | None = None
        self._refusal: int | None = None
        self._citations: tuple[dict[str, Any], ...] = ()
        self._seal: Sealed | None = None
        self._audio: dict[str, Any] = {}
        self._calls = Calls(call_id, self._begin, self._out)

    def happened(self) -> list[Happening]:
        """What has happened since this was asked last."""
        out = self._out[:]
        self._out.clear()
        return out

    def take(self, said: Said, logprobs: Any = None) -> None:
        """The message, or more of it."""
        self._reason(said)
        content = said.content
        if content:
            self._speak(content, tokens_of(logprobs) if logprobs is not None else ())
        if said.annotations:
            self._citations += citations(said.annotations)
        if said.extra_content is not None:
            self._seal = seal_of(said.extra_content) or self._seal
        if said.refusal:
            self._decline(said.refusal)
        if said.images:
            self._show(said.images)
        if said.tool_calls or said.function_call is not None:
            self._call(said)
        if said.audio is not None:
            self._hear(said.audio)

    def close(self) -> None:
        """The message is whole: so are its parts."""
        self._end_words()
        self._calls.close()
        if self._seal is not None:
            # Gemini seals a last, empty text.
            self._whole_part(Text("", seal=self._seal))
            self._seal = None
        if self._audio:
            self._whole_part(Opaque("openai_chat", "audio", self._audio))
            self._audio = {}

    def _begin(self, part: Part) -> int:
        index = self._next
        self._next += 1
        self._out.append(PartBegan(index, part))
        return index

    def _whole_part(self, part: Part) -> None:
        self._out.append(PartEnded(self._begin(part)))

    def _call(self, said: Said) -> None:
        self._end_words()
        for call in said.tool_calls or ():
            self._calls.take(call)
        if said.function_call is not None:
            self._calls.take_older(said.function_call)

    def _speak(self, content: str | list[Any] | None, tokens: tuple[dict[str, Any], ...]) -> None:
        for is_thought, words in pieces_of(content):
            if is_thought:
                self._think(words)
            elif words:
                if self._thought is not None:
                    self._end_thought()
                if self._text is None:
                    self._text = self._begin(Text(""))
                self._out.append(PartGrew(self._text, words, tokens))
                tokens = ()

    def _decline(self, words: str) -> None:
        if self._refusal is None:
            self._end_words()
            self._refusal = self._begin(Refusal(""))
            self.refused = True
        self._out.append(PartGrew(self._refusal, words))

    def _show(self, images: object) -> None:
        for entry in images if isinstance(images, list) else ():
            held = entry.get("image_url") if isinstance(entry, dict) else None
            try:
                shown: Media = image(held, "images", None, [])
            except WrongType:
                continue
            self._end_words()
            self._whole_part(shown)

    def _hear(self, audio: object) -> None:
        for name, value in audio.items() if isinstance(audio, dict) else ():
            before = self._audio.get(name)
            grows = name in {"data", "transcript"} and isinstance(before, str) and isinstance(value, str)
            self._audio[name] = before + value if grows else value

    def _reason(self, said: Said) -> None:
        details = said.reasoning_details or ()
        words = said.reasoning_content or said.reasoning
        if not (words or details):
            return
        if words and not any(_words_of(detail) for detail in details):
            self._think(words)
        for detail in details:
            self._take_detail(detail)

    def _think(self, words: str) -> None:
        thought = self._thought
        if thought is None or thought.key is not None:
            thought = self._begin_thought(None, redacted=False)
        thought.words.append(words)
        self._out.append(PartGrew(thought.index, words))

    def _begin_thought(self, key: object, *, redacted: bool) -> _Thought:
        self._end_words()
        self._thought = _Thought(self._begin(Reasoning(redacted=redacted)), key, [], {})
        return self._thought

    def _take_detail(self, detail: dict[str, Any]) -> None:
        kind, words = detail.get("type"), _words_of(detail)
        key = (str(kind), str(detail.get("index")))
        thought = self._thought
        if thought is not None and thought.key is None and words and "".join(thought.words) == words:
            # What has come in pieces comes once more, with its seal.
            thought.key, thought.detail = key, detail
            self._end_thought()
            return
        if thought is None or thought.key != key or self._whole:
            thought = self._begin_thought(key, redacted=kind == ENCRYPTED)
        for name, value in detail.items():
            before = thought.detail.get(name)
            grows = name in _FRAGMENTS and isinstance(before, str) and isinstance(value, str) and before != value
            if value is not None:
                thought.detail[name] = before + value if grows else value
        if words:
            self._out.append(PartGrew(thought.index, words))

    def _end_words(self) -> None:
        """What is said and thought so far is whole, since something else begins."""
        if self._thought is not None:
            self._end_thought()
        if self._text is not None:
            last = Text("", citations=self._citations, seal=self._seal) if self._citations or self._seal else None
            self._out.append(PartEnded(self._text, last))
            self._text, self._citations, self._seal = None, (), None
        if self._refusal is not None:
            self._out.append(PartEnded(self._refusal))
            self._refusal = None

    def _end_thought(self) -> None:
        thought = self._thought
        assert thought is not None
        self._thought = None
        last = None
        if thought.detail:
            try:
                known = read_detail(thought.detail)
                last = Reasoning("", known.seal, known.redacted, known.id)
            except WrongType:
                last = None
        self._out.append(PartEnded(thought.index, last))


def _words_of(detail: dict[str, Any]) -> str | None:
    words = detail.get(TEXTS.get(str(detail.get("type")), "text"))
    return words if isinstance(words, str) else None
