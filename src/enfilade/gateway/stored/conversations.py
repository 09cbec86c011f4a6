"""Conversations that are kept for their callers: items in order, continued by responses or added by hand."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.ids import IdFactory
from enfilade.core.scope import Scope
from enfilade.gateway.stored import store
from enfilade.gateway.stored.contents import Contents, for_item, for_metadata
from enfilade.gateway.stored.errors import ContextTooLarge, ConversationNotFound, ItemNotFound
from enfilade.gateway.stored.forms import item_id
from enfilade.gateway.stored.types import (
    CONVERSATION,
    MAX_ITEMS,
    Paging,
    StoredConversation,
    StoredItem,
    internal_id,
    owner_of,
    public_id,
)
from enfilade.sealing.prepared import Prepared
from enfilade.storage.unit_of_work import Storage, UnitOfWork


class Conversations:
    """See the module. A conversation lives for so many days after its last use."""

    def __init__(self, storage: Storage, contents: Contents, clock: Clock, ids: IdFactory, most_bytes: int) -> None:
        """Keep them in `storage`, none of them larger than `most_bytes`."""
        self._storage = storage
        self._contents = contents
        self._clock = clock
        self._ids = ids
        self._most_bytes = most_bytes

    async def create(
        self, scope: Scope, metadata: dict[str, str], items: Sequence[msgspec.Raw], days: int
    ) -> StoredConversation:
        """Make one with these items. Raises ContextTooLarge."""
        owner, now_ns = owner_of(scope), self._clock.now_ns()
        created = to_datetime(now_ns)
        made = StoredConversation(self._ids.new_id(now_ns), created, created + timedelta(days=days), metadata)
        keys = await self._contents.prepare(scope)
        sealed = await self._sealed_metadata(keys, made.id, metadata)
        async with self._storage.unit_of_work(scope) as unit:
            await unit.execute(
                store.INSERT_CONVERSATION,
                *(unit.tenant, made.id, owner, scope.application, scope.user, scope.key),
                *(sealed, created, made.expires_at),
            )
            unit.record(
                "ConversationCreated",
                id=public_id(CONVERSATION, made.id),
                application=scope.application,
                user=scope.user,
                items=len(items),
            )
            if items:
                await self._add(unit, keys, made.id, items, made.expires_at)
        return made

    async def get(self, scope: Scope, conversation_id: str) -> StoredConversation:
        """The conversation. Raises ConversationNotFound."""
        identifier = _required(conversation_id)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            row = await self._find(unit, identifier)
        return await self._opened(scope, row)

    async def change(
        self, scope: Scope, conversation_id: str, metadata: dict[str, str], days: int
    ) -> StoredConversation:
        """Replace its metadata. Raises ConversationNotFound."""
        identifier = _required(conversation_id)
        sealed = await self._sealed_metadata(await self._contents.prepare(scope), identifier, metadata)
        async with self._storage.unit_of_work(scope) as unit:
            now = self._now()
            row = await unit.fetch_row(
                store.CHANGE_METADATA, identifier, owner_of(scope), now, sealed, now + timedelta(days=days)
            )
            if row is None:
                raise _unknown(conversation_id)
            unit.record("ConversationChanged", id=conversation_id)
        return await self._opened(scope, row)

    async def delete(self, scope: Scope, conversation_id: str) -> None:
        """Delete it with its items. Raises ConversationNotFound."""
        identifier = _required(conversation_id)
        async with self._storage.unit_of_work(scope) as unit:
            if await unit.fetch_value(store.DELETE_CONVERSATION, identifier, owner_of(scope), self._now()) is None:
                raise _unknown(conversation_id)
            unit.record("ConversationDeleted", id=conversation_id)

    async def page(self, scope: Scope, paging: Paging) -> tuple[list[StoredConversation], bool]:
        """A page of them, and whether there is more."""
        after = None if paging.after is None else _required(paging.after)
        statement = store.CONVERSATIONS_DOWN if paging.newest_first else store.CONVERSATIONS_UP
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            rows = await unit.fetch(statement, owner_of(scope), self._now(), after, paging.limit + 1)
        return [await self._opened(scope, row) for row in rows[: paging.limit]], len(rows) > paging.limit

    async def add_items(
        self, scope: Scope, conversation_id: str, items: Sequence[msgspec.Raw], days: int
    ) -> list[StoredItem]:
        """Add items to its end. Raises ConversationNotFound, ContextTooLarge."""
        identifier = _required(conversation_id)
        keys = await self._contents.prepare(scope)
        async with self._storage.unit_of_work(scope) as unit:
            await self._find(unit, identifier)
            added = await self._add(unit, keys, identifier, items, self._now() + timedelta(days=days))
            unit.record("ConversationItemsAdded", conversation=conversation_id, items=len(added))
        return added

    async def items(self, scope: Scope, conversation_id: str, paging: Paging) -> tuple[list[StoredItem], bool]:
        """A page of its items, and whether there is more. Raises ConversationNotFound, ItemNotFound."""
        identifier = _required(conversation_id)
        statement = store.ITEMS_DOWN if paging.newest_first else store.ITEMS_UP
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            await self._find(unit, identifier)
            after = None
            if paging.after is not None:
                after = await unit.fetch_value(store.FIND_PLACE, identifier, paging.after)
                if after is None:
                    raise _unknown_item(paging.after, "after")
            rows = await unit.fetch(statement, identifier, after, paging.limit + 1)
        opened = await open_items(self._contents, scope.tenant, identifier, rows[: paging.limit])
        return opened, len(rows) > paging.limit

    async def item(self, scope: Scope, conversation_id: str, wanted: str) -> StoredItem:
        """One item. Raises ConversationNotFound, ItemNotFound."""
        identifier = _required(conversation_id)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            await self._find(unit, identifier)
            rows = await unit.fetch(store.FIND_ITEM, identifier, wanted)
        if not rows:
            raise _unknown_item(wanted, "item_id")
        found = await open_items(self._contents, scope.tenant, identifier, rows)
        if not found:
            raise _unknown_item(wanted, "item_id")
        return found[0]

    async def delete_item(self, scope: Scope, conversation_id: str, wanted: str) -> StoredConversation:
        """Delete an item; the conversation without it. Raises ConversationNotFound, ItemNotFound."""
        identifier = _required(conversation_id)
        async with self._storage.unit_of_work(scope) as unit:
            row = await self._find(unit, identifier)
            gone = await unit.fetch(store.DELETE_ITEM, identifier, wanted)
            if not gone:
                raise _unknown_item(wanted, "item_id")
            # The item's own id may be the caller's words: the log names its place.
            places = [gone_row["position"] for gone_row in gone]
            unit.record("ConversationItemDeleted", conversation=conversation_id, positions=places)
        return await self._opened(scope, row)

    async def _add(
        self, unit: UnitOfWork, keys: Prepared, conversation: str, items: Sequence[msgspec.Raw], expires: datetime
    ) -> list[StoredItem]:
        measured: Any = await unit.fetch_row(store.MEASURE_ITEMS, conversation)
        size = measured["bytes"] + sum(len(bytes(item)) for item in items)
        if measured["items"] + len(items) > MAX_ITEMS or size > self._most_bytes:
            message = f"A conversation holds up to {MAX_ITEMS} items and {self._most_bytes} bytes."
            raise ContextTooLarge(message, param="items")
        named = [StoredItem(item_id(item, self._ids.new_id().replace("-", "")), item) for item in items]
        sealed = await self._contents.seal(
            keys, [(for_item(unit.tenant, conversation, item.id), bytes(item.content)) for item in named]
        )
        owner, now = owner_of(unit.scope), self._now()
        last = await unit.fetch_value(store.TAKE_PLACES, conversation, owner, now, len(named), expires)
        places = list(range(last - len(named) + 1, last + 1))
        names = [item.id for item in named]
        await unit.execute(store.INSERT_ITEMS, unit.tenant, conversation, places, names, sealed)
        return named

    async def _find(self, unit: UnitOfWork, identifier: str) -> Any:
        row = await unit.fetch_row(store.FIND_CONVERSATION, identifier, owner_of(unit.scope), self._now())
        if row is None:
            raise _unknown(public_id(CONVERSATION, identifier))
        return row

    async def _sealed_metadata(self, keys: Prepared, identifier: str, metadata: dict[str, str]) -> bytes:
        text = msgspec.json.encode(metadata)
        (sealed,) = await self._contents.seal(keys, [(for_metadata(keys.tenant, identifier), text)])
        return sealed

    async def _opened(self, scope: Scope, row: Any) -> StoredConversation:
        identifier = str(row["id"])
        purpose = for_metadata(scope.tenant, identifier)
        (text,) = await self._contents.open_left(scope.tenant, [(purpose, row["metadata"])])
        # Those of an erased person are gone; the conversation may hold what others said.
        metadata = {} if text is None else msgspec.json.decode(text, type=dict[str, str])
        return StoredConversation(identifier, row["created_at"], row["expires_at"], metadata)

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())


async def open_items(contents: Contents, tenant: str, conversation: str, rows: Sequence[Any]) -> list[StoredItem]:
    """A conversation's items from their rows, without those of erased persons."""
    sealed = [(for_item(tenant, conversation, row["item_id"]), row["content"]) for row in rows]
    opened = await contents.open_left(tenant, sealed)
    return [
        StoredItem(row["item_id"], msgspec.Raw(text))
        for row, text in zip(rows, opened, strict=True)
        if text is not None
    ]


def _required(conversation_id: str) -> str:
    identifier = internal_id(CONVERSATION, conversation_id)
    if identifier is None:
        raise _unknown(conversation_id)
    return identifier


def _unknown(conversation_id: str) -> ConversationNotFound:
    message = f"Conversation with id {conversation_id[:100]!r} not found."
    return ConversationNotFound(message, param="conversation_id")


def _unknown_item(wanted: str, param: str) -> ItemNotFound:
    message = f"Item with id {wanted[:100]!r} not found in this conversation."
    return ItemNotFound(message, param=param)
