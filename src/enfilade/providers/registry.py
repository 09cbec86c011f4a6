"""From a provider's specification to a provider that can be called."""

import ssl
from collections.abc import Callable, Mapping, Set
from typing import Any

from enfilade.core.clock import Clock
from enfilade.core.families import members
from enfilade.providers import adapters as family
from enfilade.providers.authority import AuthorityNeeds
from enfilade.providers.credentials import Credential, FormerCredential
from enfilade.providers.errors import InvalidProvider
from enfilade.providers.http_provider import HttpProvider
from enfilade.providers.rotation import RotatingProvider
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.tls import default_tls, tls_also_with, tls_with
from enfilade.providers.transport.types import Origin, parse_origin, parse_proxy
from enfilade.providers.types import ZONES, Provider, ProviderSpec

KNOWN_OPTIONS = {
    "proxy": "an HTTP proxy by which the provider is reached: `http://host:port`",
    "proxy_login_env": "the variable that holds `user:password` for the proxy",
    "ca_file": "a file of certificate authorities to be trusted instead of the system's",
    "client_cert": "a file with the certificate that is shown to the provider",
    "client_key": "a file with that certificate's key",
    "output_field": "the field in which an output bound is set when the caller set none",
    "max_reply_bytes": "how large a reply or a stream may become, in bytes; 64000000 unless it is set",
}
"""The options of all kinds, and what they mean."""
REPLY_BYTES = range(10_000, 1_000_000_001)
MAX_CONCURRENCY = 100_000


class Adapters:
    """The kinds of provider."""

    def __init__(self) -> None:
        """Find them in their folder."""
        found: dict[str, Any] = members(family, "ADAPTER")
        self._by_kind = {adapter.kind: adapter for adapter in found.values()}
        self.on_fall_back: Callable[[str], None] = lambda _: None
        """Told the name of a provider that refused its new key and took the former one."""

    def kinds(self) -> list[str]:
        """The names of all kinds, sorted."""
        return sorted(self._by_kind)

    def adapter(self, kind: str) -> Any:
        """The adapter of a kind. Raises InvalidProvider, naming those that there are."""
        adapter = self._by_kind.get(kind)
        if adapter is None:
            message = f"{kind!r} is no kind of provider here; this version offers {', '.join(self.kinds())}"
            raise InvalidProvider(message, param="kind")
        return adapter

    def check(self, spec: ProviderSpec) -> None:
        """Refuse, with InvalidProvider, a specification that could never work."""
        adapter = self.adapter(spec.kind)
        if spec.zone not in ZONES:
            message = f"{spec.zone!r} is no zone; use one of {', '.join(ZONES)}"
            raise InvalidProvider(message, param="zone")
        if adapter.needs_key and spec.api_key is None:
            message = f"a provider of kind {spec.kind!r} needs an api_key"
            raise InvalidProvider(message, param="api_key")
        if spec.max_concurrency is not None and not 1 <= spec.max_concurrency <= MAX_CONCURRENCY:
            message = f"max_concurrency must be between 1 and {MAX_CONCURRENCY}"
            raise InvalidProvider(message, param="max_concurrency")
        timeouts = spec.timeout
        if min(timeouts.connect, timeouts.first_byte, timeouts.between_bytes, timeouts.total) <= 0:
            message = "timeouts must be longer than nothing"
            raise InvalidProvider(message, param="timeout")
        secret: frozenset[str] = getattr(adapter, "secret_options", frozenset())
        _check_options(spec, set(KNOWN_OPTIONS) | getattr(adapter, "options", frozenset()) | secret, secret)
        if adapter.check is not None:
            adapter.check(spec)
        if not hasattr(adapter, "provider"):
            address = self.base_url(spec)
            _guard_plain_http(spec, parse_origin(address, tls=default_tls(), allow_private=spec.allow_private_network))
            if proxy := spec.options.get("proxy"):
                parse_proxy(str(proxy))

    def base_url(self, spec: ProviderSpec) -> str:
        """The address below which the provider's paths are. Raises InvalidProvider when there is none."""
        default = self.adapter(spec.kind).default_base_url
        address = spec.base_url or (default(spec) if callable(default) else default)
        if address is None:
            message = f"a provider of kind {spec.kind!r} needs a base_url"
            raise InvalidProvider(message, param="base_url")
        return str(address)

    def make(
        self,
        spec: ProviderSpec,
        credential: Credential,
        client: HttpClient,
        clock: Clock,
        proxy_login: str | None = None,
        secrets: Mapping[str, Credential] | None = None,
    ) -> Provider:
        """A provider ready to be called, by its proxy with `user:password`. Raises InvalidProvider."""
        adapter = self.adapter(spec.kind)
        if hasattr(adapter, "provider"):
            local: Provider = adapter.provider(spec, clock)
            return local
        address = self.base_url(spec)
        proxy = parse_proxy(str(spec.options["proxy"]), proxy_login) if spec.options.get("proxy") else None
        tls, tls_of_tokens = _certificates(spec)
        origin = parse_origin(
            address,
            tls=tls,
            allow_private=spec.allow_private_network,
            max_connections=spec.max_concurrency,
            proxy=proxy,
        )

        def with_credentials(key: Credential, options: Mapping[str, Credential]) -> Provider:
            authority = None
            if adapter.authority is not None:
                needs = AuthorityNeeds(spec, key, client, clock, options, tls_of_tokens, proxy)
                authority = adapter.authority(needs)
            return HttpProvider(spec, adapter, origin, key, client, clock, address, authority)

        given = dict(secrets or {})
        present = with_credentials(credential, given)
        followed = [one for one in (credential, *given.values()) if one.may_rotate]
        if not followed:
            return present
        before = {name: FormerCredential(one) for name, one in given.items()}
        return RotatingProvider(present, with_credentials(FormerCredential(credential), before), followed, self._tell)

    def _tell(self, name: str) -> None:
        self.on_fall_back(name)


