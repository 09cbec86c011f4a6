"""The turns of a conversation as Anthropic's services insist on them."""

from collections.abc import Callable, Iterable
from typing import Any

from enfilade.core.messages import (
    CacheLife,
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
from enfilade.dialects.anthropic.blocks import DIALECT_NAME
from enfilade.dialects.anthropic.carriers import ORIGIN
from enfilade.dialects.anthropic.citations import own_citation
from enfilade.dialects.json_text import arguments_object

Block = dict[str, Any]

MEDIA = {
    "image": frozenset({"data", "url", "file_id"}),
    "document": frozenset({"data", "url", "file_id", "text"}),
}
"""The forms of media that have a place in a turn."""
SOMETHING: dict[str, Any] = {"role": "user", "content": [{"type": "text", "text": "."}]}
"""Conversations have to begin with the user, who has to say something."""
_SIGNATURES = (
    ("JVBER", "application/pdf"),
    ("iVBOR", "image/png"),
    ("/9j/", "image/jpeg"),
    ("R0lGOD", "image/gif"),
    ("UklGR", "image/webp"),
)
"""How files begin, in base64."""


def between(messages: Iterable[Message]) -> list[Text]:
    """Instructions that stand between the turns."""
    return [
        part for message in messages if message.role is Role.SYSTEM for part in message.parts if isinstance(part, Text)
    ]


def written_turns(messages: Iterable[Message]) -> list[Block]:
    """Turns that alternate, the user's first."""
    turns: list[tuple[str, list[Part]]] = []
    for message in messages:
        if message.role is Role.SYSTEM:
            continue
        parts = [part for part in message.parts if _says_something(part)]
        if not parts:
            continue
        role = message.role.value
        if turns and turns[-1][0] == role:
            turns[-1][1].extend(parts)
        else:
            turns.append((role, parts))
    written: list[Block] = [{"role": role, "content": _blocks(role, parts)} for role, parts in turns]
    if not written or written[0]["role"] != "user":
        written.insert(0, SOMETHING)
    if written[-1]["role"] == "assistant":
        _trim_prefill(written[-1]["content"])
    return written


def _says_something(part: Part) -> bool:
    """Whether the part can be written: white space alone is refused, and so are others' blocks and thoughts."""
    if isinstance(part, Text | Refusal):
        return bool(part.text) and not part.text.isspace()
    if isinstance(part, Reasoning):
        return part.seal is not None and part.seal.origin == ORIGIN
    if isinstance(part, Opaque):
        return part.origin == DIALECT_NAME
    return not (isinstance(part, Media) and part.kind not in MEDIA)


def _blocks(role: str, parts: list[Part]) -> list[Block]:
    """The blocks of a turn; of the user's, the results of tools first."""
    if role == "user" and any(isinstance(part, ToolResult) for part in parts):
        parts = sorted(parts, key=lambda part: not isinstance(part, ToolResult))
    return [_BLOCKS[type(part)](part) for part in parts]


def _trim_prefill(blocks: list[Block]) -> None:
    """What the assistant is to continue must not end in white space."""
    last = blocks[-1]
    if last["type"] == "text" and last["text"] != (trimmed := last["text"].rstrip()):
        blocks[-1] = last | {"text": trimmed}


def marked(block: Block, cache: CacheLife | None) -> Block:
    """The block, with the mark that ends a prefix to be cached."""
    if cache is not None:
        block["cache_control"] = {"type": "ephemeral"} if cache == "5m" else {"type": "ephemeral", "ttl": cache}
    return block


def text_block(part: Text | Refusal) -> Block:
    """Words."""
    block: Block = {"type": "text", "text": part.text}
    if isinstance(part, Refusal):
        return block
    if citations := [own for entry in part.citations if (own := own_citation(entry)) is not None]:
        block["citations"] = citations
    return marked(block, part.cache)


def media_block(part: Media) -> Block:
    """An image or a document."""
    if part.data is not None:
        source = {"type": "base64", "media_type": _media_type(part), "data": part.data}
    elif part.url is not None:
        source = {"type": "url", "url": part.url}
    elif part.file_id is not None:
        source = {"type": "file", "file_id": part.file_id}
    else:
        source = {"type": "text", "media_type": "text/plain", "data": part.text or ""}
    block: Block = {"type": part.kind, "source": source}
    if part.name is not None and part.kind == "document":
        block["title"] = part.name
    return marked(block, part.cache)


def _media_type(part: Media) -> str:
    if part.media_type:
        return "image/jpeg" if part.media_type == "image/jpg" else part.media_type
    data = part.data or ""
    for beginning, media_type in _SIGNATURES:
        if data.startswith(beginning):
            return media_type
    return "application/pdf" if part.kind == "document" else "image/png"


def tool_input(arguments: str) -> object:
    """The arguments as an object. A model may have written anything."""
    return arguments_object(arguments, "arguments")


def _tool_call(part: ToolCall) -> Block:
    block = {"type": "tool_use", "id": part.id, "name": part.name, "input": tool_input(part.arguments)}
    return marked(block, part.cache)


def _tool_result(part: ToolResult) -> Block:
    block: Block = {"type": "tool_result", "tool_use_id": part.call_id}
    if content := [_BLOCKS[type(piece)](piece) for piece in part.content if _says_something(piece)]:
        block["content"] = content
    if part.is_error:
        block["is_error"] = True
    return marked(block, part.cache)


def reasoning_block(part: Reasoning) -> Block:
    """A thinking block; its seal is its signature, or all there is of it."""
    value = part.seal.value if part.seal is not None else ""
    if part.redacted:
        return {"type": "redacted_thinking", "data": value}
    return {"type": "thinking", "thinking": part.text, "signature": value}


_BLOCKS: dict[type, Callable[[Any], Block]] = {
    Text: text_block,
    Refusal: text_block,
    Media: media_block,
    ToolCall: _tool_call,
    ToolResult: _tool_result,
    Reasoning: reasoning_block,
    Opaque: lambda part: part.value,
}
