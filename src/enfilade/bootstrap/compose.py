"""Builds the parts of a serving process from their settings."""

import ipaddress
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from random import Random  # noqa: TID251 - made here, handed to who needs it

from enfilade import __version__
from enfilade.api.admin.context import AdminContext
from enfilade.api.admin_app import build_admin
from enfilade.api.app import Application
from enfilade.api.calls import DataPlane, DataPlaneOptions
from enfilade.api.models import ModelList
from enfilade.api.probes import Probes, Readiness
from enfilade.api.responses.addresses import Caller, StoredAddresses
from enfilade.audit.service import Audit
from enfilade.bootstrap.access import AccessParts
from enfilade.bootstrap.addresses import CellAddresses
from enfilade.bootstrap.approvals import ApprovalParts
from enfilade.bootstrap.aws import AwsSigners
from enfilade.bootstrap.sealing import MasterKeyChoice, Reach, Sealing, scope_of
from enfilade.bootstrap.tenancy import TenancyParts
from enfilade.bootstrap.vault import FollowedSecrets, SecretRules
from enfilade.configuration.rooms import Rooms
from enfilade.configuration.service import ConfigurationService
from enfilade.core.clock import Clock
from enfilade.core.deadlines import DeadlineSweeper
from enfilade.core.ids import IdFactory
from enfilade.core.money import NANO_PER_USD
from enfilade.costs.billing.credits import Credits
from enfilade.costs.billing.profiles import BillingProfiles
from enfilade.costs.billing.service import Billing
from enfilade.costs.billing.typesetting import Typesetter
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
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.translation.passage import Translator
from enfilade.gateway.admission import Desk
from enfilade.gateway.cache import ReplyCache
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.dispatch import Dispatcher
from enfilade.gateway.keeping import Keeper
from enfilade.gateway.line import Line
from enfilade.gateway.observer import CallObserver
from enfilade.gateway.records import recovered_event
from enfilade.gateway.relay import Relay
from enfilade.gateway.resolve import resolve
from enfilade.gateway.stored.retention import Retention
from enfilade.gateway.stored.service import Stored
from enfilade.gateway.stored.upgrade import OldContents
from enfilade.identity.accounts.service import Accounts, Foundations
from enfilade.identity.cell_hosts import CellHosts
from enfilade.identity.directory import Directory
from enfilade.identity.entrance import Entrance
from enfilade.identity.key_uses import KeyUses
from enfilade.identity.principals import Principals
from enfilade.identity.provisioning.service import Provisioning
from enfilade.identity.sealed_columns import SEALED_COLUMNS
from enfilade.identity.service import Identity
from enfilade.identity.sign_in.means import Means
from enfilade.identity.sign_in.service import SignIn
from enfilade.identity.sign_in.sessions import Sessions
from enfilade.identity.sign_in.types import SessionRules
from enfilade.identity.types import ACTIVE
from enfilade.providers.credentials import SecretSources
from enfilade.providers.key_rotation import KeyRotation
from enfilade.providers.service import Providers
from enfilade.providers.transport.client import HttpClient
from enfilade.providers.transport.fetcher import GuardedFetcher
from enfilade.sealing.places import SealedColumn
from enfilade.sealing.renewal import Places
from enfilade.sealing.signing import Signatures
from enfilade.storage.address import Address
from enfilade.storage.cells import CellDirectory
from enfilade.storage.database import Database
from enfilade.storage.fleet import Fleet
from enfilade.storage.making import CellMaker
from enfilade.storage.partitions import Partitions
from enfilade.storage.replicas import ReplicaPresence
from enfilade.storage.turns import Turns
from enfilade.storage.unit_of_work import Storage
from enfilade.storage.writers import Writers
from enfilade.telemetry import names
from enfilade.telemetry.logs import LineWriter
from enfilade.telemetry.metrics import Metrics
from enfilade.telemetry.traces import CallTracer, NoTracer

Service = Callable[[], Awaitable[None]]


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


