"""How Enfilade logs in to Vault: with a token, an AppRole, a Kubernetes service account, or through a Vault Agent."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from enfilade.sealing.vault.errors import VaultDenied, VaultLoginRefused, VaultMissing, VaultRefused, VaultUnreadable
from enfilade.sealing.vault.types import Granted, VaultReply, check_path
from enfilade.sealing.watched_file import WatchedFile

KUBERNETES_TOKEN_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/token"  # noqa: S105 - a path

Ask = Callable[[str, str, Mapping[str, Any] | None, str | None], Awaitable[VaultReply]]
"""Method, path, body and token of one request to Vault."""


class Login(Protocol):
    """A way to get a token."""

    async def log_in(self, ask: Ask) -> Granted:
        """A token. Raises VaultError."""
        ...

    def is_current(self, token: str) -> bool:
        """Whether this is the token that a new login would give, as far as can be seen from here."""
        ...


@dataclass(slots=True)
class GivenText:
    """A secret from the settings: the text itself, or a file that is read again when it changes."""

    text: str | None = field(default=None, repr=False)
    file: WatchedFile | None = None

    def read(self) -> str | None:
        """The secret as it is now."""
        if self.file is None:
            return self.text
        self.file.look()
        return self.file.text


@dataclass(slots=True)
class TokenLogin:
    """A token that somebody else made, and renews where Enfilade may not."""

    given: GivenText

    async def log_in(self, ask: Ask) -> Granted:
        """See `Login.log_in`. Asks how long the token lives."""
        token = self.given.read()
        if not token or not (token.isascii() and token.isprintable()):
            message = "There is no Vault token: ENFILADE_VAULT_TOKEN_FILE holds none that can be sent."
            raise VaultLoginRefused(message)
        try:
            data = (await ask("GET", "auth/token/lookup-self", None, token)).data or {}
        except VaultDenied:
            message = (
                "Vault does not accept the token that Enfilade was given, or its policies do not let it look itself up."
            )
            raise VaultLoginRefused(message) from None
        seconds = data.get("ttl")
        if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
            message = "Vault did not tell how long the token that Enfilade was given lives."
            raise VaultUnreadable(message)
        return Granted(token, float(seconds) or None, bool(data.get("renewable")))

    def is_current(self, token: str) -> bool:
        """See `Login.is_current`."""
        return self.given.read() in {token, None}


@dataclass(slots=True)
class AppRoleLogin:
    """A role id and a secret id."""

    role_id: str
    secret_id: GivenText
    mount: str = "approle"

    def __post_init__(self) -> None:
        """Raises InvalidVault."""
        check_path(self.mount)

    async def log_in(self, ask: Ask) -> Granted:
        """See `Login.log_in`."""
        body = {"role_id": self.role_id}
        if (secret_id := self.secret_id.read()) is not None:  # Roles with `bind_secret_id=false` need none.
            body["secret_id"] = secret_id
        return await _log_in(ask, self.mount, body, "the role id and secret id")

    def is_current(self, token: str) -> bool:
        """See `Login.is_current`."""
        del token
        return True


@dataclass(slots=True)
class KubernetesLogin:
    """The service account of the pod, whose token Kubernetes replaces in its file."""

    role: str
    token: WatchedFile
    mount: str = "kubernetes"

    def __post_init__(self) -> None:
        """Raises InvalidVault."""
        check_path(self.mount)

    async def log_in(self, ask: Ask) -> Granted:
        """See `Login.log_in`."""
        self.token.look()
        if self.token.text is None:
            message = f"There is no service account token to log in to Vault with: {self.token.fault}."
            raise VaultLoginRefused(message)
        body = {"role": self.role, "jwt": self.token.text}
        return await _log_in(ask, self.mount, body, f"the service account for the role {self.role!r}")

    def is_current(self, token: str) -> bool:
        """See `Login.is_current`."""
        del token
        return True


@dataclass(slots=True)
class AgentLogin:
    """None of our own: a Vault Agent or Proxy on this machine adds its token."""

    async def log_in(self, ask: Ask) -> Granted:
        """See `Login.log_in`."""
        del ask
        return Granted("", None)

    def is_current(self, token: str) -> bool:
        """See `Login.is_current`."""
        del token
        return True


async def _log_in(ask: Ask, mount: str, body: Mapping[str, Any], who: str) -> Granted:
    try:
        reply = await ask("POST", f"auth/{mount}/login", body, None)
    except (VaultDenied, VaultRefused, VaultMissing) as error:
        message = f"Vault does not accept {who} at auth/{mount}: {error.message}"
        raise VaultLoginRefused(message) from None
    return granted(reply)


def granted(reply: VaultReply) -> Granted:
    """The token in the answer to a login or a renewal. Raises VaultUnreadable."""
    auth = reply.auth or {}
    token, seconds = auth.get("client_token"), auth.get("lease_duration")
    if not isinstance(token, str) or not token or not (token.isascii() and token.isprintable()):
        message = "Vault answered a login without a token."
        raise VaultUnreadable(message)
    if not isinstance(seconds, int | float) or isinstance(seconds, bool) or seconds < 0:
        message = "Vault answered a login without the life of its token."
        raise VaultUnreadable(message)
    return Granted(token, float(seconds) or None, auth.get("renewable") is True)
