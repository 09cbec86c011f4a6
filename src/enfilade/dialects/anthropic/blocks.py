"""The content blocks of a caller's messages."""

from collections.abc import Callable
from typing import Any

import msgspec

from enfilade.core.messages import Media, Opaque, Part, Reasoning, Sealed, Text, ToolCall, ToolResult
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.anthropic.carriers import ORIGIN, UNSEALED, PartSeal, read_part_seal, with_part_seals
from enfilade.dialects.anthropic.citations import read_citation
from enfilade.dialects.anthropic.fields import (
    FLAG,
    RAW_OBJECT,
    RAW_OBJECTS,
    STRING,
    Fields,
    Notes,
    Path,
    decoded,
    refuse,
)

DIALECT_NAME = "anthropic_messages"
WHERE = "messages.content."
_QUOTE, _BRACKET = ord('"'), ord("[")
_ANY_LIST = msgspec.json.Decoder(list[dict[str, Any]] | None)
_TEXTS = frozenset({"type", "text", "cache_control", "citations"})


def content_parts(raw: msgspec.Raw | None, path: Path, notes: Notes) -> tuple[Part, ...]:
    """A message's content, a string or blocks, in its order. Raises WrongType, MissingField."""
    found = content_blocks(raw, path)
    if isinstance(found, str):
        return (Text(found),)
    parts = [_read(block, notes) for block in found]
    if any(isinstance(part, PartSeal) for part in parts):
        return tuple(with_part_seals(parts))
    return tuple(part for part in parts if not isinstance(part, PartSeal))


def content_blocks(raw: msgspec.Raw | None, path: Path) -> str | list[Fields]:
    """A string, or the blocks unread. Raises WrongType."""
    first = memoryview(raw)[0] if raw is not None and bytes(memoryview(raw)[:1]) else 0
    if raw is not None and first == _QUOTE:
        return decoded(STRING, raw, path) or ""
    if raw is None or first != _BRACKET:
        refuse(path, "a string or an array of content blocks")
    blocks = decoded(RAW_OBJECTS, raw, path)
    return [Fields(block, (*path, at)) for at, block in enumerate(blocks or ())]


def _read(block: Fields, notes: Notes) -> Part | PartSeal:
    kind = block.need("type", STRING)
    found = _BLOCKS.get(kind)
    if found is None:
        return _opaque(block, kind)
    reader, known = found
    block.note_others(known, WHERE, notes)
    return reader(block, notes)


def _opaque(block: Fields, kind: str) -> Opaque:
    try:
        value = {name: msgspec.json.decode(raw) for name, raw in block.raw.items()}
    except UNREADABLE:
        refuse(block.path, "readable")
    return Opaque(DIALECT_NAME, kind, value)


def read_text(block: Fields, notes: Notes) -> Text:
    """A text block."""
    del notes
    citations = block.get("citations", _ANY_LIST) if "citations" in block.raw else None
    return Text(
        block.need("text", STRING),
        cache=block.cache() if "cache_control" in block.raw else None,
        citations=tuple(found for entry in citations or () if (found := read_citation(entry)) is not None),
    )


def _image(block: Fields, notes: Notes) -> Media:
    block.note("transformations", WHERE, notes.harmless)
    return _media(block, "image", None)


def _media(block: Fields, kind: str, name: str | None) -> Media:
    source = Fields(block.need("source", RAW_OBJECT), (*block.path, "source"))
    form = source.need("type", STRING)
    cache = block.cache()
    if form == "base64":
        media_type = source.need("media_type", STRING)
        return Media(kind, media_type, source.need("data", STRING), name=name, cache=cache)
    if form == "url":
        return Media(kind, url=source.need("url", STRING), name=name, cache=cache)
    if form == "file":
        return Media(kind, file_id=source.need("file_id", STRING), name=name, cache=cache)
    if form == "text" and kind == "document":
        return Media(kind, source.get("media_type", STRING), text=source.need("data", STRING), name=name, cache=cache)
    return refuse((*source.path, "type"), "`base64`, `url`, `file` or, in documents, `text` or `content`")


