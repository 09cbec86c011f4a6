"""The browser's cookies. Those of a server with TLS have the prefix that no other host or path can set."""

import ipaddress
from collections.abc import Iterable
from typing import Any

from enfilade.core.errors import InvalidRequest

SESSION = "enfilade_session"
SECURE_PREFIX = "__Host-"


class AmbiguousCookies(InvalidRequest):
    """The browser sent several values for one cookie."""

    code = "ambiguous_cookies"
    remedy = "Delete this site's cookies, and sign in again."


def is_plain(scope: Any) -> bool:
    """Whether a browser talks to this machine itself, without TLS: the one case for a cookie without `Secure`."""
    if scope.get("scheme") == "https":
        return False
    client = scope.get("client")
    host = _header(scope["headers"], b"host").partition(b":")[0].decode("ascii", "replace")
    return (
        b"x-forwarded-proto" not in dict(scope["headers"]) and host in {"127.0.0.1", "localhost"} and _is_near(client)
    )


def cookie_name(scope: Any, name: str = SESSION) -> str:
    """What a cookie of ours is called on this connection."""
    return name if is_plain(scope) else SECURE_PREFIX + name


def read_cookie(scope: Any, name: str = SESSION) -> str | None:
    """A cookie of ours. Raises AmbiguousCookies."""
    wanted = cookie_name(scope, name)
    found: set[str] = set()
    for header, value in scope["headers"]:
        if header != b"cookie":
            continue
        for pair in value.decode("latin-1").split(";"):
            key, _, text = pair.strip().partition("=")
            if key == wanted and text:
                found.add(text)
    if len(found) > 1:
        message = "The request carries several values for one cookie."
        raise AmbiguousCookies(message)
    return found.pop() if found else None


def cookie(scope: Any, value: str, max_age: int, name: str = SESSION) -> str:
    """A `set-cookie` field; an age of 0 deletes the cookie."""
    secure = "" if is_plain(scope) else "; Secure"
    return f"{cookie_name(scope, name)}={value}; Path=/; Max-Age={max_age}; HttpOnly; SameSite=Lax{secure}"


def _header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> bytes:
    return next((value for key, value in headers if key == name), b"")


def _is_near(client: Any) -> bool:
    try:
        return client is not None and ipaddress.ip_address(client[0]).is_loopback
    except ValueError:
        return False
