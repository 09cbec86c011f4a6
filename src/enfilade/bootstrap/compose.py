"""Builds the parts of a serving process from their settings."""

from collections.abc import Awaitable, Callable
from functools import partial

from enfilade.api.admin.context import AdminContext
from enfilade.api.admin_app import build_admin
from enfilade.api.app import Application
from enfilade.api.calls import DataPlane, DataPlaneOptions
from enfilade.api.models import ModelList
from enfilade.api.probes import Probes, Readiness
from enfilade.api.responses.addresses import Caller, StoredAddresses
from enfilade.bootstrap.ingredients import Ingredients
from enfilade.bootstrap.middle_rooms import MiddleRooms
from enfilade.bootstrap.sealing import scope_of
from enfilade.configuration.rooms import Rooms
from enfilade.configuration.service import ConfigurationService
from enfilade.core.money import NANO_PER_USD
from enfilade.costs.billing.typesetting import Typesetter
from enfilade.dialects.registry import load_dialects
from enfilade.dialects.translation.passage import Translator
from enfilade.gateway.admission import Desk
from enfilade.gateway.cache import ReplyCache
from enfilade.gateway.catalogue import Catalogue
from enfilade.gateway.dispatch import Dispatcher
from enfilade.gateway.keeping import Keeper
from enfilade.gateway.line import Line
from enfilade.gateway.observer import CallObserver
from enfilade.gateway.relay import Relay
from enfilade.gateway.resolve import resolve
from enfilade.gateway.stored.retention import Retention
from enfilade.gateway.stored.service import Stored
from enfilade.gateway.stored.upgrade import OldContents
from enfilade.identity.directory import Directory
from enfilade.identity.sealed_columns import SEALED_COLUMNS
from enfilade.sealing.places import SealedColumn
from enfilade.sealing.renewal import Places
from enfilade.telemetry import names

Service = Callable[[], Awaitable[None]]


class Parts(MiddleRooms):
    """Everything in a serving process, built but not started."""

    def __init__(self, given: Ingredients) -> None:
        """Build the upper rooms above the others, in the order of the rooms."""
        super().__init__(given)
        clock, ids = self.clock, self.ids
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
        self._watch()

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
            archives=self.tenancy.archives,
            imports=self.tenancy.imports,
            directory=self.directory,
            clock=self.clock,
            ids=self.ids,
            trusted_proxies=self.given.trusted_proxies,
            replica=self.replica,
        )

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
        metrics, writers = self.metrics, self.writers
        self.secrets.watch(metrics)
        metrics.watch(names.RUNNING, lambda: len(self.meter_book.holds))
        metrics.watch(names.HELD, lambda: sum(hold.nano for hold in self.meter_book.holds.values()) / NANO_PER_USD)
        metrics.watch(names.BACKLOG, lambda: writers.backlog)
        metrics.watch(names.COMMITS, lambda: sum(writer.statistics.transactions for writer in writers.all()))
        metrics.watch(names.COMMIT_SECONDS, lambda: sum(writer.statistics.seconds for writer in writers.all()))
        metrics.watch(names.SETTLED, lambda: sum(writer.statistics.settled for writer in writers.all()))
        metrics.watch_many(
            names.RECORDS_LOST, lambda: [((reason,), float(n)) for reason, n in self.writers.lost().items()]
        )
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
