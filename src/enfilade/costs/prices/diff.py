"""What differs between two sets of prices, figure by figure."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

import msgspec

from enfilade.core.clock import to_rfc3339
from enfilade.costs.prices.book import PriceBook, PublishedModel, PublishedPrice, Tier
from enfilade.costs.prices.lists import ListEntry
from enfilade.costs.prices.tariffs import Tariff
from enfilade.costs.prices.units import UNITS, dollars_from_rate

Flat = dict[str, tuple[str, int]]
"""Figures by what they are for, each as its kind and rate."""
Prices = Mapping[str, Flat]
"""By model."""
FREE = "free"
HUNDREDTH = Decimal("0.01")


class Difference(msgspec.Struct, frozen=True):
    """One figure that was added, removed or changed. Figures are in USD and in the unit of their kind."""

    action: Literal["added", "removed", "changed"]
    model: str
    what: str
    unit: str
    old: str | None
    new: str | None
    percent: str | None


def differences(before: Prices, after: Prices) -> list[Difference]:
    """All figures that differ, by model."""
    found: list[Difference] = []
    for model in sorted(before.keys() | after.keys()):
        old, new = before.get(model, {}), after.get(model, {})
        found += [
            _difference(model, what, old.get(what), new.get(what))
            for what in dict.fromkeys((*old, *new))
            if old.get(what) != new.get(what)
        ]
    return found


def _difference(model: str, what: str, old: tuple[str, int] | None, new: tuple[str, int] | None) -> Difference:
    kind, _ = old or new or (FREE, 0)
    percent = None
    if old is not None and new is not None and old[1]:
        share = (Decimal(new[1] - old[1]) * 100 / old[1]).quantize(HUNDREDTH, ROUND_HALF_UP)
        percent = f"{share:+f}"
    return Difference(
        "added" if old is None else "removed" if new is None else "changed",
        model,
        what,
        UNITS[kind].words if kind in UNITS else "",
        _shown(old),
        _shown(new),
        percent,
    )


def _shown(figure: tuple[str, int] | None) -> str | None:
    if figure is None:
        return None
    kind, rate = figure
    return "yes" if kind == FREE else format(dollars_from_rate(kind, rate), "f")


def of_entries(entries: Sequence[ListEntry]) -> Prices:
    """A price list's figures, by model and, where an entry has one, by its beginning."""
    found: dict[str, Flat] = {}
    for entry in entries:
        prefix = f"from {to_rfc3339(entry.from_ns)[:16]}: " if entry.from_ns else ""
        if entry.to_ns is not None:
            prefix += f"until {to_rfc3339(entry.to_ns)[:16]}: "
        found.setdefault(entry.model, {}).update(of_tariff(entry.tariff, prefix))
    return found


def of_tariff(tariff: Tariff, prefix: str = "") -> Flat:
    """A declared price's figures."""
    if tariff.free:
        return {f"{prefix}{FREE}": (FREE, 1)}
    flat = _figures(tariff.rates, tariff.long_context, prefix)
    for name, variant in tariff.service_tiers.items():
        flat |= _figures(variant.rates, variant.long_context, f"{prefix}{name}: ")
    for hours in tariff.hours:
        flat |= _figures(hours.rates, hours.long_context, f"{prefix}{hours.from_time[:5]} to {hours.until_time[:5]}: ")
    return flat


def of_book(book: PriceBook) -> Prices:
    """A book's figures with their dates, by `provider/model`."""
    return {
        f"{provider.id}/{model.id}": of_published(model) for provider in book.providers for model in provider.models
    }


def of_published(model: PublishedModel) -> Flat:
    """A published model's figures with the conditions under which they hold."""
    flat: Flat = {}
    for price in model.history:
        flat |= _published(price, "")
    for tier in model.service_tiers:
        flat = _published(tier.price, f"{tier.service_tier}: ") | flat
    return flat


def of_book_now(book: PriceBook, models: Sequence[str], moment: datetime) -> Prices:
    """The standard figures that a book has at a moment for `provider/model` names; a name that it lacks is left out."""
    found: dict[str, Flat] = {}
    for name in models:
        provider, _, model = name.partition("/")
        entry = book.find(provider, model) if model else None
        if entry is not None:
            price = entry[1].price_at(moment)
            found[name] = _figures(price.prices, price.tiers, "")
    return found


def _published(price: PublishedPrice, prefix: str) -> Flat:
    if price.from_date is not None:
        prefix += f"from {price.from_date}: "
    if price.from_time is not None and price.until_time is not None:
        prefix += f"{price.from_time[:5]} to {price.until_time[:5]}: "
    return _figures(price.prices, price.tiers, prefix)


def _figures(rates: Mapping[str, int], tiers: Sequence[Tier], prefix: str) -> Flat:
    flat = {f"{prefix}{kind}": (kind, rate) for kind, rate in rates.items()}
    for tier in tiers:
        flat |= {f"{prefix}above {tier.above}: {kind}": (kind, rate) for kind, rate in tier.prices.items()}
    return flat
