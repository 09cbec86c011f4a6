"""A caller's contents as turns: parts in their order, calls and results tied together."""

from collections import deque
from collections.abc import Callable
from typing import Any

from enfilade.core.messages import Media, Message, Opaque, Part, Reasoning, Role, Sealed, Text, ToolCall, ToolResult
from enfilade.dialects.bodies import ENCODER
from enfilade.dialects.gemini.fields import entries_at, flag_at, object_at, text_at, wrong
from enfilade.dialects.gemini.media import filed_media, inline_media

DIALECT = "gemini_generate"
ORIGIN = "gemini"
UNPARSED = "_unparsed"
"""Google's arguments are an object: those that a model wrote as no JSON object stand whole under this name."""
COUNTED_CALL = "gemini-call-"
_ROLES = {"user": Role.USER, "model": Role.ASSISTANT, "function": Role.USER, "system": Role.SYSTEM}
_HARMLESS = frozenset({"partMetadata"})
_ATTRIBUTES = frozenset({"thought", "thoughtSignature", "mediaResolution"})
_DETAILS = {
    "MEDIA_RESOLUTION_LOW": "low",
    "MEDIA_RESOLUTION_MEDIUM": "auto",
    "MEDIA_RESOLUTION_HIGH": "high",
    "MEDIA_RESOLUTION_ULTRA_HIGH": "high",
}
_OPAQUE = frozenset({"executableCode", "codeExecutionResult", "toolCall", "toolResponse"})


def detail_of(resolution: object) -> str | None:
    """How closely to look, by Google's word for it."""
    return _DETAILS.get(resolution) if isinstance(resolution, str) else None


class OpenCalls:
    """Calls without a result so far. Google's results may name their call by its id, or by its place among its likes."""

    def __init__(self) -> None:
        """Start with none."""
        self._ids: set[str] = set()
        self._in_order: deque[str] = deque()
        self._by_name: dict[str, deque[str]] = {}

    def add(self, name: str, call_id: str) -> None:
        """One more call."""
        self._ids.add(call_id)
        self._in_order.append(call_id)
        self._by_name.setdefault(name, deque()).append(call_id)

    def answered(self, name: str, given: str | None) -> str:
        """The id of the call that is answered: the one given, else that of the earliest open call of the name."""
        found = given or self._first(self._by_name.get(name)) or self._first(self._in_order)
        if found is None:
            return f"{COUNTED_CALL}{name}"
        self._ids.discard(found)
        return found

    def _first(self, waiting: deque[str] | None) -> str | None:
        while waiting:
            call_id = waiting.popleft()
            if call_id in self._ids:
                return call_id
        return None


