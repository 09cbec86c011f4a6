"""What a serving process is built from."""

import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random  # noqa: TID251 - made here, handed to who needs it

from enfilade.bootstrap.sealing import MasterKeyChoice
from enfilade.bootstrap.vault import SecretRules
from enfilade.core.clock import Clock
from enfilade.identity.sign_in.types import SessionRules
from enfilade.storage.address import Address
from enfilade.telemetry.logs import LineWriter
from enfilade.telemetry.traces import CallTracer, NoTracer


@dataclass(slots=True)
class Ingredients:
    """What a process is built from. Tests bring their own clock and chance."""

    address: Address
    clock: Clock
    random: Random = field(default_factory=Random)
    log: LineWriter | None = None
    log_style: str = "json"
    master_key: bytes | None = None
    master_keys: MasterKeyChoice | None = None
    """Where the master key is kept; `master_key` is the key itself."""
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_env: Sequence[str] = ()
    secret_dirs: Sequence[Path] = ()
    secrets: SecretRules = field(default_factory=SecretRules)
    trusted_proxies: Sequence[ipaddress.IPv4Network | ipaddress.IPv6Network] = ()
    max_body_bytes: int = 32_000_000
    tenant_calls: int = 2000
    cache_bytes: int = 64_000_000
    public_url: str | None = None
    session_rules: SessionRules = field(default_factory=SessionRules)
    tracer: CallTracer = field(default_factory=NoTracer)
