"""The line: resolve, admit, dispatch, relay, settle. One call goes through here from its question to its end.

    answer ── resolve ──▶ admit ──▶ dispatch ──▶ reply or stream ──▶ settle ──▶ last byte
                 │          │           │               │
                 └──────────┴── refused └── failed ─────┴── cut, abandoned: settled all the same

The record of a call is committed before its last byte leaves, whatever the call came to.
"""

from collections.abc import Callable

from enfilade.core.errors import EnfiladeError
from enfilade.gateway.admission import Admission, Desk, admit, record_refusal
from enfilade.gateway.cache import GivenAnswer, ReplyCache
from enfilade.gateway.dispatch import Dispatcher
from enfilade.gateway.keeping import Keeper, Kept
from enfilade.gateway.relay import Copies, Outlet, Relay
from enfilade.gateway.repeats import Repeats
from enfilade.gateway.types import Call, Target
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.telemetry import names

Finder = Callable[[Call], list[Target]]
"""See `resolve`."""


class Line:
    """See the module."""

    def __init__(
        self,
        desk: Desk,
        find: Finder,
        dispatcher: Dispatcher,
        relay: Relay,
        cache: ReplyCache,
        keeper: Keeper,
    ) -> None:
        """Work with these parts."""
        self._desk = desk
        self._find = find
        self._dispatcher = dispatcher
        self._relay = relay
        self._cache = cache
        self._keeper = keeper
        self._repeats = Repeats(desk.clock)

    async def answer(self, call: Call, outlet: Outlet) -> None:
        """Answer a call. Raises what the caller must be told instead; it is recorded by then."""
        kept = await self._continue(call) if self._keeper.concerns(call.dialect) else None
        async with await self._admit(call) as admission:
            key = self._cache.key(call, admission.hold.model)
            if key is None:
                admission.repeats = self._repeats.seen(call, admission.hold.model)
            elif (found := self._find_answer(call, key)) is not None:
                await self._relay.repeat(admission, found, outlet)
                return
            if not self._dispatcher.can_send(admission):
                await self._relay.count(admission, outlet)
                return
            answer = await self._dispatcher.send(admission)
            try:
                copies = Copies(key if call.may_write_cache else None, kept)
                if call.request.stream:
                    await self._relay.stream(admission, answer, outlet, copies)
                else:
                    await self._relay.reply(admission, answer, outlet, copies)
            finally:
                answer.incoming.abort()

    async def refuse(self, call: Call, refusal: EnfiladeError) -> None:
        """Record a call that could not even be understood."""
        await record_refusal(self._desk, call, refusal)

    async def _continue(self, call: Call) -> Kept | None:
        try:
            return await self._keeper.begin(call)
        except EnfiladeError as refusal:
            await self._record(call, refusal)
            raise

    async def _admit(self, call: Call) -> Admission:
        try:
            self._desk.writers.require(call.scope.tenant)
            return await admit(self._desk, call, self._find(call))
        except EnfiladeError as refusal:
            await self._record(call, refusal)
            raise

    async def _record(self, call: Call, refusal: EnfiladeError) -> None:
        if not isinstance(refusal, DatabaseUnavailable):
            await record_refusal(self._desk, call, refusal)

    def _find_answer(self, call: Call, key: bytes) -> GivenAnswer | None:
        found = self._cache.find(key) if call.may_read_cache else None
        self._desk.observer.metrics.count(names.CACHE, "miss" if found is None else "hit")
        return None if found is None else found.given
