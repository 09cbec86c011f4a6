"""Asking the program as a caller would, without a network between, and noting what it did for the answer."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote, urlencode

import msgspec

from enfilade.api.asgi import AsgiApp, Message
from enfilade.storage.watching import statements_noted

ITS_OWN = frozenset({"content-length"})
"""Headers that tell of the length of what was asked for."""
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}")
SECRET = re.compile(r"[0-9A-Za-z_-]{40,}")


@dataclass(frozen=True, slots=True)
class Request:
    """A request, and the values in it that are asked for."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """Bytes are sent as they are, all else as JSON; None is no body."""
    named: tuple[str, ...] = ()

    def beneath(self, **parameters: str) -> "Request":
        """The same with query parameters."""
        return replace(self, query={**self.query, **parameters}, named=(*self.named, *parameters.values()))

    def shown(self) -> str:
        """For people."""
        query = "".join(f" ?{name}={value}" for name, value in self.query.items())
        headers = "".join(f" {name}: {value}" for name, value in self.headers.items())
        return f"{self.method} {self.path}{query}{headers}"


@dataclass(frozen=True, slots=True)
class Reply:
    """What came, and the statements that were run for it."""

    status: int
    headers: tuple[tuple[str, str], ...]
    text: str
    statements: tuple[str, ...] = ()

    @property
    def content(self) -> Any:
        """The JSON; None where it is none."""
        try:
            return msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return None

    @property
    def code(self) -> str:
        """The stable code of a refusal."""
        content = self.content
        if not isinstance(content, dict):
            return ""
        inner = content.get("error")
        return str((inner if isinstance(inner, dict) else content).get("code") or "")

    def seen(self, values: tuple[str, ...]) -> tuple[int, tuple[tuple[str, str], ...], str]:
        """It without what differs between any two replies: what was asked for, and ids and secrets that were made."""
        headers = tuple(
            (name, SECRET.sub("<secret>", UUID.sub("<id>", value)))
            for name, value in self.headers
            if name not in ITS_OWN
        )
        text = self.text
        for value in sorted(values, key=len, reverse=True):
            for form in {value, quote(value), quote(value, safe=""), msgspec.json.encode(value)[1:-1].decode()}:
                text = text.replace(form, "<it>")
                headers = tuple((name, entry.replace(form, "<it>")) for name, entry in headers)
        return self.status, headers, UUID.sub("<id>", text)


class Asker:
    """Somebody who asks."""

    def __init__(self, application: AsgiApp, key: str | None = None) -> None:
        """Present this key, or none."""
        self._application = application
        self._headers = [(b"host", b"127.0.0.1")]
        if key is not None:
            self._headers.append((b"authorization", f"Bearer {key}".encode()))

    async def get(self, path: str, **query: str) -> Reply:
        """Read something."""
        return await self.ask(Request("GET", path, query))

    async def post(self, path: str, body: Any = None) -> Reply:
        """Do something."""
        return await self.ask(Request("POST", path, body=body))

    async def ask(self, request: Request) -> Reply:
        """The reply to a request."""
        body = request.body if isinstance(request.body, bytes) else b""
        headers = [*self._headers, *((name.encode(), value.encode()) for name, value in request.headers.items())]
        if request.body is not None:
            if not isinstance(request.body, bytes):
                body = msgspec.json.encode(request.body)
                headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", b"%d" % len(body)))
        scope = {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "scheme": "http",
            "method": request.method,
            "path": request.path,
            "raw_path": quote(request.path).encode(),
            "root_path": "",
            "query_string": urlencode(request.query).encode(),
            "headers": headers,
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "state": {},
        }
        exchange = _Exchange(body)
        with statements_noted() as statements:
            await self._application(scope, exchange.receive, exchange.send)
            await asyncio.sleep(0)
            noted = tuple(statements)
        return Reply(exchange.status, exchange.headers, exchange.body.decode("utf-8", "replace"), noted)


@dataclass(frozen=True, slots=True)
class Askers:
    """Who asks for a tenant."""

    person: Asker
    """A user with all the tenant's rights."""
    application: Asker
    provisioning: Asker
    """The directory that says who there is."""
    nobody: Asker

    def for_address(self, path: str) -> Asker:
        """Whose key the address takes."""
        by_prefix = {"/v1": self.application, "/scim/": self.provisioning, "/auth/": self.nobody}
        return next((asker for prefix, asker in by_prefix.items() if path.startswith(prefix)), self.person)


def askers_of(application: AsgiApp, keys: dict[str, str], tenant: str) -> Askers:
    """The tenant's askers: their keys are called `NAME-person`, `NAME-app` and `NAME-scim`."""
    person, own, scim = (Asker(application, keys[f"{tenant}-{part}"]) for part in ("person", "app", "scim"))
    return Askers(person, own, scim, Asker(application))


class _Exchange:
    """ASGI's two functions."""

    def __init__(self, body: bytes) -> None:
        self._given: Message | None = {"type": "http.request", "body": body, "more_body": False}
        self.status = 0
        self.headers: tuple[tuple[str, str], ...] = ()
        self.body = bytearray()

    async def receive(self) -> Message:
        given, self._given = self._given, None
        if given is None:
            # The caller stays until the answer is complete.
            await asyncio.Event().wait()
            return {"type": "http.disconnect"}
        return given

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.headers = tuple((name.decode(), value.decode("latin-1")) for name, value in message["headers"])
        else:
            self.body += message.get("body", b"")
