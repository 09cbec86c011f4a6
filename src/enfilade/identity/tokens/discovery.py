"""What issuers publish about themselves (OpenID Connect Discovery, RFC 8414), and their keys."""

from collections.abc import Callable, Iterable
from urllib.parse import urlsplit

import msgspec

from enfilade.core.clock import Clock
from enfilade.core.fetching import Fetcher, FetchFailed, WebRequest
from enfilade.core.unreadable import UNREADABLE
from enfilade.identity.tokens.errors import IssuerAway
from enfilade.identity.tokens.keys import VerificationKey, read_key_set
from enfilade.identity.tokens.refreshed import Refreshed
from enfilade.identity.tokens.types import Issuer

PATH = "/.well-known/openid-configuration"
MAX_BYTES = 262_144


class Metadata(msgspec.Struct, frozen=True):
    """What is read of a discovery document."""

    issuer: str
    jwks_uri: str
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    end_session_endpoint: str | None = None
    device_authorization_endpoint: str | None = None
    authorization_response_iss_parameter_supported: bool = False
    token_endpoint_auth_methods_supported: list[str] = msgspec.field(default_factory=lambda: ["client_secret_basic"])


class Publications:
    """What one issuer publishes, as last seen."""

    def __init__(
        self, issuer: Issuer, fetcher: Fetcher, clock: Clock, withdrawn: Callable[[], None] = lambda: None
    ) -> None:
        """Ask through `fetcher` when something is needed; `withdrawn` is called when a key is there no more."""
        self._issuer = issuer
        self._withdrawn = withdrawn
        self._fetcher = fetcher
        self.metadata: Refreshed[Metadata] = Refreshed(self._fetch_metadata, clock)
        self.keys: Refreshed[tuple[VerificationKey, ...]] = Refreshed(self._fetch_keys, clock)

    async def body_of(self, url: str) -> bytes:
        """What is at an address of the issuer's. Raises IssuerAway."""
        private = self._issuer.settings.allow_private_network
        check_address(url, private=private)
        asked = WebRequest(
            url,
            headers=(("accept", "application/json"),),
            allow_private_network=private,
            max_bytes=MAX_BYTES,
        )
        try:
            reply = await self._fetcher.fetch(asked)
        except FetchFailed as error:
            raise IssuerAway(error.message) from error
        if reply.status != 200:
            message = f"{urlsplit(url).hostname} answered {reply.status} at {urlsplit(url).path}."
            raise IssuerAway(message)
        return reply.body

    async def _fetch_metadata(self) -> Metadata:
        url = self._issuer.spec.url
        body = await self.body_of(url.rstrip("/") + PATH)
        try:
            found = msgspec.json.decode(body, type=Metadata)
        except UNREADABLE:
            message = "The issuer's discovery document cannot be read."
            raise IssuerAway(message) from None
        if found.issuer != url:
            message = f"The issuer at {url} says that it is {found.issuer[:200]!r}."
            raise IssuerAway(message)
        return found

    async def _fetch_keys(self) -> tuple[VerificationKey, ...]:
        url = self._issuer.settings.jwks_url or (await self.metadata.get()).jwks_uri
        keys = read_key_set(await self.body_of(url))
        if not _prints(self.keys.value or ()) <= _prints(keys):
            self._withdrawn()
        return keys


def _prints(keys: Iterable[VerificationKey]) -> set[tuple[str | None, str]]:
    return {(key.kid, key.key.thumbprint()) for key in keys}


def check_address(url: str, *, private: bool) -> None:
    """Refuse an address that is not https, or http where private networks are allowed. Raises IssuerAway."""
    parts = urlsplit(url)
    if parts.scheme not in ({"https", "http"} if private else {"https"}) or not parts.hostname or parts.username:
        message = "The issuer names an address that is not https."
        raise IssuerAway(message)
