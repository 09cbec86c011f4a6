"""Everything that an operator sets from outside. The only module that reads the environment."""

import ipaddress
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
PROVIDER_KEYS = {"OPENAI_API_KEY": "openai", "ANTHROPIC_API_KEY": "anthropic"}


class Settings(BaseSettings):
    """Settings, each from the environment variable `ENFILADE_<NAME>`; options of commands go before."""

    model_config = SettingsConfigDict(env_prefix="ENFILADE_", extra="ignore", env_ignore_empty=True)

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(8080, ge=0, le=65535, description="The port to listen on; 0 takes a free one.")
    data: Path = Field(
        Path(".enfilade"), description="Where the embedded database and this installation's keys are kept."
    )
    database_url: SecretStr | None = Field(
        None,
        description="A PostgreSQL server of your own (15 or newer), with the owner's name and password. Without it the "
        "embedded server is used.",
    )
    database_role_secret: SecretStr | None = Field(
        None,
        description="What the passwords of Enfilade's own database roles are derived from, where the URL has no password.",
    )
    postgres_user: str | None = Field(
        None, description="The unprivileged account that runs the embedded server when Enfilade runs as root."
    )
    master_key: SecretStr | None = Field(
        None, description="The key under which secrets are sealed: 32 bytes in base64. Better: a file."
    )
    master_key_file: Path | None = Field(
        None, description="A file with the master key. With the embedded database one is made in the data directory."
    )
    master_key_service: str | None = Field(
        None, description="A master key that a service keeps: vault-transit:MOUNT/KEY or aws-kms:REGION/KEY-ID."
    )
    previous_master_key: SecretStr | None = Field(
        None, description="The master key before this one, until `enfilade encryption status` says that it may go."
    )
    previous_master_key_file: Path | None = Field(None, description="A file with the master key before this one.")
    previous_master_key_service: str | None = Field(
        None, description="The master key before this one, kept by a service."
    )
    tenant_master_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Master keys (patterns, separated by commas) that tenants may bring themselves, e.g. "
        "vault-transit:transit/{tenant}-*; `{tenant}` is the tenant's name. The platform's operator may name any.",
    )
    tenant_master_key_check_seconds: float = Field(
        30.0,
        ge=5.0,
        le=3600.0,
        description="How often the services that keep tenants' own master keys are asked whether they may still be used: "
        "a tenant that takes its key away there is closed this long after it, at the latest.",
    )
    aws_kms_url: str | None = Field(None, description="Where AWS KMS is asked, if not at its public address.")
    secret_env: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*_API_KEY", "ENFILADE_SECRET_*"),
        description="Names (patterns, separated by commas) of the variables to which providers' keys may refer.",
    )
    secret_dirs: Annotated[tuple[Path, ...], NoDecode] = Field(
        (Path("/run/secrets"),),
        description="Directories (separated by commas) with files to which providers' keys may refer; the data "
        "directory's `secrets` is one more.",
    )
    secret_vault: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="Paths in Vault (patterns, separated by commas, e.g. secret/enfilade/*) to which providers' keys may "
        "refer; without any, none.",
    )
    secret_grace_hours: float = Field(
        24.0,
        ge=0,
        le=720,
        description="How long the former content of a file or of a secret in Vault still serves where a provider refuses "
        "the new one.",
    )
    vault_addr: str | None = Field(None, description="A HashiCorp Vault, e.g. https://vault.example:8200.")
    vault_namespace: str | None = Field(None, description="The namespace there, e.g. teams/platform.")
    vault_ca_file: Path | None = Field(None, description="Certificate authorities (PEM) of Vault's own.")
    vault_allow_http: bool = Field(
        default=False,
        description="May Vault be asked over plain HTTP elsewhere than on loopback? Secrets travel there.",
    )
    vault_token: SecretStr | None = Field(None, description="A token to ask Vault with. Better: a file, or a login.")
    vault_token_file: Path | None = Field(None, description="A file with the token, read again when it changes.")
    vault_role_id: str | None = Field(None, description="The AppRole to log in to Vault with.")
    vault_secret_id: SecretStr | None = Field(None, description="The AppRole's secret id. Better: a file.")
    vault_secret_id_file: Path | None = Field(
        None, description="A file with the AppRole's secret id, read again when it changes."
    )
    vault_kubernetes_role: str | None = Field(
        None, description="The role to log in to Vault with as the pod's service account."
    )
    vault_kubernetes_token_file: Path = Field(
        Path("/var/run/secrets/kubernetes.io/serviceaccount/token"),
        description="The service account's token for that login, read again when it changes.",
    )
    vault_auth_path: str | None = Field(
        None, description="Where the login is mounted in Vault, if not at `approle` or `kubernetes`."
    )
    vault_refresh_seconds: float = Field(
        60.0, ge=5, le=86_400, description="How often secrets without a lease are read from Vault again."
    )
    vault_keep_hours: float = Field(
        72.0, ge=0, le=8760, description="How long the last good value of a secret serves while Vault does not give it."
    )
    trusted_proxies: Annotated[tuple[Network, ...], NoDecode] = Field(
        (), description="Networks (separated by commas) of the proxies whose `x-forwarded-for` is believed."
    )
    max_body_bytes: int = Field(32_000_000, ge=1024, description="The largest request body.")
    tenant_calls: int = Field(
        2000, ge=1, description="How many calls of one tenant a process answers at the same time; more are refused."
    )
    cache_bytes: int = Field(64_000_000, ge=0, description="How much memory the reply cache may use.")
    drain_seconds: float = Field(30.0, ge=0, description="How long running calls may take to finish at shutdown.")
    public_url: str | None = Field(
        None,
        pattern=r"^https?://[^/?#@\s]+$",
        description="The address at which people reach this installation, e.g. https://ai.example.com: security keys are "
        "bound to it. Without it, that of the server itself.",
    )
    tls_cert: Path | None = Field(None, description="A certificate chain (PEM) to serve HTTPS with.")
    tls_key: Path | None = Field(None, description="The certificate's key (PEM).")
    log_style: Literal["auto", "json", "console"] = Field(
        "auto", description="How log lines look; auto is readable at a terminal and JSON elsewhere."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="The least level that is logged."
    )
    otel_endpoint: str | None = Field(
        None, description="An OTLP/HTTP endpoint for traces, e.g. http://localhost:4318. Without it none are made."
    )
    otel_sample_rate: float = Field(
        0.01, ge=0, le=1, description="The share of calls that are traced where the caller did not decide."
    )
    url: str = Field("http://127.0.0.1:8080", description="The server that the command line's commands talk to.")
    key: SecretStr | None = Field(None, description="The key that they use.")
    sessions_file: Path | None = Field(
        None,
        description="Where `enfilade login` keeps sessions; by default in the configuration directory of the account.",
    )
    session_idle_hours: float = Field(
        8.0, gt=0, le=720, description="A session that is not used for so long has ended."
    )
    session_hours: float = Field(168.0, gt=0, le=8760, description="A session ends after so long, however it is used.")

    @field_validator(
        "secret_env", "secret_dirs", "secret_vault", "tenant_master_keys", "trusted_proxies", mode="before"
    )
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    def environment(self) -> Mapping[str, str]:
        """The environment, for references to secrets."""
        return os.environ

    def provider_keys(self) -> list[str]:
        """The well-known variables with providers' keys that are set."""
        return [name for name in PROVIDER_KEYS if os.environ.get(name)]


def documented_settings() -> list[tuple[str, str, str]]:
    """Name, default and meaning of each setting, for the reference page."""
    rows = []
    for name, field in Settings.model_fields.items():
        default = field.default
        if isinstance(default, tuple):
            default = ",".join(str(part) for part in default)
        rows.append((f"ENFILADE_{name.upper()}", "" if default is None else str(default), field.description or ""))
    return rows
