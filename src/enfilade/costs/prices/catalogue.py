"""Which price a model has now: an administrator's override if there is one, else the book's, else none."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import structlog

from enfilade.core.clock import Clock, to_datetime, to_ns
from enfilade.costs.errors import InvalidRule, PriceBookFault
from enfilade.costs.prices import store
from enfilade.costs.prices.book import PriceBook, PublishedModel, decode_book
from enfilade.costs.prices.installed import book_version, compile_installed_book
from enfilade.costs.prices.kinds import KINDS
from enfilade.costs.prices.sheet import FREE, PriceSheet, nano_per_million, rates_of
from enfilade.identity.directory import Install
from enfilade.identity.scopes import system_scope
from enfilade.identity.types import Outcome
from enfilade.storage.unit_of_work import Storage, UnitOfWork

MINUTE_NS = 60 * 1_000_000_000
FOREVER_NS = 1 << 63
PROVIDER_IDS = {"openai": "openai", "anthropic": "anthropic"}
"""The book's name for each kind of provider whose address need not be looked at."""

log = structlog.get_logger("enfilade.costs.prices")


@dataclass(frozen=True, slots=True)
class Override:
    """A price that an administrator set for a model, from a moment on; None ends it."""

    from_ns: int
    rates: Mapping[str, int] | None


