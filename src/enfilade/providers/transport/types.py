"""The nouns of the HTTP client."""

import base64
import re
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import msgspec

from enfilade.providers.errors import InvalidProvider

_VISIBLE = re.compile(r"[!-~]+")


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long each phase may take, in seconds."""

    connect: float = 5.0
    first_byte: float = 60.0
    between_bytes: float = 30.0
    total: float = 600.0


@dataclass(frozen=True, slots=True)
class Proxy:
    """An HTTP proxy that is asked to CONNECT."""

    host: str
    port: int
    authorization: str | None = field(default=None, repr=False)


@dataclass(frozen=True, eq=False, slots=True)
class Origin:
    """A server and how to reach it. Connections are pooled for each Origin object."""

    host: str
    port: int
    base_path: str
    tls: ssl.SSLContext | None
    allow_private: bool
    max_connections: int | None = None
    proxy: Proxy | None = None

    @property
    def host_header(self) -> bytes:
        """The value of the `host` field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.tls else 80
        return (host if self.port == default else f"{host}:{self.port}").encode()


class HttpRequest(msgspec.Struct):
    """A request ready to be written."""

    head: bytes
    """The request line and the fields that are the same each time; see `render_head`."""
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Further fields, of this request alone."""
    on_sent: Callable[[], None] | None = None
    """Called once the first bytes are on their way."""

    def rendered_head(self) -> bytes:
        """Everything before the body."""
        extra = b"".join([b"%b: %b\r\n" % header for header in self.headers]) if self.headers else b""
        return b"%b%bcontent-length: %d\r\n\r\n" % (self.head, extra, len(self.body))


def render_head(origin: Origin, path: str, headers: tuple[tuple[bytes, bytes], ...], method: bytes = b"POST") -> bytes:
    """The beginning of a request that can be used again and again."""
    lines = [
        b"%b %b HTTP/1.1\r\nhost: %b\r\n" % (method, (origin.base_path + path).encode("ascii"), origin.host_header)
    ]
    lines += [b"%b: %b\r\n" % header for header in headers]
    return b"".join(lines)


def parse_origin(
    url: str,
    *,
    tls: ssl.SSLContext,
    allow_private: bool,
    max_connections: int | None = None,
    proxy: Proxy | None = None,
) -> Origin:
    """The origin behind a base address, built from its parsed parts. Raises InvalidProvider."""
    if not _VISIBLE.fullmatch(url):
        message = "base_url must be written in visible ASCII characters; a host's other letters as xn--…"
        raise InvalidProvider(message, param="base_url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        message = "base_url is no valid address"
        raise InvalidProvider(message, param="base_url") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        message = "base_url must begin with https:// (or http:// inside a private network) and name a host"
        raise InvalidProvider(message, param="base_url")
    if parts.username or parts.password or parts.query or parts.fragment:
        message = "base_url must hold no credentials, query or fragment"
        raise InvalidProvider(message, param="base_url")
    secure = parts.scheme == "https"
    return Origin(
        host=parts.hostname,
        port=port or (443 if secure else 80),
        base_path=parts.path.rstrip("/"),
        tls=tls if secure else None,
        allow_private=allow_private,
        max_connections=max_connections,
        proxy=proxy,
    )


def parse_proxy(url: str, login: str | None = None) -> Proxy:
    """A proxy's address, `http://host:port`, and `user:password` for it. Raises InvalidProvider.

    The address is shown to administrators and exported, so it may hold no credentials.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = None, None
    if parts is None or parts.scheme != "http" or not parts.hostname:
        message = "a proxy must look like http://host:port"
        raise InvalidProvider(message, param="options.proxy")
    if parts.username is not None or parts.password is not None:
        message = (
            "a proxy's address must hold no credentials; name the variable that holds user:password in "
            "options.proxy_login_env"
        )
        raise InvalidProvider(message, param="options.proxy")
    authorization = "Basic " + base64.b64encode(login.encode()).decode() if login else None
    return Proxy(parts.hostname, port or 3128, authorization)
