"""Whole replies: a provider's in the neutral form, and a completion as a message."""

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from enfilade.core.messages import (
    Completion,
    Finish,
    Media,
    Opaque,
    Part,
    Reasoning,
    Refusal,
    Sealed,
    Text,
    ToolCall,
)
from enfilade.core.unreadable import UNREADABLE
from enfilade.core.usage import Usage
from enfilade.dialects.anthropic.blocks import DIALECT_NAME
from enfilade.dialects.anthropic.carriers import ORIGIN, UNSEALED, part_seal
from enfilade.dialects.anthropic.citations import read_citation, shown_citation
from enfilade.dialects.anthropic.turns import media_block, tool_input
from enfilade.dialects.bodies import ENCODER, NOTHING
from enfilade.dialects.errors import UnreadableReply
from enfilade.dialects.json_text import text_in_reply, without_nan
from enfilade.dialects.members.anthropic_messages.usage import (
    MESSAGES,
    SHOWN_TIERS,
    TIERS,
    finish_of,
    stop_fields,
    tier_in,
    usage_object,
)

Block = dict[str, Any]


class Reply(msgspec.Struct, gc=False):
    """A message, its blocks unread."""

    content: list[dict[str, msgspec.Raw]]
    type: str | None = None
    id: str | None = None
    model: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: msgspec.Raw = NOTHING


_REPLY = msgspec.json.Decoder(Reply)
_TEXT = msgspec.json.Decoder(str)
_CITATIONS = msgspec.json.Decoder(list[dict[str, Any]] | None)


def read_reply(body: bytes) -> Completion:
    """See `Codec.read`."""
    try:
        reply = _REPLY.decode(body)
        if reply.type == "error":
            message = "The provider's reply holds no message."
            raise UnreadableReply(message)
        parts = tuple(_read(block) for block in reply.content)
    except UNREADABLE as error:
        if (sound := without_nan(body)) is not None:
            return read_reply(sound)
        message = "The provider's reply is not a message."
        raise UnreadableReply(message) from error
    return Completion(
        reply.id or "",
        reply.model or "",
        0,
        parts,
        finish_of(reply.stop_reason) or Finish.STOP,
        MESSAGES.read(reply.usage),
        reply.stop_sequence,
        tier_of(tier_in(reply.usage)),
    )


def tier_of(tier: str | None) -> str | None:
    """The neutral name of the tier that served the call."""
    return None if tier is None else TIERS.get(tier, tier)


def _read(block: dict[str, msgspec.Raw]) -> Part:
    kind = _string(block, "type")
    reader = _READERS.get(kind)
    return opaque(kind, block) if reader is None else reader(block)


def _string(block: dict[str, msgspec.Raw], name: str) -> str:
    raw = block.get(name)
    return "" if raw is None or bytes(memoryview(raw)[:4]) == b"null" else _TEXT.decode(raw)


def read_citations(entries: Iterable[dict[str, Any]] | None) -> tuple[dict[str, Any], ...]:
    """Citations in the neutral form."""
    return tuple(found for entry in entries or () if (found := read_citation(entry)) is not None)


def opaque(kind: str, block: dict[str, msgspec.Raw]) -> Opaque:
    """A block that has a meaning here only."""
    return Opaque(DIALECT_NAME, kind, {name: msgspec.json.decode(raw) for name, raw in block.items()})


def _text(block: dict[str, msgspec.Raw]) -> Text:
    citations = block.get("citations")
    return Text(
        _string(block, "text"), citations=() if citations is None else read_citations(_CITATIONS.decode(citations))
    )


def _thinking(block: dict[str, msgspec.Raw]) -> Reasoning:
    signature = _string(block, "signature")
    return Reasoning(_string(block, "thinking"), Sealed(ORIGIN, signature) if signature else None)


def _redacted(block: dict[str, msgspec.Raw]) -> Reasoning:
    return Reasoning(seal=Sealed(ORIGIN, _string(block, "data")), redacted=True)


def _tool_use(block: dict[str, msgspec.Raw]) -> ToolCall:
    given = block.get("input")
    arguments = "{}" if given is None or bytes(given) == b"null" else text_in_reply(given)
    return ToolCall(_string(block, "id"), _string(block, "name"), arguments)


_READERS: dict[str, Callable[[dict[str, msgspec.Raw]], Part]] = {
    "text": _text,
    "thinking": _thinking,
    "redacted_thinking": _redacted,
    "tool_use": _tool_use,
}


def render_reply(completion: Completion) -> bytes:
    """See `Codec.render`. Usage is always there, as the SDK's type demands."""
    return ENCODER.encode(reply_object(completion))


def reply_object(completion: Completion) -> Block:
    """The message."""
    content: list[Block] = []
    for part in completion.parts:
        content.extend(_BLOCKS[type(part)](part))
    # An empty text cannot be sent back; it stands only where there is nothing else.
    spoken = [block for block in content if block["type"] != "text" or block["text"]]
    usage = usage_object(completion.usage or Usage())
    if (tier := SHOWN_TIERS.get(completion.service_tier or "")) is not None:
        usage["service_tier"] = tier
    return {
        "id": completion.id,
        "type": "message",
        "role": "assistant",
        "model": completion.model,
        "content": spoken or content,
        **stop_fields(completion.finish, completion.stop_sequence),
        "usage": usage,
    }


def _text_blocks(part: Text) -> list[Block]:
    block: Block = {"type": "text", "text": part.text}
    if citations := [shown for entry in part.citations if (shown := shown_citation(entry, part.text)) is not None]:
        block["citations"] = citations
    return [block] if part.seal is None else [block, _redacted_block(part_seal(part.seal, "previous"))]


def _tool_blocks(part: ToolCall) -> list[Block]:
    block = {"type": "tool_use", "id": part.id, "name": part.name, "input": tool_input(part.arguments)}
    return [block] if part.seal is None else [_redacted_block(part_seal(part.seal, "next")), block]


def _redacted_block(data: str) -> Block:
    return {"type": "redacted_thinking", "data": data}


def _reasoning_blocks(part: Reasoning) -> list[Block]:
    if part.redacted:
        return [] if part.seal is None else [_redacted_block(part.seal.value)]
    if not part.text and part.seal is None:
        return []
    signature = part.seal.value if part.seal is not None else UNSEALED
    return [{"type": "thinking", "thinking": part.text, "signature": signature}]


_BLOCKS: dict[type, Callable[[Any], list[Block]]] = {
    Text: _text_blocks,
    Refusal: lambda part: [{"type": "text", "text": part.text}],
    ToolCall: _tool_blocks,
    Reasoning: _reasoning_blocks,
    Media: lambda part: [media_block(part)],
    Opaque: lambda part: [part.value] if part.origin == DIALECT_NAME else [],
}
