"""The messages of a caller's request in the neutral form."""

from collections.abc import Callable
from typing import Any

from enfilade.core.messages import (
    Media,
    Message,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.checks import entries, is_void, obj, text, text_or_none, unknown, wrong
from enfilade.dialects.members.openai_chat import media
from enfilade.dialects.members.openai_chat.assistant import Place, arranged, citations
from enfilade.dialects.members.openai_chat.details import POSITION, read_detail
from enfilade.dialects.members.openai_chat.marks import MARKS, cache_of, seal_of

_MESSAGE = frozenset({"role", "content", "name"}) | MARKS
_RESULT = _MESSAGE | {"tool_call_id"}
_ASSISTANT = _MESSAGE | {
    "refusal",
    "tool_calls",
    "function_call",
    "reasoning",
    "reasoning_content",
    "reasoning_details",
    "extra_content",
    "annotations",
    "images",
    "audio",
}
_CALL = frozenset({"id", "type", "function", "custom", "extra_content", "index"})
_MEDIA: dict[str, Callable[..., Media]] = {
    "image_url": media.image,
    "input_audio": media.audio,
    "file": media.file,
    "video_url": media.video,
}
_PARTS = {kind: frozenset({"type", kind}) | MARKS for kind in ("text", "refusal", *_MEDIA)}
MESSAGES = "messages"


class TurnReader:
    """Reads the messages of one request."""

    def __init__(self) -> None:
        """Start with nothing."""
        self.system: list[Text] = []
        self.turns: list[Message] = []
        self.foreign: list[str] = []
        self.harmless: list[str] = []
        self._older: dict[str, str] = {}
        """The ids that were made for calls of the older form, by the function's name."""
        self._custom: set[str] = set()
        """The ids of calls with free text: their results do not say that they are such."""
        self._roles: dict[str, Callable[[dict[str, Any], str], None]] = {
            "user": self._user,
            "assistant": self._assistant,
            "tool": self._tool,
            "system": self._instructions,
            "developer": self._instructions,
            "function": self._function,
        }

    def read(self, messages: object) -> None:
        """All messages. Raises WrongType."""
        for position, entry in enumerate(entries(messages, MESSAGES)):
            where = f"{MESSAGES}[{position}]"
            message = obj(entry, where)
            role = text(message.get("role"), f"{where}.role")
            reader = self._roles.get(role)
            if reader is None:
                wrong(f"{where}.role", f"one of {', '.join(self._roles)}")
            reader(message, where)

    def _instructions(self, message: dict[str, Any], where: str) -> None:
        self.foreign += unknown(message, _MESSAGE, where)
        parts = self._texts(message, where)
        name = text_or_none(message.get("name"), f"{where}.name")
        if self.turns:
            self.turns.append(Message(Role.SYSTEM, tuple(parts), name))
            return
        if name is not None:
            self.harmless.append(f"{where}.name")
        self.system.extend(parts)

    def _user(self, message: dict[str, Any], where: str) -> None:
        self.foreign += unknown(message, _MESSAGE, where)
        parts = tuple(self._content(message, where))
        self.turns.append(Message(Role.USER, parts, text_or_none(message.get("name"), f"{where}.name")))

    def _tool(self, message: dict[str, Any], where: str) -> None:
        self.foreign += unknown(message, _RESULT, where)
        call_id = text(message.get("tool_call_id"), f"{where}.tool_call_id")
        content = tuple(part for part in self._content(message, where) if isinstance(part, Text | Media))
        name = text_or_none(message.get("name"), f"{where}.name")
        result = ToolResult(call_id, content, name=name, custom=call_id in self._custom)
        self.turns.append(Message(Role.USER, (result,)))

    def _function(self, message: dict[str, Any], where: str) -> None:
        """A result in the older form: it belongs to the last call of that function."""
        self.foreign += unknown(message, _MESSAGE, where)
        name = text(message.get("name"), f"{where}.name")
        call_id = self._older.get(name, f"call_{len(self._older)}_{name}")
        self.turns.append(Message(Role.USER, (ToolResult(call_id, tuple(self._texts(message, where)), name=name),)))

    def _assistant(self, message: dict[str, Any], where: str) -> None:
        # What nobody knows in an answer that comes back is what its provider wrote there: no other one misses it.
        self.harmless += unknown(message, _ASSISTANT, where)
        if message.get("audio") is not None:
            self.foreign.append(f"{where}.audio")
        parts = self._content(message, where)
        if (annotations := message.get("annotations")) and len(parts) == 1 and isinstance(parts[0], Text):
            found = citations(annotations)
            parts = [Text(parts[0].text, parts[0].cache, found)]
        if (refusal := text_or_none(message.get("refusal"), f"{where}.refusal")) is not None:
            parts.append(Refusal(refusal))
        if images := message.get("images"):
            for position, entry in enumerate(entries(images, f"{where}.images")):
                parts.append(self._part(entry, f"{where}.images[{position}]") or Text(""))
        if (seal := seal_of(message.get("extra_content"))) is not None:
            _seal_text(parts, seal)
        calls = self._calls(message, where)
        arranged_parts = arranged(parts, calls, self._reasoning(message, where))
        name = text_or_none(message.get("name"), f"{where}.name")
        self.turns.append(Message(Role.ASSISTANT, tuple(arranged_parts), name))

    def _reasoning(self, message: dict[str, Any], where: str) -> list[tuple[Place, Reasoning]]:
        """Each piece of reasoning, and where it stands."""
        words = text_or_none(message.get("reasoning_content"), f"{where}.reasoning_content")
        if words is None:
            words = text_or_none(message.get("reasoning"), f"{where}.reasoning")
        found: list[tuple[Place, Reasoning]] = []
        place = f"{where}.reasoning_details"
        details = message.get("reasoning_details")
        for position, entry in enumerate(entries(details, place) if details is not None else ()):
            spot = f"{place}[{position}]"
            detail = obj(entry, spot)
            found.append((_place(detail.get(POSITION)), read_detail(detail, spot)))
        if words and not any(part.text for _, part in found):
            found.insert(0, ((0, 0), Reasoning(words)))
        return found

    def _calls(self, message: dict[str, Any], where: str) -> list[ToolCall]:
        found = []
        calls = message.get("tool_calls")
        for position, entry in enumerate(entries(calls, f"{where}.tool_calls") if calls is not None else ()):
            place = f"{where}.tool_calls[{position}]"
            call = obj(entry, place)
            self.harmless += unknown(call, _CALL, place)
            is_custom = call.get("type") == "custom"
            kind, given = ("custom", "input") if is_custom else ("function", "arguments")
            held = obj(call.get(kind), f"{place}.{kind}")
            call_id = text(call.get("id"), f"{place}.id")
            if is_custom:
                self._custom.add(call_id)
            found.append(
                ToolCall(
                    call_id,
                    text(held.get("name"), f"{place}.{kind}.name"),
                    text_or_none(held.get(given), f"{place}.{kind}.{given}") or "",
                    is_custom,
                    seal=seal_of(call.get("extra_content")),
                )
            )
        older = message.get("function_call")
        if older is not None:
            found.append(self._older_call(obj(older, f"{where}.function_call"), f"{where}.function_call"))
        return found

    def _older_call(self, held: dict[str, Any], where: str) -> ToolCall:
        name = text(held.get("name"), f"{where}.name")
        call_id = self._older[name] = f"call_{len(self.turns)}_{name}"
        return ToolCall(call_id, name, text_or_none(held.get("arguments"), f"{where}.arguments") or "")

    def _texts(self, message: dict[str, Any], where: str) -> list[Text]:
        parts = self._content(message, where)
        found = [part for part in parts if isinstance(part, Text)]
        if len(found) != len(parts):
            wrong(f"{where}.content", "text, or parts that are text")
        return found

    def _content(self, message: dict[str, Any], where: str) -> list[Part]:
        content = message.get("content")
        if content is None:
            return []
        if isinstance(content, str):
            return [Text(content, cache_of(message, where))]
        place = f"{where}.content"
        if not isinstance(content, list):
            wrong(place, "a string, or an array of parts")
        parts = [self._part(entry, f"{place}[{position}]") for position, entry in enumerate(content)]
        return [part for part in parts if part is not None]

    def _part(self, entry: object, where: str) -> Part | None:
        if isinstance(entry, str):
            return Text(entry)
        part = obj(entry, where)
        kind = text(part.get("type"), f"{where}.type")
        known = _PARTS.get(kind)
        if known is None:
            self.foreign.append(where)
            return None
        if not known.issuperset(part):
            self.foreign += [
                f"{where}.{name}"
                for name, value in part.items()
                if name not in known and not is_void(name, value) and name not in {"annotations", "index"}
            ]
        held = part.get(kind)
        if kind == "text":
            return Text(text(held, f"{where}.text"), cache_of(part, where))
        if kind == "refusal":
            return Refusal(text(held, f"{where}.refusal"))
        return _MEDIA[kind](held, f"{where}.{kind}", cache_of(part, where), self.foreign)


def _place(at: object) -> Place:
    if isinstance(at, list) and len(at) == 2 and isinstance(at[0], int) and isinstance(at[1], int):
        return at[0], at[1]
    return 0, 0


def _seal_text(parts: list[Part], seal: Any) -> None:
    """Put the message's seal where its provider had it: on the last text, which may be an empty one."""
    for position in range(len(parts) - 1, -1, -1):
        part = parts[position]
        if isinstance(part, Text):
            parts[position] = Text(part.text, part.cache, part.citations, part.logprobs, seal)
            return
    parts.append(Text("", seal=seal))
