"""The client for Vault, as the settings describe it."""

from dataclasses import dataclass, field
from pathlib import Path

from enfilade.core.clock import Clock
from enfilade.core.fetching import Fetcher
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.errors import InvalidVault
from enfilade.sealing.vault.logins import (
    KUBERNETES_TOKEN_FILE,
    AgentLogin,
    AppRoleLogin,
    GivenText,
    KubernetesLogin,
    Login,
    TokenLogin,
)
from enfilade.sealing.vault.types import VaultPlace
from enfilade.sealing.watched_file import WatchedFile
from enfilade.settings import Settings


@dataclass(frozen=True, slots=True)
class VaultChoice:
    """What the operator says of Vault."""

    address: str
    namespace: str | None = None
    ca_file: Path | None = None
    allow_http: bool = False
    token: str | None = field(default=None, repr=False)
    token_file: Path | None = None
    role_id: str | None = None
    secret_id: str | None = field(default=None, repr=False)
    secret_id_file: Path | None = None
    kubernetes_role: str | None = None
    kubernetes_token_file: Path = Path(KUBERNETES_TOKEN_FILE)
    auth_path: str | None = None

    def place(self) -> VaultPlace:
        """Which Vault. Raises InvalidVault."""
        return VaultPlace(
            self.address, self.namespace, str(self.ca_file) if self.ca_file is not None else None, self.allow_http
        )

    def login(self) -> Login:
        """How to log in. Raises InvalidVault where two ways are given."""
        ways = {
            "ENFILADE_VAULT_TOKEN": self.token is not None,
            "ENFILADE_VAULT_TOKEN_FILE": self.token_file is not None,
            "ENFILADE_VAULT_ROLE_ID": self.role_id is not None,
            "ENFILADE_VAULT_KUBERNETES_ROLE": self.kubernetes_role is not None,
        }
        given = [name for name, is_given in ways.items() if is_given]
        if len(given) > 1:
            message = f"Enfilade logs in to Vault in one way; {' and '.join(given)} are set."
            raise InvalidVault(message)
        if self.role_id is not None:
            return AppRoleLogin(self.role_id, _given(self.secret_id, self.secret_id_file), self.auth_path or "approle")
        if self.kubernetes_role is not None:
            file = WatchedFile(self.kubernetes_token_file)
            return KubernetesLogin(self.kubernetes_role, file, self.auth_path or "kubernetes")
        if given:
            return TokenLogin(_given(self.token, self.token_file))
        return AgentLogin()

    def client(self, fetcher: Fetcher, clock: Clock) -> VaultClient:
        """The client. Raises InvalidVault."""
        return VaultClient(self.place(), self.login(), fetcher, clock)


def vault_choice(settings: Settings) -> VaultChoice | None:
    """What the settings say; None where there is no Vault."""
    if settings.vault_addr is None:
        return None
    token, secret_id = settings.vault_token, settings.vault_secret_id
    return VaultChoice(
        address=settings.vault_addr,
        namespace=settings.vault_namespace,
        ca_file=settings.vault_ca_file,
        allow_http=settings.vault_allow_http,
        token=token.get_secret_value() if token is not None else None,
        token_file=settings.vault_token_file,
        role_id=settings.vault_role_id,
        secret_id=secret_id.get_secret_value() if secret_id is not None else None,
        secret_id_file=settings.vault_secret_id_file,
        kubernetes_role=settings.vault_kubernetes_role,
        kubernetes_token_file=settings.vault_kubernetes_token_file,
        auth_path=settings.vault_auth_path,
    )


def _given(text: str | None, file: Path | None) -> GivenText:
    return GivenText(text, WatchedFile(file) if file is not None else None)
