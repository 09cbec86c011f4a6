"""Turns the data of the package `genai-prices` into a price book: `python -m enfilade.costs.prices.compile`.

It runs in a process of its own: the package's tables would stay in the server's memory for good, and the result
is needed once for each version of the package.
"""

import sys
from collections.abc import Iterable
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
from enfilade.costs.prices.sheet import MAX_PRICE_NANO, MAX_UNIT_PRICE_NANO, nano_per_million

KIND_BY_UNIT = {
    "input_mtok": "input",
    "output_mtok": "output",
    "cache_read_mtok": "cached_input",
    "cache_write_mtok": "cache_write",
    "cache_write_1h_mtok": "cache_write_1h",
    "output_reasoning_mtok": "reasoning",
    "input_audio_mtok": "audio_input",
    "cache_audio_read_mtok": "cached_audio_input",
    "output_audio_mtok": "audio_output",
    "input_image_mtok": "image_input",
    "cache_image_read_mtok": "cached_image_input",
    "output_image_mtok": "image_output",
    "input_mchars": "characters",
}
KIND_BY_THOUSANDS = {"requests_kcount": "requests", "web_searches_kcount": "web_searches"}
FINEST = Decimal("0.000000001")


def compile_book() -> PriceBook:
    """The book of the installed data. Raises PriceBookFault when a figure cannot be represented exactly."""
    compiled = []
    for provider in providers:
        models = tuple(model for model in (_model(entry) for entry in provider.models) if model is not None)
        if models:
            falls_back_to = tuple(provider.fallback_model_providers or ())
            compiled.append(PublishedProvider(provider.id, provider.api_pattern, models, falls_back_to))
    book = PriceBook(book_version(), tuple(compiled))
    book.validate()
    return book


def _model(entry: source.ModelInfo) -> PublishedModel | None:
    prices = entry.prices if isinstance(entry.prices, list) else [source.ConditionalPrice(prices=entry.prices)]
    history = tuple(_price(conditional.prices, conditional.constraint) for conditional in prices)
    if not all(price.prices for price in history):
        return None  # Priced in units that no call of ours reports (audio hours, pages): unknown to us.
    tiers = [
        PublishedTier(variant.when["service_tier"], _price(variant.prices, variant.constraint))
        for variant in entry.price_variants or ()
        if set(variant.when) == {"service_tier"}
    ]
    return PublishedModel(entry.id, _match(entry.match), history, tuple(tiers), entry.context_window)


def _price(
    prices: source.ModelPrice, constraint: source.StartDateConstraint | source.TimeOfDateConstraint | None
) -> PublishedPrice:
    base: dict[str, int] = {}
    tiers: dict[int, dict[str, int]] = {}
    for unit, kind in KIND_BY_UNIT.items():
        price = getattr(prices, unit, None)
        if isinstance(price, source.TieredPrices):
            base[kind] = _nano(price.base)
            for tier in price.tiers:
                tiers.setdefault(tier.start, {})[kind] = _nano(tier.price)
        elif price is not None:
            base[kind] = _nano(price)
    for unit, kind in KIND_BY_THOUSANDS.items():
        per_thousand: Decimal | None = getattr(prices, unit, None)
        if per_thousand is not None:
            base[kind] = _nano(per_thousand * 1000, MAX_UNIT_PRICE_NANO)
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


def _nano(price: Decimal, most: int = MAX_PRICE_NANO) -> int:
    # Some published figures carry the trace of a float (0.18000000000000002): a nano-dollar is fine enough.
    return nano_per_million(price.quantize(FINEST), most)


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
