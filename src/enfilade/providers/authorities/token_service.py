"""Asking a token service: one small request, one small reply, in little time."""

from collections.abc import Iterable

from enfilade.providers.errors import (
    AddressForbidden,
    CredentialsRefused,
    ProviderError,
    ProviderFault,
    ProviderOverloaded,
    ProviderRateLimited,
)
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.types import HttpRequest, Origin, Timeouts, render_head

TIMEOUTS = Timeouts(connect=3.0, first_byte=8.0, between_bytes=5.0, total=12.0)
MAX_REPLY = 256_000


async def ask(
    client: HttpClient,
    origin: Origin,
    path: str,
    *,
    headers: Iterable[tuple[bytes, bytes]] = (),
    body: bytes = b"",
    method: bytes = b"POST",
) -> tuple[int, bytes]:
    """The status and the body of the reply. Raises ProviderError when there is none, or the service is in trouble."""
    # Asked once an hour, by providers that come and go: no connection is kept.
    fixed = ((b"accept-encoding", b"identity"), (b"connection", b"close"), (b"user-agent", b"enfilade"), *headers)
    request = HttpRequest(render_head(origin, path, fixed, method), body)
    status, content = await _reply(client, origin, request)
    if status == 429:
        raise ProviderRateLimited("The service that gives tokens for the provider limits Enfilade.")
    if status == 503:
        raise ProviderOverloaded("The service that gives tokens for the provider cannot serve at the moment.")
    if status >= 500:
        raise ProviderFault("The service that gives tokens for the provider failed.")
    return status, content


async def _reply(client: HttpClient, origin: Origin, request: HttpRequest) -> tuple[int, bytes]:
    """What goes wrong on the way there is told of the service; nothing went to the provider, so nothing has cost."""
    try:
        exchange = await client.send(origin, request, TIMEOUTS, MAX_REPLY)
        try:
            return exchange.status, await exchange.read()
        finally:
            exchange.abort()
            client.forget(origin)  # The service may keep the connection open although it was asked not to.
    except AddressForbidden:
        message = "The service that gives tokens for the provider has a private address, which is not allowed here."
        raise AddressForbidden(message) from None
    except ProviderError as error:
        message = "The service that gives tokens for the provider cannot be reached, or did not answer as it should."
        raise ProviderFault(message) from error


def refused(service: str, reason: str | None) -> CredentialsRefused:
    """The service does not accept who we say we are."""
    because = f" ({reason})" if reason else ""
    return CredentialsRefused(f"{service} did not give Enfilade credentials for the provider{because}.")
