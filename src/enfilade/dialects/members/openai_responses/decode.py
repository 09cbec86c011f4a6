"""A provider's stream as happenings."""

from collections.abc import Callable
from typing import Any

import msgspec

from enfilade.core.happenings import Began, Ended, Failed, Happening, PartBegan, PartEnded, PartGrew, Reported
from enfilade.core.messages import Finish, Part, Reasoning, Refusal, Text, ToolCall
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.bodies import ENCODER, error_text, is_given
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import without_nan
from enfilade.dialects.members.openai_responses.annotations import read_logprobs
from enfilade.dialects.members.openai_responses.reply import (
    SUMMARY_BREAK,
    content_part,
    custom_call,
    finish,
    function_call,
    kind_of,
    parts_of,
    reasoning,
    text_of,
)
from enfilade.dialects.members.openai_responses.wire import DELTA, EVENT, Delta, Event, Item, WholeReply
from enfilade.dialects.sse import EventCutter, event_data, split_events

Key = tuple[int, int]
"""The item's index, and that of its part; -1 for items that are one part."""

WHOLE_ITEM = -1
_NO_LOGPROBS = frozenset({b"", b"[]", b"null"})
_ITEM_PARTS: dict[str, Callable[[dict[str, Any]], ToolCall | Reasoning]] = {
    "function_call": function_call,
    "custom_tool_call": custom_call,
    "reasoning": reasoning,
}


class ResponseDecoder:
    """See `StreamDecoder`."""

    __slots__ = ("_began", "_cutter", "_forms", "_grown", "_happened", "_indexes", "_open", "done")

    def __init__(self) -> None:
        """Start with nothing."""
        self.done = False
        self._cutter = EventCutter()
        self._began = False
        self._indexes: dict[Key, int] = {}
        self._open: dict[Key, Part] = {}
        self._grown: set[Key] = set()
        self._happened: list[Part] = []
        """Every part that has begun, so that a refusal is known at the end."""
        self._forms: dict[int, str] = {}
        """Items of thoughts, and in which form they come: a summary, or themselves."""

    def feed(self, data: bytes) -> list[Happening]:
        """See `StreamDecoder.feed`."""
        region = self._cutter.feed(data)
        happenings: list[Happening] = []
        if region and not self.done:
            for event in split_events(region):
                self._take(event_data(event), happenings)
        return happenings

    def close(self) -> list[Happening]:
        """See `StreamDecoder.close`: some servers leave out the blank line after the last event."""
        happenings: list[Happening] = []
        if not self.done and (rest := self._cutter.rest):
            self._take(event_data(rest), happenings)
        return happenings

    def _take(self, data: bytes, out: list[Happening]) -> None:
        if not data or self.done or data == b"[DONE]":
            return
        try:
            delta = DELTA.decode(data)
            form = _DELTAS.get(delta.type)
            if form is not None:
                self._grow(delta, form, out)
            elif (handler := _HANDLERS.get(delta.type)) is not None:
                handler(self, EVENT.decode(data), out)
        except msgspec.ValidationError as error:
            if _kind(data) not in _KNOWN:
                return  # An event that is new to us.
            message = "The provider's stream holds an event of another form than its type has."
            raise UnreadableReply(message) from error
        except UNREADABLE as error:
            if (sound := without_nan(data)) is not None:
                self._take(sound, out)
                return
            message = "The provider's stream holds an event that is no JSON."
            raise UnreadableReply(message) from error

    def _grow(self, delta: Delta, form: str, out: list[Happening]) -> None:
        key = (delta.output_index, delta.content_index if form in _IN_MESSAGES else WHOLE_ITEM)
        index = self._indexes.get(key)
        if index is None:
            index = self._begin(key, _NEW[form](), out)
        if form in _THOUGHTS and self._forms.setdefault(delta.output_index, form) != form:
            return  # The thoughts themselves beside their summary: one of them is told.
        text = delta.delta or ""
        if bytes(delta.logprobs) not in _NO_LOGPROBS:
            out.append(PartGrew(index, text, read_logprobs(msgspec.json.decode(delta.logprobs))))
        elif text:
            out.append(PartGrew(index, text))
        else:
            return
        self._grown.add(key)

    def _begin(self, key: Key, part: Part, out: list[Happening]) -> int:
        index = self._indexes[key] = len(self._happened)
        self._happened.append(part)
        self._open[key] = part
        out.append(PartBegan(index, part))
        return index

    def _end(self, key: Key, last: Part | None, out: list[Happening]) -> None:
        if self._open.pop(key, None) is not None:
            out.append(PartEnded(self._indexes[key], last))

    def _lifecycle(self, event: Event, out: list[Happening]) -> None:
        response = event.response
        if response is not None and not self._began:
            self._began = True
            out.append(Began(response.id or "", response.model or "", int(response.created_at or 0)))

    def _item_added(self, event: Event, out: list[Happening]) -> None:
        item = event.item or {}
        make = _ITEM_PARTS.get(kind_of(item))
        key = (event.output_index, WHOLE_ITEM)
        if make is None or key in self._indexes:
            return
        part = make(item)
        # Arguments grow, and what is sealed is whole only at the end.
        is_call = isinstance(part, ToolCall)
        self._begin(key, msgspec.structs.replace(part, arguments="") if is_call else Reasoning(id=_id(item)), out)

    def _part_added(self, event: Event, out: list[Happening]) -> None:
        key = (event.output_index, event.content_index)
        kind = kind_of(event.part or {})
        if key not in self._indexes and kind in {"output_text", "refusal"}:
            self._begin(key, Refusal("") if kind == "refusal" else Text(""), out)

    def _summary_added(self, event: Event, out: list[Happening]) -> None:
        key = (event.output_index, WHOLE_ITEM)
        if key in self._open and event.summary_index > 0:
            out.append(PartGrew(self._indexes[key], SUMMARY_BREAK))

    def _part_done(self, event: Event, out: list[Happening]) -> None:
        if kind_of(event.part or {}) in {"output_text", "refusal"}:
            self._complete((event.output_index, event.content_index), content_part(event.part or {}), out)

    def _item_done(self, event: Event, out: list[Happening]) -> None:
        self._finish_item(event.output_index, event.item or {}, out)

    def _finish_item(self, position: int, item: dict[str, Any], out: list[Happening]) -> None:
        """Whatever of the item was not told yet."""
        kind = kind_of(item)
        if not kind:
            return
        if kind == "message":
            for at, part in enumerate(parts_of(item)):
                self._complete((position, at), part, out)
            return
        key = (position, WHOLE_ITEM)
        for part in parts_of(item):
            self._complete(key, part, out)

    def _complete(self, key: Key, whole: Part, out: list[Happening]) -> None:
        """The part is whole: begin it if it did not, tell its text if that was not told, and end it."""
        known = key in self._indexes
        if known and key not in self._open:
            return
        text, rest = _apart(whole)
        if not known:
            self._begin(key, rest, out)
        elif type(self._open[key]) is not type(rest):
            rest = self._open[key]
        if text and key not in self._grown:
            logprobs = whole.logprobs if isinstance(whole, Text) else ()
            out.append(PartGrew(self._indexes[key], text, logprobs))
        self._end(key, None if rest == self._open[key] else rest, out)

    def _final(self, event: Event, out: list[Happening]) -> None:
        self._lifecycle(event, out)
        response = event.response or WholeReply()
        for position, item in enumerate(response.output or ()):
            self._finish_item(position, item, out)
        for key in list(self._open):
            self._end(key, None, out)
        if (usage := response.reported()) is not None:
            out.append(Reported(usage))
        self.done = True
        if event.type == "response.failed":
            out.append(Failed(_words(response, event)))
        else:
            if response.status is None:
                response.status = event.type.removeprefix("response.")
            out.append(Ended(self._finish(response), None, response.service_tier))

    def _finish(self, response: WholeReply) -> Finish:
        ended = finish(response, self._happened)
        calls = any(isinstance(part, ToolCall) for part in self._happened)
        return Finish.TOOL_CALLS if ended is Finish.STOP and calls else ended

    def _error(self, event: Event, out: list[Happening]) -> None:
        self.done = True
        out.append(Failed(_words(event.response or WholeReply(), event)))


