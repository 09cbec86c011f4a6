"""Around the admin API: request ids, bodies within bounds, repeated requests, and a last resort for errors."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from fastapi import FastAPI
from fastapi.responses import JSONResponse

from enfilade.api.admin.addresses import admin_addresses
from enfilade.api.admin.context import IN_SCOPE, AdminContext
from enfilade.api.admin.problems import error_reply
from enfilade.api.admin.security import authenticate
from enfilade.api.asgi import CallerLeft, Message, Receive, Scope, Send, read_body
from enfilade.api.served import Served
from enfilade.core.errors import Conflict, EnfiladeError, InternalError, InvalidRequest
from enfilade.storage import idempotency
from enfilade.storage.rounds import collect_left_out

MAX_BODY_BYTES = 8_000_000
MAX_STRANGERS_BYTES = 64_000
"""So much is read of whoever is not known: reading a body as JSON takes the time of all others."""
STRANGERS = "/auth/"
"""The addresses of those who are not known yet."""
STREAMED = frozenset({"/api/v1/reconciliations", "/api/v1/tenant-archives"})
"""Where a body is read as it arrives, and bounded, by the route itself."""
DECISIONS = "/access/v1/"
"""The decision point: it changes nothing, and names its replies as the caller named the requests."""
MAX_KEY_LENGTH = 200
REPLAYED = b"idempotency-replayed"
SHOWN_ONCE = frozenset({"secret", "uri", "recovery_codes", "token", "access_token", "csrf", "device_code", "challenge"})
"""What of a reply is a secret, whichever route's it is."""

log = structlog.get_logger("enfilade.api.admin")


class InvalidIdempotencyKey(InvalidRequest):
    """The key is too long or not printable, or was used for another request."""

    code = "invalid_idempotency_key"
    status = 422
    remedy = "Use a fresh key, e.g. a UUID, for each request, and the same one to repeat it."


class RequestInProgress(Conflict):
    """The same request is being worked on."""

    code = "request_in_progress"
    remedy = "Wait a moment and repeat the request with the same key."


@dataclass(slots=True)
class _Recorder:
    """Holds a reply back until it is kept: whoever has it may repeat the request at once."""

    messages: list[Message] = field(default_factory=list)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = {name.decode(): value.decode("latin-1") for name, value in message.get("headers", ())}
        else:
            self.body += message.get("body", b"")
        self.messages.append(message)


