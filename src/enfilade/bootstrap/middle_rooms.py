"""The middle rooms of a serving process: costs, audit, sealing, providers, and how people come in."""

from enfilade.audit.service import Audit
from enfilade.bootstrap.aws import AwsSigners
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.lower_rooms import LowerRooms
from enfilade.bootstrap.sealing import MasterKeyChoice, Reach, Sealing
from enfilade.bootstrap.tenancy import TenancyParts
from enfilade.bootstrap.vault import FollowedSecrets
from enfilade.costs.billing.credits import Credits
from enfilade.costs.billing.profiles import BillingProfiles
from enfilade.costs.billing.service import Billing
from enfilade.costs.holds.budgets import Budgets
from enfilade.costs.holds.limits import Limits
from enfilade.costs.holds.meter_book import MeterBook
from enfilade.costs.holds.seeding import Seeder
from enfilade.costs.ledger.recovery import Recovery
from enfilade.costs.outlook.anomalies import AnomalyWatch
from enfilade.costs.outlook.rules import AnomalyRuleBook
from enfilade.costs.prices.catalogue import PriceCatalogue
from enfilade.costs.reconciliation.booking import Bookings
from enfilade.costs.reconciliation.service import Reconciliations
from enfilade.costs.service import Costs
from enfilade.costs.spend.exports.service import Exports
from enfilade.costs.spend.rollups import RollUps
from enfilade.gateway.records import recovered_event
from enfilade.identity.accounts.service import Accounts, Foundations
from enfilade.identity.archive_means import ArchiveMeans
from enfilade.identity.directory import Directory
from enfilade.identity.entrance import Entrance
from enfilade.identity.provisioning.service import Provisioning
from enfilade.identity.sign_in.means import Means
from enfilade.identity.sign_in.service import SignIn
from enfilade.identity.types import ACTIVE
from enfilade.providers.credentials import SecretSources
from enfilade.providers.key_rotation import KeyRotation
from enfilade.providers.service import Providers
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.fetcher import GuardedFetcher
from enfilade.sealing.signing import Signatures
from enfilade.storage.turns import Turns


class MiddleRooms(LowerRooms):
    """Built above the lower ones."""

    directory: Directory
    """A room above has it; it is not asked for before the process runs."""

    def __init__(self, given: Ingredients) -> None:
        """Build them, and start nothing."""
        super().__init__(given)
        clock, ids = self.clock, self.ids
        # costs, audit, providers
        self.meter_book = MeterBook(clock)
        self.seeder = Seeder(self.meter_book, self.storage, self.writers, clock)
        self.costs = Costs(self.meter_book, self.seeder, clock)
        self.exports = Exports(self.storage)
        self.limits = Limits(ids, self.identity)
        self.budgets = Budgets(ids, self.identity, clock)
        self.prices = PriceCatalogue(self.storage, clock)
        self.billing_profiles = BillingProfiles()
        self.billing = Billing(ids, clock, self.billing_profiles, Credits(ids, clock), self.prices.currencies)
        self.recovery = Recovery(
            self.storage,
            self.writers,
            clock,
            self.replica,
            recovered_event,
            has_company=not given.address.embedded,
        )
        self.reconciliations = Reconciliations(ids, clock)
        self.bookings = Bookings(self.reconciliations, ids, clock)
        self.roll_ups = RollUps(self.storage, clock, Turns(self.cells, self.writers, clock), self._time_zones)
        self.anomaly_rules = AnomalyRuleBook()
        self.anomalies = AnomalyWatch(
            self.storage, clock, Turns(self.cells, self.writers, clock), self.anomaly_rules, self._zones_at_work
        )
        self.audit = Audit()
        self.client = HttpClient(clock, self.sweeper)
        allowed = SecretSources(given.environment, given.secret_env, given.secret_dirs)
        self.secrets = FollowedSecrets(given.secrets, allowed, GuardedFetcher(self.client), clock)
        choice = given.master_keys or MasterKeyChoice(given.master_key)
        aws = AwsSigners(given.environment, self.client, clock)
        reach = Reach(GuardedFetcher(self.client), self.secrets.client, aws)
        self.sealing = Sealing(choice, reach, self.storage, ids, clock)
        self.envelope, self.sealer = self.sealing.envelope, self.sealing.sealer
        signatures = Signatures(self.sealer, self.database)
        means = ArchiveMeans(self.storage, self.sealing.parts, signatures, ids, clock)
        self.tenancy = TenancyParts(self.identity, self.cell_maker, means)
        self.providers = Providers(ids, clock, self.client, self.secrets.sources, self.sealer, self.database)
        self.key_rotation = KeyRotation(self.providers, self.storage, clock, self.metrics)

        self.accounts = Accounts(
            Foundations(self.storage, self.principals, self.sessions, self.sealer, ids, clock), given.public_url
        )
        self.provisioning = Provisioning(self.identity.users, self.identity.groups, self.identity.departments)
        self.sign_in = SignIn(
            Means(ids, clock, self.storage, GuardedFetcher(self.client), self.sealer),
            self.identity.users,
            self.principals,
            self.sessions,
            self.refresh,
        )
        self.entrance = Entrance(self.principals, self.sign_in, self.storage, self.accounts.rules, clock)

    async def refresh(self) -> None:
        """Let this process know of a change at once."""
        await self.directory.refresh()

    def _time_zones(self) -> dict[str, str]:
        return {tenant.id: tenant.spec.time_zone for tenant in self.principals.tenants()}

    def _zones_at_work(self) -> dict[str, str]:
        """The time zones of tenants that are not suspended."""
        return {tenant.id: tenant.spec.time_zone for tenant in self.principals.tenants() if tenant.state == ACTIVE}
