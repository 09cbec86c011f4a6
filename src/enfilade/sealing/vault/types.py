"""The nouns of the Vault client."""

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import msgspec

from enfilade.sealing.vault.errors import InvalidVault

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})
_SEGMENT = re.compile(r"[A-Za-z0-9_@:+=~.-]{1,255}")
_FIELD = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_NOT_SECRETS = frozenset({"sys", "auth", "identity", "cubbyhole"})


@dataclass(frozen=True, slots=True)
class VaultPlace:
    """Which Vault is asked, and how it is reached."""

    address: str
    """Without a path, e.g. https://vault.example:8200."""
    namespace: str | None = None
    ca_file: str | None = None
    allow_http: bool = False
    """May it be plain HTTP elsewhere than on loopback?"""

    def __post_init__(self) -> None:
        """Raises InvalidVault."""
        try:
            parts = urlsplit(self.address)
            _ = parts.port
        except ValueError:
            parts = SplitResult("", "", "", "", "")
        if (
            parts.scheme not in {"https", "http"}
            or not parts.hostname
            or parts.username
            or parts.query
            or parts.fragment
        ):
            message = "ENFILADE_VAULT_ADDR must be an address such as https://vault.example:8200."
            raise InvalidVault(message)
        if parts.scheme == "http" and parts.hostname not in LOOPBACK and not self.allow_http:
            message = (
                "ENFILADE_VAULT_ADDR must begin with https://, as secrets travel there; see ENFILADE_VAULT_ALLOW_HTTP."
            )
            raise InvalidVault(message)
        if self.namespace is not None and not all(map(_is_segment, self.namespace.strip("/").split("/"))):
            message = "ENFILADE_VAULT_NAMESPACE must be a path of names, e.g. teams/platform."
            raise InvalidVault(message)

    @property
    def host(self) -> str:
        """For messages."""
        return urlsplit(self.address).netloc

    def url(self, path: str) -> str:
        """The address of an API path."""
        return f"{self.address.rstrip('/')}/v1/{path}"


class SecretPath(msgspec.Struct, frozen=True):
    """Where a secret is in Vault: the path as for `vault kv get`, and the name of a field of the secret there."""

    path: str
    field: str

    @classmethod
    def parse(cls, text: str) -> "SecretPath":
        """Read `PATH#FIELD`. Raises InvalidVault for what could lead elsewhere than it seems to."""
        path, found, name = text.partition("#")
        if not found or not _FIELD.fullmatch(name) or not path:
            message = "a secret in Vault is given as PATH#FIELD, e.g. secret/openai#api_key"
            raise InvalidVault(message)
        check_path(path)
        if path.split("/", 1)[0] in _NOT_SECRETS or "/" not in path:
            message = "a secret in Vault is given as PATH#FIELD, where PATH begins with a secrets engine's mount"
            raise InvalidVault(message)
        return cls(path, name)


def check_path(path: str) -> None:
    """Refuse, with InvalidVault, a path of which a segment is empty, a dot, two dots or needs escaping."""
    if len(path) > 1024 or not all(map(_is_segment, path.split("/"))):
        message = (
            "a path in Vault has segments of letters, digits and _ @ : + = ~ . - between single slashes, and none "
            "that is only dots"
        )
        raise InvalidVault(message)


def _is_segment(text: str) -> bool:
    return _SEGMENT.fullmatch(text) is not None and text.strip(".") != ""


class VaultReply(msgspec.Struct, frozen=True):
    """What Vault answered. Never printed: `data` and `auth` hold secrets."""

    data: dict[str, Any] | None = None
    auth: dict[str, Any] | None = None
    lease_id: str = ""
    lease_duration: float = 0.0
    renewable: bool = False
    warnings: list[str] | None = None
    wrap_info: dict[str, Any] | None = None

    def __repr__(self) -> str:
        """Never a secret."""
        return f"VaultReply(lease_duration={self.lease_duration})"


@dataclass(frozen=True, slots=True)
class Granted:
    """A token that a login gave."""

    token: str = field(repr=False)
    """Empty where something in front of Vault adds one of its own."""
    seconds: float | None
    """How long it lives; None for ever."""
    renewable: bool = False
