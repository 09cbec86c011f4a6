"""Keys and what is sealed under them, as the settings describe it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import SecretStr

from enfilade.bootstrap.aws import AwsSigners
from enfilade.core.clock import Clock
from enfilade.core.fetching import Fetcher
from enfilade.core.ids import PLATFORM_ID, IdFactory
from enfilade.core.scope import Scope
from enfilade.gateway.line import Finder
from enfilade.gateway.types import Call, Target
from enfilade.identity.scopes import system_scope, tenant_scope
from enfilade.sealing.errors import MasterKeyFault
from enfilade.sealing.keepers import Keepers, declared_file, declared_service, declared_text
from enfilade.sealing.keyring import MOST_TENANTS
from enfilade.sealing.master_key import Declared, Needs
from enfilade.sealing.parts import KeyParts
from enfilade.sealing.renewal import Places, Renewal
from enfilade.sealing.sealer import Sealer
from enfilade.sealing.service import Encryption
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.watch import EVERY_S, OwnKeyWatch
from enfilade.settings import Settings
from enfilade.storage.unit_of_work import Storage

MOST_AT_START = MOST_TENANTS
PART = "sealing"


@dataclass(frozen=True, slots=True)
class MasterKeyChoice:
    """What the operator says of master keys."""

    current: Declared | bytes | None = field(default=None, repr=False)
    previous: Declared | bytes | None = field(default=None, repr=False)
    own_services: Sequence[str] = ()
    check_every_s: float = EVERY_S
    kms_url: str | None = None


@dataclass(frozen=True, slots=True)
class Reach:
    """What keepers of master keys are asked through."""

    fetcher: Fetcher
    vault: VaultClient | None
    aws: AwsSigners


class Sealing:
    """The room `sealing`, put together."""

    def __init__(self, choice: MasterKeyChoice, reach: Reach, storage: Storage, ids: IdFactory, clock: Clock) -> None:
        """Nothing is read or asked before `start`."""
        needs = Needs(
            clock=clock,
            fetcher=reach.fetcher,
            vault=reach.vault,
            signer=reach.aws if reach.aws.has_credentials else None,
            kms_url=choice.kms_url,
        )
        keepers = Keepers(needs, choice.current, choice.previous)
        self.parts = parts = KeyParts(storage, keepers, scope_of, ids, clock)
        self.envelope = parts.envelope
        self.sealer = Sealer(parts.envelope)
        self.renewal = Renewal(parts)
        self.encryption = Encryption(parts, self.renewal, choice.own_services)
        self._watch = OwnKeyWatch(parts.envelope, clock, choice.check_every_s)

    def renew_in(self, places: Places) -> None:
        """Say where things are sealed."""
        self.renewal.places = places

    async def start(self) -> None:
        """Check the master keys. Raises MasterKeyFault, MasterKeyUnavailable, InvalidMasterKeyService."""
        await self.envelope.start(MOST_AT_START)

    def guarded(self, find: Finder) -> Finder:
        """Like `find`, for those calls whose tenant's key is neither withdrawn nor destroyed."""

        def guarded(call: Call) -> list[Target]:
            self.envelope.check(call.scope.tenant)
            return find(call)

        return guarded

    def services(self) -> list[Callable[[], Awaitable[None]]]:
        """What runs beside the requests."""
        return [self.renewal.run, self._watch.run]


def scope_of(tenant: str) -> Scope:
    """The scope in which this room works for a tenant."""
    return system_scope(PART) if tenant == PLATFORM_ID else tenant_scope(tenant, PART)


def master_key_choice(settings: Settings) -> MasterKeyChoice:
    """What the settings say. Raises MasterKeyFault when they say it twice."""
    current = _declared(
        "ENFILADE_MASTER_KEY", settings.master_key, settings.master_key_file, settings.master_key_service
    )
    if current is None and settings.database_url is None:
        current = declared_file(settings.data / "master.key")
    previous = _declared(
        "ENFILADE_PREVIOUS_MASTER_KEY",
        settings.previous_master_key,
        settings.previous_master_key_file,
        settings.previous_master_key_service,
    )
    return MasterKeyChoice(
        current,
        previous,
        settings.tenant_master_keys,
        settings.tenant_master_key_check_seconds,
        settings.aws_kms_url,
    )


def _declared(name: str, text: SecretStr | None, file: Path | None, service: str | None) -> Declared | None:
    given = {
        name: None if text is None else declared_text(text.get_secret_value()),
        f"{name}_FILE": None if file is None else declared_file(file),
        f"{name}_SERVICE": None if service is None else declared_service(service),
    }
    found = {variable: declared for variable, declared in given.items() if declared is not None}
    if len(found) > 1:
        message = f"There is one master key, and {' and '.join(found)} are set."
        raise MasterKeyFault(message)
    return next(iter(found.values()), None)
