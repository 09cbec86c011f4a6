"""The lower rooms of a serving process: storage and identity, and what decides about access."""

from enfilade import __version__
from enfilade.bootstrap.access import AccessParts
from enfilade.bootstrap.addresses import CellAddresses
from enfilade.bootstrap.approvals import ApprovalParts
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.vault import FollowedSecrets
from enfilade.core.deadlines import DeadlineSweeper
from enfilade.core.ids import IdFactory
from enfilade.identity.cell_hosts import CellHosts
from enfilade.identity.key_uses import KeyUses
from enfilade.identity.principals import Principals
from enfilade.identity.service import Identity
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.storage.cells import CellDirectory
from enfilade.storage.database import Database
from enfilade.storage.fleet import Fleet
from enfilade.storage.making import CellMaker
from enfilade.storage.partitions import Partitions
from enfilade.storage.replicas import ReplicaPresence
from enfilade.storage.unit_of_work import Storage
from enfilade.storage.writers import Writers
from enfilade.telemetry.metrics import Metrics


class LowerRooms:
    """Built from the bottom up, in the order of the rooms."""

    secrets: FollowedSecrets
    """A room above has them; they are not asked for before the process runs."""

    def __init__(self, given: Ingredients) -> None:
        """Build them, and start nothing."""
        self.given = given
        self.clock = clock = given.clock
        self.ids = ids = IdFactory(clock)
        self.metrics = Metrics()
        self.sweeper = DeadlineSweeper(clock)
        self.replica = ids.new_id()
        # storage
        self.database = Database(given.address)
        self.cells = CellDirectory(self.database)
        self.storage = Storage(self.cells, clock)
        self.cell_maker = CellMaker(self.cells, clock)
        self.fleet = Fleet(self.cells)
        self.writers = Writers(self.cells, clock)
        self.writer = self.writers.home
        self.presence = ReplicaPresence(self.database, self.replica, __version__, clock)
        self.partitions = Partitions(self.cells, clock)
        # identity
        addresses = CellAddresses(lambda: self.secrets, clock)
        self.cell_hosts = CellHosts(ids, self.cells, addresses, given.address.role_secret)
        self.identity = Identity(ids, clock, self.cell_maker, self.cell_hosts)
        self.principals = Principals(clock)
        self.key_uses = KeyUses(self.storage, self.principals, clock)
        self.sessions = Sessions(ids, clock, given.session_rules)
        self.access = AccessParts(self.storage, self.identity, clock, ids)
        self.approvals = ApprovalParts(self.storage, self.identity, self.access, clock, ids)
        self.principals.temporary = self.approvals.service.book
