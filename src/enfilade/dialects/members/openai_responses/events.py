"""An answer as the stream of events that a caller reads.

    response.created, in_progress
        output_item.added { content_part.added  …delta*  …done  content_part.done }* output_item.done
    response.completed | incomplete | failed

Items may grow side by side: each event says to which it belongs.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Finish, Media, Part, Reasoning, Refusal, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.collecting import completed
from enfilade.dialects.members.openai_responses.annotations import write_annotations, write_logprobs
from enfilade.dialects.members.openai_responses.carriers import carrier
from enfilade.dialects.members.openai_responses.frame import answer_id, base_of, ending, frame, used
from enfilade.dialects.members.openai_responses.output import (
    call_item,
    content_of,
    item_of,
    message_item,
    reasoning_item,
)
from enfilade.dialects.sse import named_event
from enfilade.dialects.types import Request

Fields = dict[str, Any]
_TEXT, _REFUSAL = "response.output_text", "response.refusal"
_ARGUMENTS, _INPUT = "response.function_call_arguments", "response.custom_tool_call_input"
_SUMMARY, _SUMMARY_PART = "response.reasoning_summary_text", "response.reasoning_summary_part"
_NO_LOGPROBS = b',"logprobs":[]'
_CUT = frozenset({Finish.LENGTH, Finish.CONTENT_FILTER, Finish.ERROR})


class _Message:
    """An item of the output that texts are added to."""

    __slots__ = ("growing", "item", "left", "position")

    def __init__(self, item: Fields, position: int) -> None:
        self.item = item
        self.position = position
        self.growing = 0
        self.left = False
        """Whether another item began after it, so that no more parts come."""


class _Growing:
    """A part that has begun."""

    __slots__ = ("kind", "logprobs", "message", "part", "position", "prefix", "suffix", "texts", "where")

    def __init__(self, part: Part, kind: str, where: Fields, message: _Message | None = None) -> None:
        self.part = part
        self.kind = kind
        self.where = where
        self.message = message
        self.position: int = where["output_index"]
        self.texts: list[str] = []
        self.logprobs: list[dict[str, Any]] = []
        name = f"{kind}.delta".encode()
        head = ENCODER.encode({"type": name.decode()} | where)[:-1]
        self.prefix = b"event: " + name + b"\ndata: " + head + b',"delta":'
        self.suffix = (_NO_LOGPROBS if kind == _TEXT else b"") + b',"sequence_number":%d}\n\n'


class ResponseEventWriter:
    """See `EventWriter`."""

    __slots__ = (
        "_asked",
        "_base",
        "_frame",
        "_growing",
        "_id",
        "_items",
        "_message",
        "_number",
        "_refused",
        "_tail",
        "whole",
    )

    def __init__(self, asked: Request, call_id: str, created_s: int) -> None:
        """Answer `asked`."""
        self._asked = asked
        self._id = answer_id(asked, call_id)
        self._base = base_of(self._id)
        self._frame = frame(asked, self._id, asked.model, created_s)
        self._number = -1
        self._items: list[Fields] = []
        self._growing: dict[int, _Growing] = {}
        self._message: _Message | None = None
        self._refused = False
        self._tail: bytes | None = None
        self.whole: bytes | None = None
        """The whole response, once it has ended."""

    def write(self, happening: Happening) -> bytes:
        """See `EventWriter.write`."""
        if isinstance(happening, PartGrew):
            growing = self._growing.get(happening.index)
            return b"" if growing is None else self._grow(growing, happening.text, happening.logprobs)
        if isinstance(happening, PartBegan):
            return self._start() + self._begin(happening.index, happening.part)
        if isinstance(happening, PartEnded):
            growing = self._growing.pop(happening.index, None)
            return b"" if growing is None else self._end(growing, happening.last)
        if isinstance(happening, Began):
            self._frame["model"] = happening.model or self._asked.model
            return self._start()
        return b""

    def _event(self, kind: str, **fields: Any) -> bytes:
        self._number += 1
        return named_event(kind, {"type": kind, "sequence_number": self._number} | fields)

    def _start(self) -> bytes:
        if self._number >= 0:
            return b""
        response = msgspec.Raw(ENCODER.encode(self._frame))
        return self._event("response.created", response=response) + self._event(
            "response.in_progress", response=response
        )

    def _grow(self, growing: _Growing, text: str, logprobs: tuple[dict[str, Any], ...] = ()) -> bytes:
        if not text and not logprobs:
            return b""
        head = b""
        if growing.kind == _SUMMARY and not growing.texts:
            part = {"type": "summary_text", "text": ""}
            head = self._event(f"{_SUMMARY_PART}.added", **growing.where, part=part)
        growing.texts.append(text)
        if logprobs and growing.kind == _TEXT:
            growing.logprobs.extend(logprobs)
            return head + self._event(f"{_TEXT}.delta", **growing.where, delta=text, logprobs=write_logprobs(logprobs))
        self._number += 1
        return head + growing.prefix + ENCODER.encode(text) + growing.suffix % self._number

    def _begin(self, index: int, part: Part) -> bytes:
        if isinstance(part, Text | Refusal):
            self._refused = self._refused or isinstance(part, Refusal)
            return self._begin_words(index, part)
        position = len(self._items)
        if isinstance(part, ToolCall):
            return self._leave_message() + self._begin_call(index, part, position)
        if isinstance(part, Reasoning):
            events = self._leave_message()
            item = reasoning_item(Reasoning(id=part.id), self._base, position) | {"status": "in_progress"}
            events += self._add(item)
            where = {"item_id": item["id"], "output_index": position, "summary_index": 0}
            self._growing[index] = growing = _Growing(msgspec.structs.replace(part, text=""), _SUMMARY, where)
            return events + self._grow(growing, part.text)
        found = item_of(part, self._base, position)
        if found is None:
            return b""
        return self._leave_message() + self._add(found) + self._done(position) + self._carry(part)

    def _begin_words(self, index: int, part: Text | Refusal) -> bytes:
        events = b""
        if (message := self._message) is None:
            position = len(self._items)
            message = self._message = _Message(message_item(self._base, position), position)
            events = self._add(message.item, status="in_progress")
        message.growing += 1
        content_index = len(message.item["content"])
        empty = msgspec.structs.replace(part, text="")
        message.item["content"].append(content_of(empty))
        where = {"item_id": message.item["id"], "output_index": message.position, "content_index": content_index}
        kind = _REFUSAL if isinstance(part, Refusal) else _TEXT
        self._growing[index] = growing = _Growing(empty, kind, where, message)
        plain = Refusal("") if isinstance(part, Refusal) else Text("")
        events += self._event("response.content_part.added", **where, part=content_of(plain))
        return events + self._grow(growing, part.text)

    def _begin_call(self, index: int, part: ToolCall, position: int) -> bytes:
        empty = msgspec.structs.replace(part, arguments="")
        item = call_item(empty, self._base, position)
        events = self._add(item, status="in_progress")
        where = {"item_id": item["id"], "output_index": position}
        self._growing[index] = growing = _Growing(empty, _INPUT if part.custom else _ARGUMENTS, where)
        return events + self._grow(growing, part.arguments)

    def _add(self, item: Fields, **shown: Any) -> bytes:
        """A new item; `shown` is how it looks at its beginning."""
        self._items.append(item)
        return self._event("response.output_item.added", output_index=len(self._items) - 1, item=item | shown)

    def _done(self, position: int) -> bytes:
        return self._event("response.output_item.done", output_index=position, item=self._items[position])

    def _carry(self, part: Part) -> bytes:
        """The seal of a part that has no place for it, in an item that follows."""
        if not isinstance(part, Text | ToolCall | Media) or part.seal is None:
            return b""
        position = len(self._items)
        events = self._leave_message()
        return events + self._add(carrier(self._base, position, part.seal)) + self._done(position)

    def _leave_message(self) -> bytes:
        """Nothing more is added to the open message."""
        message, self._message = self._message, None
        if message is None:
            return b""
        message.left = True
        return b"" if message.growing else self._done(message.position)

    def _end(self, growing: _Growing, last: Part | None) -> bytes:
        part = growing.part if last is None else completed(growing.part, last)
        text = "".join(growing.texts)
        return _ENDINGS[growing.kind](self, growing, part, text) + self._carry(part)

    def _end_text(self, growing: _Growing, part: Part, text: str) -> bytes:
        assert isinstance(part, Text), "a text stays one"
        whole = msgspec.structs.replace(part, text=text, logprobs=tuple(growing.logprobs) or part.logprobs)
        events = b""
        for position, annotation in enumerate(write_annotations(whole.citations, len(text))):
            added = {"annotation": annotation, "annotation_index": position}
            events += self._event("response.output_text.annotation.added", **growing.where, **added)
        logprobs = write_logprobs(whole.logprobs)
        events += self._event(f"{_TEXT}.done", **growing.where, text=text, logprobs=logprobs)
        return events + self._end_content(growing, whole)

    def _end_refusal(self, growing: _Growing, _part: Part, text: str) -> bytes:
        done = self._event(f"{_REFUSAL}.done", **growing.where, refusal=text)
        return done + self._end_content(growing, Refusal(text))

    def _end_content(self, growing: _Growing, whole: Text | Refusal) -> bytes:
        message = growing.message
        assert message is not None, "words stand in messages"
        content = message.item["content"][growing.where["content_index"]] = content_of(whole)
        events = self._event("response.content_part.done", **growing.where, part=content)
        message.growing -= 1
        return events + self._done(message.position) if message.left and not message.growing else events

    def _end_call(self, growing: _Growing, part: Part, text: str) -> bytes:
        assert isinstance(part, ToolCall), "a call stays one"
        item = self._items[growing.position]
        name = "input" if part.custom else "arguments"
        item[name] = text
        return self._event(f"{growing.kind}.done", **growing.where, **{name: text}) + self._done(growing.position)

    def _end_thoughts(self, growing: _Growing, part: Part, text: str) -> bytes:
        assert isinstance(part, Reasoning), "thoughts stay thoughts"
        events = b""
        if growing.texts:
            events = self._event(f"{_SUMMARY}.done", **growing.where, text=text)
            told = {"type": "summary_text", "text": text}
            events += self._event(f"{_SUMMARY_PART}.done", **growing.where, part=told)
        whole = msgspec.structs.replace(part, text=text, id=growing.where["item_id"])
        self._items[growing.position] = reasoning_item(whole, self._base, growing.position)
        return events + self._done(growing.position)

    def end(self, ended: Ended, usage: Usage | None, cost_usd: str | None = None) -> bytes:
        """See `EventWriter.end`."""
        del cost_usd
        if self._tail is not None:
            return self._tail  # It is asked for again where the stream is also kept to answer the same question.
        events = [self._start()]
        cut = ended.finish in _CUT
        for index in list(self._growing):
            growing = self._growing.pop(index)
            if cut and growing.message is None and "status" in (item := self._items[growing.position]):
                item["status"] = "incomplete"
            events.append(self._end(growing, None))
        if cut and self._message is not None:
            self._message.item["status"] = "incomplete"
        events.append(self._leave_message())
        end = ending(ended.finish, self._items, refused=self._refused)
        self.whole = ENCODER.encode(self._frame | end | used(usage, ended.service_tier))
        events.append(self._event(f"response.{end['status']}", response=msgspec.Raw(self.whole)))
        self._tail = b"".join(events)
        return self._tail


_ENDINGS: dict[str, Callable[[ResponseEventWriter, _Growing, Part, str], bytes]] = {
    _TEXT: ResponseEventWriter._end_text,  # noqa: SLF001
    _REFUSAL: ResponseEventWriter._end_refusal,  # noqa: SLF001
    _ARGUMENTS: ResponseEventWriter._end_call,  # noqa: SLF001
    _INPUT: ResponseEventWriter._end_call,  # noqa: SLF001
    _SUMMARY: ResponseEventWriter._end_thoughts,  # noqa: SLF001
}