class Envelope:
    """See the module."""

    def __init__(self, app: FastAPI, context: AdminContext) -> None:
        """Surround `app`."""
        self._app = app
        self._context = context

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        scope[IN_SCOPE] = self._context
        asks_only = scope["path"].startswith(DECISIONS)
        collect_left_out()
        request_id = (_given_id(scope) if asks_only else None) or self._context.ids.new_id().encode()
        started = ended = False
        changes = scope["method"] in {"POST", "PUT", "PATCH", "DELETE"}

        async def named(message: Message) -> None:
            nonlocal started, ended
            if message["type"] == "http.response.start":
                started = True
                if changes and not asks_only and message["status"] < 300:
                    await self._apply_here()
                message = {**message, "headers": [*message.get("headers", ()), (b"x-request-id", request_id)]}
            else:
                ended = not message.get("more_body")
            await send(message)

        try:
            if changes:
                await self._changing(scope, receive, named)
            else:
                await self._app(scope, receive, named)
        except CallerLeft:
            return
        except EnfiladeError as error:
            await error_reply(error)(scope, receive, named)
        except Exception:
            # Starlette answers an unforeseen exception, and raises it again for the sake of servers' logs.
            log.exception("admin_request_failed", path=scope["path"], method=scope["method"])
            if not started:
                await error_reply(InternalError("Something went wrong inside Enfilade."))(scope, receive, named)
            elif not ended:
                raise

    def addresses(self) -> Iterator[Served]:
        """Everything that is served inside."""
        return admin_addresses(self._app)

    async def _apply_here(self) -> None:
        """Whoever changed something finds it in force at this process when they are told so; elsewhere within a second."""
        try:
            await self._context.directory.refresh()
        except EnfiladeError as error:
            log.warning("directory_not_refreshed", error=error.message)

    async def _changing(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: dict[bytes, bytes] = dict(scope["headers"])
        key = headers.get(b"idempotency-key")
        if scope["method"] == "POST" and scope["path"] in STREAMED:
            # What tells a repetition apart is known before the body is: how long it is.
            arriving = _Arriving(headers.get(b"content-length", b""), receive)
            await (
                self._app(scope, arriving, send)
                if key is None
                else self._once(scope, arriving, send, _checked_key(key))
            )
            return
        body = await read_body(receive, headers.get(b"content-length"), await self._most_bytes(scope, headers))
        replay = _Replay(body, receive)
        if key is None:
            await self._app(scope, replay, send)
        else:
            await self._once(scope, replay, send, _checked_key(key))

    async def _most_bytes(self, scope: Scope, headers: dict[bytes, bytes]) -> int:
        """How large a body may be; who sends a large one, or does not say how large, is known first.

        Raises what `authenticate` raises.
        """
        if scope["path"].startswith(STRANGERS):
            return MAX_STRANGERS_BYTES
        declared = headers.get(b"content-length", b"")
        if not declared.isdigit() or int(declared) > MAX_STRANGERS_BYTES:
            await authenticate(self._context, scope)
        return MAX_BODY_BYTES

    async def _once(self, scope: Scope, replay: "_Replay | _Arriving", send: Send, key: str) -> None:
        """Work on a request unless one with the same key was answered; then give the same reply."""
        actor = (await authenticate(self._context, scope))[0].scope
        parts = (scope["method"], scope["path"], scope["query_string"].decode("latin-1"))
        digest = hashlib.sha256("\x00".join(parts).encode() + b"\x00" + replay.body).digest()
        async with self._context.storage.unit_of_work(actor) as unit:
            earlier = await idempotency.claim(unit, key, digest)
        if earlier is not None:
            await _repeat(earlier, digest, scope, replay, send)
            return
        recorder = _Recorder()
        try:
            await self._app(scope, replay, recorder)
        finally:
            async with self._context.storage.unit_of_work(actor) as unit:
                if 200 <= recorder.status < 500:
                    kept = {name: value for name, value in recorder.headers.items() if name in {"content-type", "etag"}}
                    await idempotency.keep(unit, key, recorder.status, kept, _without_secrets(bytes(recorder.body)))
                else:
                    await idempotency.release(unit, key)
        for message in recorder.messages:
            await send(message)


class _Replay:
    """Gives a body that was read already, and then whatever else comes."""

    def __init__(self, body: bytes, receive: Receive) -> None:
        self.body = body
        self._receive = receive
        self._given = False

    async def __call__(self) -> Message:
        if self._given:
            return await self._receive()
        self._given = True
        return {"type": "http.request", "body": self.body, "more_body": False}


class _Arriving:
    """Gives a body as it arrives; a caller who leaves before its end is told by CallerLeft."""

    def __init__(self, declared: bytes, receive: Receive) -> None:
        self.body = declared
        self._receive = receive
        self._ended = False

    async def __call__(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._ended:
            raise CallerLeft
        self._ended = self._ended or not message.get("more_body")
        return message


def _checked_key(key: bytes) -> str:
    text = key.decode("latin-1")
    if not 0 < len(text) <= MAX_KEY_LENGTH or not text.isascii() or not text.isprintable():
        message = f"An idempotency key has 1 to {MAX_KEY_LENGTH} printable ASCII characters."
        raise InvalidIdempotencyKey(message)
    return text


async def _repeat(earlier: idempotency.EarlierReply, digest: bytes, scope: Scope, receive: Receive, send: Send) -> None:
    if earlier.digest != digest:
        message = "This idempotency key was used for another request."
        raise InvalidIdempotencyKey(message)
    if earlier.status is None:
        message = "The request with this idempotency key is still being worked on."
        raise RequestInProgress(message, retry_after=1)
    reply = JSONResponse(None, earlier.status)
    reply.body = earlier.body.encode()
    headers = {"content-length": str(len(reply.body)), REPLAYED.decode(): "true"} | earlier.headers
    reply.raw_headers = [(name.encode(), value.encode("latin-1")) for name, value in headers.items()]
    await reply(scope, receive, send)


def _without_secrets(body: bytes) -> str:
    """A reply as it may be stored: a secret is shown once, and a repetition is not that once."""
    if not any(b'"%s"' % name.encode() in body for name in SHOWN_ONCE):
        return body.decode("utf-8", "replace")

    def redacted(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: None if name in SHOWN_ONCE else redacted(entry) for name, entry in value.items()}
        return [redacted(entry) for entry in value] if isinstance(value, list) else value

    return msgspec.json.encode(redacted(msgspec.json.decode(body))).decode()


def _given_id(scope: Scope) -> bytes | None:
    """The caller's own name for the request, if it is fit to be repeated."""
    given: bytes = dict(scope["headers"]).get(b"x-request-id", b"")
    return given if 0 < len(given) <= MAX_KEY_LENGTH and given.isascii() and given.decode().isprintable() else None
