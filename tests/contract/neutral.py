"""The neutral form as if callers spoke it: what goes in and comes out is what stands in the golden cases.

So a case is tried against one dialect at a time, through the same translator as any caller's call.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from functools import cache
from typing import Any

import msgspec

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import (
    Completion,
    Conversation,
    Embeddings,
    Media,
    Message,
    Opaque,
    Part,
    Question,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from enfilade.core.usage import Usage
from enfilade.dialects.codec import NO_RULES, Operation
from enfilade.dialects.collecting import Collector
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.seals import opened, opened_thought
from enfilade.dialects.translation.passage import Asked, Destination, Passage, Translated, Translator
from enfilade.dialects.types import Request

CALL_ID = "0199c0de-0000-7000-8000-000000000001"
CREATED_S = 1_700_000_000
DIALECTS = load_dialects()


class HappeningKeeper:
    """An `EventWriter` that writes nothing and remembers everything."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.collector = Collector()
        self.happenings: list[Happening] = []

    def write(self, happening: Happening) -> bytes:
        """See `EventWriter.write`."""
        self.happenings.append(happening)
        self.collector.take([happening])
        return b""

    def end(self, ended: Ended, usage: Usage | None, cost_usd: str | None = None) -> bytes:
        """See `EventWriter.end`."""
        del cost_usd
        if usage is not None:
            self.write(Reported(usage))
        self.write(ended)
        return b""


class NeutralCodec:
    """Reads and writes nothing: questions are given, answers are kept."""

    rules = NO_RULES
    field_names: Mapping[str, str] = {}

    def __init__(self, origin: str) -> None:
        """Answer seals of `origin` as they are."""
        self.origin = origin
        self.answer: Any = None
        self.keeper = HappeningKeeper()

    def render(self, answer: Any, asked: Request) -> bytes:
        """See `Codec.render`."""
        del asked
        self.answer = answer
        return b""

    def writer(self, asked: Request, call_id: str, created_s: int) -> HappeningKeeper:
        """See `StreamingCodec.writer`."""
        del asked, call_id, created_s
        self.keeper = HappeningKeeper()
        return self.keeper


class NeutralCaller:
    """As much of a dialect as the translator asks of a caller's."""

    name = "neutral"

    def __init__(self, operation: Operation, origin: str) -> None:
        """Ask for `operation`."""
        self.operation = operation
        self.codec = NeutralCodec(origin)


class Exchange:
    """A neutral question on its way to a provider, and what comes back."""

    def __init__(self, question: Conversation | Question, dialect: str, to: Mapping[str, Any]) -> None:
        """Put the question to a provider that speaks `dialect`. Raises NotTranslatable."""
        target = DIALECTS.get(dialect)
        assert target.codec is not None
        self._caller = NeutralCaller(target.operation, target.codec.origin)
        request = Request(fields={}, model="model-1", stream=False, size=0)
        caller: Any = self._caller
        asked = Asked(caller, request, CALL_ID, CREATED_S, question=question)
        self.passage: Passage = Translator(DIALECTS).open(asked, destination(dialect, to))
        assert isinstance(self.passage, Translated)

    def whole(self, reply: bytes) -> Any:
        """A whole reply in the neutral form."""
        self.passage.read_reply(reply)
        return unsealed(self._caller.codec.answer)

    def streamed(self, pieces: list[bytes]) -> Any:
        """What a stream comes to in the neutral form; it must have ended."""
        reader = self.passage.stream_reader()
        for piece in pieces:
            reader.feed(piece)
        assert reader.finish(), "the stream has no end"
        reader.tail(None)
        return unsealed(self._caller.codec.keeper.collector.completion())


def destination(dialect: str, to: Mapping[str, Any]) -> Destination:
    """Where a question goes: `to` may say more than the dialect."""
    return msgspec.structs.replace(Destination(MODELS[dialect], (dialect,)), **to)


MODELS = {
    "openai_chat": "gpt-4.1",
    "openai_responses": "gpt-4.1",
    "anthropic_messages": "claude-sonnet-4-5",
    "gemini_generate": "gemini-2.5-pro",
    "bedrock_converse": "eu.anthropic.claude-sonnet-4-5-20250929-v1:0",
    "openai_embeddings": "text-embedding-3-small",
    "gemini_embed": "gemini-embedding-001",
    "bedrock_titan_embed": "amazon.titan-embed-text-v2:0",
    "bedrock_cohere_embed": "cohere.embed-v4:0",
}
"""The models that providers are asked for, where a case names no other."""


def unsealed(answer: Any) -> Any:
    """An answer without envelopes: the seals as their makers wrote them."""
    if not isinstance(answer, Completion):
        return answer
    return msgspec.structs.replace(answer, parts=tuple(unsealed_part(part) for part in answer.parts))