def _check_options(spec: ProviderSpec, known: Set[str], secret: Set[str]) -> None:
    if unknown := sorted(set(spec.options) - known):
        message = f"unknown options {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        raise InvalidProvider(message, param="options")
    references = spec.references()
    for name, value in spec.options.items():
        if name in secret:
            if name not in references:
                message = f"the option {name} is a secret: give {{env: NAME}}, {{file: PATH}}, {{vault: PATH#FIELD}} or {{value: TEXT}}"
                raise InvalidProvider(message, param=f"options.{name}")
        elif not isinstance(value, str) or not value.isprintable():
            message = f"the option {name} must be a printable text"
            raise InvalidProvider(message, param=f"options.{name}")
    most = spec.options.get("max_reply_bytes")
    if most is not None and not (most.isascii() and most.isdigit() and int(most) in REPLY_BYTES):
        message = f"max_reply_bytes must be a whole number from {REPLY_BYTES.start} to {REPLY_BYTES.stop - 1}"
        raise InvalidProvider(message, param="options.max_reply_bytes")


def _guard_plain_http(spec: ProviderSpec, origin: Origin) -> None:
    if origin.tls is None and not spec.allow_private_network:
        message = "a provider outside your own network must be reached over https; a key would travel in the open"
        raise InvalidProvider(message, param="base_url")


def _certificates(spec: ProviderSpec) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """How the provider itself is reached, and how a token service is, which need not share its authority."""
    ca_file, certificate, key = (spec.options.get(name) for name in ("ca_file", "client_cert", "client_key"))
    try:
        return tls_with(ca_file, certificate, key), tls_also_with(ca_file)
    except (OSError, ssl.SSLError) as error:
        message = f"the certificates of provider {spec.name!r} cannot be loaded: {error}"
        raise InvalidProvider(message, param="options") from error
