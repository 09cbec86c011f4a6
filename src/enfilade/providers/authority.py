"""Who we are to a provider: the headers that prove it, made for each request by those kinds that need more than a key."""

import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

import msgspec

from enfilade.core.clock import Clock
from enfilade.providers.credentials import Credential
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.tls import default_tls
from enfilade.providers.transport.types import Proxy
from enfilade.providers.types import ProviderSpec

Headers = tuple[tuple[bytes, bytes], ...]


class Signable(msgspec.Struct):
    """A request as it will be sent: what a signature covers."""

    method: bytes
    host: bytes
    """The value of the `host` field."""
    path: str
    """The path with its query, exactly as on the wire."""
    headers: Headers
    body: bytes


class Authority(Protocol):
    """Proves to a provider who asks."""

    async def headers(self, request: Signable) -> Headers:
        """The headers to add. May wait for a token. Raises CredentialMissing, CredentialsRefused, ProviderError."""
        ...

    def refused(self) -> None:
        """The provider did not accept the last proof: what is kept of it (a token) must not be used again."""
        ...


@dataclass(slots=True)
class AuthorityNeeds:
    """What an authority may be made of."""

    spec: ProviderSpec
    key: Credential
    """The provider's `api_key`."""
    client: HttpClient
    """For asking a token service."""
    clock: Clock
    secrets: Mapping[str, Credential] = field(default_factory=dict)
    """Those options of the provider that are secrets, by name."""
    tls: ssl.SSLContext = field(default_factory=default_tls)
    """For connections to a token service."""
    proxy: Proxy | None = None
    """By which everything outside is reached."""


AuthorityMaker = Callable[[AuthorityNeeds], Authority]
