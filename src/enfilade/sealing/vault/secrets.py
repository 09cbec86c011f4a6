"""Secrets that are read from Vault beside the requests, kept fresh, and kept for a while when Vault is away."""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import msgspec
import structlog

from enfilade.core.clock import Clock
from enfilade.core.errors import EnfiladeError
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.engines import Engines
from enfilade.sealing.vault.errors import VaultDenied, VaultError, VaultRefused
from enfilade.sealing.vault.types import SecretPath, VaultReply

RENEW_AT = 2 / 3
"""The part of its life after which a lease is renewed."""
WORN_AT = 0.5
"""A lease that a renewal gives less than this part of its first life is not renewed again: the secret is read anew."""
FIRST_PAUSE_S = 1.0
MAX_PAUSE_S = 60.0
SHORTEST_S = 1.0
AT_ONCE = 8

log = structlog.get_logger("enfilade.vault")


@dataclass(frozen=True, slots=True)
class Freshness:
    """How secrets are kept."""

    refresh_s: float = 60.0
    """How often a secret without a lease is read again."""
    keep_s: float = 72 * 3600.0
    """How long the last good value serves while Vault does not give it."""


class VaultSecret:
    """What is at one path. All fields come from one answer, so that a lent pair of keys stays a pair."""

    def __init__(self, path: str) -> None:
        """Nothing is known yet."""
        self.path = path
        self.generation = 0
        """Grows with each change of its fields."""
        self.fault: str | None = None
        """Why Vault did not give it when it was last asked."""
        self.tried = asyncio.Event()
        """Set once Vault was asked, whatever came of it."""
        self.read_at = float("-inf")
        self.due_at = float("-inf")
        self.failures = 0
        self.lease: VaultReply | None = None
        self.first_lease_s = 0.0
        self._fields: dict[str, str] = {}

    def field(self, name: str) -> str | None:
        """The text of a field; None when it is not known or there is none."""
        return self._fields.get(name)

    def fill(self, fields: dict[str, str]) -> bool:
        """Take new fields; tell whether they differ."""
        if fields == self._fields:
            return False
        self._fields = fields
        self.generation += 1
        return True

    def __repr__(self) -> str:
        """Never a secret."""
        return f"VaultSecret({self.path!r})"