def unsealed_part(part: Part) -> Part:
    """A part with its seal as the maker wrote it."""
    seal = getattr(part, "seal", None)
    if seal is None:
        return part
    if isinstance(part, Reasoning):
        found, redacted = opened_thought(seal, redacted=part.redacted)
        return msgspec.structs.replace(part, seal=found, redacted=redacted)
    return msgspec.structs.replace(part, seal=opened(seal.value, seal.origin))


def happenings_of(answer: Completion) -> Iterator[Happening]:
    """The answer as it may arrive: each text in two pieces, what seals it at its end."""
    yield Began(answer.id, answer.model, answer.created_s)
    for index, part in enumerate(answer.parts):
        yield from _arriving(index, part)


def _arriving(index: int, part: Part) -> Iterator[Happening]:
    field = "arguments" if isinstance(part, ToolCall) else "text" if isinstance(part, _GROW) else None
    if field is None:
        yield PartBegan(index, part)
        yield PartEnded(index)
        return
    late = {
        name: getattr(_EMPTY[type(part)], name) for name in ("citations", "logprobs", "seal") if hasattr(part, name)
    }
    if isinstance(part, ToolCall) or (isinstance(part, Reasoning) and part.redacted):
        late = {}  # It is sealed from the beginning.
    yield PartBegan(index, msgspec.structs.replace(part, **{field: ""}, **late))
    words: str = getattr(part, field)
    logprobs = getattr(part, "logprobs", ())
    if logprobs:
        for entry in logprobs:
            yield PartGrew(index, entry["token"], (entry,))
    else:
        middle = len(words) // 2
        for piece in (words[:middle], words[middle:]):
            if piece:
                yield PartGrew(index, piece)
    late.pop("logprobs", None)
    known = any(getattr(part, name) != empty for name, empty in late.items())
    last = msgspec.structs.replace(part, **{field: ""}, **({"logprobs": ()} if logprobs else {}))
    yield PartEnded(index, last if known else None)


def normal(question: Any) -> Any:
    """A question with each round of results as one turn, and JSON arguments in one way of writing.

    Some dialects have a message for each result, and some have objects where others have their text.
    """
    if not isinstance(question, Conversation):
        return question
    turns: list[Message] = []
    for turn in question.messages:
        parts = tuple(_compact(part) for part in turn.parts)
        before = turns[-1] if turns else None
        if before is not None and before.role is turn.role is Role.USER and isinstance(before.parts[0], ToolResult):
            turns[-1] = Message(Role.USER, before.parts + parts, before.name)
        else:
            turns.append(Message(turn.role, parts, turn.name))
    return msgspec.structs.replace(question, messages=tuple(turns))


def _compact(part: Part) -> Part:
    if isinstance(part, ToolCall) and not part.custom:
        with suppress(msgspec.DecodeError):
            written = msgspec.json.encode(msgspec.json.decode(part.arguments)).decode()
            return msgspec.structs.replace(part, arguments=written)
    return part


_GROW = (Text, Refusal, Reasoning)
_EMPTY: dict[type, Any] = {
    Text: Text(""),
    Refusal: Refusal(""),
    Reasoning: Reasoning(),
    ToolCall: ToolCall("", "", ""),
}
_OF_OPERATION: dict[Operation, tuple[type, type]] = {
    Operation.GENERATE: (Conversation, Completion),
    Operation.EMBED: (Question, Embeddings),
}
_TAGGED = (Text, Refusal, Media, ToolCall, ToolResult, Reasoning, Opaque)


def question_from(value: Any, operation: Operation) -> Any:
    """A question as it stands in a file."""
    return msgspec.convert(value, _OF_OPERATION[operation][0])


def answer_from(value: Any, operation: Operation) -> Any:
    """An answer as it stands in a file."""
    return msgspec.convert(value, _OF_OPERATION[operation][1])


def said(value: Any) -> Any:
    """A neutral value as it stands in a file: what was not given is left out."""
    if isinstance(value, msgspec.Struct):
        shown = {"type": value.__struct_config__.tag} if isinstance(value, _TAGGED) else {}
        for name, default in _defaults(type(value)).items():
            entry = getattr(value, name)
            if entry != default or type(entry) is not type(default):
                shown[name] = said(entry)
        return shown
    if isinstance(value, list | tuple):
        return [said(entry) for entry in value]
    if isinstance(value, dict):
        return {name: said(entry) for name, entry in value.items()}
    return msgspec.to_builtins(value)


@cache
def _defaults(kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {field.name: field.default for field in msgspec.structs.fields(kind)}
