"""Asking other services over HTTP, as rooms below the HTTP client need it: what is asked, and what comes back.

The client itself is handed in. It refuses private addresses unless the declaration of the service allows them, follows
no redirect, and keeps no connection.
"""

from dataclasses import dataclass, field
from typing import Protocol

from enfilade.core.errors import UpstreamFailed

MAX_REPLY_BYTES = 1_000_000


class FetchFailed(UpstreamFailed):
    """A service that Enfilade relies on could not be asked: refused, unreachable, too slow, or not understood."""

    code = "service_unreachable"
    remedy = "Try again; if it persists, look at the address and the health of the service that the message names."


@dataclass(frozen=True, slots=True)
class WebRequest:
    """One request to a service."""

    url: str
    """Absolute; https, or http where private addresses are allowed."""
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)
    allow_private_network: bool = False
    ca_file: str | None = None
    """Certificate authorities of the service's own, beside this machine's."""
    timeout_s: float = 10.0
    max_bytes: int = MAX_REPLY_BYTES


@dataclass(frozen=True, slots=True)
class WebReply:
    """What the service answered, whatever its status."""

    status: int
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)


class Fetcher(Protocol):
    """Asks services."""

    async def fetch(self, request: WebRequest) -> WebReply:
        """The reply. Raises FetchFailed when there is none."""
        ...
