"""The client for Vault, as the settings describe it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from enfilade.core.clock import Clock, SystemClock
from enfilade.core.deadlines import DeadlineSweeper
from enfilade.core.fetching import Fetcher
from enfilade.providers.credentials import GRACE_S, SecretSources
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.fetcher import GuardedFetcher
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
from enfilade.sealing.vault.secrets import Freshness, VaultSecrets, read_once
from enfilade.sealing.vault.types import SecretPath, VaultPlace
from enfilade.sealing.watched_file import WatchedFile
from enfilade.settings import Settings
from enfilade.telemetry import names
from enfilade.telemetry.metrics import Metrics


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


@dataclass(frozen=True, slots=True)
class SecretRules:
    """What references to secrets may lead to in Vault, and how what changes is followed."""

    vault: VaultChoice | None = None
    allowed_paths: Sequence[str] = ()
    freshness: Freshness = field(default_factory=Freshness)
    grace_s: float = GRACE_S


class FollowedSecrets:
    """Where providers' references lead, and what keeps it fresh."""

    def __init__(self, rules: SecretRules, allowed: SecretSources, fetcher: Fetcher, clock: Clock) -> None:
        """Ask Vault, where there is one, through `fetcher`. Raises InvalidVault."""
        self.client = rules.vault.client(fetcher, clock) if rules.vault is not None else None
        self.vault = VaultSecrets(self.client, clock, rules.freshness)
        self.sources = replace(allowed, allowed_paths=rules.allowed_paths, vault=self.vault, grace_s=rules.grace_s)

    def services(self) -> list[Callable[[], Awaitable[None]]]:
        """What runs beside the requests."""
        return [] if self.client is None else [self.client.run, self.vault.run]

    def watch(self, metrics: Metrics) -> None:
        """Show how fresh they are."""
        if self.client is not None:
            metrics.watch_many(names.VAULT_AGE, self.vault.ages)
            metrics.watch(names.VAULT_FAILING, self.vault.failing)


def secret_rules(settings: Settings) -> SecretRules:
    """What the settings say."""
    freshness = Freshness(settings.vault_refresh_seconds, settings.vault_keep_hours * 3600.0)
    return SecretRules(vault_choice(settings), settings.secret_vault, freshness, settings.secret_grace_hours * 3600.0)


async def read_secret(settings: Settings, where: str) -> str:
    """One secret, as `PATH#FIELD`, read once for a command. Raises InvalidVault, VaultError."""
    path, choice, clock = SecretPath.parse(where), vault_choice(settings), SystemClock()
    if choice is None:
        message = "no Vault is set on this machine; see ENFILADE_VAULT_ADDR"
        raise InvalidVault(message)
    sweeper = DeadlineSweeper(clock)
    client = HttpClient(clock, sweeper)
    sweeping = asyncio.create_task(sweeper.run())  # noqa: TID251 - ends with this function
    try:
        return await read_once(choice.client(GuardedFetcher(client), clock), clock, path)
    finally:
        sweeping.cancel()
        client.close()


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
