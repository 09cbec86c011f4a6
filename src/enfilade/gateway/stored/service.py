"""Stored responses, for the line and for the addresses where they are read.

The state behind `previous_response_id` and `conversation` is ours alone: no provider is told of either, nor asked to
store anything, because the tenants share our keys there.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from enfilade.core.clock import Clock, to_datetime
from enfilade.core.errors import InvalidRequest
from enfilade.core.ids import IdFactory
from enfilade.core.scope import Scope
from enfilade.gateway.stored import store
from enfilade.gateway.stored.contents import Contents, for_input, for_reply
from enfilade.gateway.stored.conversations import Conversations, open_items
from enfilade.gateway.stored.errors import (
    ContextTooLarge,
    ConversationNotFound,
    NotOffered,
    PreviousResponseNotFound,
    StoringRefused,
)
from enfilade.gateway.stored.forms import decode_items, output_of
from enfilade.gateway.stored.responses import Responses
from enfilade.gateway.stored.types import (
    CONVERSATION,
    MAX_CHAIN,
    MAX_ITEMS,
    RESPONSE,
    Exchange,
    internal_id,
    owner_of,
    public_id,
)
from enfilade.identity.principal import Principal
from enfilade.identity.types import ApplicationSettings
from enfilade.sealing.envelope import Envelope
from enfilade.sealing.errors import ContentErased
from enfilade.storage.unit_of_work import Storage, UnitOfWork

DEFAULTS = ApplicationSettings()
"""For users' keys, which belong to no application."""