def _document(block: Fields, notes: Notes) -> Media | Opaque:
    block.note("context", WHERE, notes.foreign)
    citations = block.inner("citations")
    if citations is not None and citations.get("enabled", FLAG):
        notes.foreign[f"{WHERE}citations"] = None
    source = block.raw.get("source")
    inner = decoded(RAW_OBJECT, source, (*block.path, "source")) if source is not None else None
    if inner is not None and bytes(inner.get("type", b"")) == b'"content"':
        # Several blocks in one document: no other dialect has such.
        words = content_blocks(inner.get("content"), (*block.path, "source", "content"))
        if not isinstance(words, str):
            return _opaque(block, "document")
        return Media("document", "text/plain", text=words, name=block.get("title", STRING), cache=block.cache())
    return _media(block, "document", block.get("title", STRING))


def _tool_use(block: Fields, notes: Notes) -> ToolCall:
    caller = block.inner("caller")
    if caller is not None and caller.get("type", STRING) != "direct":
        notes.foreign[f"{WHERE}caller"] = None
    block.note("toolset_name", WHERE, notes.foreign)
    raw = block.raw.get("input")
    if raw is None or memoryview(raw)[0] != ord("{"):
        refuse((*block.path, "input"), "an object")
    # The arguments stay as they were written: nothing has to read them.
    arguments = bytes(raw).decode()
    return ToolCall(block.need("id", STRING), block.need("name", STRING), arguments, cache=block.cache())


def _tool_result(block: Fields, notes: Notes) -> ToolResult:
    block.note("toolset_name", WHERE, notes.foreign)
    raw = block.raw.get("content")
    content: list[Text | Media] = []
    if raw is not None and bytes(memoryview(raw)[:4]) != b"null":
        found = content_blocks(raw, (*block.path, "content"))
        if isinstance(found, str):
            content.append(Text(found))
        else:
            content.extend(piece for inner in found if (piece := _result_piece(inner, notes)) is not None)
    return ToolResult(
        block.need("tool_use_id", STRING), tuple(content), bool(block.get("is_error", FLAG)), cache=block.cache()
    )


def _result_piece(block: Fields, notes: Notes) -> Text | Media | None:
    kind = block.need("type", STRING)
    part = _read(block, notes) if kind in _IN_RESULTS else None
    if isinstance(part, Text | Media):
        return part
    notes.foreign[f"{WHERE}content.{kind[:60]}"] = None
    return None


def _thinking(block: Fields, notes: Notes) -> Reasoning:
    del notes
    return Reasoning(block.need("thinking", STRING), _seal(block.get("signature", STRING)))


def _redacted(block: Fields, notes: Notes) -> Reasoning | PartSeal:
    del notes
    data = block.need("data", STRING)
    return read_part_seal(data) or Reasoning(seal=_seal(data), redacted=True)


def _seal(value: str | None) -> Sealed | None:
    return Sealed(ORIGIN, value) if value and value != UNSEALED else None


_IN_RESULTS = frozenset({"text", "image", "document"})
_SOURCED = frozenset({"type", "source", "cache_control", "transformations", "citations", "context", "title"})
_BLOCKS: dict[str, tuple[Callable[[Fields, Notes], Part | PartSeal], frozenset[str]]] = {
    "text": (read_text, _TEXTS),
    "image": (_image, _SOURCED),
    "document": (_document, _SOURCED),
    "tool_use": (
        _tool_use,
        frozenset({"type", "id", "name", "input", "cache_control", "caller", "toolset_name"}),
    ),
    "tool_result": (
        _tool_result,
        frozenset({"type", "tool_use_id", "content", "is_error", "cache_control", "toolset_name"}),
    ),
    "thinking": (_thinking, frozenset({"type", "thinking", "signature"})),
    "redacted_thinking": (_redacted, frozenset({"type", "data"})),
}
