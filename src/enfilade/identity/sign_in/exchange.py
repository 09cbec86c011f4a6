"""At an issuer's token end point: a code, or a device's code, against tokens."""

import base64
from typing import TypeVar
from urllib.parse import quote, urlencode

import msgspec

from enfilade.core.fetching import Fetcher, FetchFailed, WebReply, WebRequest
from enfilade.core.unreadable import UNREADABLE
from enfilade.identity.tokens.book import IssuerBook
from enfilade.identity.tokens.discovery import MAX_BYTES, check_address
from enfilade.identity.tokens.errors import IssuerAway
from enfilade.identity.tokens.issuers import Issuers
from enfilade.identity.tokens.jws import refused
from enfilade.identity.tokens.types import Issuer

T = TypeVar("T")

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


class TokenReply(msgspec.Struct, frozen=True):
    """What is read of a token end point's answer. Refresh tokens are not asked for, and not kept."""

    id_token: str
    access_token: str = ""


class DeviceReply(msgspec.Struct, frozen=True):
    """What is read of a device authorization end point's answer (RFC 8628)."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str | None = None
    expires_in: int = 600
    interval: int = 5


class _ErrorReply(msgspec.Struct):
    error: str = ""


class StillWaiting(Exception):
    """The issuer says that nobody has answered yet, or why not: `code` is RFC 8628's."""

    def __init__(self, code: str) -> None:
        """Repeat what the issuer said."""
        super().__init__(code)
        self.code = code


class TokenExchange:
    """Asks issuers as the client that they know us as."""

    def __init__(self, book: IssuerBook, issuers: Issuers, fetcher: Fetcher) -> None:
        """Find end points in `book`, secrets with `issuers`."""
        self._book = book
        self._issuers = issuers
        self._fetcher = fetcher

    async def code(self, issuer: Issuer, code: str, redirect_uri: str, verifier: str) -> TokenReply:
        """The tokens for a code. Raises InvalidToken, IssuerAway."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        reply = await self._ask_for_tokens(issuer, form)
        if reply.status != 200:
            raise refused("code_refused")
        return _read(reply, TokenReply)

    async def begin_device(self, issuer: Issuer) -> DeviceReply:
        """Have the issuer wait for somebody to confirm a device. Raises IssuerAway."""
        metadata = await self._book.publications(issuer).metadata.get()
        form = {"scope": " ".join(issuer.settings.scopes)}
        reply = await self._ask(issuer, metadata.device_authorization_endpoint or "", form)
        if reply.status != 200:
            message = f"The issuer's device authorization end point answered {reply.status}."
            raise IssuerAway(message)
        return _read(reply, DeviceReply)

    async def device(self, issuer: Issuer, device_code: str) -> TokenReply:
        """The tokens for a device that was confirmed. Raises StillWaiting, IssuerAway."""
        reply = await self._ask_for_tokens(issuer, {"grant_type": DEVICE_GRANT, "device_code": device_code})
        if reply.status != 200:
            raise StillWaiting(_read(reply, _ErrorReply).error)
        return _read(reply, TokenReply)

    async def _ask_for_tokens(self, issuer: Issuer, form: dict[str, str]) -> WebReply:
        metadata = await self._book.publications(issuer).metadata.get()
        return await self._ask(issuer, metadata.token_endpoint or "", form)

    async def _ask(self, issuer: Issuer, url: str, form: dict[str, str]) -> WebReply:
        private = issuer.settings.allow_private_network
        check_address(url, private=private)
        metadata = await self._book.publications(issuer).metadata.get()
        secret, client_id = self._issuers.client_secret(issuer), issuer.settings.client_id or ""
        headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
        if secret is not None and "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
            pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
            headers.append(("authorization", f"Basic {base64.b64encode(pair.encode()).decode()}"))
        else:
            form = {**form, "client_id": client_id} | ({} if secret is None else {"client_secret": secret})
        asked = WebRequest(
            url,
            "POST",
            tuple(headers),
            urlencode(form).encode(),
            allow_private_network=private,
            max_bytes=MAX_BYTES,
        )
        try:
            return await self._fetcher.fetch(asked)
        except FetchFailed as error:
            raise IssuerAway(error.message) from error


def _read(reply: WebReply, form: type[T]) -> T:
    try:
        return msgspec.json.decode(reply.body, type=form)
    except UNREADABLE:
        message = "The issuer's answer cannot be read."
        raise IssuerAway(message) from None
