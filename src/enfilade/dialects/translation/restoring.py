"""The way back: an answer as the caller's question was put, before it was fitted to its target."""

from collections.abc import Iterable, Iterator

import msgspec

from enfilade.core.happenings import Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Completion, Finish, Media, Part, Reasoning, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.seals import carried
from enfilade.dialects.translation.tools import INPUT, VALUE
from enfilade.dialects.translation.types import Memo


def restore(completion: Completion, memo: Memo) -> Completion:
    """The whole answer in the caller's terms."""
    parts = tuple(_restored(part, memo) for part in completion.parts)
    finish = _finish(completion.finish, calls_tools=any(isinstance(part, ToolCall) for part in parts))
    return msgspec.structs.replace(completion, parts=parts, finish=finish)


def _finish(finish: Finish, *, calls_tools: bool) -> Finish:
    """A tool that stood for a format was no tool call, and some services call a tool call a plain stop."""
    if finish is Finish.TOOL_CALLS and not calls_tools:
        return Finish.STOP
    if finish is Finish.STOP and calls_tools:
        return Finish.TOOL_CALLS
    return finish


def _restored(part: Part, memo: Memo) -> Part:
    part = _sealed(part, memo)
    if not isinstance(part, ToolCall) or memo.is_plain:
        return part
    if part.name == memo.forced:
        return Text(_unwrapped(part.arguments) if memo.wrapped else part.arguments or "{}")
    named = _named(part, memo)
    return msgspec.structs.replace(named, arguments=_free_text(part.arguments)) if named.custom else named


def _named(part: ToolCall, memo: Memo) -> ToolCall:
    name = memo.names.get(part.name, part.name)
    custom = part.custom or name in memo.custom
    if name == part.name and custom == part.custom:
        return part
    return msgspec.structs.replace(part, name=name, custom=custom)


def _sealed(part: Part, memo: Memo) -> Part:
    if isinstance(part, Text | ToolCall | Reasoning | Media) and part.seal is not None:
        seal = carried(part.seal, memo.origin, redacted=isinstance(part, Reasoning) and part.redacted)
        if seal is not part.seal:
            return msgspec.structs.replace(part, seal=seal)
    return part


def _free_text(arguments: str) -> str:
    try:
        value = msgspec.json.decode(arguments)
    except UNREADABLE:
        return arguments
    text = value.get(INPUT) if isinstance(value, dict) else None
    return text if isinstance(text, str) else arguments


def _unwrapped(arguments: str) -> str:
    try:
        value = msgspec.json.decode(arguments)
    except UNREADABLE:
        return arguments
    return ENCODER.encode(value[VALUE]).decode() if isinstance(value, dict) and VALUE in value else arguments


class Restorer:
    """The same for an answer that is arriving."""

    __slots__ = ("_calls", "_held", "_memo", "_wrapped")

    def __init__(self, memo: Memo) -> None:
        """Restore by `memo`."""
        self._memo = memo
        self._calls = False
        self._held: dict[int, list[str]] = {}
        """Parts whose text can only be told once it is whole."""
        self._wrapped: set[int] = set()

    def restore(self, happenings: Iterable[Happening]) -> Iterator[Happening]:
        """The happenings in the caller's terms."""
        for happening in happenings:
            if isinstance(happening, PartGrew):
                if self._held and (held := self._held.get(happening.index)) is not None:
                    held.append(happening.text)
                else:
                    yield happening
            elif isinstance(happening, PartBegan):
                yield self._began(happening)
            elif isinstance(happening, PartEnded):
                yield from self._ended(happening)
            elif isinstance(happening, Ended):
                # Parts that the provider never closed end with the stream.
                for index in list(self._held):
                    yield from self._ended(PartEnded(index))
                finish = _finish(happening.finish, calls_tools=self._calls)
                yield happening if finish is happening.finish else msgspec.structs.replace(happening, finish=finish)
            else:
                yield happening

    def _began(self, happening: PartBegan) -> PartBegan:
        memo, part = self._memo, _sealed(happening.part, self._memo)
        if isinstance(part, ToolCall):
            if part.name == memo.forced:
                if memo.wrapped:
                    self._held[happening.index] = [part.arguments]
                    self._wrapped.add(happening.index)
                    return PartBegan(happening.index, Text(""))
                return PartBegan(happening.index, Text(part.arguments))
            self._calls = True
            part = _named(part, memo)
            if part.custom and part.name in memo.custom:
                self._held[happening.index] = [part.arguments]
                part = msgspec.structs.replace(part, arguments="")
        return happening if part is happening.part else PartBegan(happening.index, part)

    def _ended(self, happening: PartEnded) -> Iterator[Happening]:
        index = happening.index
        held = self._held.pop(index, None)
        if held is not None:
            text = "".join(held)
            yield PartGrew(index, _unwrapped(text) if index in self._wrapped else _free_text(text))
        last = happening.last
        if last is None:
            yield happening
            return
        if isinstance(last, ToolCall) and last.name == self._memo.forced:
            yield PartEnded(index)
            return
        restored = _sealed(last, self._memo)
        if isinstance(restored, ToolCall):
            restored = _named(restored, self._memo)
        yield happening if restored is last else PartEnded(index, restored)
