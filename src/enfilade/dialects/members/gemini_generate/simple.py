"""Streams for providers that live in this process."""

from enfilade.core.happenings import Began, Ended, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Completion, Finish, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.members.gemini_generate.events import ContentWriter


class SimpleWriter:
    """See `StreamWriter`."""

    def __init__(self, completion: Completion) -> None:
        """Write the events of this completion; its parts are still to come."""
        self._completion = completion
        self._writer = ContentWriter(completion.id, as_array=False)
        self._index = -1
        self._in_text = False

    def start(self) -> bytes:
        """See `StreamWriter.start`."""
        return self._writer.write(Began(self._completion.id, self._completion.model))

    def text(self, piece: str) -> bytes:
        """See `StreamWriter.text`."""
        before = b""
        if not self._in_text:
            self._index += 1
            self._in_text = True
            before = self._writer.write(PartBegan(self._index, Text("")))
        return before + self._writer.write(PartGrew(self._index, piece))

    def tool_call(self, index: int, call_id: str, name: str, arguments: str) -> list[bytes]:
        """See `StreamWriter.tool_call`."""
        del index  # Parts are numbered in the order in which they come.
        if self._in_text:
            self._in_text = False
            self._writer.write(PartEnded(self._index))
        self._index += 1
        begun = self._writer.write(PartBegan(self._index, ToolCall(call_id, name, arguments)))
        return [begun + self._writer.write(PartEnded(self._index))]

    def end(self, finish: Finish, usage: Usage | None) -> list[bytes]:
        """See `StreamWriter.end`."""
        return [self._writer.end(Ended(finish), usage)]
