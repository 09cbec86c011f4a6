"""What providers that are reached over HTTP have in common. An adapter adds its paths, its headers and its words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from enfilade.core.clock import Clock
from enfilade.dialects.types import Dialect, Request
from enfilade.providers.credentials import Credential
from enfilade.providers.errors import CredentialMissing, ProviderError, UnreadableResponse
from enfilade.providers.failures import failure_of, message_of_error_object, without
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.exchange import Exchange
from enfilade.providers.transport.types import HttpRequest, Origin, Timeouts, render_head
from enfilade.providers.types import Outgoing, ProviderSpec

MAX_ERROR_BODY = 256_000
BASE_HEADERS = (
    (b"content-type", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"enfilade"),
)


Headers = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAdapter:
    """What one kind of HTTP provider adds."""

    kind: str
    default_base_url: str | None = None
    needs_key: bool = True
    paths: Mapping[str, str]
    """The path, below the base address, for each dialect that the provider speaks."""
    authorize: Callable[[str | None], Headers]
    """The headers that carry the key."""
    default_headers: Headers = ()
    """Headers that are sent unless the caller's request brings its own."""
    output_field: str | None = None
    """The field in which an output bound is set when the caller set none."""
    error_message: Callable[[bytes], str | None] = message_of_error_object
    """What an error reply says."""


def bearer(key: str | None) -> Headers:
    """`Authorization: Bearer …` (RFC 6750), or nothing for a provider that needs no key."""
    return () if key is None else ((b"authorization", f"Bearer {key}".encode()),)


@dataclass(slots=True, eq=False)
class HttpProvider:
    """See `Provider`."""

    spec: ProviderSpec
    adapter: HttpAdapter
    origin: Origin
    credential: Credential
    client: HttpClient
    clock: Clock
    base_url: str
    dialects: frozenset[str] = field(init=False)
    output_field: str | None = field(init=False)
    _timeouts: Timeouts = field(init=False)
    _heads: dict[tuple[str, Headers], tuple[str | None, bytes]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Take from the adapter what callers look at."""
        self.dialects = frozenset(self.adapter.paths)
        self._timeouts = self.spec.timeout.timeouts()
        self.output_field = self.spec.options.get("output_field", self.adapter.output_field)

    async def send(self, outgoing: Outgoing) -> Exchange:
        """See `Provider.send`."""
        request = HttpRequest(self._head(outgoing), outgoing.body, outgoing.headers, outgoing.mark_sent)
        exchange = await self.client.send(self.origin, request, self._timeouts)
        if exchange.status != 200:
            raise await self._failure(exchange)
        for name, value in exchange.headers:
            if name == b"content-encoding" and value.lower() != b"identity":
                exchange.abort()
                raise UnreadableResponse("The provider compressed its reply although it was asked not to.")
        return exchange

    def _head(self, outgoing: Outgoing) -> bytes:
        """The request's unchanging beginning: made once for each dialect and key, and again when the key changes."""
        adapter, dialect = self.adapter, outgoing.dialect.name
        key = self.credential.value() if self.credential.is_set or adapter.needs_key else None
        defaults = adapter.default_headers
        if defaults and outgoing.headers:
            brought = {name for name, _ in outgoing.headers}
            defaults = tuple(header for header in defaults if header[0] not in brought)
        known = self._heads.get((dialect, defaults))
        if known is None or known[0] != key:
            if key is not None and not (key.isascii() and key.isprintable()):
                raise CredentialMissing("The provider's key holds characters that no header can carry.")
            headers = BASE_HEADERS + adapter.authorize(key) + defaults
            known = key, render_head(self.origin, adapter.paths[dialect], headers)
            self._heads[dialect, defaults] = known
        return known[1]

    async def _failure(self, exchange: Exchange) -> ProviderError:
        exchange.max_body = MAX_ERROR_BODY
        try:
            body = await exchange.read()
        except ProviderError:
            body = b""
        finally:
            exchange.abort()
        return failure_of(exchange.status, exchange.headers, body, self._said, self.clock.now_ns())

    def _said(self, body: bytes) -> str | None:
        text = self.adapter.error_message(body)
        key = self.credential.value() if self.credential.is_set else None
        return None if text is None else without(text, key, self.origin.host)

    def exact_input(self, dialect: Dialect, request: Request) -> int | None:
        """See `Provider.exact_input`: unknown; the tokenizers are the providers' own."""
        del dialect, request
        return None

    def close(self) -> None:
        """See `Provider.close`."""
        self.client.forget(self.origin)
