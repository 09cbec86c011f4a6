"""What the use cases of keys work with, built from the bottom up."""

from enfilade.core.clock import Clock
from enfilade.core.ids import IdFactory
from enfilade.sealing.acts import Acts
from enfilade.sealing.envelope import Envelope
from enfilade.sealing.keepers import Keepers
from enfilade.sealing.registry import Registry
from enfilade.sealing.subject_keys import ScopeOf, SubjectKeyStore
from enfilade.sealing.tenant_keys import TenantKeyStore
from enfilade.storage.unit_of_work import Storage


class KeyParts:
    """See the module. One per process."""

    def __init__(self, storage: Storage, keepers: Keepers, scope_of: ScopeOf, ids: IdFactory, clock: Clock) -> None:
        """Keep tenants' keys in the installation's own database, and subjects' keys where the tenants are."""
        self.home = storage.cells.home.database
        self.clock = clock
        self.keepers = keepers
        self.registry = Registry(self.home, keepers, ids)
        self.tenant_keys = TenantKeyStore(self.home, keepers, ids)
        self.subject_keys = SubjectKeyStore(storage, scope_of, ids)
        self.acts = Acts(self.home, storage, scope_of, ids)
        self.envelope = Envelope(keepers, self.registry, self.tenant_keys, self.subject_keys)
