"""The caller's items as turns."""

from collections.abc import Callable
from typing import Any

import msgspec

from enfilade.core.messages import (
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Sealed,
    Text,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.bodies import as_object
from enfilade.dialects.members.openai_responses.annotations import read_citations, read_logprobs
from enfilade.dialects.members.openai_responses.carriers import is_carrier
from enfilade.dialects.members.openai_responses.media import read_audio, read_cache, read_file, read_image
from enfilade.dialects.members.openai_responses.reading import Notes, typed
from enfilade.dialects.members.openai_responses.tools import ORIGIN

FAMILY = "openai"
_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT, "system": Role.SYSTEM, "developer": Role.SYSTEM}
_MESSAGE = frozenset({"type", "role", "content", "id", "status"})
_PHASE = frozenset({"phase"})
_CALL = frozenset({"type", "id", "call_id", "name", "arguments", "input", "status"})
_RESULT = frozenset({"type", "id", "call_id", "output", "status", "name"})
_REASONING = frozenset({"type", "id", "summary", "content", "encrypted_content", "status"})
_OUTPUT_TEXT = frozenset({"type", "text", "annotations", "logprobs", "prompt_cache_breakpoint"})
_INPUT_TEXT = frozenset({"type", "text", "prompt_cache_breakpoint"})
_ANSWERS = frozenset({"mcp_approval_response", "compaction_trigger", "additional_tools", "configuration_update"})
"""Items of the caller's, beside those whose type ends in `_output`."""


class Turns:
    """Collects items into turns: what the assistant did until somebody else spoke is one turn."""

    def __init__(self, notes: Notes) -> None:
        """Note in `notes` what has no place."""
        self._notes = notes
        self._turns: list[Message] = []
        self._assistant: list[Part] = []
        self._said = False
        """Whether the latest item of the assistant's turn was a message: another one is a turn of its own."""

    def take(self, given: list[Any]) -> tuple[Message, ...]:
        """The turns. Raises WrongType, MissingField."""
        for position, entry in enumerate(given):
            where = f"input[{position}]"
            item = typed(entry, dict, where)
            kind = item.get("type")
            if kind is None and "role" not in item and "id" in item:
                kind = "item_reference"
            kind = typed("message" if kind is None else kind, str, f"{where}.type")
            _READERS.get(kind, Turns._opaque)(self, item, where)
        self._close()
        return tuple(self._turns)

    def _close(self) -> None:
        if self._assistant:
            self._turns.append(Message(Role.ASSISTANT, tuple(self._assistant)))
            self._assistant = []
        self._said = False

    def _add(self, *parts: Part) -> None:
        """More of the assistant's turn."""
        self._assistant.extend(parts)
        self._said = False

    def _message(self, item: dict[str, Any], where: str) -> None:
        notes = self._notes
        notes.check(item, _MESSAGE, where, harmless=_PHASE)
        name = typed(item.get("role"), str, f"{where}.role")
        role = _ROLES.get(name)
        if role is None:
            notes.foreign[f"{where}.role"] = None
            return
        content = item.get("content")
        parts: tuple[Part, ...]
        if isinstance(content, str):
            parts = (Text(content),)
        else:
            entries = typed(content, list, f"{where}.content")
            parts = tuple(
                part
                for at, entry in enumerate(entries)
                if (part := read_part(entry, f"{where}.content[{at}]", notes)) is not None
            )
        if role is not Role.ASSISTANT:
            self._close()
            self._turns.append(Message(role, parts))
            return
        if self._said:
            self._close()
        self._assistant.extend(parts)
        self._said = bool(self._assistant)

    def _call(self, item: dict[str, Any], where: str) -> None:
        custom = item["type"] == "custom_tool_call"
        plain = {name: value for name, value in item.items() if not (name == "async" and value is False)}
        if as_object(item.get("caller")).get("type") == "direct":
            plain.pop("caller")
        self._notes.check(plain, _CALL, where)
        field = "input" if custom else "arguments"
        self._add(
            ToolCall(
                typed(item.get("call_id"), str, f"{where}.call_id"),
                typed(item.get("name"), str, f"{where}.name"),
                typed(item.get(field), str, f"{where}.{field}"),
                custom=custom,
                item_id=typed(item.get("id"), str, f"{where}.id", optional=True),
            )
        )

    def _result(self, item: dict[str, Any], where: str) -> None:
        plain = dict(item)
        if as_object(item.get("caller")).get("type") == "direct":
            plain.pop("caller")
        self._notes.check(plain, _RESULT, where)
        output = item.get("output")
        content: tuple[Text | Media, ...]
        if isinstance(output, str):
            content = (Text(output),)
        else:
            entries = typed(output, list, f"{where}.output")
            parts = [read_part(entry, f"{where}.output[{at}]", self._notes) for at, entry in enumerate(entries)]
            content = tuple(part for part in parts if isinstance(part, Text | Media))
        result = ToolResult(
            typed(item.get("call_id"), str, f"{where}.call_id"),
            content,
            is_error=item.get("status") == "incomplete",
            name=typed(item.get("name"), str, f"{where}.name", optional=True),
            custom=item["type"] == "custom_tool_call_output",
        )
        self._close()
        self._turns.append(Message(Role.USER, (result,)))

    def _reasoning(self, item: dict[str, Any], where: str) -> None:
        self._notes.check(item, _REASONING, where)
        sealed = typed(item.get("encrypted_content"), str, f"{where}.encrypted_content", optional=True)
        seal = Sealed(FAMILY, sealed) if sealed else None
        identifier = typed(item.get("id"), str, f"{where}.id", optional=True)
        if is_carrier(identifier):
            self._seal_last(seal)
            return
        texts = _words(item, "summary", where) or _words(item, "content", where)
        self._add(Reasoning("\n\n".join(texts), seal, redacted=not texts and seal is not None, id=identifier))

    def _seal_last(self, seal: Sealed | None) -> None:
        """The item carried the seal of the part before it."""
        if self._assistant and isinstance(last := self._assistant[-1], Text | ToolCall | Media):
            self._assistant[-1] = msgspec.structs.replace(last, seal=seal)
            self._said = False

    def _image(self, item: dict[str, Any], where: str) -> None:
        """A generated image; models of other dialects make them too."""
        result = typed(item.get("result"), str, f"{where}.result", optional=True)
        if result is not None:
            self._add(Media("image", f"image/{item.get('output_format') or 'png'}", result))

    def _reference(self, _item: dict[str, Any], where: str) -> None:
        self._notes.foreign[where] = None

    def _opaque(self, item: dict[str, Any], where: str) -> None:
        kind = typed(item.get("type"), str, f"{where}.type")
        part = Opaque(ORIGIN, kind, item)
        if kind.endswith("_output") or kind in _ANSWERS:
            self._close()
            self._turns.append(Message(Role.USER, (part,)))
        else:
            self._add(part)


