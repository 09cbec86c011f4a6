"""Turns the data of the package `genai-prices` into a price book: `python -m enfilade.costs.prices.compile`.

It runs in a process of its own: the package's tables would stay in the server's memory for good, and the result
is needed once for each version of the package.
"""

import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from genai_prices import types as source
from genai_prices.data import providers

from enfilade.costs.errors import PriceBookFault
from enfilade.costs.prices.book import (
    Match,
    PriceBook,
    PublishedModel,
    PublishedPrice,
    PublishedProvider,
    PublishedTier,
    Tier,
)
from enfilade.costs.prices.installed import book_version
from enfilade.costs.prices.units import rate_from_dollars

KIND_BY_UNIT = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_5m_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "cache_audio_read_mtok": "cached_audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "cache_image_read_mtok": "cached_image_input",
    "output_image_mtok": "image_output",
    "requests_kcount": "requests",
    "web_searches_kcount": "web_searches",
    "input_mchars": "characters",
    "input_document_kpages": "pages",
    "audio_hours": "seconds",
    "input_audio_hours": "seconds",
    "output_audio_hours": "seconds",
}
"""Units by our kinds; each kind's unit for people is the same as theirs. Of two for one kind the earlier one counts."""
FINEST = Decimal("0.000000001")
VARIANTS = {("processing", "batch"): "batch", ("speed", "fast"): "fast"}
"""The service tiers that other conditions of published prices stand for."""

Constraint = source.StartDateConstraint | source.TimeOfDateConstraint | None


def compile_book() -> PriceBook:
    """The book of the installed data. Raises PriceBookFault when a figure is not sane."""
    compiled = []
    for provider in providers:
        models = tuple(_named(provider.id, entry) for entry in provider.models)
        if models:
            falls_back_to = tuple(provider.fallback_model_providers or ())
            compiled.append(PublishedProvider(provider.id, provider.api_pattern, models, falls_back_to))
    book = PriceBook(book_version(), tuple(compiled))
    book.validate()
    return book


def _named(provider: str, entry: source.ModelInfo) -> PublishedModel:
    try:
        return _model(entry)
    except (ValueError, ArithmeticError) as error:
        message = f"The price data's entry for {provider}/{entry.id} is not sane: {error}"
        raise PriceBookFault(message) from error


def _model(entry: source.ModelInfo) -> PublishedModel:
    prices = entry.prices if isinstance(entry.prices, list) else [source.ConditionalPrice(prices=entry.prices)]
    unsupported: set[str] = set()
    history = tuple(_price(conditional.prices, conditional.constraint, unsupported) for conditional in prices)
    tiers, unknown = [], set()
    for variant in entry.price_variants or ():
        tier = _service_tier(variant.when)
        price = _price(variant.prices, variant.constraint, unsupported)
        if tier is None:
            unknown.add(" ".join(f"{key}={value}" for key, value in sorted(variant.when.items())))
        elif price.prices:
            tiers.append(PublishedTier(tier, price))
    return PublishedModel(
        entry.id,
        _match(entry.match),
        history,
        tuple(tiers),
        entry.context_window,
        tuple(sorted(unsupported)),
        tuple(sorted(unknown)),
    )


def _service_tier(when: Mapping[str, str]) -> str | None:
    if set(when) == {"service_tier"}:
        return when["service_tier"]
    return VARIANTS.get(next(iter(when.items()))) if len(when) == 1 else None


def _price(prices: source.ModelPrice, constraint: Constraint, unsupported: set[str]) -> PublishedPrice:
    base: dict[str, int] = {}
    tiers: dict[int, dict[str, int]] = {}
    given = {unit: price for unit, price in vars(prices).items() if price is not None and not unit.startswith("_")}
    unsupported |= given.keys() - KIND_BY_UNIT.keys()
    for unit, kind in KIND_BY_UNIT.items():
        price = given.get(unit)
        if price is None:
            continue
        if kind in base:
            unsupported.add(unit)
        elif isinstance(price, source.TieredPrices):
            base[kind] = _rate(kind, price.base)
            for tier in price.tiers:
                tiers.setdefault(tier.start, {})[kind] = _rate(kind, tier.price)
        else:
            base[kind] = _rate(kind, price)
    ordered = tuple(Tier(above, tiers[above]) for above in sorted(tiers))
    if isinstance(constraint, source.StartDateConstraint):
        return PublishedPrice(base, ordered, from_date=constraint.start_date.isoformat())
    if isinstance(constraint, source.TimeOfDateConstraint):
        start, end = constraint.start_time, constraint.end_time
        return PublishedPrice(
            base,
            ordered,
            from_time=start.replace(tzinfo=None).isoformat(),
            until_time=end.replace(tzinfo=None).isoformat(),
        )
    return PublishedPrice(base, ordered)


def _rate(kind: str, price: Decimal) -> int:
    # Some published figures carry the trace of a float (0.18000000000000002): a nano-dollar is fine enough.
    return rate_from_dollars(kind, price.quantize(FINEST))


def _match(clause: object) -> Match:
    for name in ("equals", "starts_with", "ends_with", "contains", "regex"):
        if hasattr(clause, name):
            value: str = getattr(clause, name)
            return msgspec.convert({name: value if name == "regex" else value.lower()}, Match)
    if isinstance(clause, source.ClauseOr):
        return Match(any_of=_matches(clause.or_))
    if isinstance(clause, source.ClauseAnd):
        return Match(all_of=_matches(clause.and_))
    message = f"unknown condition {type(clause).__name__} in the price data"
    raise PriceBookFault(message)


def _matches(clauses: Iterable[object]) -> tuple[Match, ...]:
    return tuple(_match(clause) for clause in clauses)


if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.encode(compile_book()))
