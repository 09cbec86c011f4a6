"""The common blocks, read in one pass: what is not wholly of these types is left to `blocks`, which names every fault."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import msgspec

from enfilade.core.messages import (
    CacheLife,
    Media,
    Message,
    Part,
    Reasoning,
    Role,
    Sealed,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from enfilade.core.unreadable import UNREADABLE
from enfilade.dialects.anthropic.carriers import ORIGIN, UNSEALED
from enfilade.dialects.seals import MARK

T = TypeVar("T")


class Mark(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The end of a prefix to be cached."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] = "5m"


class Block(msgspec.Struct, forbid_unknown_fields=True, tag_field="type"):
    """A block without a mark."""


class TextBlock(Block, tag="text"):
    """Words."""

    text: str
    cache_control: Mark | None = None
    citations: None = None


class Base64(Block, tag="base64"):
    """Data."""

    media_type: str
    data: str


class Url(Block, tag="url"):
    """An address."""

    url: str


class Image(Block, tag="image"):
    """An image."""

    source: Base64 | Url
    cache_control: Mark | None = None


class ToolUse(Block, tag="tool_use"):
    """A tool's call; its arguments stay as they were written."""

    id: str
    name: str
    input: msgspec.Raw
    cache_control: Mark | None = None


class Result(Block, tag="tool_result"):
    """What a tool answered."""

    tool_use_id: str
    content: str | list[TextBlock | Image] = []
    is_error: bool = False
    cache_control: Mark | None = None


class Thinking(Block, tag="thinking"):
    """Thoughts."""

    thinking: str
    signature: str


class Redacted(Block, tag="redacted_thinking"):
    """Thoughts that nobody else reads."""

    data: str


class Turn(msgspec.Struct, forbid_unknown_fields=True):
    """A message."""

    role: Literal["user", "assistant"]
    content: str | list[TextBlock | Image | ToolUse | Result | Thinking | Redacted]


class Function(msgspec.Struct, forbid_unknown_fields=True):
    """A caller's own tool."""

    name: str
    input_schema: dict[str, Any]
    description: str | None = None
    strict: bool | None = None
    cache_control: Mark | None = None
    type: Literal["custom"] | None = None


_TURNS = msgspec.json.Decoder(list[Turn])
_SYSTEM = msgspec.json.Decoder(str | list[TextBlock])
_TOOLS = msgspec.json.Decoder(list[Function])
_ROLES = {"user": Role.USER, "assistant": Role.ASSISTANT}


class _Uncommon(Exception):
    pass


def quick_messages(raw: msgspec.Raw) -> tuple[Message, ...] | None:
    """The turns; None for those that need the closer look."""
    turns = _decoded(_TURNS, raw)
    if turns is None:
        return None
    try:
        return tuple(
            Message(
                _ROLES[turn.role],
                (Text(turn.content),)
                if isinstance(turn.content, str)
                else tuple([_PARTS[type(block)](block) for block in turn.content]),
            )
            for turn in turns
        )
    except _Uncommon:
        return None


def quick_system(raw: msgspec.Raw) -> tuple[Text, ...] | None:
    """The instructions; None for those that need the closer look."""
    found = _decoded(_SYSTEM, raw)
    if found is None:
        return None
    return (Text(found),) if isinstance(found, str) else tuple(_text(block) for block in found)


def quick_tools(raw: msgspec.Raw) -> tuple[Tool, ...] | None:
    """The tools; None for those that need the closer look."""
    found = _decoded(_TOOLS, raw)
    if found is None:
        return None
    return tuple(
        Tool(tool.name, tool.description, tool.input_schema, strict=tool.strict, cache=_cache(tool.cache_control))
        for tool in found
    )


def _decoded(decoder: "msgspec.json.Decoder[T]", raw: msgspec.Raw) -> T | None:
    try:
        return decoder.decode(raw)
    except UNREADABLE:
        return None


def _cache(mark: Mark | None) -> CacheLife | None:
    return None if mark is None else mark.ttl


def _text(block: TextBlock) -> Text:
    mark = block.cache_control
    return Text(block.text) if mark is None else Text(block.text, cache=mark.ttl)


def _image(block: Image) -> Media:
    source = block.source
    if isinstance(source, Url):
        return Media("image", url=source.url, cache=_cache(block.cache_control))
    return Media("image", source.media_type, source.data, cache=_cache(block.cache_control))


def _tool_use(block: ToolUse) -> ToolCall:
    arguments = bytes(block.input)
    if not arguments.startswith(b"{"):
        raise _Uncommon
    return ToolCall(block.id, block.name, arguments.decode(), cache=_cache(block.cache_control))


def _result(block: Result) -> ToolResult:
    found = block.content
    content: tuple[Text | Media, ...] = (
        (Text(found),)
        if isinstance(found, str)
        else tuple(_text(piece) if isinstance(piece, TextBlock) else _image(piece) for piece in found)
    )
    return ToolResult(block.tool_use_id, content, block.is_error, cache=_cache(block.cache_control))


def _thinking(block: Thinking) -> Reasoning:
    signature = block.signature
    return Reasoning(block.thinking, Sealed(ORIGIN, signature) if signature and signature != UNSEALED else None)


def _redacted(block: Redacted) -> Reasoning:
    if not block.data or block.data.startswith(MARK):
        raise _Uncommon
    return Reasoning(seal=Sealed(ORIGIN, block.data), redacted=True)


_PARTS: dict[type, Callable[[Any], Part]] = {
    TextBlock: _text,
    Image: _image,
    ToolUse: _tool_use,
    Result: _result,
    Thinking: _thinking,
    Redacted: _redacted,
}
