"""The HTTP client as lower rooms are handed it: identity providers, vaults, key services."""

import ssl
from urllib.parse import urlsplit

from enfilade.core.errors import EnfiladeError
from enfilade.core.fetching import FetchFailed, WebReply, WebRequest
from enfilade.providers.errors import AddressForbidden, InvalidProvider, ProviderError
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.tls import tls_also_with
from enfilade.providers.transport.types import HttpRequest, Origin, Timeouts, parse_origin, render_head


class GuardedFetcher:
    """A `Fetcher` whose every connection is checked where it is made: by the address that the name stood for then."""

    def __init__(self, client: HttpClient) -> None:
        """Ask through `client`."""
        self._client = client

    async def fetch(self, request: WebRequest) -> WebReply:
        """See `Fetcher.fetch`."""
        parts = urlsplit(request.url)
        service = parts.hostname or "the service"
        origin = self._origin(request, service)
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        fixed = (
            (b"accept-encoding", b"identity"),
            (b"connection", b"close"),
            (b"user-agent", b"enfilade"),
            *((name.encode("ascii"), value.encode("ascii")) for name, value in request.headers),
        )
        outgoing = HttpRequest(render_head(origin, path, fixed, request.method.encode("ascii")), request.body)
        timeout = request.timeout_s
        timeouts = Timeouts(connect=min(5.0, timeout), first_byte=timeout, between_bytes=timeout, total=timeout)
        try:
            exchange = await self._client.send(origin, outgoing, timeouts, request.max_bytes)
            try:
                headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in exchange.headers}
                return WebReply(exchange.status, headers, await exchange.read())
            finally:
                exchange.abort()
                self._client.forget(origin)  # The service may keep the connection open although it was asked not to.
        except AddressForbidden:
            message = f"{service} has a private address, which its declaration does not allow."
            raise FetchFailed(message) from None
        except ProviderError as error:
            message = f"{service} cannot be reached, or did not answer as it should."
            raise FetchFailed(message) from error

    def _origin(self, request: WebRequest, service: str) -> Origin:
        parts = urlsplit(request.url)
        if parts.scheme == "http" and not request.allow_private_network:
            message = f"{service} must be asked over https."
            raise FetchFailed(message)
        try:
            tls = tls_also_with(request.ca_file)
            return parse_origin(
                f"{parts.scheme}://{parts.netloc}", tls=tls, allow_private=request.allow_private_network
            )
        except (InvalidProvider, OSError, ssl.SSLError, UnicodeError) as error:
            why = error.message if isinstance(error, EnfiladeError) else "its certificate authorities cannot be read"
            message = f"{service} cannot be asked: {why}."
            raise FetchFailed(message) from error