def _apart(whole: Part) -> tuple[str, Part]:
    """A part's text, and the part without it."""
    if isinstance(whole, Text):
        return whole.text, msgspec.structs.replace(whole, text="", logprobs=())
    if isinstance(whole, Refusal):
        return whole.text, Refusal("")
    if isinstance(whole, ToolCall):
        return whole.arguments, msgspec.structs.replace(whole, arguments="")
    if isinstance(whole, Reasoning):
        return whole.text, msgspec.structs.replace(whole, text="")
    return "", whole


def _words(response: WholeReply, event: Event) -> str:
    for told in (response.error, event.error):
        if is_given(told):
            return error_text(bytes(told))
    return error_text(ENCODER.encode({"code": event.code, "message": event.message}))


def _id(item: dict[str, Any]) -> str | None:
    return text_of(item, "id") or None


def _kind(data: bytes) -> str | None:
    try:
        return _ITEM.decode(data).type
    except UNREADABLE:
        return None


_ITEM = msgspec.json.Decoder(Item)
_DELTAS = {
    "response.output_text.delta": "text",
    "response.refusal.delta": "refusal",
    "response.function_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.reasoning_summary_text.delta": "summary",
    "response.reasoning_text.delta": "thoughts",
}
_IN_MESSAGES = frozenset({"text", "refusal"})
_THOUGHTS = frozenset({"summary", "thoughts"})
_NEW: dict[str, Callable[[], Part]] = {
    "text": lambda: Text(""),
    "refusal": lambda: Refusal(""),
    "arguments": lambda: ToolCall("", "", ""),
    "input": lambda: ToolCall("", "", "", custom=True),
    "summary": Reasoning,
    "thoughts": Reasoning,
}
_HANDLERS: dict[str, Callable[[ResponseDecoder, Event, list[Happening]], None]] = {
    "response.created": ResponseDecoder._lifecycle,  # noqa: SLF001
    "response.in_progress": ResponseDecoder._lifecycle,  # noqa: SLF001
    "response.queued": ResponseDecoder._lifecycle,  # noqa: SLF001
    "response.output_item.added": ResponseDecoder._item_added,  # noqa: SLF001
    "response.content_part.added": ResponseDecoder._part_added,  # noqa: SLF001
    "response.content_part.done": ResponseDecoder._part_done,  # noqa: SLF001
    "response.reasoning_summary_part.added": ResponseDecoder._summary_added,  # noqa: SLF001
    "response.output_item.done": ResponseDecoder._item_done,  # noqa: SLF001
    "response.completed": ResponseDecoder._final,  # noqa: SLF001
    "response.incomplete": ResponseDecoder._final,  # noqa: SLF001
    "response.failed": ResponseDecoder._final,  # noqa: SLF001
    "error": ResponseDecoder._error,  # noqa: SLF001
}
_KNOWN = frozenset({*_DELTAS, *_HANDLERS})
