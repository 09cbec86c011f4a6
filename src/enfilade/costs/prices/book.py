"""The price book: what providers publish, as data, with the dates from which it holds."""

import re
from datetime import UTC, date, datetime, time

import msgspec

from enfilade.costs.errors import PriceBookFault
from enfilade.costs.prices.kinds import NUMBER
from enfilade.costs.prices.sheet import PriceSheet, Rates, rates_of

FORM = 2
"""Counts the forms of the stored book: a book of another form is compiled anew instead of being read."""
DATE_RUN = re.compile(r"(?<!\d)(20\d{2})(\d{2})(\d{2})(?!\d)")


class Match(msgspec.Struct, frozen=True, omit_defaults=True):
    """A condition over a model's name; exactly one field is set."""

    equals: str | None = None
    starts_with: str | None = None
    ends_with: str | None = None
    contains: str | None = None
    regex: str | None = None
    any_of: "tuple[Match, ...] | None" = None
    all_of: "tuple[Match, ...] | None" = None

    def matches(self, name: str) -> bool:
        """Whether the lower-case `name` fulfils the condition."""
        if self.any_of is not None:
            return any(part.matches(name) for part in self.any_of)
        if self.all_of is not None:
            return all(part.matches(name) for part in self.all_of)
        if self.regex is not None:
            return re.search(self.regex, name) is not None
        return (
            (self.equals is not None and name == self.equals)
            or (self.starts_with is not None and name.startswith(self.starts_with))
            or (self.ends_with is not None and name.endswith(self.ends_with))
            or (self.contains is not None and self.contains in name)
        )

    def validate(self) -> None:
        """Raise re.error for a pattern that cannot be read."""
        if self.regex is not None:
            re.compile(self.regex)
        for part in (*(self.any_of or ()), *(self.all_of or ())):
            part.validate()


class Tier(msgspec.Struct, frozen=True):
    """Prices that replace the base ones for all tokens once the input exceeds `above`."""

    above: int
    prices: dict[str, int]


class PublishedPrice(msgspec.Struct, frozen=True, omit_defaults=True):
    """Prices by kind, in nano-dollars per million tokens, under one condition of time."""

    prices: dict[str, int]
    tiers: tuple[Tier, ...] = ()
    from_date: str | None = None
    from_time: str | None = None
    until_time: str | None = None

    def is_active(self, moment: datetime) -> bool:
        """Whether the condition holds at an aware moment."""
        moment = moment.astimezone(UTC)
        if self.from_date is not None and moment.date() < date.fromisoformat(self.from_date):
            return False
        if self.from_time is None or self.until_time is None:
            return True
        start, end, now = time.fromisoformat(self.from_time), time.fromisoformat(self.until_time), moment.time()
        return start <= now < end if start <= end else (now >= start or now < end)

    def rates(self) -> tuple[Rates, tuple[tuple[int, Rates], ...]]:
        """The base rates and those of the tiers: a kind keeps its price of one threshold where the next names none."""
        tiers = []
        prices = self.prices
        for tier in self.tiers:
            prices = prices | tier.prices
            tiers.append((tier.above, rates_of(prices)))
        return rates_of(self.prices), tuple(tiers)


def merged(standard: PublishedPrice, variant: PublishedPrice) -> PublishedPrice:
    """The price under a condition: kinds that the variant names cost what it says, at every length of the context."""
    tiers: dict[int, dict[str, int]] = {}
    for tier in standard.tiers:
        kept = {kind: price for kind, price in tier.prices.items() if kind not in variant.prices}
        if kept:
            tiers[tier.above] = kept
    for tier in variant.tiers:
        tiers[tier.above] = tiers.get(tier.above, {}) | tier.prices
    ordered = tuple(Tier(above, tiers[above]) for above in sorted(tiers))
    return PublishedPrice(standard.prices | variant.prices, ordered)


class PublishedTier(msgspec.Struct, frozen=True):
    """What differs for one service tier."""

    service_tier: str
    price: PublishedPrice


