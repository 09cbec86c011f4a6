"""A completion as the caller's stream."""

from typing import Any

import msgspec

from enfilade.core.happenings import Began, Ended, Happening, PartBegan, PartEnded, PartGrew
from enfilade.core.messages import Media, Part, Reasoning, Refusal, Sealed, Text, ToolCall
from enfilade.core.usage import Usage
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.collecting import completed
from enfilade.dialects.members.openai_chat.assistant import annotations
from enfilade.dialects.members.openai_chat.lanes import Lane
from enfilade.dialects.members.openai_chat.marks import sealed
from enfilade.dialects.members.openai_chat.media import written_image
from enfilade.dialects.members.openai_chat.question import speaks_older_form
from enfilade.dialects.members.openai_chat.reply import entry, needs_entry
from enfilade.dialects.members.openai_chat.shapes import DONE, reason_of
from enfilade.dialects.openai.usage import usage_object
from enfilade.dialects.types import Request


class ChatWriter:
    """See `EventWriter`."""

    def __init__(self, asked: Request, call_id: str, created_s: int) -> None:
        """Write for the caller who sent `asked`."""
        self._id, self._created_s = f"chatcmpl-{call_id}", created_s
        self._older = speaks_older_form(asked)
        self._wants_usage = asked.wants_usage
        self._null_usage = b',"usage":null}\n\n' if asked.wants_usage else b"}\n\n"
        self._routes: dict[int, tuple[bytes, bytes]] = {}
        """What stands before and after the words of each part that is written now."""
        self._parts: dict[int, Part] = {}
        self._introduced = self._has_content = self._refused = False
        self._texts, self._thoughts = Lane(), Lane()
        self._length, self._begins = 0, 0
        self._calls: dict[int, int] = {}
        self._grown: dict[int, list[str]] = {}
        self._places: dict[int, tuple[int, int]] = {}
        self._entries: list[dict[str, Any]] = []
        self._entries_due, self._told = False, 0
        self._annotations: list[dict[str, Any]] = []
        self._seal: Sealed | None = None
        self._images = 0
        self._begin(asked.model, self._id, created_s)

    def _begin(self, model: str, identifier: str, created_s: int) -> None:
        head = {"id": identifier, "object": "chat.completion.chunk", "created": created_s, "model": model}
        self._head = b"data: " + ENCODER.encode(head)[:-1]
        self._choice = self._head + b',"choices":[{"index":0,"delta":'
        self._after = b',"logprobs":null,"finish_reason":null}]' + self._null_usage

    def _event(self, delta: dict[str, Any], finish: str | None = None, logprobs: object = None) -> bytes:
        if finish is None and logprobs is None:
            return self._choice + ENCODER.encode(delta) + self._after
        more = b',"logprobs":%b,"finish_reason":%b}]' % (ENCODER.encode(logprobs), ENCODER.encode(finish))
        return self._choice + ENCODER.encode(delta) + more + self._null_usage

    def write(self, happening: Happening) -> bytes:
        """See `EventWriter.write`."""
        if type(happening) is PartGrew:
            return self._grow(happening)
        if isinstance(happening, PartBegan):
            self._parts[happening.index] = happening.part
            return self._begin_part(happening.index, happening.part)
        if isinstance(happening, PartEnded):
            return self._end_part(happening.index, happening.last)
        if isinstance(happening, Began):
            self._begin(happening.model, happening.id or self._id, happening.created_s or self._created_s)
        return b""

    def _grow(self, grew: PartGrew) -> bytes:
        index, text = grew.index, grew.text
        route = self._routes.get(index)
        if route is None:
            lane = self._thoughts if isinstance(self._parts.get(index), Reasoning) else self._texts
            lane.hold(index, text)
            return b""
        if index == self._texts.open:
            self._length += len(text)
            if grew.logprobs:
                return self._event({"content": text}, logprobs={"content": grew.logprobs, "refusal": None})
        elif (grown := self._grown.get(index)) is not None:
            grown.append(text)
        return route[0] + ENCODER.encode(text) + route[1] if text else b""

    def _introduce(self, content: str | None) -> bytes:
        """The chunk with the role, before anything else."""
        if self._introduced:
            return b""
        self._introduced = True
        self._has_content = content is not None
        return self._event({"role": "assistant", "content": content})

    def _begin_part(self, index: int, part: Part) -> bytes:
        if isinstance(part, Text):
            return self._introduce("") + (self._open_text(index) if self._texts.begin(index) else b"")
        if isinstance(part, Reasoning):
            self._places[index] = (self._length, len(self._calls))
            return self._introduce(None) + (self._open_thought(index) if self._thoughts.begin(index) else b"")
        if isinstance(part, ToolCall):
            return self._introduce(None) + self._open_call(index, part)
        if isinstance(part, Refusal):
            self._refused = True
            self._routes[index] = (self._choice + b'{"refusal":', b"}" + self._after)
            return self._introduce(None) + (self._event({"refusal": part.text}) if part.text else b"")
        if isinstance(part, Media) and part.kind == "image":
            shown = written_image(part) | {"index": self._images}
            self._images += 1
            return self._introduce(None) + self._event({"images": [shown]})
        return b""

    def _open_text(self, index: int) -> bytes:
        part = self._parts[index]
        assert isinstance(part, Text)
        self._begins = self._length
        self._routes[index] = (self._choice + b'{"content":', b"}" + self._after)
        if not part.text and self._has_content:
            return b""
        self._has_content = True
        return self._grow(PartGrew(index, part.text, part.logprobs)) or self._event({"content": ""})

    def _open_thought(self, index: int) -> bytes:
        part = self._parts[index]
        assert isinstance(part, Reasoning)
        self._grown[index] = []
        self._routes[index] = (self._choice + b'{"reasoning_content":', b"}" + self._after)
        return self._grow(PartGrew(index, part.text))

    def _open_call(self, index: int, part: ToolCall) -> bytes:
        number = self._calls[index] = len(self._calls)
        if self._older:
            # There is room for one call only.
            if number:
                return b""
            self._routes[index] = (self._choice + b'{"function_call":{"arguments":', b"}}" + self._after)
            return self._event({"function_call": {"name": part.name, "arguments": part.arguments}})
        kind, given = ("custom", "input") if part.custom else ("function", "arguments")
        opening = b'{"tool_calls":[{"index":%d,"%b":{"%b":' % (number, kind.encode(), given.encode())
        self._routes[index] = (self._choice + opening, b"}}]}" + self._after)
        call = {"index": number, "id": part.id, "type": kind, kind: {"name": part.name, given: part.arguments}}
        if part.seal is not None:
            call["extra_content"] = sealed(part.seal)
        return self._event({"tool_calls": [call]})

    def _end_part(self, index: int, last: Part | None) -> bytes:
        part = self._parts.get(index)
        if part is None:
            return b""
        if last is not None:
            part = self._parts[index] = completed(part, last)
        if isinstance(part, Text | Reasoning):
            lane = self._texts if isinstance(part, Text) else self._thoughts
            if index != lane.open:
                lane.end(index)
                return b""
            return self._end_text(index, part) if isinstance(part, Text) else self._end_thought(index, part)
        self._routes.pop(index, None)
        if isinstance(part, ToolCall) and isinstance(last, ToolCall) and last.seal is not None and not self._older:
            kind, given = ("custom", "input") if part.custom else ("function", "arguments")
            # The SDK wants to find the function in every piece of a call.
            call = {"index": self._calls[index], kind: {given: ""}, "extra_content": sealed(last.seal)}
            return self._event({"tool_calls": [call]})
        return b""

    def _end_text(self, index: int, part: Text) -> bytes:
        self._annotations += annotations(part, self._begins, self._length - self._begins)
        self._seal = part.seal or self._seal
        del self._routes[index]
        return self._go_on(self._texts)

    def _end_thought(self, index: int, part: Reasoning) -> bytes:
        whole = msgspec.structs.replace(part, text="".join(self._grown.pop(index)))
        characters, calls = self._places[index]
        self._entries_due = self._entries_due or bool(self._entries) or needs_entry(whole, characters, calls)
        self._entries.append(entry(whole, len(self._entries), characters, calls))
        del self._routes[index]
        return self._tell_entries() + self._go_on(self._thoughts)

    def _tell_entries(self) -> bytes:
        """The entries that are not yet told, once there is one that the plain text alone would not do for."""
        due = self._entries[self._told :] if self._entries_due else []
        self._told += len(due)
        return self._event({"reasoning_details": due}) if due else b""

    def _go_on(self, lane: Lane) -> bytes:
        """Write the parts that have waited for the one that ended."""
        lane.open = None
        waited = lane.next()
        if waited is None:
            return b""
        index, words, ended = waited
        is_text = lane is self._texts
        written = self._open_text(index) if is_text else self._open_thought(index)
        written += self._grow(PartGrew(index, words))
        return written + (self._end_part(index, None) if ended else b"")

    def end(self, ended: Ended, usage: Usage | None, cost_usd: str | None = None) -> bytes:
        """See `EventWriter.end`."""
        events = [self._introduce("")]
        for lane in (self._thoughts, self._texts):
            while lane.open is not None:
                events.append(self._end_part(lane.open, None))
        delta: dict[str, Any] = {}
        if self._annotations:
            delta["annotations"] = self._annotations
        if self._seal is not None:
            delta["extra_content"] = sealed(self._seal)
        if delta:
            events.append(self._event(delta))
        reason = reason_of(ended.finish, refused=self._refused, older=self._older)
        last = self._event({}, reason)
        if ended.service_tier is not None:
            last = last[: -len(self._null_usage)] + b',"service_tier":' + ENCODER.encode(ended.service_tier)
            last += self._null_usage
        events.append(last)
        if usage is not None and self._wants_usage:
            more: dict[str, object] = {"choices": [], "usage": usage_object(usage)}
            if cost_usd is not None:
                more["enfilade"] = {"cost_usd": cost_usd}
            events.append(self._head + b"," + ENCODER.encode(more)[1:] + b"\n\n")
        return b"".join([*events, DONE])