class PriceSource:
    """The price of one model at one provider, at any time."""

    __slots__ = ("_model", "_overrides", "_published", "_sheet", "_since_ns", "_until_ns")

    def __init__(
        self,
        model: str,
        overrides: Callable[[str], Sequence[Override]],
        published: tuple[str, PublishedModel] | None,
    ) -> None:
        """Combine what administrators and the book say; `overrides` of a model ascend by time."""
        self._model = model
        self._overrides = overrides
        self._published = published
        self._sheet: PriceSheet | None = None
        self._since_ns = self._until_ns = 0

    def at(self, now_ns: int) -> PriceSheet | None:
        """The price in force, or None for an unpriced model."""
        # Earlier moments are asked for too: of calls that began before a change, and when the clock is set back.
        if not self._since_ns <= now_ns < self._until_ns:
            self._sheet, self._until_ns = self._find(now_ns)
            self._since_ns = now_ns
        return self._sheet

    @property
    def context_window(self) -> int | None:
        """The context window that the book publishes."""
        return self._published[1].context_window if self._published else None

    def _find(self, now_ns: int) -> tuple[PriceSheet | None, int]:
        overrides = self._overrides(self._model)
        until = next((o.from_ns for o in overrides if o.from_ns > now_ns), FOREVER_NS)
        current = next((o for o in reversed(overrides) if o.from_ns <= now_ns), None)
        if current is not None and current.rates is not None:
            label = f"override:{self._model}@{to_datetime(current.from_ns).isoformat()}"
            return sheet_of(label, current.rates), until
        if self._published is None:
            return None, until
        label, published = self._published
        if published.varies_by_time:
            until = min(until, (now_ns // MINUTE_NS + 1) * MINUTE_NS)
        return published.sheet(label, to_datetime(now_ns)), until


def sheet_of(label: str, rates: Mapping[str, int]) -> PriceSheet:
    """The sheet of an override."""
    if rates.get("free"):
        return FREE
    return PriceSheet(label, rates_of(rates))


class PriceCatalogue:
    """The prices section of the directory, and the use cases of price overrides."""

    def __init__(self, storage: Storage, clock: Clock) -> None:
        """Start without any price."""
        self._storage = storage
        self._clock = clock
        self._overrides: Mapping[str, Sequence[Override]] = {}
        self._book = PriceBook("none", ())

    @property
    def book(self) -> PriceBook:
        """The price book in use."""
        return self._book

    async def prepare(self) -> None:
        """Read the book of the installed price data, compiling it if this database has never seen that version.

        A book that cannot be made keeps the last good one in use and raises an alarm in the log.
        """
        scope = system_scope("prices")
        async with self._storage.unit_of_work(scope, readonly=True) as unit:
            text = await unit.fetch_value(store.READ_BOOK, book_version())
        try:
            if text is not None:
                self._book = decode_book(text)
                return
            book = await compile_installed_book()
        except PriceBookFault as fault:
            await self._fall_back(fault)
            return
        async with self._storage.unit_of_work(scope) as unit:
            await unit.execute(store.STORE_BOOK, book.version, msgspec.json.encode(book).decode())
            unit.record("PriceBookCompiled", version=book.version)
        self._book = book

    async def _fall_back(self, fault: PriceBookFault) -> None:
        async with self._storage.unit_of_work(system_scope("prices"), readonly=True) as unit:
            row = await unit.fetch_row(store.READ_LAST_BOOK)
        if row is not None:
            self._book = decode_book(row["body"])
        log.error("price_book_unusable", error=fault.message, in_use=self._book.version)

    async def load(self, unit: UnitOfWork, _tenants: Collection[str] | None) -> Install:
        """See `Section.load`: the overrides, which concern every tenant."""
        overrides: dict[str, list[Override]] = {}
        for row in await unit.fetch(store.LIST_OVERRIDES):
            overrides.setdefault(row["model"], []).append(_override(row))

        def install() -> None:
            self._overrides = overrides

        return install

    def source(self, model: str, kind: str, base_url: str, upstream_model: str) -> PriceSource:
        """Where the price of a deployment comes from.

        The overrides are looked up when the price is first asked for: a source may be made while new ones load.
        """
        provider = PROVIDER_IDS.get(kind) or self._book.provider_at(base_url)
        published = self._book.find(provider, upstream_model) if provider else None
        return PriceSource(model, lambda name: self._overrides.get(name, ()), published)

    async def current(self, unit: UnitOfWork, model: str) -> Mapping[str, int] | None:
        """The override that is in force, if any."""
        now_ns = self._clock.now_ns()
        overrides = [_override(row) for row in await unit.fetch(store.LIST_OVERRIDES_OF_MODEL, model)]
        latest = next((o for o in reversed(overrides) if o.from_ns <= now_ns), None)
        return latest.rates if latest else None

    async def history(self, unit: UnitOfWork, model: str) -> list[Override]:
        """All overrides of a model, oldest first."""
        return [_override(row) for row in await unit.fetch(store.LIST_OVERRIDES_OF_MODEL, model)]

    async def put(
        self, unit: UnitOfWork, model: str, rates: Mapping[str, int] | None, effective: datetime | None = None
    ) -> Outcome:
        """Set (or, with None, end) a model's override from `effective` or from now on. The past keeps its price."""
        if effective is None and await self.current(unit, model) == rates:
            return Outcome.UNCHANGED
        moment = effective or to_datetime(self._clock.now_ns())
        text = None if rates is None else msgspec.json.encode(dict(rates)).decode()
        await unit.execute(store.INSERT_OVERRIDE, model, moment, text)
        shown = None if rates is None else {kind: str(nano) for kind, nano in rates.items()}
        unit.record("PriceChanged", model=model, effective_from=moment.isoformat(), nano_per_million=shown)
        unit.changed()
        return Outcome.CHANGED


def _override(row: Any) -> Override:
    rates = None if row["rates"] is None else msgspec.json.decode(row["rates"], type=dict[str, int])
    return Override(to_ns(row["effective_from"]), rates)


def rates_from_dollars(prices: Mapping[str, object]) -> dict[str, int]:
    """Rates from the configuration's form: USD per million tokens by kind, or `free: true`.

    Raises InvalidRule for unknown kinds and for figures that are no prices.
    """
    if prices.get("free"):
        if len([name for name, value in prices.items() if value is not None]) > 1:
            message = "a free model has no other prices"
            raise InvalidRule(message, param="price")
        return {"free": 1}
    rates = {}
    for kind, price in prices.items():
        if price is None or kind == "free":
            continue
        if kind not in KINDS:
            message = f"{kind!r} is no kind of price; the kinds are {', '.join(KINDS)}"
            raise InvalidRule(message, param="price")
        try:
            rates[kind] = nano_per_million(price)  # type: ignore[arg-type]
        except ValueError as error:
            raise InvalidRule(str(error), param=f"price.{kind}") from None
    if "input" not in rates:
        message = "a price needs at least `input`; use `free: true` for a model that costs nothing"
        raise InvalidRule(message, param="price")
    return rates
