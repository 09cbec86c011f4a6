"""What a master key is, whoever keeps it, and what the adapters for its keepers are given."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from enfilade.core.clock import Clock
from enfilade.core.fetching import Fetcher
from enfilade.sealing.errors import MasterKeyUnavailable
from enfilade.sealing.vault.client import VaultClient

Context = Mapping[str, str]
"""What a wrapped key is bound to: it unwraps in the same context only."""
PAUSES_S = (0.2, 1.0)
"""Before the second and the third time that a key service is asked."""


class MasterKey(Protocol):
    """Wraps and unwraps tenants' keys, and nothing else."""

    name: str
    """What the installation's registry knows it by."""
    direct: bytes | None
    """The key itself, where it is in this process: for what was sealed in the old form, and to open many at once."""

    async def wrap(self, key: bytes, context: Context) -> bytes:
        """The key in a form that may be stored. Raises MasterKeyUnavailable, MasterKeyRefused."""
        ...

    async def unwrap(self, wrapped: bytes, context: Context) -> bytes:
        """The key. Raises MasterKeyUnavailable, and MasterKeyRefused when this master key did not wrap it so."""
        ...

    def version(self, wrapped: bytes) -> str:
        """Under which version of the master key this was wrapped."""
        ...


class Signer(Protocol):
    """Proves to AWS who asks."""

    async def headers(self, method: str, url: str, body: bytes) -> tuple[tuple[str, str], ...]:
        """The header fields to add. Raises EnfiladeError when there are no credentials."""
        ...


@dataclass(frozen=True, slots=True)
class Needs:
    """What an adapter may be made of."""

    clock: Clock
    fetcher: Fetcher | None = None
    vault: VaultClient | None = None
    signer: Callable[[str, str], Signer] | None = None
    """Makes a signer for a service of AWS and a region."""
    kms_url: str | None = None
    """Where AWS KMS is asked, if not at its public address."""
    makes_file: bool = False
    """Whether a key file that is not there is made: in an installation that has no key yet."""


@dataclass(frozen=True, slots=True)
class Declared:
    """A master key as an operator declares it."""

    kind: str
    """The adapter's."""
    value: str | Path


class Adapter(Protocol):
    """A member of the family `master_keys`."""

    kind: str

    def make(self, declared: str | Path, needs: Needs) -> MasterKey:
        """The master key. Raises MasterKeyFault, InvalidMasterKeyService."""
        ...


async def persistently(clock: Clock, ask: Callable[[], Awaitable[bytes]]) -> bytes:
    """Ask a key service up to three times. Raises MasterKeyUnavailable, and at once whatever else `ask` raises."""
    for pause in PAUSES_S:
        try:
            return await ask()
        except MasterKeyUnavailable:
            await clock.sleep(pause)
    return await ask()
