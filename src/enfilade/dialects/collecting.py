"""From the happenings of a stream to the completion that they add up to."""

from collections.abc import Iterable

import msgspec

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Completion, Finish, Part, Reasoning, Refusal, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.errors import UnreadableReply

_NOTHING = (None, "", ())


class Collector:
    """Adds up one stream."""

    def __init__(self) -> None:
        """Start with nothing."""
        self._began = Began("", "")
        self._parts: dict[int, Part] = {}
        self._grown: dict[int, list[str]] = {}
        self._logprobs: dict[int, list[dict[str, object]]] = {}
        self._usage: Usage | None = None
        self._ended: Ended | None = None

    def take(self, happenings: Iterable[Happening]) -> None:
        """More has happened. Raises UnreadableReply when the provider failed, or a part is unknown."""
        for happening in happenings:
            self._take(happening)

    def _take(self, happening: Happening) -> None:
        if isinstance(happening, PartGrew):
            self._grow(happening)
        elif isinstance(happening, PartBegan):
            self._parts[happening.index] = happening.part
        elif isinstance(happening, PartEnded):
            if happening.last is not None and (part := self._parts.get(happening.index)) is not None:
                self._parts[happening.index] = completed(part, happening.last)
        elif isinstance(happening, Reported):
            self._usage = happening.usage
        elif isinstance(happening, Ended):
            self._ended = happening
        elif isinstance(happening, Began):
            self._began = happening
        else:
            message = "The provider reported an error while it was answering."
            raise UnreadableReply(message)

    def _grow(self, happening: PartGrew) -> None:
        if happening.index not in self._parts:
            message = "The provider's stream goes on with a part that never began."
            raise UnreadableReply(message)
        self._grown.setdefault(happening.index, []).append(happening.text)
        if happening.logprobs:
            self._logprobs.setdefault(happening.index, []).extend(happening.logprobs)

    def completion(self) -> Completion:
        """What it all came to."""
        ended = self._ended or Ended(Finish.ERROR)
        parts = tuple(self._whole(index, part) for index, part in sorted(self._parts.items()))
        began = self._began
        return Completion(
            began.id,
            began.model,
            began.created_s,
            parts,
            ended.finish,
            self._usage,
            ended.stop_sequence,
            ended.service_tier,
        )

    def _whole(self, index: int, part: Part) -> Part:
        grown = "".join(self._grown.get(index, ()))
        if isinstance(part, Text):
            logprobs = part.logprobs + tuple(self._logprobs.get(index, ()))
            return msgspec.structs.replace(part, text=part.text + grown, logprobs=logprobs)
        if isinstance(part, Refusal | Reasoning):
            return msgspec.structs.replace(part, text=part.text + grown)
        if isinstance(part, ToolCall):
            return msgspec.structs.replace(part, arguments=part.arguments + grown)
        return part


def completed(part: Part, last: Part) -> Part:
    """A part with what became known at its end. Its text, which has grown meanwhile, stays."""
    if type(last) is not type(part):
        return part
    default = {field.name: field.default for field in msgspec.structs.fields(last)}
    changes = {
        name: value
        for name, value in ((name, getattr(last, name)) for name in default)
        if name not in {"text", "arguments"} and value != default[name] and value not in _NOTHING
    }
    return msgspec.structs.replace(part, **changes) if changes else part
