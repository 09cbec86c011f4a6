"""The line: resolve, admit, dispatch, relay, settle. One call goes through here from its question to its end.

    answer ── resolve ──▶ admit ──▶ dispatch ──▶ reply or stream ──▶ settle ──▶ last byte
                 │          │           │               │
                 └──────────┴── refused └── failed ─────┴── cut, abandoned: settled all the same

The record of a call is committed before its last byte leaves, whatever the call came to.
"""

from enfilade.core.errors import EnfiladeError
from enfilade.dialects.translation.passage import Translator
from enfilade.gateway.admission import Admission, Desk, admit, record_refusal
from enfilade.gateway.cache import KeptAnswer, ReplyCache
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.dispatch import Dispatcher
from enfilade.gateway.relay import Outlet, Relay
from enfilade.gateway.resolve import resolve
from enfilade.gateway.types import Call
from enfilade.storage.errors import DatabaseUnavailable
from enfilade.telemetry import names

WRITER_PATIENCE_S = 5.0
"""When records have not been written for this long, new calls are refused: they could not be answered either."""


class Line:
    """See the module."""

    def __init__(
        self,
        desk: Desk,
        catalogue: Catalogue,
        translator: Translator,
        dispatcher: Dispatcher,
        relay: Relay,
        cache: ReplyCache,
    ) -> None:
        """Work with these parts."""
        self._desk = desk
        self._catalogue = catalogue
        self._translator = translator
        self._dispatcher = dispatcher
        self._relay = relay
        self._cache = cache

    async def answer(self, call: Call, outlet: Outlet) -> None:
        """Answer a call. Raises what the caller must be told instead; it is recorded by then."""
        async with await self._admit(call) as admission:
            key = self._cache.key(call, admission.hold.model)
            if key is not None and (kept := self._find_kept(call, key)) is not None:
                await self._relay.repeat(admission, kept, outlet)
                return
            answer = await self._dispatcher.send(admission)
            try:
                keep_as = key if call.may_write_cache else None
                if call.request.stream:
                    await self._relay.stream(admission, answer, outlet, keep_as)
                else:
                    await self._relay.reply(admission, answer, outlet, keep_as)
            finally:
                answer.incoming.abort()

    async def refuse(self, call: Call, refusal: EnfiladeError) -> None:
        """Record a call that could not even be understood."""
        await record_refusal(self._desk, call, refusal)

    async def _admit(self, call: Call) -> Admission:
        try:
            self._require_writer()
            return await admit(self._desk, call, resolve(self._catalogue, self._translator, call))
        except EnfiladeError as refusal:
            if not isinstance(refusal, DatabaseUnavailable):
                await record_refusal(self._desk, call, refusal)
            raise

    def _require_writer(self) -> None:
        if self._desk.writer.failing_for() > WRITER_PATIENCE_S:
            message = "Calls cannot be recorded at the moment, so they are not made."
            raise DatabaseUnavailable(message, retry_after=2)

    def _find_kept(self, call: Call, key: bytes) -> KeptAnswer | None:
        kept = self._cache.find(key) if call.may_read_cache else None
        self._desk.observer.metrics.count(names.CACHE, "miss" if kept is None else "hit")
        return kept