class Contents:
    """Reads contents one after the other."""

    def __init__(self, detail: str | None = None) -> None:
        """`detail` holds for images that say nothing of it."""
        self.messages: list[Message] = []
        self.foreign: list[str] = []
        self.harmless: list[str] = []
        self._detail = detail
        self._calls = 0
        self._open = OpenCalls()

    def take(self, contents: object, where: str = "contents") -> None:
        """All contents: an array, one content, or one text. Raises WrongType."""
        for path, content in entries_at(contents, where):
            fields = {"parts": content} if isinstance(content, str) else object_at(content, path)
            role = text_at(fields, "role", path) or "user"
            if role not in _ROLES:
                raise wrong(f"{path}.role", "`user`, `model` or `function`")
            self._add(_ROLES[role], self.parts(fields.get("parts"), f"{path}.parts"))

    def _add(self, role: Role, parts: list[Part]) -> None:
        last = self.messages[-1] if self.messages else None
        if last is not None and last.role is role is Role.ASSISTANT:
            # Chats that record a stream keep a content for each of its chunks: together they are one turn.
            self.messages[-1] = Message(role, _continued(last.parts, parts))
        else:
            self.messages.append(Message(role, tuple(parts)))

    def parts(self, value: object, where: str) -> list[Part]:
        """The parts of one content. Raises WrongType."""
        found: list[Part] = []
        for path, entry in entries_at(value, where):
            if isinstance(entry, str):
                found.append(Text(entry))
            elif (part := self._part(entry, path)) is not None:
                found.append(part)
        return _joined(found)

    def _part(self, value: object, where: str) -> Part | None:
        fields = object_at(value, where)
        for name, reader in _READERS.items():
            if name in fields:
                self._leave(fields, where, name)
                return reader(self, fields, where)
        for name in _OPAQUE:
            if name in fields and isinstance(value, dict):
                return Opaque(DIALECT, name, value)
        self._leave(fields, where, "")
        signature = text_at(fields, "thoughtSignature", where)
        return Text("", seal=Sealed(ORIGIN, signature)) if signature else None

    def _leave(self, fields: dict[str, Any], where: str, taken: str) -> None:
        """Remember the fields of a part that stand beside what it is."""
        for name, value in fields.items():
            if name in _HARMLESS:
                self.harmless.append(f"{where}.{name}")
            elif name != taken and name not in _ATTRIBUTES and value not in ({}, [], ""):
                self.foreign.append(f"{where}.{name}")

    def text(self, fields: dict[str, Any], where: str) -> Part:
        """Words, or thoughts."""
        text = text_at(fields, "text", where) or ""
        if flag_at(fields, "thought", where):
            return Reasoning(text, _seal(fields, where))
        return Text(text, seal=_seal(fields, where))

    def inline(self, fields: dict[str, Any], where: str) -> Part:
        """Media in the request itself."""
        blob = object_at(fields["inlineData"], f"{where}.inlineData")
        return inline_media(blob, f"{where}.inlineData", self._detail_of(fields), _seal(fields, where))

    def file(self, fields: dict[str, Any], where: str) -> Part:
        """Media elsewhere."""
        file = object_at(fields["fileData"], f"{where}.fileData")
        return filed_media(file, f"{where}.fileData", self._detail_of(fields), _seal(fields, where))

    def _detail_of(self, fields: dict[str, Any]) -> str | None:
        own = fields.get("mediaResolution")
        return detail_of(own.get("level") if isinstance(own, dict) else own) or self._detail

    def call(self, fields: dict[str, Any], where: str) -> Part:
        """A call of a function; it has an id of its place in the conversation if it came without one."""
        path = f"{where}.functionCall"
        call = object_at(fields["functionCall"], path)
        arguments = call.get("args", {})
        if not isinstance(arguments, dict):
            raise wrong(f"{path}.args", "an object")
        name = text_at(call, "name", path) or ""
        call_id = text_at(call, "id", path) or f"{COUNTED_CALL}{self._calls}"
        self._calls += 1
        self._open.add(name, call_id)
        return ToolCall(call_id, name, arguments_text(arguments), seal=_seal(fields, where))

    def result(self, fields: dict[str, Any], where: str) -> Part:
        """What a function answered."""
        path = f"{where}.functionResponse"
        answer = object_at(fields["functionResponse"], path)
        response = answer.get("response", {})
        if not isinstance(response, dict):
            raise wrong(f"{path}.response", "an object")
        if answer.get("willContinue") is True:
            self.foreign.append(f"{path}.willContinue")
        if "scheduling" in answer:
            self.harmless.append(f"{path}.scheduling")
        name = text_at(answer, "name", path)
        call_id = self._open.answered(name or "", text_at(answer, "id", path))
        is_error = list(response) == ["error"]
        said = response["error"] if is_error else response
        content: list[Text | Media] = [Text(said if isinstance(said, str) else _json(said))]
        content += [self._attachment(entry, place) for place, entry in entries_at(answer.get("parts"), f"{path}.parts")]
        return ToolResult(call_id, tuple(content), is_error=is_error, name=name)

    def _attachment(self, value: object, where: str) -> Text | Media:
        fields = object_at(value, where)
        if "inlineData" in fields:
            return inline_media(
                object_at(fields["inlineData"], f"{where}.inlineData"), f"{where}.inlineData", None, None
            )
        if "fileData" in fields:
            return filed_media(object_at(fields["fileData"], f"{where}.fileData"), f"{where}.fileData", None, None)
        raise wrong(where, "a part with `inlineData` or `fileData`")


_READERS: dict[str, Callable[[Contents, dict[str, Any], str], Part]] = {
    "text": Contents.text,
    "functionCall": Contents.call,
    "functionResponse": Contents.result,
    "inlineData": Contents.inline,
    "fileData": Contents.file,
}


def _seal(fields: dict[str, Any], where: str) -> Sealed | None:
    signature = text_at(fields, "thoughtSignature", where)
    return Sealed(ORIGIN, signature) if signature else None


def _json(value: object) -> str:
    return ENCODER.encode(value).decode()


def arguments_text(arguments: dict[str, Any]) -> str:
    """Arguments as the text that a model wrote."""
    if list(arguments) == [UNPARSED] and isinstance(arguments[UNPARSED], str):
        return str(arguments[UNPARSED])
    return _json(arguments)


def _continued(before: tuple[Part, ...], after: list[Part]) -> tuple[Part, ...]:
    """A turn that goes on in the next content, perhaps within a text or a thought."""
    first = after[0] if after else None
    if isinstance(first, Text) and first.seal is None:
        last = before[-1] if before else None
        if isinstance(last, Text) and last.seal is None:
            return (*before[:-1], Text(last.text + first.text), *after[1:])
        if not first.text:
            return (*before, *after[1:])
    return tuple(_joined([*before, *after]))


def _joined(parts: list[Part]) -> list[Part]:
    """The parts, with the pieces of each thought joined: a signature ends it."""
    found: list[Part] = []
    for part in parts:
        last = found[-1] if found else None
        if isinstance(part, Reasoning) and isinstance(last, Reasoning) and last.seal is None:
            found[-1] = Reasoning(last.text + part.text, part.seal)
        else:
            found.append(part)
    return found
