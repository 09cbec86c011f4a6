"""The prices section of the directory: every price in memory, and which of them a call goes by.

An administrator's price for a model comes first, then an imported price list's, then the published book's. What
providers grant us and what tenants pay on top is applied to whichever it is.
"""

from collections.abc import Collection, Mapping, Sequence

import msgspec
import structlog

from enfilade.core.clock import Clock, to_datetime
from enfilade.costs.errors import PriceBookFault
from enfilade.costs.prices import store
from enfilade.costs.prices.adjustments import Adjustments, adjusted
from enfilade.costs.prices.agreements import Agreements, adjustment_of
from enfilade.costs.prices.book import FORM, PriceBook, decode_book
from enfilade.costs.prices.books import PriceBooks
from enfilade.costs.prices.currencies import Currencies, rate_of
from enfilade.costs.prices.imports import PriceListImports
from enfilade.costs.prices.installed import book_version, compile_installed_book
from enfilade.costs.prices.lists import PriceLists, list_version_of
from enfilade.costs.prices.overrides import Overrides, override_of
from enfilade.costs.prices.sheet import PriceSheet
from enfilade.costs.prices.source import Listed, Override, PriceSource, Substitution, TenantSheet
from enfilade.identity.directory import Install
from enfilade.identity.scopes import system_scope
from enfilade.storage.unit_of_work import Storage, UnitOfWork

PROVIDER_IDS = {"openai": "openai", "anthropic": "anthropic"}
"""The book's name for each kind of provider whose address need not be looked at."""
LONGEST_CALL_NS = 24 * 3600 * 1_000_000_000
"""Superseded versions of price lists stay in memory for calls that began under them."""
MAX_TENANTS = 4096
"""Tenants whose own sheets are kept for one deployment."""
MAX_BOOKS_TRIED = 5

log = structlog.get_logger("enfilade.costs.prices")


class PriceCatalogue:
    """See the module."""

    of_platform = True

    def __init__(self, storage: Storage, clock: Clock) -> None:
        """Start without any price."""
        self._storage = storage
        self.clock = clock
        self.overrides = Overrides(clock)
        self.books = PriceBooks()
        self.imports = PriceListImports(clock)
        self.agreements = Agreements(clock)
        self.currencies = Currencies(clock)
        self._overrides: Mapping[str, Sequence[Override]] = {}
        self._lists = PriceLists()
        self._adjustments = Adjustments()
        self._book = PriceBook("none", ())
        self.rejected: str | None = None
        """Why the installed price data is not in use, if it is not."""

    @property
    def book(self) -> PriceBook:
        """The price book in use."""
        return self._book

    async def prepare(self) -> None:
        """Read the book of the installed price data, compiling it if this database has never seen that version.

        A book that cannot be made keeps the last good one in use and raises an alarm.
        """
        scope = system_scope("prices")
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            text = await unit.fetch_value(store.READ_BOOK, book_version(), FORM)
        try:
            if text is not None:
                self._book = decode_book(text)
                return
        except PriceBookFault as fault:
            log.warning("stored_price_book_unreadable", error=fault.message)
        try:
            book = await compile_installed_book()
        except PriceBookFault as fault:
            await self._fall_back(fault)
            return
        async with self._storage.unit_of_work(scope) as unit:
            await unit.execute(store.STORE_BOOK, book.version, FORM, msgspec.json.encode(book).decode())
            unit.record("PriceBookCompiled", version=book.version)
        self._book = book

    async def _fall_back(self, fault: PriceBookFault) -> None:
        self.rejected = fault.message
        async with self._storage.unit_of_work(system_scope("prices")) as unit:
            for row in await unit.fetch(store.READ_BOOKS, FORM, MAX_BOOKS_TRIED):
                try:
                    self._book = decode_book(row["body"])
                except PriceBookFault:
                    continue
                break
            unit.record(
                "PriceBookRejected", version=book_version(), reason=fault.message[:500], in_use=self._book.version
            )
        log.error("price_book_unusable", error=fault.message, in_use=self._book.version)

    async def load(self, unit: UnitOfWork, _tenants: Collection[str] | None) -> Install:
        """See `Section.load`: everything declared about prices, which concerns every tenant."""
        overrides: dict[str, list[Override]] = {}
        for row in await unit.fetch(store.LIST_OVERRIDES):
            overrides.setdefault(row["model"], []).append(override_of(row))
        since = to_datetime(self.clock.now_ns() - LONGEST_CALL_NS)
        lists = PriceLists([list_version_of(row) for row in await unit.fetch(store.LIST_LISTS, since)])
        adjustments = Adjustments([adjustment_of(row) for row in await unit.fetch(store.LIST_ADJUSTMENTS)])
        rates = [rate_of(row) for row in await unit.fetch(store.LIST_RATES)]

        def install() -> None:
            self.currencies.install(rates)
            self._overrides = overrides
            self._lists = lists
            self._adjustments = adjustments

        return install

    def source(
        self, model: str, kind: str, base_url: str, upstream_model: str, names: Sequence[str] = ()
    ) -> PriceSource:
        """Where the price of a deployment comes from. `names` are further ones that a price list may know it by.

        What is declared is looked up when the price is first asked for: a source may be made while new prices load.
        """
        provider = PROVIDER_IDS.get(kind) or self._book.provider_at(base_url)
        published = self._book.find(provider, upstream_model) if provider else None
        known_as = tuple(dict.fromkeys((model, *names)))

        def listed(now_ns: int) -> Listed:
            return self._lists.find(known_as, now_ns)

        upstream = (self._book, provider, upstream_model) if provider else None
        return PriceSource(model, lambda name: self._overrides.get(name, ()), published, listed, upstream)

    def sheet_for(self, source: PriceSource, tenant: str, provider: str, model: str, now_ns: int) -> PriceSheet | None:
        """What a tenant pays at a moment, with what the provider charges and the list price beside it.

        `provider` and `model` are our names. None for an unpriced model.
        """
        listed = source.at(now_ns)
        adjustments = self._adjustments
        if not adjustments or listed is None:
            return listed
        key = tenant, provider, model
        known = source.tenants.get(key)
        if (
            known is not None
            and known.listed is listed
            and known.since_ns <= now_ns < known.until_ns
            and known.adjustments is adjustments
        ):
            return known.sheet
        found, until_ns = adjustments.find(tenant, provider, model, now_ns)
        sheet = adjusted(listed, found)
        if len(source.tenants) >= MAX_TENANTS:
            source.tenants.clear()
        source.tenants[key] = TenantSheet(listed, sheet, now_ns, until_ns, adjustments)
        return sheet

    def substituted_for(
        self, source: PriceSource, answered: str, tenant: str, provider: str, model: str, now_ns: int
    ) -> Substitution:
        """`PriceSource.substituted` with the sheet as this tenant pays it."""
        found = source.substituted(answered, now_ns)
        if found.sheet is None or not self._adjustments:
            return found
        adjustments, _ = self._adjustments.find(tenant, provider, model, now_ns)
        return Substitution(found.kind, adjusted(found.sheet, adjustments))
