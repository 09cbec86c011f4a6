"""Answers that are kept, and what they continue: the line's side of stored responses."""

from dataclasses import dataclass

import msgspec

from enfilade.dialects.types import Dialect, Keeping, Registry
from enfilade.gateway.stored.forms import items_of_list
from enfilade.gateway.stored.service import Stored
from enfilade.gateway.stored.types import CONVERSATION, RESPONSE, Exchange, public_id
from enfilade.gateway.types import Call


@dataclass(slots=True)
class Kept:
    """An answer that will be kept."""

    stored: Stored
    call: Call
    items: tuple[msgspec.Raw, ...]
    """What the request itself added."""
    previous: str | None
    conversation: str | None

    async def keep(self, whole: bytes | None) -> None:
        """Keep the whole answer; committed on return. Raises DatabaseUnavailable."""
        if whole is None:
            return
        call = self.call
        exchange = Exchange(
            call.id, call.request.model, call.started_ns, self.items, whole, self.previous, self.conversation
        )
        await self.stored.keep(call.principal, call.scope, exchange)


class Keeper:
    """Finds what a call continues, before it is admitted. One per process."""

    def __init__(self, dialects: Registry, stored: Stored) -> None:
        """Look in `stored`, for calls in those dialects whose answers can be kept."""
        self._stored = stored
        every = (dialects.get(name) for name in dialects.names())
        self._keeping: dict[str, Keeping] = {one.name: one for one in every if isinstance(one, Keeping)}

    def concerns(self, dialect: Dialect) -> bool:
        """Whether calls in this dialect keep anything at all."""
        return dialect.name in self._keeping

    async def begin(self, call: Call) -> Kept | None:
        """Put before the request what it continues. Returns how its answer is kept, or None when it is not.

        Raises InvalidItem, and what `Stored.expand` and `Stored.keeps` raise.
        """
        dialect, request = self._keeping[call.dialect.name], call.request
        keeps = self._stored.keeps(call.principal, asked=request.keeps)
        alone = dialect.with_input(request, [])
        # Also checked where nothing is kept: a reference to an item could be to another tenant's at the provider.
        items = items_of_list(alone.fields["input"], "input") if "input" in alone.fields else ()
        previous = conversation = None
        if request.previous is not None:
            if request.previous.startswith(f"{CONVERSATION}_"):
                conversation = request.previous
            else:
                previous = request.previous
            before = await self._stored.expand(call.scope, previous_response_id=previous, conversation_id=conversation)
            call.request = dialect.with_input(request, before)
        call.request.keeps = keeps
        if not keeps:
            return None
        call.request.answer_id = public_id(RESPONSE, call.id)
        return Kept(self._stored, call, items, previous, conversation)
