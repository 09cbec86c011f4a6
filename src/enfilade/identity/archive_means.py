"""What archives are written and read with."""

from dataclasses import dataclass

from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.sealing.parts import KeyParts
from enfilade.sealing.signing import Signatures
from enfilade.storage.unit_of_work import Storage

MOST_AT_ONCE = 2
"""Each holds connections of its own, for as long as whoever waits for it takes."""


@dataclass(frozen=True, slots=True)
class ArchiveMeans:
    """See the module."""

    storage: Storage
    keys: KeyParts
    """Among them are tenants' keys."""
    signatures: Signatures
    ids: IdFactory
    clock: Clock