_READERS: dict[str, Callable[[Turns, dict[str, Any], str], None]] = {
    "message": Turns._message,  # noqa: SLF001
    "function_call": Turns._call,  # noqa: SLF001
    "custom_tool_call": Turns._call,  # noqa: SLF001
    "function_call_output": Turns._result,  # noqa: SLF001
    "custom_tool_call_output": Turns._result,  # noqa: SLF001
    "reasoning": Turns._reasoning,  # noqa: SLF001
    "image_generation_call": Turns._image,  # noqa: SLF001
    "item_reference": Turns._reference,  # noqa: SLF001
}


def _words(item: dict[str, Any], name: str, where: str) -> list[str]:
    entries = typed(item.get(name), list, f"{where}.{name}", optional=True) or ()
    return [
        typed(typed(entry, dict, f"{where}.{name}[{at}]").get("text"), str, f"{where}.{name}[{at}].text")
        for at, entry in enumerate(entries)
    ]


def read_part(entry: Any, where: str, notes: Notes) -> Part | None:
    """One part of a message or a result; None for one that has no meaning elsewhere. Raises WrongType."""
    part = typed(entry, dict, where)
    kind = typed(part.get("type"), str, f"{where}.type")
    if kind in {"input_text", "output_text", "text"}:
        return _text(part, where, notes)
    if (reader := _MEDIA.get(kind)) is not None:
        return reader(part, where, notes)
    if kind == "refusal":
        return Refusal(typed(part.get("refusal"), str, f"{where}.refusal"))
    notes.foreign[where] = None
    return None


_MEDIA = {"input_image": read_image, "input_file": read_file, "input_audio": read_audio}


def _text(part: dict[str, Any], where: str, notes: Notes) -> Text:
    notes.check(part, _OUTPUT_TEXT if part["type"] == "output_text" else _INPUT_TEXT, where)
    text = typed(part.get("text"), str, f"{where}.text")
    cache = read_cache(part)
    if len(part) == 2:
        return Text(text)
    return Text(text, cache, read_citations(part.get("annotations")), read_logprobs(part.get("logprobs")))
