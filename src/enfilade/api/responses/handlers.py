"""What each address answers, in the forms that the official SDK reads."""

from collections.abc import Sequence
from typing import Any

import msgspec

from enfilade.api.responses.request import Asked
from enfilade.gateway.stored.errors import InvalidItem, ItemNotFound, NotOffered
from enfilade.gateway.stored.forms import (
    MAX_ITEMS_AT_ONCE,
    items_of_list,
    read_metadata,
    shown_conversation,
    shown_entry,
    shown_item,
    shown_page,
)
from enfilade.gateway.stored.service import Stored
from enfilade.gateway.stored.types import CONVERSATION, RESPONSE, StoredItem, public_id

MAX_ITEM_NAME = 200


class Handlers:
    """See the module."""

    def __init__(self, stored: Stored) -> None:
        """Answer from what is stored."""
        self._stored = stored

    async def list_responses(self, asked: Asked) -> bytes:
        """List what is kept for the caller."""
        entries, has_more = await self._stored.responses.page(asked.scope, asked.paging())
        ids = [public_id(RESPONSE, entry.id) for entry in entries]
        return shown_page([shown_entry(entry) for entry in entries], ids, has_more=has_more)

    async def get_response(self, asked: Asked) -> bytes:
        """Give a response again."""
        if asked.query.get("stream", "false").lower() == "true":
            message = "A stored response is not streamed again: it is given whole."
            raise NotOffered(message, param="stream")
        return await self._stored.responses.get(asked.scope, asked.names[0])

    async def delete_response(self, asked: Asked) -> bytes:
        """Delete a response."""
        await self._stored.responses.delete(asked.scope, asked.names[0])
        return msgspec.json.encode({"id": asked.names[0], "object": "response", "deleted": True})

    async def cancel_response(self, asked: Asked) -> bytes:
        """Say that there is nothing to cancel."""
        await self._stored.responses.require(asked.scope, asked.names[0])
        message = "Only responses that are made in the background can be cancelled, and background mode is not offered."
        raise NotOffered(message, param="background")

    async def list_input_items(self, asked: Asked) -> bytes:
        """List what a response's request added."""
        items, has_more = await self._stored.responses.input_items(asked.scope, asked.names[0], asked.paging())
        return _page(items, has_more=has_more)

    async def list_conversations(self, asked: Asked) -> bytes:
        """List the caller's conversations."""
        found, has_more = await self._stored.conversations.page(asked.scope, asked.paging())
        ids = [public_id(CONVERSATION, entry.id) for entry in found]
        return shown_page([shown_conversation(entry) for entry in found], ids, has_more=has_more)

    async def create_conversation(self, asked: Asked) -> bytes:
        """Make a conversation."""
        days = self._stored.require_keeping(asked.principal)
        fields = asked.fields()
        given = fields.get("items")
        items: Sequence[msgspec.Raw] = ()
        if given is not None and bytes(given) != b"null":
            items = items_of_list(given, "items", MAX_ITEMS_AT_ONCE)
        metadata = read_metadata(fields.get("metadata"))
        made = await self._stored.conversations.create(asked.scope, metadata, items, days)
        return msgspec.json.encode(shown_conversation(made))

    async def get_conversation(self, asked: Asked) -> bytes:
        """Show a conversation."""
        found = await self._stored.conversations.get(asked.scope, asked.names[0])
        return msgspec.json.encode(shown_conversation(found))

    async def change_conversation(self, asked: Asked) -> bytes:
        """Replace a conversation's metadata."""
        days = self._stored.require_keeping(asked.principal)
        metadata = read_metadata(asked.fields().get("metadata"))
        changed = await self._stored.conversations.change(asked.scope, asked.names[0], metadata, days)
        return msgspec.json.encode(shown_conversation(changed))

    async def delete_conversation(self, asked: Asked) -> bytes:
        """Delete a conversation with its items."""
        await self._stored.conversations.delete(asked.scope, asked.names[0])
        return msgspec.json.encode({"id": asked.names[0], "object": "conversation.deleted", "deleted": True})

    async def list_items(self, asked: Asked) -> bytes:
        """List a conversation's items."""
        items, has_more = await self._stored.conversations.items(asked.scope, asked.names[0], asked.paging())
        return _page(items, has_more=has_more)

    async def add_items(self, asked: Asked) -> bytes:
        """Add items to a conversation."""
        days = self._stored.require_keeping(asked.principal)
        given = asked.fields().get("items")
        if given is None:
            message = "`items` is required."
            raise InvalidItem(message, param="items")
        items = items_of_list(given, "items", MAX_ITEMS_AT_ONCE)
        if not items:
            message = "`items` must have at least one item."
            raise InvalidItem(message, param="items")
        added = await self._stored.conversations.add_items(asked.scope, asked.names[0], items, days)
        return _page(added, has_more=False)

    async def get_item(self, asked: Asked) -> bytes:
        """Show an item."""
        item = await self._stored.conversations.item(asked.scope, asked.names[0], _item_name(asked))
        return bytes(shown_item(item))

    async def delete_item(self, asked: Asked) -> bytes:
        """Delete an item, and show the conversation that it was in."""
        left = await self._stored.conversations.delete_item(asked.scope, asked.names[0], _item_name(asked))
        return msgspec.json.encode(shown_conversation(left))


def _item_name(asked: Asked) -> str:
    name = asked.names[1]
    if "\x00" in name or len(name) > MAX_ITEM_NAME:
        message = "There is no item of such an id."
        raise ItemNotFound(message, param="item_id")
    return name


def _page(items: Sequence[StoredItem], *, has_more: bool) -> bytes:
    entries: list[Any] = [shown_item(item) for item in items]
    return shown_page(entries, [item.id for item in items], has_more=has_more)