class Parts:
    """Everything in a serving process, built but not started."""

    def __init__(self, given: Ingredients) -> None:
        """Build from the bottom up, in the order of the rooms."""
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
        self.principals = Principals()
        self.key_uses = KeyUses(self.storage, self.principals, clock)
        self.sessions = Sessions(ids, clock, given.session_rules)
        self.access = AccessParts(self.storage, self.identity, clock, ids)
        self.approvals = ApprovalParts(self.storage, self.identity, self.access, clock, ids)
        self.principals.temporary = self.approvals.service.book
        self._add_middle_rooms(given, clock, ids)
        self._add_upper_rooms(given, clock, ids)
        self._watch()

    def _add_middle_rooms(self, given: Ingredients, clock: Clock, ids: IdFactory) -> None:
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
        self.tenancy = TenancyParts(self.identity, self.storage, self.cell_maker, signatures, clock)
        self.providers = Providers(ids, clock, self.client, self.secrets.sources, self.sealer, self.database)
        self.key_rotation = KeyRotation(self.providers, self.storage, clock, self.metrics)

        self.accounts = Accounts(
            Foundations(self.storage, self.principals, self.sessions, self.sealer, ids, clock), given.public_url
        )
        self.provisioning = Provisioning(
            self.identity.users, self.identity.groups, self.identity.departments, self.sessions
        )
        self.sign_in = SignIn(
            Means(ids, clock, self.storage, GuardedFetcher(self.client), self.sealer),
            self.identity.users,
            self.principals,
            self.sessions,
            self.refresh,
        )
        self.entrance = Entrance(
            self.principals, self.sign_in.tokens, self.sign_in.book, self.storage, self.sessions, clock
        )

    def _add_upper_rooms(self, given: Ingredients, clock: Clock, ids: IdFactory) -> None:
        # gateway
        self.dialects = load_dialects()
        self.catalogue = Catalogue(ids, clock, self.providers, self.prices, given.random)
        self.cache = ReplyCache(clock, given.cache_bytes)
        observer = CallObserver(self.metrics, given.tracer, given.log, given.log_style)
        desk = Desk(self.costs, self.writers, clock, observer, self.replica)
        translator = Translator(self.dialects)
        dispatcher = Dispatcher(translator, clock, given.random, self.metrics)
        relay = Relay(clock, self.cache)
        self.stored = Stored(self.storage, self.envelope, clock, ids, given.max_body_bytes)
        old_contents = OldContents(self.storage, scope_of, self.envelope)
        columns = [SealedColumn(column, self.storage, scope_of, self.envelope) for column in SEALED_COLUMNS]
        self.sealing.renew_in(Places((self.providers.sealed,), columns, (old_contents,)))
        find = self.sealing.guarded(partial(resolve, self.catalogue, translator))
        self.access.finish(find, self.catalogue, self.providers, self.principals)
        self.line = Line(desk, self.access.gate, dispatcher, relay, self.cache, Keeper(self.dialects, self.stored))
        self.retention = Retention(self.storage, clock)
        # The directory installs its sections in this order: who may come in last, when everything else is known.
        sections = (
            self.envelope,
            self.prices,
            self.providers,
            self.catalogue,
            self.costs,
            self.sign_in.book,
            self.access.service,
            self.accounts.rules,
            self.approvals.service.book,
            self.principals,
        )
        self.directory = Directory(self.storage, self.presence, clock, self.cell_hosts, sections)
        # configuration
        self.rooms = Rooms(
            storage=self.storage,
            identity=self.identity,
            limits=self.limits,
            budgets=self.budgets,
            prices=self.prices,
            providers=self.providers,
            catalogue=self.catalogue,
            billing=self.billing_profiles,
            anomalies=self.anomaly_rules,
            account_rules=self.accounts.rules,
            use_cases=self.access.use_cases,
            policies=self.access.versions,
            approval_rules=self.approvals.service.rules,
            issuers=self.sign_in.issuers,
        )
        self.configuration = ConfigurationService(self.rooms)
        # api
        self.options = DataPlaneOptions(given.max_body_bytes, given.trusted_proxies, given.tenant_calls)
        self.data_plane = DataPlane(self.line, self.entrance, clock, ids, self.options)
        self.readiness = Readiness(
            {
                "database": lambda: self.writer.failing_for() == 0.0,
                "directory": lambda: self.directory.is_fresh,
                "accepting": lambda: not self.data_plane.draining,
            }
        )

    def _time_zones(self) -> dict[str, str]:
        return {tenant.id: tenant.spec.time_zone for tenant in self.principals.tenants()}

    def _zones_at_work(self) -> dict[str, str]:
        """The time zones of tenants that are not suspended."""
        zones = self._time_zones()
        return {tenant.id: zones[tenant.id] for tenant in self.principals.tenants() if tenant.state == ACTIVE}

    def application(self) -> Application:
        """What the server serves."""
        admin = build_admin(self.admin_context())
        trusted = tuple(self.given.trusted_proxies)
        models = ModelList(self.catalogue, self.access.gate, self.entrance, self.clock, self.ids, trusted)
        probes = Probes(self.readiness, self.metrics, self.entrance)
        stored = StoredAddresses(self.stored, Caller(self.entrance, self.ids, self.options))
        return Application(self.dialects, self.data_plane, models, stored, probes, admin)

    def admin_context(self) -> AdminContext:
        """What the admin API works with."""
        return AdminContext(
            storage=self.storage,
            database=self.database,
            principals=self.principals,
            entrance=self.entrance,
            sessions=self.sessions,
            accounts=self.accounts,
            provisioning=self.provisioning,
            sign_in=self.sign_in,
            public_url=self.given.public_url,
            rooms=self.rooms,
            configuration=self.configuration,
            key_rotation=self.key_rotation,
            costs=self.costs,
            billing=self.billing,
            typesetter=Typesetter(),
            exports=self.exports,
            reconciliations=self.reconciliations,
            bookings=self.bookings,
            audit=self.audit,
            encryption=self.sealing.encryption,
            stored=self.stored,
            access=self.access.service,
            inquiry=self.access.inquiry,
            approvals=self.approvals.service,
            reviews=self.approvals.reviews,
            directory=self.directory,
            clock=self.clock,
            ids=self.ids,
            trusted_proxies=self.given.trusted_proxies,
            replica=self.replica,
        )

    async def refresh(self) -> None:
        """Let this process know of a change at once."""
        await self.directory.refresh()

    def services(self) -> list[Service]:
        """What runs beside the requests, until the process ends."""
        return [
            self.sweeper.run,
            self.writer.run,
            self.writers.run,
            self.presence.run,
            self.directory.run,
            self.meter_book.prune,
            self.meter_book.watch_clock,
            self.partitions.run,
            self.recovery.run,
            self.roll_ups.run,
            self.anomalies.run,
            self.retention.run,
            self.key_uses.run,
            *self.tenancy.services(),
            *self.sealing.services(),
            self.sign_in.tokens.renew_keys,
            self.access.review_watch.run,
            *self.approvals.services(),
            self.key_rotation.run,
            *self.secrets.services(),
        ]

    def _watch(self) -> None:
        metrics, statistics = self.metrics, self.writer.statistics
        self.secrets.watch(metrics)
        metrics.watch(names.RUNNING, lambda: len(self.meter_book.holds))
        metrics.watch(names.HELD, lambda: sum(hold.nano for hold in self.meter_book.holds.values()) / NANO_PER_USD)
        metrics.watch(names.BACKLOG, lambda: self.writers.backlog)
        metrics.watch(names.COMMITS, lambda: statistics.transactions)
        metrics.watch(names.COMMIT_SECONDS, lambda: statistics.seconds)
        metrics.watch(names.SETTLED, lambda: statistics.settled)
        metrics.watch(names.REVISION, lambda: self.directory.revision)
        metrics.watch(names.FRESH, lambda: float(self.directory.is_fresh))
        metrics.watch(names.REPLICAS, lambda: self.presence.alive)
        metrics.watch(names.CONNECTIONS, self.client.open_connections)
        metrics.watch(names.CACHE_BYTES, lambda: self.cache.size)
        metrics.watch(names.BOOK_REJECTED, lambda: float(self.prices.rejected is not None))
        metrics.watch(names.SPEND_LAG, lambda: self.roll_ups.lag_s)
        if (log := self.given.log) is not None:
            metrics.watch(names.LOST_LOG_LINES, lambda: log.lost)
        metrics.watch_many(
            names.BREAKERS,
            lambda: [
                ((label,), float(breaker.state != "closed")) for label, breaker in self.catalogue.breakers().items()
            ],
        )
