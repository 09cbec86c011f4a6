"""What signing in works with."""

from dataclasses import dataclass

from enfilade.core.clock import Clock
from enfilade.core.fetching import Fetcher
from enfilade.core.ids import IdFactory
from enfilade.identity.tokens.issuers import SecretSealer
from enfilade.storage.unit_of_work import Storage


@dataclass(frozen=True, slots=True)
class Means:
    """What is handed in from outside this room."""

    ids: IdFactory
    clock: Clock
    storage: Storage
    fetcher: Fetcher
    sealer: SecretSealer
