"""The JSON of the Responses API, as far as keeping it needs to know: items, their ids, and how things are shown."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from enfilade.core.clock import NANOSECONDS, to_ns
from enfilade.core.unreadable import UNREADABLE
from enfilade.gateway.stored.errors import InvalidItem, InvalidMetadata
from enfilade.gateway.stored.types import (
    CONVERSATION,
    RESPONSE,
    ResponseEntry,
    StoredConversation,
    StoredItem,
    public_id,
)

MAX_ITEMS_AT_ONCE = 20
MAX_METADATA = 16
MAX_METADATA_NAME, MAX_METADATA_VALUE = 64, 512
STATUSES = frozenset({"completed", "incomplete", "failed", "cancelled", "in_progress", "queued"})
PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "computer_call": "cu",
    "image_generation_call": "ig",
    "mcp_call": "mcp",
}
WITH_STATUS = frozenset({"message", "function_call", "function_call_output"})
"""Types of items whose status callers may leave out, and read."""

_ITEM_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:-]{0,127}")
_RAW_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_RAW_LIST = msgspec.json.Decoder(tuple[msgspec.Raw, ...])
_METADATA = msgspec.json.Decoder(dict[str, str] | None)


class _Head(msgspec.Struct):
    type: str | None = None
    role: str | None = None
    id: str | None = None


class _Reply(msgspec.Struct):
    output: tuple[msgspec.Raw, ...] = ()
    status: str | None = None


_HEAD = msgspec.json.Decoder(_Head)
_REPLY = msgspec.json.Decoder(_Reply)


def raw(value: object) -> msgspec.Raw:
    """A value as it stands in JSON."""
    return msgspec.Raw(msgspec.json.encode(value))


def items_of_input(given: msgspec.Raw) -> tuple[msgspec.Raw, ...]:
    """The items of a request's `input`: a text is a user's message. Raises InvalidItem."""
    text = bytes(given).lstrip()
    if text[:1] == b'"':
        words = msgspec.json.decode(text, type=str)
        part = {"type": "input_text", "text": words}
        return (raw({"type": "message", "role": "user", "content": [part]}),)
    return items_of_list(given, "input")


def items_of_list(given: msgspec.Raw, param: str, most: int | None = None) -> tuple[msgspec.Raw, ...]:
    """The items of an array, each checked to be one. Raises InvalidItem."""
    try:
        items = _RAW_LIST.decode(given)
    except UNREADABLE:
        message = f"`{param}` must be an array of items."
        raise InvalidItem(message, param=param) from None
    if most is not None and len(items) > most:
        message = f"`{param}` has {len(items)} items; {most} may be added at a time."
        raise InvalidItem(message, param=param)
    for index, item in enumerate(items):
        head = _head(item)
        if head is None or (head.type is None and head.role is None):
            message = f"`{param}[{index}]` is no item: it needs a `type`, or a `role` and `content`."
            raise InvalidItem(message, param=f"{param}[{index}]")
        if head.type == "item_reference":
            message = f"`{param}[{index}]` refers to an item; send the item itself."
            raise InvalidItem(message, param=f"{param}[{index}]")
    return items


def _head(item: msgspec.Raw) -> _Head | None:
    try:
        return _HEAD.decode(item)
    except UNREADABLE:
        return None


def item_id(item: msgspec.Raw, rest: str) -> str:
    """The item's own id if it has one that can be an address, else one made of its type and `rest`."""
    head = _head(item) or _Head()
    if head.id is not None and _ITEM_ID.fullmatch(head.id):
        return head.id
    return f"{PREFIXES.get(head.type or 'message', 'item')}_{rest}"


def output_of(reply: bytes) -> tuple[msgspec.Raw, ...]:
    """The items of a response's output."""
    return _REPLY.decode(reply).output


def status_of(reply: bytes) -> str:
    """What a response says of its end."""
    status = _REPLY.decode(reply).status
    return status if status in STATUSES else "completed"


def encode_items(items: Sequence[msgspec.Raw]) -> bytes:
    """Items as they are stored."""
    return msgspec.json.encode(items)


def decode_items(content: bytes) -> tuple[msgspec.Raw, ...]:
    """Items as they were stored."""
    return _RAW_LIST.decode(content)


def read_metadata(given: msgspec.Raw | None) -> dict[str, str]:
    """A request's metadata. Raises InvalidMetadata."""
    try:
        metadata = _METADATA.decode(given or b"null") or {}
    except UNREADABLE:
        message = "`metadata` must be an object of texts."
        raise InvalidMetadata(message, param="metadata") from None
    fits = len(metadata) <= MAX_METADATA and all(
        len(name) <= MAX_METADATA_NAME and len(value) <= MAX_METADATA_VALUE for name, value in metadata.items()
    )
    if not fits:
        message = "`metadata` has too many entries, or too long ones."
        raise InvalidMetadata(message, param="metadata")
    return metadata


# How things are shown.


def stamped_reply(
    reply: bytes, response_id: str, *, previous: str | None, conversation: str | None, stored: bool
) -> bytes:
    """A response object that says of itself what is true here, whatever its provider was told."""
    fields = _RAW_FIELDS.decode(reply)
    fields["id"] = raw(response_id)
    fields["previous_response_id"] = raw(previous)
    fields["conversation"] = raw(None if conversation is None else {"id": conversation})
    fields["store"] = raw(stored)
    return msgspec.json.encode(fields)


def shown_entry(entry: ResponseEntry) -> dict[str, Any]:
    """A response in a list."""
    conversation = entry.conversation_id
    return {
        "id": public_id(RESPONSE, entry.id),
        "object": "response",
        "created_at": to_ns(entry.created_at) // NANOSECONDS,
        "expires_at": to_ns(entry.expires_at) // NANOSECONDS,
        "status": entry.status,
        "model": entry.model,
        "previous_response_id": entry.previous_response_id and public_id(RESPONSE, entry.previous_response_id),
        "conversation": None if conversation is None else {"id": public_id(CONVERSATION, conversation)},
        "store": True,
    }


def shown_conversation(conversation: StoredConversation) -> dict[str, Any]:
    """A conversation."""
    return {
        "id": public_id(CONVERSATION, conversation.id),
        "object": "conversation",
        "created_at": to_ns(conversation.created_at) // NANOSECONDS,
        "expires_at": to_ns(conversation.expires_at) // NANOSECONDS,
        "metadata": conversation.metadata,
    }


def shown_item(item: StoredItem) -> msgspec.Raw:
    """An item with all that is read of one: its id and type, its status, its content as parts."""
    fields = _RAW_FIELDS.decode(item.content)
    head = _head(item.content) or _Head()
    kind = head.type or "message"
    shown: dict[str, object] = {"id": item.id, "type": kind}
    if kind in WITH_STATUS:
        shown["status"] = fields.get("status", raw("completed"))
    shown |= {
        name: value for name, value in fields.items() if name not in {"id", "type", "status"} or name not in shown
    }
    if kind == "message" and bytes(fields.get("content", raw([])))[:1] == b'"':
        text = {"text": fields["content"]}
        part = {"type": "output_text", "annotations": []} if head.role == "assistant" else {"type": "input_text"}
        shown["content"] = [part | text]
    return raw(shown)


def shown_page(entries: Sequence[Any], ids: Sequence[str], *, has_more: bool) -> bytes:
    """A list, as OpenAI writes one."""
    return msgspec.json.encode(
        {
            "object": "list",
            "data": entries,
            "first_id": ids[0] if ids else None,
            "last_id": ids[-1] if ids else None,
            "has_more": has_more,
        }
    )
