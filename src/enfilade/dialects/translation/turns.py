"""The turns of a conversation: what stands in them, in forms that the target takes."""

import hashlib
import re
from collections.abc import Callable
from typing import Any, NoReturn

import msgspec

from enfilade.core.messages import (
    Conversation,
    Media,
    Message,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Role,
    Text,
    ToolCall,
    ToolResult,
)
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.seals import opened, opened_thought
from enfilade.dialects.translation.losses import Losses
from enfilade.dialects.translation.tools import INPUT, allowed_name
from enfilade.dialects.translation.types import Aim, Memo


class Turns:
    """Fits the turns of one conversation."""

    def __init__(self, aim: Aim, losses: Losses, memo: Memo) -> None:
        """Fit to `aim`; names go through `memo`."""
        self._aim = aim
        self._rules = aim.rules
        self._losses = losses
        self._memo = memo
        self._ids: dict[str, str] = {}
        self._fitters: dict[type, Callable[[Any], Part | None]] = {
            Text: self._text,
            Refusal: self._refusal,
            Media: self._media,
            ToolCall: self._tool_call,
            ToolResult: self._tool_result,
            Reasoning: self._reasoning,
            Opaque: self._opaque,
        }

    def fit(self, question: Conversation) -> Conversation:
        """The question with fitting turns. Raises NotTranslatable."""
        rules, losses = self._rules, self._losses
        system: list[Text] = [self._text(text) for text in question.system]
        turns: list[Message] = []
        moved: list[Part] = []
        for message in question.messages:
            if message.role is Role.SYSTEM and not rules.system_turns:
                system.extend(self._text(part) for part in message.parts if isinstance(part, Text))
                continue
            if moved and not any(isinstance(part, ToolResult) for part in message.parts):
                # All results of a turn stand together: what was in them follows the last one.
                turns.append(Message(Role.USER, tuple(moved)))
                moved = []
            turns.append(self._turn(message))
            self._move_media(message, moved)
        if moved:
            turns.append(Message(Role.USER, tuple(moved)))
        if system and "system" in self._aim.lacks:
            losses.refuse("system", "is more than this model takes")
        if not rules.prefill and turns and turns[-1].role is Role.ASSISTANT:
            losses.refuse("messages", "must not end with the assistant's turn: it cannot be continued there")
        if not rules.empty_texts:
            system = [text for text in system if text.text]
        tools = question.tools
        if not rules.cache_marks and any(tool.cache for tool in tools):
            losses.drop("cache")
            tools = tuple(msgspec.structs.replace(tool, cache=None) for tool in tools)
        return msgspec.structs.replace(question, messages=tuple(turns), system=tuple(system), tools=tools)

    def _turn(self, message: Message) -> Message:
        parts: list[Part] = []
        for part in message.parts:
            fitted = self._part(part)
            if fitted is not None:
                parts.append(fitted)
        name = message.name
        if name is not None and not self._rules.names:
            self._losses.drop("name")
            name = None
        return Message(message.role, tuple(parts), name)

    def _part(self, part: Part) -> Part | None:
        """The part as it fits; None for one that is left out."""
        fitted = self._fitters[type(part)](part)
        if isinstance(fitted, Text) and not (fitted.text or self._rules.empty_texts or fitted.seal):
            return None
        return fitted

    def _refusal(self, part: Refusal) -> Refusal | Text:
        return part if self._rules.refusals else Text(part.text)

    def _opaque(self, part: Opaque) -> NoReturn:
        self._losses.refuse("messages", f"holds a block of the type {part.kind}, which only its own provider reads")

    def _text(self, part: Text) -> Text:
        changes = self._common(part)
        return msgspec.structs.replace(part, **changes) if changes else part

    def _common(self, part: Text | Media | ToolCall | ToolResult) -> dict[str, Any]:
        """What has to change about marks and seals."""
        changes: dict[str, Any] = {}
        if part.cache is not None and not self._rules.cache_marks:
            self._losses.drop("cache")
            changes["cache"] = None
        seal = None if isinstance(part, ToolResult) else part.seal
        if seal is not None:
            found = opened(seal.value, seal.origin)
            if found is None or found.origin not in self._rules.seals:
                changes["seal"] = None
            elif found != seal:
                changes["seal"] = found
        return changes

    def _tool_call(self, part: ToolCall) -> ToolCall:
        changes = self._common(part)
        if part.custom and not self._rules.custom_tools:
            changes |= {"custom": False, "arguments": ENCODER.encode({INPUT: part.arguments}).decode()}
        if not self._aim.tool_name.fullmatch(part.name):
            changes["name"] = allowed_name(part.name, self._aim, self._memo)
        if (known := self._id(part.id)) != part.id:
            changes["id"] = known
        return msgspec.structs.replace(part, **changes) if changes else part

    def _tool_result(self, part: ToolResult) -> ToolResult:
        changes = self._common(part)
        if (known := self._id(part.call_id)) != part.call_id:
            changes["call_id"] = known
        if part.name is not None and not self._aim.tool_name.fullmatch(part.name):
            changes["name"] = allowed_name(part.name, self._aim, self._memo)
        if part.custom and not self._rules.custom_tools:
            changes["custom"] = False
        content = tuple(
            self._text(piece) if isinstance(piece, Text) else self._media(piece)
            for piece in part.content
            if isinstance(piece, Text) or piece.kind in self._rules.result_media
        )
        if content != part.content:
            changes["content"] = content
        return msgspec.structs.replace(part, **changes) if changes else part

    def _move_media(self, message: Message, moved: list[Part]) -> None:
        """Media of tool results that have no place there follow in a turn of their own, each with its call's id."""
        for part in message.parts:
            if isinstance(part, ToolResult):
                media = [m for m in part.content if isinstance(m, Media) and m.kind not in self._rules.result_media]
                if media:
                    moved.append(Text(f"From the result of tool call {self._id(part.call_id)}:"))
                    moved.extend(self._media(piece) for piece in media)

    def _media(self, part: Media) -> Media:
        losses = self._losses
        forms = self._rules.media.get(part.kind)
        if forms is None or f"{part.kind}s" in self._aim.lacks or part.kind in self._aim.lacks:
            losses.refuse("messages", f"holds {_ARTICLES.get(part.kind, 'a')} {part.kind}, which cannot be sent there")
        for form in ("data", "url", "file_id", "text"):
            if getattr(part, form) is not None and (form not in forms or self._is_foreign(part)):
                losses.refuse("messages", f"holds {_ARTICLES.get(part.kind, 'a')} {part.kind} {_FORMS[form]}")
        changes = self._common(part)
        if part.detail is not None and "detail" not in self._aim.takes:
            if part.detail != "auto":
                losses.drop("detail")
            changes["detail"] = None
        return msgspec.structs.replace(part, **changes) if changes else part

    def _is_foreign(self, part: Media) -> bool:
        """Whether it is a file that another provider keeps."""
        own = self._aim.file_id
        return part.file_id is not None and own is not None and own.fullmatch(part.file_id) is None

    def _reasoning(self, part: Reasoning) -> Reasoning | None:
        seal, found, redacted = part.seal, None, part.redacted
        if seal is not None:
            found, redacted = opened_thought(seal, redacted=part.redacted)
        if found is not None and found.origin in self._rules.seals:
            return part if found == seal else msgspec.structs.replace(part, seal=found, redacted=redacted)
        if self._rules.unsealed_reasoning and part.text and not part.redacted:
            return part if seal is None else msgspec.structs.replace(part, seal=None)
        # Another provider's thoughts: no provider takes them, and none needs them.
        self._losses.drop("reasoning")
        return None

    def _id(self, identifier: str) -> str:
        pattern = self._aim.tool_id
        if pattern is None or pattern.fullmatch(identifier):
            return identifier
        known = self._ids.get(identifier)
        if known is None:
            known = self._ids[identifier] = allowed_id(identifier, pattern)
        return known


_ARTICLES = {"image": "an", "audio": "an"}
_FORMS = {
    "data": "as data, which cannot be sent there",
    "url": "by its address, which cannot be sent there: send its data",
    "file_id": "by the id of a file, which another provider keeps: send its data",
    "text": "as plain text, which cannot be sent there",
}


def allowed_id(identifier: str, pattern: re.Pattern[str]) -> str:
    """An id that the pattern takes, always the same for the same id."""
    digest = hashlib.sha256(identifier.encode("utf-8", "surrogatepass")).hexdigest()
    for candidate in (f"call_{digest[:24]}", digest[:9], digest[:32]):
        if pattern.fullmatch(candidate):
            return candidate
    return digest[:8]
