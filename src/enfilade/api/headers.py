"""What a request's header fields say: who calls, from where, for whom, and what for."""

import ipaddress
import re
from collections.abc import Iterable, Sequence
from typing import Any
from urllib.parse import parse_qsl

import msgspec

from enfilade.core.unreadable import UNREADABLE
from enfilade.gateway.errors import InvalidHeader
from enfilade.gateway.types import Hints
from enfilade.identity.errors import AmbiguousCredentials, MissingKey

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

CREDENTIALS = (b"authorization", b"x-api-key", b"api-key", b"x-goog-api-key")
SINGLE = frozenset(
    {
        *CREDENTIALS,
        b"content-length",
        b"x-enfilade-user",
        b"x-enfilade-use-case",
        b"x-enfilade-task",
        b"x-enfilade-quality",
        b"x-enfilade-max-latency-ms",
        b"x-enfilade-session",
        b"x-enfilade-metadata",
    }
)
HINTED = b""
"""Stands among the collected fields when any of Enfilade's own is there: most requests have none."""
MAX_HINT = 200
MAX_METADATA_BYTES = 4096
MAX_METADATA_KEYS = 16
_METADATA_KEY = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_METADATA = msgspec.json.Decoder(dict[str, str | bool | int])


def collect(headers: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """The fields by name. Raises AmbiguousCredentials or InvalidHeader for one that must not come twice."""
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in found and name in SINGLE and found[name] != value:
            text = name.decode("ascii", "replace")
            message = f"The header `{text}` came twice, with different values."
            raise (AmbiguousCredentials if name in CREDENTIALS else InvalidHeader)(message, param=text)
        if name[:11] == b"x-enfilade-":
            found[HINTED] = b""
        found[name] = value
    return found


def credential(found: dict[bytes, bytes]) -> bytes:
    """The one key that the request carries. Raises MissingKey, AmbiguousCredentials."""
    given = None
    for name in CREDENTIALS:
        value = found.get(name)
        if value is None:
            continue
        if name == b"authorization":
            scheme, _, value = value.partition(b" ")
            if scheme.lower() != b"bearer":
                message = "The `authorization` header must have the form `Bearer KEY`."
                raise MissingKey(message)
        value = value.strip()
        if given is not None and value != given:
            message = "The request carries several keys that differ."
            raise AmbiguousCredentials(message)
        given = value
    if not given:
        message = "The request carries no key."
        raise MissingKey(message)
    return given


def find_key_in_query(found: dict[bytes, bytes], query: bytes) -> None:
    """Take `?key=`, in which Gemini's examples put the key, as the header that its SDK sends.

    Raises AmbiguousCredentials when it comes twice, or differs from that header.
    """
    given = {value for name, value in parse_qsl(query) if name == b"key" and value}
    if not given:
        return
    if len(given) > 1 or found.get(b"x-goog-api-key", *given) not in given:
        message = "The request carries several keys that differ."
        raise AmbiguousCredentials(message)
    found[b"x-goog-api-key"] = given.pop()


def client_address(client: tuple[str, int] | None, found: dict[bytes, bytes], trusted: Sequence[Network]) -> str | None:
    """The caller's network address: the peer's, or what trusted proxies say that it is.

    `x-forwarded-for` is read from the right: the first address that is no trusted proxy was seen by one that is.
    """
    address = client[0] if client else None
    if not trusted or address is None or not _is_trusted(address, trusted):
        return address
    hops = [hop.strip() for hop in found.get(b"x-forwarded-for", b"").decode("ascii", "replace").split(",")]
    while hops and hops[-1] and _is_trusted(address, trusted):
        address = hops.pop()
    return address


def _is_trusted(address: str, trusted: Sequence[Network]) -> bool:
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(parsed.version == network.version and parsed in network for network in trusted)


def read_hints(found: dict[bytes, bytes]) -> Hints:
    """Enfilade's own fields. Raises InvalidHeader."""
    hints = Hints(
        use_case=_text(found, "x-enfilade-use-case"),
        task=_text(found, "x-enfilade-task"),
        quality=_text(found, "x-enfilade-quality"),
        session=_text(found, "x-enfilade-session"),
    )
    latency = _text(found, "x-enfilade-max-latency-ms")
    if latency is not None:
        if not latency.isdigit() or len(latency) > 9:
            message = "`x-enfilade-max-latency-ms` must be a whole number of milliseconds."
            raise InvalidHeader(message, param="x-enfilade-max-latency-ms")
        hints.max_latency_ms = int(latency)
    if (metadata := found.get(b"x-enfilade-metadata")) is not None:
        hints.metadata = _metadata(metadata)
    return hints


def _text(found: dict[bytes, bytes], name: str) -> str | None:
    value = found.get(name.encode())
    if value is None:
        return None
    try:
        text = value.decode().strip()
    except UnicodeDecodeError:
        text = ""
    if not text or len(text) > MAX_HINT or not text.isprintable():
        message = f"`{name}` must be a printable text of 1 to {MAX_HINT} characters."
        raise InvalidHeader(message, param=name)
    return text


def _metadata(value: bytes) -> dict[str, Any]:
    try:
        metadata = _METADATA.decode(value) if len(value) <= MAX_METADATA_BYTES else None
    except UNREADABLE:
        metadata = None
    fits = (
        metadata is not None
        and len(metadata) <= MAX_METADATA_KEYS
        and all(_METADATA_KEY.fullmatch(key) and _fits(entry) for key, entry in metadata.items())
    )
    if not fits or metadata is None:
        message = (
            f"`x-enfilade-metadata` must be a JSON object of up to {MAX_METADATA_KEYS} texts, whole numbers or booleans, "
            "with names of letters, digits, `_`, `.` and `-`."
        )
        raise InvalidHeader(message, param="x-enfilade-metadata")
    return metadata


def _fits(entry: object) -> bool:
    if isinstance(entry, str):
        return len(entry) <= 512 and "\x00" not in entry
    return isinstance(entry, int) and -(2**53) < entry < 2**53
