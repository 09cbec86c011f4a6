"""The blocks of a message, from the neutral form."""

import base64
import re
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from enfilade.core.messages import CacheLife, Media, Part, Reasoning, Refusal, Text, ToolCall, ToolResult
from enfilade.dialects.errors import NotTranslatable

Block = dict[str, Any]

IMAGES = {"png": "png", "jpeg": "jpeg", "jpg": "jpeg", "gif": "gif", "webp": "webp"}
DOCUMENTS = {
    "pdf": "pdf",
    "csv": "csv",
    "msword": "doc",
    "vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "vnd.ms-excel": "xls",
    "vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "html": "html",
    "plain": "txt",
    "markdown": "md",
    "x-markdown": "md",
}
VIDEOS = {
    "x-matroska": "mkv",
    "quicktime": "mov",
    "mp4": "mp4",
    "webm": "webm",
    "x-flv": "flv",
    "mpeg": "mpeg",
    "x-ms-wmv": "wmv",
    "3gpp": "three_gp",
}
SOUNDS = {
    "mp3": "mp3",
    "mpeg": "mp3",
    "wav": "wav",
    "x-wav": "wav",
    "aac": "aac",
    "flac": "flac",
    "ogg": "ogg",
    "opus": "opus",
    "mp4": "mp4",
    "x-m4a": "m4a",
    "webm": "webm",
    "pcm": "pcm",
    "pcm16": "pcm",
}
FORMATS = {"image": IMAGES, "document": DOCUMENTS, "video": VIDEOS, "audio": SOUNDS}
UNSAID = {"image": "png", "document": "pdf"}
"""The format where nobody said one, and the data do not show it."""
SIGNATURES = (("iVBORw0KGgo", "png"), ("/9j/", "jpeg"), ("R0lGOD", "gif"), ("UklGR", "webp"), ("JVBERi", "pdf"))
"""How base64 of these formats begins."""
MAX_NAME = 200
NOTHING_SAID = "(no output)"

_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\s()\[\]-]+")


def cache_point(life: CacheLife | None) -> list[Block]:
    """The mark after what is to be cached; none when nothing is."""
    if life is None:
        return []
    # Five minutes is what a point without a time means; models from before one could be said refuse it.
    return [{"cachePoint": {"type": "default"} if life == "5m" else {"type": "default", "ttl": life}}]


class Blocks:
    """Writes the blocks of one request: documents need names, each of its own."""

    def __init__(self) -> None:
        """Start with no names."""
        self._names: set[str] = set()
        self._writers: dict[type, Callable[[Any], Block | None]] = {
            Text: _words,
            Refusal: _words,
            Media: self.media,
            ToolCall: _tool_use,
            ToolResult: self._tool_result,
            Reasoning: _reasoning,
        }

    def of(self, parts: list[Part]) -> Iterator[Block]:
        """The blocks of a turn."""
        for part in parts:
            write = self._writers.get(type(part))
            block = write(part) if write is not None else None
            if block is not None:
                yield block
                yield from cache_point(getattr(part, "cache", None))

    def media(self, part: Media) -> Block:
        """An image, a document, a video or a sound. Raises NotTranslatable for a format that Bedrock does not take."""
        data = part.data
        if data is None:
            data = base64.b64encode((part.text or "").encode()).decode()
        block: Block = {"format": "txt" if part.data is None else _format(part), "source": {"bytes": data}}
        if part.kind == "document":
            block["name"] = self._name(part.name)
        return {part.kind: block}

    def _name(self, given: str | None) -> str:
        """A name as Bedrock takes it, and another one for each document."""
        stem = (given or "").rpartition(".")[0] or given or ""
        name = " ".join(_NOT_IN_NAMES.sub(" ", stem).split())[: MAX_NAME - 10] or "document"
        chosen, count = name, 1
        while chosen in self._names:
            count += 1
            chosen = f"{name} {count}"
        self._names.add(chosen)
        return chosen

    def _tool_result(self, part: ToolResult) -> Block:
        content = []
        for piece in part.content:
            block = _words(piece) if isinstance(piece, Text) else self.media(piece)
            if block is not None:
                content.append(block)
        result: Block = {"toolUseId": part.call_id, "content": content or [{"text": NOTHING_SAID}]}
        if part.is_error:
            result["status"] = "error"  # Not said otherwise: not all models take it.
        return {"toolResult": result}


def _words(part: Text | Refusal) -> Block | None:
    """A text; white space alone is refused."""
    return {"text": part.text} if part.text and not part.text.isspace() else None


def _format(part: Media) -> str:
    formats = FORMATS[part.kind]
    if part.media_type:
        found = formats.get(part.media_type.partition(";")[0].rpartition("/")[2].lower())
        if found is None:
            message = f"Bedrock does not take {part.media_type}; it takes {', '.join(sorted(set(formats.values())))}."
            raise NotTranslatable(message, param="messages")
        return found
    data = part.data or ""
    for beginning, shown in SIGNATURES:
        if data.startswith(beginning) and shown in formats.values():
            return shown
    found = UNSAID.get(part.kind)
    if found is None:
        message = f"The format of the {part.kind} must be said: Bedrock does not find it out."
        raise NotTranslatable(message, param="messages")
    return found


def tool_input(arguments: str) -> object:
    """The arguments as an object, to the byte if they are one. A model may have written anything."""
    if not arguments or arguments.isspace():
        return {}
    return msgspec.Raw(arguments.encode()) if _is_object(arguments) else {"arguments": arguments}


def _is_object(text: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(text), dict)
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return False


def _tool_use(part: ToolCall) -> Block:
    return {"toolUse": {"toolUseId": part.id, "name": part.name, "input": tool_input(part.arguments)}}


def _reasoning(part: Reasoning) -> Block | None:
    if part.seal is None:
        return None
    if part.redacted:
        return {"reasoningContent": {"redactedContent": part.seal.value}}
    return {"reasoningContent": {"reasoningText": {"text": part.text, "signature": part.seal.value}}}
