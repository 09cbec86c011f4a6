"""What providers that are reached over HTTP have in common. An adapter adds its paths, its headers and its words."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from enfilade.core.clock import Clock
from enfilade.dialects.traits import NO_TRAITS, Traits
from enfilade.dialects.types import Dialect, Request
from enfilade.providers.authority import Authority, AuthorityMaker, Headers, Signable
from enfilade.providers.changed_reply import ChangedReply, ReplyChange
from enfilade.providers.credentials import Credential
from enfilade.providers.error_reports import ErrorReader, read_error
from enfilade.providers.errors import CredentialMissing, CredentialsRefused, ProviderError, ProviderFault
from enfilade.providers.failures import failure_of, reported_failure, without
from enfilade.providers.openings import check_opening
from enfilade.providers.transport.client import MAX_BODY_BYTES, HttpClient
from enfilade.providers.transport.decoding import Decompressed, coding_of
from enfilade.providers.transport.exchange import Exchange
from enfilade.providers.transport.types import HttpRequest, Origin, Timeouts, render_head
from enfilade.providers.types import Incoming, Outgoing, ProviderSpec

MAX_ERROR_BODY = 256_000
MAX_HEADS = 1000
BASE_HEADERS = (
    (b"content-type", b"application/json"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"enfilade"),
)

PathMaker = Callable[[Outgoing, ProviderSpec], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpAdapter:
    """What one kind of HTTP provider adds."""

    kind: str
    default_base_url: str | Callable[[ProviderSpec], str | None] | None = None
    needs_key: bool = True
    paths: Mapping[str, str | PathMaker]
    """The path, below the base address, for each dialect that the provider speaks; the first ones are preferred when
    a call has to be translated."""
    authorize: Callable[[str | None], Headers]
    """The headers that carry the key; unused where there is an authority."""
    authority: AuthorityMaker | None = None
    """For kinds that sign each request, or exchange their key for tokens."""
    options: frozenset[str] = frozenset()
    """The options of this kind, beside those of all kinds."""
    secret_options: frozenset[str] = frozenset()
    """Further options that are secrets: references, never plain text."""
    default_headers: Headers = ()
    """Headers that are sent unless the caller's request brings its own."""
    traits: Traits = NO_TRAITS
    """In what the service differs from its dialects."""
    reshape: Callable[[Outgoing], bytes] | None = None
    """A last change of the body: what the service wants otherwise than its dialect writes it."""
    answer: Callable[[Outgoing], ReplyChange | None] | None = None
    """A change of a whole reply to what the dialect expects, chosen by the request as the dialect wrote it."""
    arrived: Callable[[Outgoing, Any], Awaitable[Incoming]] | None = None
    """Given a reply of status 200 that has just arrived, what reads it, where the service frames its replies otherwise
    than the dialect. May raise ProviderError, as nothing of it has been passed on."""
    read_error: ErrorReader = read_error
    """What an error reply says."""
    check: Callable[[ProviderSpec], None] | None = None
    """Refuses, with InvalidProvider, a specification that could never work."""
    dialects_of: Callable[[str], tuple[str, ...]] | None = None
    """Those of its dialects that a model of this name speaks, where not every model speaks all."""


def bearer(key: str | None) -> Headers:
    """`Authorization: Bearer …` (RFC 6750), or nothing for a provider that needs no key."""
    return () if key is None else ((b"authorization", f"Bearer {key}".encode()),)


