"""The examinations of `enfilade doctor` that ask Vault, key services and the places to which secrets refer."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from enfilade.bootstrap.aws import AwsSigners
from enfilade.bootstrap.sealing import MasterKeyChoice, master_key_choice
from enfilade.bootstrap.vault import SecretRules, secret_rules
from enfilade.core.clock import Clock, SystemClock
from enfilade.core.deadlines import DeadlineSweeper
from enfilade.core.errors import EnfiladeError
from enfilade.core.fetching import Fetcher
from enfilade.providers.credentials import SecretSources
from enfilade.providers.examination import examine_references
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.fetcher import GuardedFetcher
from enfilade.sealing.examination import examine_key, examine_registry, examine_vault
from enfilade.sealing.keepers import Keepers
from enfilade.sealing.master_key import Needs
from enfilade.sealing.vault.client import VaultClient
from enfilade.sealing.vault.logins import TokenLogin
from enfilade.sealing.vault.secrets import VaultSecrets
from enfilade.settings import Settings
from enfilade.storage.database import Database
from enfilade.storage.diagnosis import Row


@dataclass(frozen=True, slots=True)
class KeyChecks:
    """Asks as the server would, with the settings of this machine."""

    settings: Settings
    rules: SecretRules
    choice: MasterKeyChoice
    keepers: Keepers
    vault: VaultClient | None
    clock: Clock

    async def services(self) -> AsyncIterator[Row]:
        """Vault, and the master keys that are declared."""
        if self.vault is not None and self.rules.vault is not None:
            again = not isinstance(self.rules.vault.login(), TokenLogin)
            yield await examine_vault(self.vault, logs_in_again=again)
        if self._is_made_at_the_start():
            yield "ok", "master key", "none yet; the first start makes one in the data directory", None
            return
        try:
            self.keepers.open(makes_file=False)
        except EnfiladeError as error:
            yield "fault", "master key", error.message, error.remedy
            return
        for key in (self.keepers.current, self.keepers.previous):
            if key is not None:
                yield await examine_key(key, self.vault)

    async def secrets(self, home: Database) -> AsyncIterator[Row]:
        """What stands in the database of keys and references."""
        async for row in examine_registry(home, self.keepers):
            yield row
        settings = self.settings
        vault = VaultSecrets(self.vault, self.clock, self.rules.freshness)
        sources = SecretSources(
            settings.environment(), settings.secret_env, settings.secret_dirs, settings.secret_vault, vault
        )
        async for row in examine_references(home, sources, self.vault, self.clock):
            yield row

    def _is_made_at_the_start(self) -> bool:
        declared = self.choice.current
        file = declared.value if declared is not None and not isinstance(declared, bytes) else None
        embedded = self.settings.database_url is None and self.settings.master_key_file is None
        return embedded and isinstance(file, Path) and not file.exists()


@asynccontextmanager
async def key_checks(
    settings: Settings, fetcher: Fetcher | None = None, clock: Clock | None = None
) -> AsyncIterator[KeyChecks]:
    """The checks, with a client of their own unless a `fetcher` is given. Raises InvalidVault, MasterKeyFault."""
    clock = clock or SystemClock()
    rules, choice = secret_rules(settings), master_key_choice(settings)
    sweeper = DeadlineSweeper(clock)
    client = HttpClient(clock, sweeper)
    sweeping = asyncio.create_task(sweeper.run())  # noqa: TID251 - ends with this function
    try:
        fetcher = fetcher or GuardedFetcher(client)
        vault = rules.vault.client(fetcher, clock) if rules.vault is not None else None
        aws = AwsSigners(settings.environment(), client, clock)
        needs = Needs(clock, fetcher, vault, aws if aws.has_credentials else None, choice.kms_url)
        keepers = Keepers(needs, choice.current, choice.previous)
        yield KeyChecks(settings, rules, choice, keepers, vault, clock)
    finally:
        sweeping.cancel()
        client.close()