class Stored:
    """The face of stored responses."""

    def __init__(self, storage: Storage, envelope: Envelope, clock: Clock, ids: IdFactory, most_bytes: int) -> None:
        """Keep contents sealed in `storage`; what one request continues may have `most_bytes`."""
        self._storage = storage
        self._contents = Contents(envelope)
        self._clock = clock
        self._most_bytes = most_bytes
        self.responses = Responses(storage, self._contents, clock)
        self.conversations = Conversations(storage, self._contents, clock, ids, most_bytes)

    def keeps(self, principal: Principal, *, asked: bool | None) -> bool:
        """Whether a response is to be kept, when its request has `store` as `asked` (None: it does not say).

        Raises StoringRefused when it is asked for and not done.
        """
        if asked is False:
            return False
        if not settings_of(principal).store_responses:
            why = "This application keeps no responses."
        elif not self._contents.can_be_kept:
            why = "This installation has no master key, so nothing can be stored."
        else:
            return True
        if asked:
            raise StoringRefused(why, param="store")
        return False

    def require_keeping(self, principal: Principal) -> int:
        """For how many days things are kept. Raises StoringRefused when they are not."""
        self.keeps(principal, asked=True)
        return settings_of(principal).response_days

    async def keep(self, principal: Principal, scope: Scope, exchange: Exchange) -> None:
        """Keep an answered request, and add it to its conversation; committed on return.

        Raises DatabaseUnavailable; nothing was kept then.
        """
        await self.responses.keep(scope, exchange, settings_of(principal).response_days)

    async def expand(
        self, scope: Scope, *, previous_response_id: str | None = None, conversation_id: str | None = None
    ) -> list[msgspec.Raw]:
        """The items that a request continues, in order, to stand before its own.

        Of each earlier response its input, then its output; instructions are not carried over. Raises
        PreviousResponseNotFound, ConversationNotFound, ContextTooLarge, NotOffered.
        """
        if previous_response_id is not None and conversation_id is not None:
            message = "`previous_response_id` and `conversation` cannot be used together."
            raise InvalidRequest(message, param="previous_response_id")
        if previous_response_id is not None:
            return await self._chain(scope, previous_response_id)
        if conversation_id is not None:
            return await self._conversation(scope, conversation_id)
        return []

    async def erase(self, unit: UnitOfWork, user: str) -> None:
        """Delete what is kept for a person who is erased; with the unit, or not at all."""
        responses = await unit.fetch(store.ERASE_RESPONSES, user)
        conversations = await unit.fetch(store.ERASE_CONVERSATIONS, user)
        unit.record("StoredContentErased", user=user, responses=len(responses), conversations=len(conversations))

    async def _chain(self, scope: Scope, response_id: str) -> list[msgspec.Raw]:
        identifier = internal_id(RESPONSE, response_id)
        rows: Sequence[Any] = ()
        if identifier is not None:
            async with self._storage.unit_of_work(scope, readonly=True) as unit:
                rows = await unit.fetch(
                    store.CHAIN, identifier, owner_of(scope), self._now(), MAX_CHAIN + 1, self._most_bytes
                )
        if not rows:
            message = f"Previous response with id {response_id[:100]!r} not found."
            raise PreviousResponseNotFound(message, param="previous_response_id")
        self._check_chain(rows)
        sealed = []
        for row in reversed(rows):
            link = str(row["id"])
            sealed.append((for_input(scope.tenant, link), row["input"]))
            sealed.append((for_reply(scope.tenant, link), row["reply"]))
        try:
            opened = await self._contents.open(scope.tenant, sealed)
        except ContentErased:
            message = "The previous response, or one that it builds on, was erased with the person whose it was."
            raise PreviousResponseNotFound(message, param="previous_response_id") from None
        items: list[msgspec.Raw] = []
        for added, reply in zip(opened[::2], opened[1::2], strict=True):
            items += decode_items(added)
            items += output_of(reply)
        if len(items) > MAX_ITEMS:
            raise _too_large(f"{MAX_ITEMS} items", "previous_response_id")
        return items

    def _check_chain(self, rows: Sequence[Any]) -> None:
        """Refuse a chain that is too long, lacks a link, or began inside a conversation."""
        param = "previous_response_id"
        if sum(len(row["input"]) + len(row["reply"]) for row in rows) > self._most_bytes:
            raise _too_large(f"{self._most_bytes} bytes", param)
        if len(rows) > MAX_CHAIN:
            raise _too_large(f"{MAX_CHAIN} responses", param)
        oldest = rows[-1]
        if oldest["previous_id"] is not None:
            gone = public_id(RESPONSE, str(oldest["previous_id"]))
            message = f"The previous response builds on {gone!r}, which was deleted or has expired."
            raise PreviousResponseNotFound(message, param=param)
        if oldest["conversation_id"] is not None:
            conversation = public_id(CONVERSATION, str(oldest["conversation_id"]))
            message = f"The previous response belongs to conversation {conversation!r}: continue that instead."
            raise NotOffered(message, param=param)

    async def _conversation(self, scope: Scope, conversation_id: str) -> list[msgspec.Raw]:
        identifier = internal_id(CONVERSATION, conversation_id)
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            found = identifier and await unit.fetch_row(
                store.FIND_CONVERSATION, identifier, owner_of(scope), self._now()
            )
            if identifier is None or not found:
                message = f"Conversation with id {conversation_id[:100]!r} not found."
                raise ConversationNotFound(message, param="conversation")
            measured: Any = await unit.fetch_row(store.MEASURE_ITEMS, identifier)
            if measured["items"] > MAX_ITEMS:
                raise _too_large(f"{MAX_ITEMS} items", "conversation")
            if measured["bytes"] > self._most_bytes:
                raise _too_large(f"{self._most_bytes} bytes", "conversation")
            rows = await unit.fetch(store.LOAD_ITEMS, identifier)
        return [item.content for item in await open_items(self._contents, scope.tenant, identifier, rows)]

    def _now(self) -> datetime:
        return to_datetime(self._clock.now_ns())


def settings_of(principal: Principal) -> ApplicationSettings:
    """What the application has chosen; a user's key has the defaults."""
    return principal.application.spec.settings if principal.application else DEFAULTS


def _too_large(what: str, param: str) -> ContextTooLarge:
    message = f"The request continues more than {what}."
    return ContextTooLarge(message, param=param)
