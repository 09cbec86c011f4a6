"""Where people may be sent after signing in: to paths of this server, and command lines to their own machine."""

import ipaddress
from urllib.parse import unquote, urlsplit

from enfilade.identity.sign_in.errors import InvalidTarget

MAX_TARGET = 500


def checked_target(target: str) -> str:
    """A path of ours. Raises InvalidTarget for anything that a browser could take for another site."""
    seen = target
    for _ in range(3):
        if not _is_path(seen):
            message = "After signing in, people are sent to paths of this server only."
            raise InvalidTarget(message, param="next")
        seen = unquote(seen)
    return target


def _is_path(text: str) -> bool:
    # Browsers read a backslash as a slash, and leave out tabs and line ends.
    if not text.startswith("/") or text.startswith("//") or "\\" in text or len(text) > MAX_TARGET:
        return False
    if not text.isascii() or not text.isprintable():
        return False
    try:
        parts = urlsplit(text)
    except ValueError:
        return False
    return not parts.scheme and not parts.netloc and not parts.path.startswith("//")


def checked_loopback(uri: str) -> str:
    """An address of a program on the caller's own machine (RFC 8252). Raises InvalidTarget."""
    try:
        parts = urlsplit(uri)
        fits = (
            parts.scheme == "http"
            and ipaddress.ip_address(parts.hostname or "").is_loopback
            and parts.port is not None
            and not (parts.username or parts.password or parts.fragment or parts.query)
            and uri.isascii()
            and uri.isprintable()
            and "\\" not in uri
            and len(uri) <= MAX_TARGET
        )
    except ValueError:
        fits = False
    if not fits:
        message = "A command line is answered at an address of its own machine, such as http://127.0.0.1:4711/."
        raise InvalidTarget(message, param="redirect_uri")
    return uri
