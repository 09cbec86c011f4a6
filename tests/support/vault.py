"""A Vault that is asked through a `Fetcher`, and answers as Vault's API documentation says."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import msgspec

from enfilade.core.clock import ManualClock
from enfilade.core.fetching import FetchFailed, WebReply, WebRequest


@dataclass
class Grant:
    """A token that the Vault gave, or that was made beforehand."""

    ends_at: float
    period: float
    renewable: bool = True
    oldest: float = float("inf")
    """When it ends at the latest, however often it is renewed."""


@dataclass
class Asked:
    """One request, as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


def answer(status: int, **content: Any) -> WebReply:
    """A reply in JSON."""
    return WebReply(status, {"content-type": "application/json"}, msgspec.json.encode(content))


def refusal(status: int, *errors: str) -> WebReply:
    """A reply that refuses, in Vault's form."""
    return answer(status, errors=list(errors))


def lent(data: Mapping[str, Any] | None = None, **more: Any) -> WebReply:
    """A success, with every field that Vault sends."""
    content: dict[str, Any] = {
        "request_id": "8c1e0d2b-6d4e-4a86-8e0c-3c1a3f0a4b52",
        "lease_id": "",
        "renewable": False,
        "lease_duration": 0,
        "data": data,
        "wrap_info": None,
        "warnings": None,
        "auth": None,
        "mount_type": "kv",
    }
    return answer(200, **content | more)


@dataclass
class FakeVault:
    """See `Fetcher`. Secrets by mount and path; tokens by their text; everything that was asked, in order."""

    clock: ManualClock
    version: int = 2
    """Of the key-value store at `secret/`."""
    secrets: dict[str, dict[str, Any] | None] = field(default_factory=dict)
    """By the path as for `vault kv get`; None is a secret that was deleted."""
    dynamic: dict[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    """Engines that make a secret each time they are read, by path."""
    leases: dict[str, Grant] = field(default_factory=dict)
    lease_seconds: float = 3600.0
    lease_oldest: float = float("inf")
    tokens: dict[str, Grant] = field(default_factory=dict)
    denied: set[str] = field(default_factory=set)
    """API paths that no policy allows."""
    token_seconds: float = 1200.0
    oldest: float = float("inf")
    role: dict[str, str] = field(default_factory=lambda: {"role_id": "role", "secret_id": "secret"})
    service_account: dict[str, str] = field(default_factory=lambda: {"role": "gateway", "jwt": "jwt-1"})
    instead: Callable[[WebRequest], WebReply | None] = lambda _: None
    """Answers in the Vault's place, where it returns something."""
    away: bool = False
    asked: list[Asked] = field(default_factory=list)
    _made: int = 0

    def paths(self, method: str | None = None) -> list[str]:
        """What was asked for."""
        return [one.path for one in self.asked if method in {None, one.method}]

    def token(self, text: str, seconds: float | None = None, *, renewable: bool = True) -> str:
        """Make a token; without seconds one that never ends."""
        life = float("inf") if seconds is None else seconds
        self.tokens[text] = Grant(self.clock.monotonic() + life, life, renewable)
        return text

    async def fetch(self, request: WebRequest) -> WebReply:
        """See `Fetcher.fetch`."""
        path = urlsplit(request.url).path.removeprefix("/v1/")
        body = msgspec.json.decode(request.body) if request.body else None
        asked = Asked(request.method, path, dict(request.headers), body)
        self.asked.append(asked)
        if self.away:
            message = "vault.example cannot be reached, or did not answer as it should."
            raise FetchFailed(message)
        if (instead := self.instead(request)) is not None:
            return instead
        if path.startswith("auth/") and path.endswith("/login"):
            return self._log_in(path.split("/")[1], body)
        return self._admitted(asked)

    def _admitted(self, asked: Asked) -> WebReply:
        token = asked.headers.get("x-vault-token", "")
        grant = self.tokens.get(token)
        if grant is None or grant.ends_at <= self.clock.monotonic():
            return refusal(403, "2 errors occurred:\n\t* permission denied\n\t* invalid token\n\n")
        if asked.path in self.denied:
            return refusal(403, "1 error occurred:\n\t* permission denied\n\n")
        if asked.path == "auth/token/lookup-self":
            left = grant.ends_at - self.clock.monotonic()
            return lent({"ttl": 0 if left == float("inf") else int(left), "renewable": grant.renewable})
        if asked.path == "auth/token/renew-self":
            return self._renew(token, grant)
        return self._read(asked.path, asked.body)

    def _log_in(self, method: str, body: Any) -> WebReply:
        if body != {"approle": self.role, "kubernetes": self.service_account}.get(method):
            return (
                refusal(400, "invalid role or secret ID") if method == "approle" else refusal(403, "permission denied")
            )
        self._made += 1
        token = f"hvs.made-{self._made}"
        now = self.clock.monotonic()
        self.tokens[token] = Grant(now + self.token_seconds, self.token_seconds, oldest=now + self.oldest)
        return self._granted(token, self.token_seconds)

    def _renew(self, token: str, grant: Grant) -> WebReply:
        if not grant.renewable:
            return refusal(400, "lease is not renewable")
        now = self.clock.monotonic()
        grant.ends_at = min(now + grant.period, grant.oldest)
        return self._granted(token, grant.ends_at - now)

    def _granted(self, token: str, seconds: float) -> WebReply:
        auth = {"client_token": token, "accessor": "a", "policies": ["p"], "lease_duration": seconds, "renewable": True}
        return lent(None, auth=auth)

    def _read(self, path: str, body: Any) -> WebReply:
        if path.startswith("sys/internal/ui/mounts/"):
            mount = path.split("/")[4]
            if mount == "secret":
                return lent({"path": "secret/", "type": "kv", "options": {"version": str(self.version)}})
            return lent({"path": f"{mount}/", "type": "aws", "options": None})
        if path == "sys/leases/renew":
            return self._extend(body["lease_id"])
        if (make := self.dynamic.get(path)) is not None:
            self._made += 1
            lease, now = f"{path}/{self._made}", self.clock.monotonic()
            self.leases[lease] = Grant(now + self.lease_seconds, self.lease_seconds, oldest=now + self.lease_oldest)
            return lent(make(), lease_id=lease, lease_duration=self.lease_seconds, renewable=True)
        return self._kept(path)

    def _kept(self, path: str) -> WebReply:
        name = path.replace("/data/", "/", 1) if self.version == 2 else path
        if name == path and self.version == 2:
            return answer(404, errors=[], warnings=["Invalid path for a versioned K/V secrets engine."])
        found = self.secrets.get(name)
        if self.version == 1:
            return refusal(404) if found is None else lent(found, lease_duration=2_764_800)
        meta = {"created_time": "2026-11-02T12:00:00Z", "deletion_time": "", "destroyed": False, "version": 1}
        if name in self.secrets and found is None:
            return answer(404, data={"data": None, "metadata": meta | {"deletion_time": "2026-11-03T12:00:00Z"}})
        return refusal(404) if found is None else lent({"data": found, "metadata": meta})

    def _extend(self, lease: str) -> WebReply:
        grant = self.leases.get(lease)
        now = self.clock.monotonic()
        if grant is None or grant.ends_at <= now:
            return refusal(400, "lease not found")
        grant.ends_at = min(now + grant.period, grant.oldest)
        return lent(None, lease_id=lease, lease_duration=grant.ends_at - now, renewable=True)
