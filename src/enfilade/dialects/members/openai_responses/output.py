"""An answer's parts as items of a response."""

from typing import Any

from enfilade.core.messages import Media, Opaque, Part, Reasoning, Refusal, Text, ToolCall
from enfilade.dialects.members.openai_responses.annotations import write_annotations, write_logprobs
from enfilade.dialects.members.openai_responses.carriers import FAMILY, carrier, parted
from enfilade.dialects.members.openai_responses.tools import ORIGIN

Item = dict[str, Any]
_MAY_BE_CUT = frozenset({"message", "reasoning", "function_call"})


def items_of(parts: tuple[Part, ...], base: str, *, status: str) -> list[Item]:
    """The items of a whole answer. Texts that follow one another are one message; `status` is that of the last item."""
    items: list[Item] = []
    message: Item | None = None
    for part in parts:
        if isinstance(part, Text | Refusal):
            if message is None:
                message = message_item(base, len(items))
                items.append(message)
            message["content"].append(content_of(part))
        elif (item := item_of(part, base, len(items))) is not None:
            message = None
            items.append(item)
        if isinstance(part, Text | ToolCall | Media) and part.seal is not None and items:
            message = None
            items.append(carrier(base, len(items), part.seal))
    if items and items[-1]["type"] in _MAY_BE_CUT:
        items[-1]["status"] = status
    return items


def message_item(base: str, position: int) -> Item:
    """A message without content yet."""
    return {
        "id": f"msg_{base}{position:02x}",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [],
    }


def content_of(part: Text | Refusal) -> Item:
    """A part of a message."""
    if isinstance(part, Refusal):
        return {"type": "refusal", "refusal": part.text}
    annotations = write_annotations(part.citations, len(part.text))
    return {
        "type": "output_text",
        "text": part.text,
        "annotations": annotations,
        "logprobs": write_logprobs(part.logprobs),
    }


def item_of(part: Part, base: str, position: int) -> Item | None:
    """A part that is an item of its own; None for one that responses have no place for."""
    if isinstance(part, ToolCall):
        return call_item(part, base, position)
    if isinstance(part, Reasoning):
        return reasoning_item(part, base, position)
    if isinstance(part, Opaque):
        return part.value if part.origin == ORIGIN else None
    if isinstance(part, Media) and part.kind == "image" and part.data is not None:
        item = {"id": f"ig_{base}{position:02x}", "type": "image_generation_call", "status": "completed"}
        media_type = (part.media_type or "image/png").rpartition("/")[2]
        return item | {"result": part.data, "output_format": media_type}
    return None


def call_item(part: ToolCall, base: str, position: int) -> Item:
    """A call of a tool."""
    if part.custom:
        return {
            "id": part.item_id or f"ctc_{base}{position:02x}",
            "type": "custom_tool_call",
            "status": "completed",
            "call_id": part.id,
            "name": part.name,
            "input": part.arguments,
        }
    return {
        "id": part.item_id or f"fc_{base}{position:02x}",
        "type": "function_call",
        "status": "completed",
        "call_id": part.id,
        "name": part.name,
        "arguments": part.arguments,
    }


def reasoning_item(part: Reasoning, base: str, position: int) -> Item:
    """Thoughts, and what must come back of them."""
    known, sealed = None, None
    if part.seal is not None and part.seal.origin == FAMILY:
        known, sealed = parted(part.seal)
    return {
        "id": part.id or known or f"rs_{base}{position:02x}",
        "type": "reasoning",
        "summary": [{"type": "summary_text", "text": part.text}] if part.text else [],
        "encrypted_content": sealed,
        "status": "completed",
    }
