"""The application: which address leads where."""

from collections.abc import Awaitable, Callable, Iterator

from enfilade.api import authzen
from enfilade.api.admin.envelope import Envelope
from enfilade.api.asgi import HeaderList, Receive, Scope, Send, send_reply
from enfilade.api.call_addresses import CallAddresses
from enfilade.api.calls import DataPlane
from enfilade.api.models import GEMINI, GEMINI_PREFIX, ModelList
from enfilade.api.models import PREFIX as MODEL_PREFIX
from enfilade.api.plain_errors import plain_error_body
from enfilade.api.probes import Probes
from enfilade.api.responses.addresses import StoredAddresses
from enfilade.api.served import Served
from enfilade.core.errors import EnfiladeError, MethodNotAllowed, NotFound
from enfilade.dialects.types import Registry

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
CALLER = "a key's tenant"
ADMIN_PREFIXES = ("/api/", "/auth/", "/scim/", *authzen.PREFIXES)


class Application:
    """The root of everything that is served."""

    def __init__(
        self,
        dialects: Registry,
        data_plane: DataPlane,
        models: ModelList,
        stored: StoredAddresses,
        probes: Probes,
        admin: Envelope,
    ) -> None:
        """Serve these parts."""
        self._admin = admin
        self._stored = stored
        self._data_plane = data_plane
        self._calls = CallAddresses(dialects)
        self._gets: dict[str, Handler] = {
            "/healthz": probes.healthz,
            "/readyz": probes.readyz,
            "/metrics": probes.metrics,
            "/v1/models": models.serve,
            GEMINI: models.serve,
            "/": self._welcome,
        }
        self._beneath: dict[str, Handler] = {MODEL_PREFIX: models.serve, GEMINI_PREFIX: models.serve}
        """By what their addresses begin with."""

    def addresses(self) -> Iterator[Served]:
        """Everything that is served, from the tables by which requests are led."""
        yield from (Served("POST", path, CALLER) for path in self._calls.paths())
        yield from self._stored.addresses()
        yield from (Served("GET", path, CALLER) for path in self._gets)
        yield from (Served("GET", f"{prefix}{{name}}", CALLER) for prefix in self._beneath)
        yield from self._admin.addresses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        dialect = self._calls.find(path)
        if dialect is not None and scope["method"] == "POST":
            await self._data_plane.serve(dialect, scope, receive, send)
            return
        if self._stored.serves(path):
            await self._stored.serve(scope, receive, send)
            return
        if dialect is not None:
            await _refuse_method(send, b"POST")
            return
        if path.startswith(ADMIN_PREFIXES):
            await self._admin(scope, receive, send)
            return
        handler = self._gets.get(path) or next(
            (handler for prefix, handler in self._beneath.items() if path.startswith(prefix)), None
        )
        if handler is None:
            message = f"There is nothing at {path[:200]}."
            await _refuse(send, NotFound(message))
        elif scope["method"] not in {"GET", "HEAD"}:
            await _refuse_method(send, b"GET, HEAD")
        else:
            await handler(scope, receive, send)

    async def _welcome(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """For people who open the address in a browser."""
        calls = "".join(f"<li><code>POST {path}</code></li>" for path in self._calls.paths())
        body = (
            "<!doctype html><html lang=en><meta charset=utf-8><title>Enfilade</title>"
            "<body style='font:16px/1.5 system-ui;max-width:40rem;margin:4rem auto;padding:0 1rem'>"
            f"<h1>Enfilade</h1><p>This address takes calls to models:</p><ul>{calls}"
            "<li><code>GET /v1/models</code></li><li><code>GET /v1beta/models</code></li></ul>"
            "<p><a href='/api/docs'>Admin API</a> · <a href='/readyz'>readiness</a></p></body></html>"
        )
        await send_reply(send, 200, [(b"content-type", b"text/html; charset=utf-8")], body.encode())


async def _refuse(send: Send, error: EnfiladeError, extra: HeaderList | None = None) -> None:
    headers = [(b"content-type", b"application/json"), *(extra or [])]
    await send_reply(send, error.status, headers, plain_error_body(error))


async def _refuse_method(send: Send, allowed: bytes) -> None:
    message = "This address does not take this method."
    await _refuse(send, MethodNotAllowed(message), [(b"allow", allowed)])