def _decoded(exchange: Exchange) -> Exchange | Decompressed:
    coding = coding_of(exchange.headers)
    return exchange if coding is None else Decompressed(exchange, coding)


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
    authority: Authority | None = None
    dialects: tuple[str, ...] = field(init=False)
    traits: Traits = field(init=False)
    _timeouts: Timeouts = field(init=False)
    _max_reply: int = field(init=False)
    _heads: dict[tuple[str, Headers], tuple[str | None, bytes]] = field(default_factory=dict, repr=False)

    def __post_init__(self) -> None:
        """Take from the adapter what callers look at."""
        self.dialects = tuple(self.adapter.paths)
        self._timeouts = self.spec.timeout.timeouts()
        self._max_reply = int(self.spec.options.get("max_reply_bytes", MAX_BODY_BYTES))
        self.traits = self.adapter.traits
        if (chosen := self.spec.options.get("output_field")) is not None:
            self.traits = replace(self.traits, output_field=chosen)

    def dialects_of(self, model: str) -> tuple[str, ...]:
        """See `Provider.dialects_of`."""
        return self.dialects if self.adapter.dialects_of is None else self.adapter.dialects_of(model)

    async def send(self, outgoing: Outgoing) -> Incoming:
        """See `Provider.send`."""
        answer = self.adapter.answer(outgoing) if self.adapter.answer is not None else None
        if self.adapter.reshape is not None:
            outgoing.body = self.adapter.reshape(outgoing)
        path = self._path(outgoing)
        extra = outgoing.headers
        if self.authority is not None:
            extra += await self._proof(self.authority, path, outgoing)
        request = HttpRequest(self._head(path, outgoing.headers), outgoing.body, extra, outgoing.mark_sent)
        exchange = await self.client.send(self.origin, request, self._timeouts, self._max_reply)
        try:
            reply = await self._success(exchange, stream=outgoing.stream)
            if self.adapter.arrived is not None:
                return await self.adapter.arrived(outgoing, reply)
        except BaseException as error:
            exchange.abort()
            if self.authority is not None and isinstance(error, CredentialsRefused):
                self.authority.refused()
            raise
        return reply if answer is None else ChangedReply(reply, answer)

    async def _success(self, exchange: Exchange, *, stream: bool) -> Exchange | Decompressed:
        if exchange.status != 200:
            raise await self._failure(exchange)
        reply = _decoded(exchange)
        await check_opening(reply, self.reported_failure, stream=stream)
        return reply

    def _path(self, outgoing: Outgoing) -> str:
        path = self.adapter.paths[outgoing.dialect.name]
        return path if isinstance(path, str) else path(outgoing, self.spec)

    async def _proof(self, authority: Authority, path: str, outgoing: Outgoing) -> Headers:
        signable = Signable(
            b"POST", self.origin.host_header, self.origin.base_path + path, outgoing.headers, outgoing.body
        )
        try:
            return await authority.headers(signable)
        except ProviderError as error:
            if error.may_have_cost:  # It may elsewhere: here, nothing has gone to the provider yet.
                raise ProviderFault(error.message) from error
            raise

    def _head(self, path: str, brought: Headers) -> bytes:
        """The request's unchanging beginning: made once for each path and key, and again when the key changes."""
        adapter = self.adapter
        key = None
        if self.authority is None and (self.credential.is_set or adapter.needs_key):
            key = self.credential.value()
        defaults = adapter.default_headers
        if defaults and brought:
            names = {name for name, _ in brought}
            defaults = tuple(header for header in defaults if header[0] not in names)
        known = self._heads.get((path, defaults))
        if known is None or known[0] != key:
            if key is not None and not (key.isascii() and key.isprintable()):
                raise CredentialMissing("The provider's key holds characters that no header can carry.")
            proof = adapter.authorize(key) if self.authority is None else ()
            known = key, render_head(self.origin, path, BASE_HEADERS + proof + defaults)
            if len(self._heads) >= MAX_HEADS:
                self._heads.clear()  # Paths may hold models' names, which callers may choose.
            self._heads[path, defaults] = known
        return known[1]

    async def _failure(self, exchange: Exchange) -> ProviderError:
        exchange.max_body = MAX_ERROR_BODY
        try:
            body = await _decoded(exchange).read()
        except ProviderError:
            body = b""
        return failure_of(
            exchange.status, exchange.headers, body, self.adapter.read_error, self.clock.now_ns(), self._hide
        )

    def _hide(self, text: str) -> str:
        if not self.credential.is_set:
            return without(text, None, self.origin.host)
        if (former := self.credential.former()) is not None:
            text = without(text, former, self.origin.host)
        return without(text, self.credential.value(), self.origin.host)

    def reported_failure(self, body: bytes) -> ProviderError | None:
        """See `Provider.reported_failure`."""
        return reported_failure(body, self.adapter.read_error, self._hide)

    def exact_input(self, dialect: Dialect, request: Request) -> int | None:
        """See `Provider.exact_input`: unknown; the tokenizers are the providers' own."""
        del dialect, request
        return None

    def close(self) -> None:
        """See `Provider.close`."""
        self.client.forget(self.origin)
