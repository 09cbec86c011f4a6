"""Responses that are kept for their callers."""

from datetime import datetime, timedelta

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.scope import Scope
from enfilade.gateway.stored import store
from enfilade.gateway.stored.contents import Contents, for_input, for_item, for_reply
from enfilade.gateway.stored.errors import ItemNotFound, ResponseNotFound
from enfilade.gateway.stored.forms import decode_items, encode_items, item_id, output_of, stamped_reply, status_of
from enfilade.gateway.stored.types import (
    CONVERSATION,
    RESPONSE,
    Exchange,
    Paging,
    ResponseEntry,
    StoredItem,
    internal_id,
    owner_of,
    public_id,
)
from enfilade.identity.rows import text_id
from enfilade.sealing.errors import ContentErased
from enfilade.sealing.prepared import Prepared
from enfilade.storage.unit_of_work import Storage, UnitOfWork


class Responses:
    """See the module. Everything is asked for by whom it was kept for; for anybody else it does not exist."""

    def __init__(self, storage: Storage, contents: Contents, clock: Clock) -> None:
        """Keep them in `storage`."""
        self._storage = storage
        self._contents = contents
        self._clock = clock

    async def keep(self, scope: Scope, exchange: Exchange, days: int) -> None:
        """Keep an answered request for so many days; committed on return. Raises DatabaseUnavailable."""
        tenant, call, owner = scope.tenant, exchange.call_id, owner_of(scope)
        try:
            keys = await self._contents.prepare(scope)
        except ContentErased:
            return  # The person was erased while the model answered: nothing of theirs is kept any more.
        sealed_input, sealed_reply = await self._contents.seal(
            keys, [(for_input(tenant, call), encode_items(exchange.items)), (for_reply(tenant, call), exchange.reply)]
        )
        created = to_datetime(exchange.started_ns)
        expires = created + timedelta(days=days)
        previous = _internal(RESPONSE, exchange.previous_response_id)
        conversation = _internal(CONVERSATION, exchange.conversation_id)
        # Calls end at any rate: waiting for the tenant's lock they would take all connections from everybody else.
        async with self._storage.unit_of_work(scope, alone=False) as unit:
            if conversation is not None:
                await self._continue_conversation(unit, keys, conversation, exchange, expires)
            await unit.execute(
                store.INSERT_RESPONSE,
                *(tenant, call, owner, scope.application, scope.user, scope.key, previous, conversation),
                *(exchange.model, status_of(exchange.reply), sealed_input, sealed_reply, created, expires),
            )
            unit.record(
                "ResponseKept",
                id=public_id(RESPONSE, call),
                application=scope.application,
                user=scope.user,
                conversation=exchange.conversation_id,
                days=days,
            )

    async def _continue_conversation(
        self, unit: UnitOfWork, keys: Prepared, conversation: str, exchange: Exchange, expires: datetime
    ) -> None:
        items = [*exchange.items, *output_of(exchange.reply)]
        last = await unit.fetch_value(
            store.TAKE_PLACES, conversation, owner_of(unit.scope), self._now(), len(items), expires
        )
        if last is None:
            return  # It was deleted while the model answered: what is gone stays gone.
        rest = exchange.call_id.replace("-", "")
        ids = [item_id(item, f"{rest}{index:04x}") for index, item in enumerate(items)]
        sealed = await self._contents.seal(
            keys,
            [
                (for_item(unit.tenant, conversation, identifier), bytes(item))
                for identifier, item in zip(ids, items, strict=True)
            ],
        )
        places = list(range(last - len(items) + 1, last + 1))
        await unit.execute(store.INSERT_ITEMS, unit.tenant, conversation, places, ids, sealed)

    async def get(self, scope: Scope, response_id: str) -> bytes:
        """The response object. Raises ResponseNotFound."""
        identifier = _required(response_id)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            row = await unit.fetch_row(store.FIND_RESPONSE, identifier, owner_of(scope), self._now())
        if row is None:
            raise _unknown(response_id)
        (reply,) = await self._open(scope, response_id, for_reply(scope.tenant, identifier), row["reply"])
        return stamped_reply(
            reply,
            response_id,
            previous=_public(RESPONSE, row["previous_id"]),
            conversation=_public(CONVERSATION, row["conversation_id"]),
            stored=True,
        )

    async def input_items(self, scope: Scope, response_id: str, paging: Paging) -> tuple[list[StoredItem], bool]:
        """A page of what the response's request added, and whether there is more.

        Raises ResponseNotFound, ItemNotFound.
        """
        identifier = _required(response_id)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            row = await unit.fetch_row(store.FIND_INPUT, identifier, owner_of(scope), self._now())
        if row is None:
            raise _unknown(response_id)
        (content,) = await self._open(scope, response_id, for_input(scope.tenant, identifier), row["input"])
        rest = identifier.replace("-", "")
        items = [
            StoredItem(item_id(item, f"{rest}{index:04x}"), item) for index, item in enumerate(decode_items(content))
        ]
        return _page_of(items, paging)

    async def _open(self, scope: Scope, response_id: str, purpose: str, sealed: bytes) -> list[bytes]:
        try:
            return await self._contents.open(scope.tenant, [(purpose, sealed)])
        except ContentErased:
            raise _unknown(response_id) from None

    async def page(self, scope: Scope, paging: Paging) -> tuple[list[ResponseEntry], bool]:
        """A page of what is kept, and whether there is more. Raises ResponseNotFound for an unknown `after`."""
        after = None if paging.after is None else _required(paging.after)
        statement = store.RESPONSES_DOWN if paging.newest_first else store.RESPONSES_UP
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            rows = await unit.fetch(statement, owner_of(scope), self._now(), after, paging.limit + 1)
        entries = [
            ResponseEntry(
                id=str(row["id"]),
                model=row["model"],
                status=row["status"],
                created_at=row["created_at"],
                expires_at=row["expires_at"],
                previous_response_id=text_id(row["previous_id"]),
                conversation_id=text_id(row["conversation_id"]),
            )
            for row in rows[: paging.limit]
        ]
        return entries, len(rows) > paging.limit

    async def require(self, scope: Scope, response_id: str) -> None:
        """Raise ResponseNotFound unless there is such a response."""
        identifier = _required(response_id)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            if await unit.fetch_row(store.FIND_INPUT, identifier, owner_of(scope), self._now()) is None:
                raise _unknown(response_id)

    async def delete(self, scope: Scope, response_id: str) -> None:
        """Delete it. What was added to a conversation stays there. Raises ResponseNotFound."""
        identifier = _required(response_id)
        async with self._storage.unit_of_work(scope) as unit:
            if await unit.fetch_value(store.DELETE_RESPONSE, identifier, owner_of(scope), self._now()) is None:
                raise _unknown(response_id)
            unit.record("ResponseDeleted", id=response_id)

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())


def _page_of(items: list[StoredItem], paging: Paging) -> tuple[list[StoredItem], bool]:
    ordered = items[::-1] if paging.newest_first else items
    start = 0
    if paging.after is not None:
        start = next((index + 1 for index, item in enumerate(ordered) if item.id == paging.after), -1)
        if start < 0:
            message = f"There is no item {paging.after[:100]!r} to list after."
            raise ItemNotFound(message, param="after")
    return ordered[start : start + paging.limit], len(ordered) > start + paging.limit


def _required(response_id: str) -> str:
    identifier = internal_id(RESPONSE, response_id)
    if identifier is None:
        raise _unknown(response_id)
    return identifier


def _unknown(response_id: str) -> ResponseNotFound:
    message = f"Response with id {response_id[:100]!r} not found."
    return ResponseNotFound(message, param="response_id")


def _internal(kind: str, given: str | None) -> str | None:
    return None if given is None else internal_id(kind, given)


def _public(kind: str, identifier: object) -> str | None:
    return None if identifier is None else public_id(kind, str(identifier))
