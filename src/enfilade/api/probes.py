"""What operators and their tools ask: alive, ready, figures."""

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from enfilade.api.asgi import HeaderList, Receive, Scope, Send, send_reply
from enfilade.api.headers import collect, credential
from enfilade.api.plain_errors import plain_error_body
from enfilade.core.errors import EnfiladeError
from enfilade.identity.entrance import Entrance
from enfilade.identity.errors import PermissionMissing
from enfilade.identity.permissions import METRICS_READ
from enfilade.telemetry.metrics import Metrics

JSON: HeaderList = [(b"content-type", b"application/json"), (b"cache-control", b"no-store")]
PROMETHEUS: HeaderList = [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")]


@dataclass(slots=True)
class Readiness:
    """Whether this process can serve, part by part."""

    checks: dict[str, Callable[[], bool]]

    def report(self) -> dict[str, bool]:
        """Each part's answer."""
        return {name: check() for name, check in self.checks.items()}


class Probes:
    """`/healthz`, `/readyz` and `/metrics`."""

    def __init__(self, readiness: Readiness, metrics: Metrics, entrance: Entrance) -> None:
        """Report on these."""
        self._readiness = readiness
        self._metrics = metrics
        self._entrance = entrance

    async def healthz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Alive: this process answers."""
        await send_reply(send, 200, list(JSON), b'{"status":"alive"}')

    async def readyz(self, _scope: Scope, _receive: Receive, send: Send) -> None:
        """Ready: it can take calls."""
        report = self._readiness.report()
        ready = all(report.values())
        body = msgspec.json.encode({"status": "ready" if ready else "not ready", "checks": report})
        await send_reply(send, 200 if ready else 503, list(JSON), body)

    async def metrics(self, scope: Scope, _receive: Receive, send: Send) -> None:
        """Figures for Prometheus: to a key that may read them, or to a scraper on this very machine."""
        try:
            await self._authorise(scope)
        except EnfiladeError as error:
            await send_reply(send, error.status, list(JSON), plain_error_body(error))
            return
        await send_reply(send, 200, list(PROMETHEUS), self._metrics.render())

    async def _authorise(self, scope: Scope) -> None:
        found = collect(scope["headers"])
        is_local = _is_loopback(scope.get("client")) and b"x-forwarded-for" not in found and b"forwarded" not in found
        if is_local and b"authorization" not in found:
            return
        client = scope.get("client")
        principal = await self._entrance.by_credential(credential(found), client[0] if client else None)
        if not principal.scope.may(METRICS_READ):
            message = "The key's roles do not include `metrics:read`."
            raise PermissionMissing(message)


def _is_loopback(client: tuple[str, int] | None) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
