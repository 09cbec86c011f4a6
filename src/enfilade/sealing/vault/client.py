"""Asking Vault, with a token that is kept good."""

from collections.abc import Mapping
from typing import Any

import msgspec
import structlog

from enfilade.core.clock import Clock
from enfilade.core.fetching import Fetcher, FetchFailed, WebReply, WebRequest
from enfilade.sealing.vault.errors import VaultDenied, VaultError, VaultUnreachable
from enfilade.sealing.vault.logins import Login
from enfilade.sealing.vault.replies import read_reply
from enfilade.sealing.vault.tokens import TokenKeeper
from enfilade.sealing.vault.types import VaultPlace, VaultReply, check_path

MAX_REPLY_BYTES = 1_000_000
TIMEOUT_S = 10.0

log = structlog.get_logger("enfilade.vault")


class VaultClient:
    """One Vault, asked as one identity. `run` keeps its token good while nobody asks anything."""

    def __init__(self, place: VaultPlace, login: Login, fetcher: Fetcher, clock: Clock) -> None:
        """Ask the Vault at `place` through `fetcher`."""
        self.place = place
        self._fetcher = fetcher
        self._clock = clock
        self._tokens = TokenKeeper(login, self._ask, clock)

    async def request(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> VaultReply:
        """One request to an API path, e.g. `POST transit/encrypt/master`. Raises VaultError, InvalidVault."""
        check_path(path)
        token = await self._tokens.get()
        try:
            return await self._ask(method, path, body, token)
        except VaultDenied:
            # Vault says the same of a token that it does not know and of one that may not: only the first is mended.
            if await self._is_known(token):
                raise
        self._tokens.drop(token)
        return await self._ask(method, path, body, await self._tokens.get())

    async def run(self) -> None:
        """Keep the token good until cancelled."""
        while True:
            try:
                await self._tokens.get()
            except VaultError as error:
                log.warning("vault_login_failed", error=error.message)
            await self._clock.sleep(self._tokens.due_in())

    async def _is_known(self, token: str) -> bool:
        if not token:
            return True
        try:
            await self._ask("GET", "auth/token/lookup-self", None, token)
        except VaultDenied:
            return False
        return True

    async def _ask(self, method: str, path: str, body: Mapping[str, Any] | None, token: str | None) -> VaultReply:
        asked = f"{method} {path}"
        headers = [("accept", "application/json"), ("x-vault-request", "true")]
        if token:
            headers.append(("x-vault-token", token))
        if self.place.namespace is not None:
            headers.append(("x-vault-namespace", self.place.namespace.strip("/")))
        if body is not None:
            headers.append(("content-type", "application/json"))
        request = WebRequest(
            url=self.place.url(path),
            method=method,
            headers=tuple(headers),
            body=b"" if body is None else msgspec.json.encode(body),
            allow_private_network=True,
            ca_file=self.place.ca_file,
            timeout_s=TIMEOUT_S,
            max_bytes=MAX_REPLY_BYTES,
        )
        return read_reply(self.place.host, asked, await self._fetch(request, asked))

    async def _fetch(self, request: WebRequest, asked: str) -> WebReply:
        try:
            return await self._fetcher.fetch(request)
        except FetchFailed as error:
            message = f"Vault at {self.place.host} could not be asked ({asked}): {error.message}"
            raise VaultUnreachable(message) from None