class VaultSecrets:
    """Every path of Vault to which somebody here refers."""

    def __init__(self, client: VaultClient | None, clock: Clock, freshness: Freshness) -> None:
        """Read through `client`; without one nothing is ever read."""
        self._client = client
        self._engines = Engines(client, clock) if client is not None else None
        self._clock = clock
        self._freshness = freshness
        self._secrets: dict[str, VaultSecret] = {}
        self._news = asyncio.Event()

    @property
    def is_set(self) -> bool:
        """Whether there is a Vault at all."""
        return self._client is not None

    def watch(self, path: str) -> VaultSecret:
        """The secret at a path, which is kept fresh from now on."""
        secret = self._secrets.get(path)
        if secret is None:
            secret = self._secrets[path] = VaultSecret(path)
            if self._client is None:
                secret.fault = "no Vault is set; see ENFILADE_VAULT_ADDR"
                secret.tried.set()
            self._news.set()
        return secret

    def retain(self, paths: Collection[str]) -> None:
        """Forget every secret but those at these paths."""
        for path in self._secrets.keys() - set(paths):
            del self._secrets[path]

    def ages(self) -> list[tuple[tuple[str, ...], float]]:
        """How long ago each secret was last read or renewed, for the metric; those that never were are left out."""
        now = self._clock.monotonic()
        return [((s.path,), now - s.read_at) for s in self._secrets.values() if s.read_at > float("-inf")]

    def failing(self) -> int:
        """How many secrets Vault did not give when it was last asked."""
        return sum(secret.fault is not None for secret in self._secrets.values())

    async def run(self) -> None:
        """Keep them fresh until cancelled."""
        while True:
            self._news.clear()
            await self.refresh()
            await self._wait()

    async def refresh(self) -> None:
        """Read or renew what is due."""
        if self._client is None:
            return
        now = self._clock.monotonic()
        due = sorted((s for s in self._secrets.values() if s.due_at <= now), key=lambda s: s.due_at)
        for start in range(0, len(due), AT_ONCE):
            await asyncio.gather(*(self._tend(secret) for secret in due[start : start + AT_ONCE]))

    async def _wait(self) -> None:
        """Until the next is due, or another path is watched."""
        next_at = min((s.due_at for s in self._secrets.values()), default=None)
        if self._client is None or next_at is None:
            await self._news.wait()
            return
        async with asyncio.TaskGroup() as group:
            alarm = group.create_task(self._alarm(max(next_at - self._clock.monotonic(), 0.0)))
            await self._news.wait()
            alarm.cancel()

    async def _alarm(self, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._news.set()

    async def _tend(self, secret: VaultSecret) -> None:
        try:
            if not await self._renew_lease(secret):
                await self._read(secret)
        except EnfiladeError as error:
            self._failed(secret, error)
        else:
            if secret.fault is not None and secret.failures:
                log.info("vault_secret_back", path=secret.path)
            secret.fault, secret.failures = None, 0
            secret.read_at = self._clock.monotonic()
        secret.tried.set()

    async def _renew_lease(self, secret: VaultSecret) -> bool:
        """Ask for a longer lease; False when the secret has to be read."""
        lease = secret.lease
        if lease is None or not lease.renewable or self._client is None:
            return False
        body = {"lease_id": lease.lease_id, "increment": round(secret.first_lease_s)}
        try:
            renewed = await self._client.request("POST", "sys/leases/renew", body)
        except (VaultRefused, VaultDenied):  # It ended, was revoked, or cannot be renewed.
            log.info("vault_lease_ended", path=secret.path)
            secret.lease = None
            return False
        if renewed.lease_duration < secret.first_lease_s * WORN_AT:
            secret.lease = None
            return False
        secret.lease = renewed if renewed.lease_id else msgspec.structs.replace(renewed, lease_id=lease.lease_id)
        self._plan(secret, renewed.lease_duration * RENEW_AT)
        return True

    async def _read(self, secret: VaultSecret) -> None:
        if self._engines is None:
            return
        reply = await self._engines.read(secret.path)
        changed = secret.fill(_texts(reply.data or {}))
        leased = bool(reply.lease_id) and reply.lease_duration > 0
        secret.lease = reply if leased else None
        secret.first_lease_s = reply.lease_duration if leased else 0.0
        pause = self._freshness.refresh_s
        if leased:
            pause = reply.lease_duration * RENEW_AT
        elif reply.lease_duration > 0:  # A hint of the engine's, how long its secrets usually stay.
            pause = min(pause, reply.lease_duration)
        self._plan(secret, pause)
        if changed and secret.generation > 1:
            log.info("vault_secret_changed", path=secret.path)

    def _plan(self, secret: VaultSecret, pause: float) -> None:
        secret.due_at = self._clock.monotonic() + max(pause, SHORTEST_S)

    def _failed(self, secret: VaultSecret, error: EnfiladeError) -> None:
        first = secret.failures == 0
        secret.failures += 1
        secret.fault = error.message
        pause = min(MAX_PAUSE_S, FIRST_PAUSE_S * 2.0 ** min(secret.failures - 1, 10))
        self._plan(secret, max(pause, error.retry_after or 0.0))
        kept = secret.generation > 0 and self._clock.monotonic() - secret.read_at <= self._freshness.keep_s
        if not kept and secret.generation > 0 and secret.fill({}):
            log.error("vault_secret_given_up", path=secret.path, error=error.message)
        elif first:
            log.warning(
                "vault_secret_not_read", path=secret.path, status="kept" if kept else "missing", error=error.message
            )


def _texts(data: dict[str, Any]) -> dict[str, str]:
    """The fields as texts: a document that is stored as JSON is given as JSON."""
    texts = {}
    for name, value in data.items():
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        if value is not None and text.strip():
            texts[name] = text.strip()
    return texts


async def read_once(client: VaultClient, clock: Clock, where: SecretPath) -> str:
    """One field, read now. Raises VaultError."""
    reply = await Engines(client, clock).read(where.path)
    text = _texts(reply.data or {}).get(where.field)
    if text is None:
        message = f"The secret {where.path} in Vault has no field {where.field!r}."
        raise VaultError(message)
    return text
