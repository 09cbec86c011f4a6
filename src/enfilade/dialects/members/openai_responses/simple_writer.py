"""A completion as events, for providers that live in this process."""

from enfilade.core.happenings import Began, Ended, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Completion, Finish, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.members.openai_responses.events import ResponseEventWriter
from enfilade.dialects.types import Request

_PIECE = 12


class SimpleStreamWriter:
    """See `StreamWriter`."""

    def __init__(self, completion: Completion) -> None:
        """Write the events of this completion; its parts are still to come."""
        self._completion = completion
        asked = Request(fields={}, model=completion.model, stream=True, size=0)
        self._writer = ResponseEventWriter(asked, completion.id, completion.created_s)
        self._parts = 0
        self._in_text = False

    def start(self) -> bytes:
        """See `StreamWriter.start`."""
        return self._writer.write(Began(self._completion.id, self._completion.model))

    def text(self, piece: str) -> bytes:
        """See `StreamWriter.text`."""
        begun = b""
        if not self._in_text:
            self._in_text = True
            begun = self._writer.write(PartBegan(self._parts, Text("")))
        return begun + self._writer.write(PartGrew(self._parts, piece))

    def _end_text(self) -> bytes:
        if not self._in_text:
            return b""
        self._in_text = False
        self._parts += 1
        return self._writer.write(PartEnded(self._parts - 1))

    def tool_call(self, index: int, call_id: str, name: str, arguments: str) -> list[bytes]:
        """See `StreamWriter.tool_call`."""
        del index  # Items are numbered in the order in which they come.
        events = [self._end_text(), self._writer.write(PartBegan(self._parts, ToolCall(call_id, name, "")))]
        pieces = [arguments[start : start + _PIECE] for start in range(0, len(arguments), _PIECE)]
        events += [self._writer.write(PartGrew(self._parts, piece)) for piece in pieces]
        events.append(self._writer.write(PartEnded(self._parts)))
        self._parts += 1
        return [event for event in events if event]

    def end(self, finish: Finish, usage: Usage | None) -> list[bytes]:
        """See `StreamWriter.end`."""
        return [self._end_text() + self._writer.end(Ended(finish), usage)]