class PublishedModel(msgspec.Struct, frozen=True, omit_defaults=True):
    """One model of one provider. Later prices take precedence over earlier ones."""

    id: str
    match: Match
    history: tuple[PublishedPrice, ...]
    service_tiers: tuple[PublishedTier, ...] = ()
    context_window: int | None = None
    unsupported: tuple[str, ...] = ()
    """Published units that no call of ours reports: what they count is not charged."""
    unsupported_variants: tuple[str, ...] = ()
    """Conditions of published prices that no call of ours states."""

    def price_at(self, moment: datetime) -> PublishedPrice:
        """The published price in force at `moment`."""
        return next((p for p in reversed(self.history) if p.is_active(moment)), self.history[0])

    def sheet(self, label: str, moment: datetime) -> PriceSheet | None:
        """The price in force at `moment`; None where it is published only in units that no call reports."""
        published = self.price_at(moment)
        if not published.prices:
            return None
        variants: dict[str, PublishedPrice] = {}
        for variant in self.service_tiers:
            if variant.price.is_active(moment):
                # Of two for one tier the earlier one counts, kind by kind.
                known = variants.get(variant.service_tier)
                variants[variant.service_tier] = variant.price if known is None else merged(variant.price, known)
        base, tiers = published.rates()
        sheets = {}
        for name, variant_price in variants.items():
            variant_base, variant_tiers = merged(published, variant_price).rates()
            sheets[name] = PriceSheet(f"{label}#{name}", variant_base, variant_tiers)
        return PriceSheet(label, base, tiers, sheets)

    @property
    def varies_by_time(self) -> bool:
        """Whether the price depends on when a call is made."""
        return len(self.history) > 1 or any(
            (tier.price.from_date or tier.price.from_time) is not None for tier in self.service_tiers
        )

    def dates(self) -> list[str]:
        """The days from which published prices hold, ascending."""
        prices = (*self.history, *(tier.price for tier in self.service_tiers))
        return sorted({price.from_date for price in prices if price.from_date is not None})


class PublishedProvider(msgspec.Struct, frozen=True, omit_defaults=True):
    """A service and its models."""

    id: str
    address: str
    models: tuple[PublishedModel, ...]
    falls_back_to: tuple[str, ...] = ()


class PriceBook(msgspec.Struct, frozen=True):
    """Everything that one version of the price data says."""

    version: str
    providers: tuple[PublishedProvider, ...]
    form: int = FORM

    def provider_at(self, address: str) -> str | None:
        """The provider whose API has this address, if the book knows it."""
        for provider in self.providers:
            if re.match(provider.address, address):
                return provider.id
        return None

    def find(self, provider_id: str, model: str) -> tuple[str, PublishedModel] | None:
        """The published model for a provider's model name, and its label; None when it is not in the book."""
        by_id = {provider.id: provider for provider in self.providers}
        provider = by_id.get(provider_id)
        if provider is None:
            return None
        candidates = (provider, *(by_id[other] for other in provider.falls_back_to if other in by_id))
        name = model.lower()
        # Some services write dates without hyphens: gpt-5.2-20251211.
        for spelling in dict.fromkeys((name, DATE_RUN.sub(r"\1-\2-\3", name))):
            for candidate in candidates:
                for published in candidate.models:
                    if published.match.matches(spelling):
                        return f"{self.version}:{candidate.id}/{published.id}", published
        return None

    def validate(self) -> None:
        """Raise PriceBookFault unless every price is a sane figure and every condition can be read."""
        if self.form != FORM:
            message = f"The price book has form {self.form}; this program reads {FORM}."
            raise PriceBookFault(message)
        for provider in self.providers:
            re.compile(provider.address)
            for model in provider.models:
                if not model.history:
                    message = f"The price book's entry for {provider.id}/{model.id} has no price."
                    raise PriceBookFault(message)
                model.match.validate()
                for price in (*model.history, *(tier.price for tier in model.service_tiers)):
                    _validate(f"{provider.id}/{model.id}", price)


def _validate(label: str, price: PublishedPrice) -> None:
    figures = [*price.prices.values(), *(f for tier in price.tiers for f in tier.prices.values())]
    thresholds = [tier.above for tier in price.tiers]
    kinds = {*price.prices, *(kind for tier in price.tiers for kind in tier.prices)}
    if any(figure < 0 for figure in figures) or thresholds != sorted(set(thresholds)) or not kinds <= NUMBER.keys():
        message = f"The price book's entry for {label} is not sane."
        raise PriceBookFault(message)
    if price.from_date is not None:
        date.fromisoformat(price.from_date)
    for moment in (price.from_time, price.until_time):
        if moment is not None:
            time.fromisoformat(moment)


def decode_book(text: str | bytes) -> PriceBook:
    """A book from its stored form. Raises PriceBookFault."""
    try:
        book = msgspec.json.decode(text, type=PriceBook)
        book.validate()
    except (msgspec.DecodeError, ValueError, re.error) as error:
        message = f"The price book cannot be read: {error}"
        raise PriceBookFault(message) from error
    return book
