"""What Vault's answers mean."""

from collections.abc import Mapping
from typing import NoReturn

import msgspec

from enfilade.core.fetching import WebReply
from enfilade.core.unreadable import UNREADABLE
from enfilade.sealing.vault.errors import (
    VaultBusy,
    VaultDenied,
    VaultError,
    VaultMissing,
    VaultRefused,
    VaultSealed,
    VaultStandby,
    VaultUnreadable,
)
from enfilade.sealing.vault.types import VaultReply

_KNOWN_WORDS = (
    "invalid role or secret id",
    "missing client token",
    "namespace not authorized",
    "no handler for route",
    "no secrets engine mounted",
    "lease not found",
    "invalid lease",
    "lease is not renewable",
    "unsupported operation",
    "encryption key not found",
    "invalid ciphertext",
    "service account name not authorized",
    "namespace not found",
    "claim validation failed",
)
"""Of Vault's own words only these are passed on: others may quote what was sent."""

_BY_STATUS: Mapping[int, tuple[type[VaultError], str]] = {
    307: (VaultStandby, "is a standby that sends requests elsewhere"),
    308: (VaultStandby, "is a standby that sends requests elsewhere"),
    400: (VaultRefused, "finds the request wrong"),
    403: (VaultDenied, "does not allow it"),
    404: (VaultMissing, "has nothing there"),
    405: (VaultRefused, "does not know such a request there"),
    412: (VaultBusy, "has not caught up with the active node"),
    429: (VaultBusy, "asks for fewer requests"),
    472: (VaultStandby, "is a disaster recovery secondary"),
    473: (VaultStandby, "is a performance standby"),
    501: (VaultSealed, "is not initialised"),
}


def read_reply(host: str, asked: str, reply: WebReply) -> VaultReply:
    """The content of a success. Raises VaultError for anything else; `asked` says what was asked."""
    if reply.status == 204 or (reply.status == 200 and not reply.body):
        return VaultReply()
    if reply.status not in {200, 202}:
        _refuse(host, asked, reply)
    try:
        found = msgspec.json.decode(reply.body, type=VaultReply)
    except UNREADABLE:
        message = f"Vault at {host} answered something that is not Vault's to {asked}."
        raise VaultUnreadable(message) from None
    if found.wrap_info is not None and found.data is None and found.auth is None:
        message = f"Vault at {host} wraps its answer to {asked}, as a control group does; Enfilade cannot wait for its approval."
        raise VaultDenied(message)
    return found


def _refuse(host: str, asked: str, reply: WebReply) -> NoReturn:
    words = _words(reply.body)
    if reply.status == 503 and "sealed" in " ".join(words):
        message = f"Vault at {host} is sealed and could not answer to {asked}."
        raise VaultSealed(message)
    if reply.status == 500 and any("active cluster node not found" in word for word in words):
        message = f"Vault at {host} has no active node at the moment and could not answer to {asked}."
        raise VaultStandby(message)
    kind, what = _BY_STATUS.get(reply.status, (VaultError, f"failed (status {reply.status})"))
    known = next((phrase for phrase in _KNOWN_WORDS if any(phrase in word for word in words)), None)
    message = f"Vault at {host} {what}: {asked}{f' ({known})' if known else ''}."
    raise kind(message, retry_after=_retry_after(reply) if kind is VaultBusy else None)


def _words(body: bytes) -> list[str]:
    try:
        found = msgspec.json.decode(body)
    except UNREADABLE:
        return []
    errors = found.get("errors") if isinstance(found, dict) else None
    return [error.lower() for error in errors if isinstance(error, str)] if isinstance(errors, list) else []


def _retry_after(reply: WebReply) -> float | None:
    text = reply.headers.get("retry-after", "")
    return min(float(text), 3600.0) if text.isascii() and text.isdigit() else None
