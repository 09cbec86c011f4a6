"""The data plane: calls in every dialect, at its own address. Raw ASGI: each call's time is counted in microseconds."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from enfilade.api.asgi import AsgiOutlet, CallerLeft, HeaderList, Receive, Scope, Send, read_body, send_reply
from enfilade.api.call_addresses import names_model
from enfilade.api.headers import HINTED, Network, client_address, collect, credential, find_key_in_query, read_hints
from enfilade.api.shares import Shares
from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError, InternalError
from enfilade.core.ids import IdFactory
from enfilade.dialects.types import Dialect, Request
from enfilade.gateway.errors import Draining, Interrupted
from enfilade.gateway.line import Line
from enfilade.gateway.relay import request_id_headers
from enfilade.gateway.types import Call
from enfilade.identity.entrance import Entrance

log = structlog.get_logger("enfilade.api.calls")


@dataclass(frozen=True, slots=True)
class DataPlaneOptions:
    """What an operator decides."""

    max_body_bytes: int
    trusted_proxies: Sequence[Network] = ()
    tenant_calls: int = 2000
    """How many calls one tenant may have running in this process."""


class DataPlane:
    """Takes calls."""

    def __init__(self, line: Line, entrance: Entrance, clock: Clock, ids: IdFactory, options: DataPlaneOptions) -> None:
        """Answer calls through `line`."""
        self._line = line
        self._entrance = entrance
        self._clock = clock
        self._ids = ids
        self._options = options
        self._running: set[asyncio.Task[None]] = set()
        self._shares = Shares(options.tenant_calls)
        self.draining = False

    @property
    def running(self) -> int:
        """How many calls are being answered."""
        return len(self._running)

    async def serve(self, dialect: Dialect, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request in `dialect`."""
        task = asyncio.current_task()
        assert task is not None
        now_ns = self._clock.now_ns()
        call_id = self._ids.new_id(now_ns)
        outlet = AsgiOutlet(send)
        cycle = scope.get("enfilade.cycle")
        if cycle is not None:
            cycle.on_lost = task
        self._running.add(task)
        try:
            await self._answer(call_id, now_ns, dialect, scope, receive, outlet)
        except CallerLeft:
            return
        except EnfiladeError as error:
            await _tell(dialect, error, call_id, outlet, send)
        except asyncio.CancelledError as cancelled:
            if cancelled.args and cancelled.args[0] == Interrupted.code:
                message = "The server is being shut down."
                await _tell(dialect, Interrupted(message, retry_after=1), call_id, outlet, send)
        except Exception:
            log.exception("call_failed_unexpectedly", call_id=call_id)
            unexpected = InternalError("Something went wrong inside Enfilade.")
            await _tell(dialect, unexpected, call_id, outlet, send)
        finally:
            self._running.discard(task)
            if cycle is not None:
                cycle.on_lost = None

    async def _answer(
        self, call_id: str, now_ns: int, dialect: Dialect, scope: Scope, receive: Receive, outlet: AsgiOutlet
    ) -> None:
        started = self._clock.monotonic()
        if self.draining:
            message = "This server is shutting down."
            raise Draining(message, retry_after=1)
        found = collect(scope["headers"])
        address = client_address(scope.get("client"), found, self._options.trusted_proxies)
        if names_model(dialect):
            find_key_in_query(found, scope["query_string"])
        given = credential(found)
        principal = self._entrance.known(given, address, now_ns)
        if principal is None:
            principal = await self._entrance.verified(given)
        call = Call(call_id, now_ns, started, dialect, principal, principal.scope, NOTHING, address=address)
        tenant = principal.scope.tenant
        try:
            turn = self._shares.enter(tenant)
        except EnfiladeError as refusal:
            await self._line.refuse(call, refusal)
            raise
        try:
            if turn is not None:
                await turn
            await self._pass_on(call, found, scope, receive, outlet)
        finally:
            self._shares.leave(tenant)

    async def _pass_on(
        self, call: Call, found: dict[bytes, bytes], scope: Scope, receive: Receive, outlet: AsgiOutlet
    ) -> None:
        dialect = call.dialect
        try:
            body = await read_body(receive, found.get(b"content-length"), self._options.max_body_bytes)
            call.request = dialect.parse(body, _target(dialect, scope))
            outlet.as_array = call.request.as_array
            self._read_headers(call, found)
        except EnfiladeError as refusal:
            await self._line.refuse(call, refusal)
            raise
        await self._line.answer(call, outlet)

    def _read_headers(self, call: Call, found: dict[bytes, bytes]) -> None:
        for name in call.dialect.forwarded_headers:
            if name in found:
                call.headers += ((name, found[name]),)
        if HINTED in found:
            if (user := found.get(b"x-enfilade-user")) is not None:
                call.scope = call.principal.for_user(user.decode("utf-8", "replace").strip())
            call.hints = read_hints(found)
        if (caching := found.get(b"cache-control")) is not None:
            call.may_read_cache = b"no-cache" not in caching and b"no-store" not in caching
            call.may_write_cache = b"no-store" not in caching
        if (parent := found.get(b"traceparent")) is not None:
            call.trace_parent = parent.decode("ascii", "replace")

    async def drain(self, seconds: float, hurry: asyncio.Event | None = None) -> None:
        """Take no new calls, let the running ones finish, and end those that take longer than `seconds`.

        Once `hurry` is set, none may take longer.
        """
        self.draining = True
        deadline = self._clock.monotonic() + seconds
        while self._running and self._clock.monotonic() < deadline and not (hurry and hurry.is_set()):
            await self._clock.sleep(0.02)
        late = list(self._running)
        for task in late:
            task.cancel(Interrupted.code)
        if late:
            log.warning("calls_interrupted", count=len(late))
            await asyncio.wait(late, timeout=5)


def _target(dialect: Dialect, scope: Scope) -> str:
    """What the request line says, for those dialects in which it says something."""
    if not names_model(dialect):
        return ""
    path, query = scope["raw_path"].decode("latin-1"), scope["query_string"].decode("latin-1")
    return f"{path}?{query}" if query else path


NOTHING = Request(fields={}, model="", stream=False, size=0)
"""The request of a call that could not be read."""


async def _tell(dialect: Dialect, error: EnfiladeError, call_id: str, outlet: AsgiOutlet, send: Send) -> None:
    """Tell the caller of an error: as the answer, or at the end of the stream that has begun."""
    if outlet.started:
        if outlet.as_array:
            told = (b"," if outlet.written else b"[") + dialect.render_error(error, call_id) + b"]"
        else:
            told = dialect.render_error_event(error, call_id)
        await outlet.finish(told)
        return
    headers: HeaderList = [
        (b"content-type", b"application/json"),
        *request_id_headers(call_id),
        *retry_headers(error),
    ]
    if isinstance(error, Draining):
        headers.append((b"connection", b"close"))
    await send_reply(send, dialect.error_status(error), headers, dialect.render_error(error, call_id))


def retry_headers(error: EnfiladeError) -> HeaderList:
    """When to try again, in the forms that the SDKs read."""
    if error.retry_after is not None:
        seconds = max(1, math.ceil(error.retry_after))
        return [(b"retry-after", b"%d" % seconds), (b"retry-after-ms", b"%d" % math.ceil(error.retry_after * 1000))]
    if error.status == 429:
        return [(b"x-should-retry", b"false")]  # It will never fit.
    return []
