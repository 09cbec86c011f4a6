"""The price of one model at one time, and what usage costs by it. Pure integer arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec

from enfilade.core.money import billionths, price_bound, rounded
from enfilade.core.usage import Usage
from enfilade.costs.errors import UnpricedServiceTier
from enfilade.costs.prices.kinds import (
    CACHE_WRITE_KINDS,
    CONTAINED_IN,
    INPUT_KINDS,
    KINDS,
    NUMBER,
    OUTPUT_KINDS,
    REQUESTS,
    WEB_SEARCHES,
)

MILLION = 1_000_000
HALF = MILLION // 2
MAX_PRICE_NANO = 1_000_000 * 10**9
"""A dollar per token: with no more than a billion tokens a call, its cost stays far within the ledger's column."""
MAX_UNIT_PRICE_NANO = 9 * MILLION * 10**9
"""Nine dollars for a call, a search, a page or a second: beyond, canonical JSON could not hold the rate exactly."""
STANDARD_TIERS = frozenset({"", "auto", "default", "standard", "standard_only"})
"""Service tiers that cost the base price."""
UNPRICED = -1
"""The rate of a kind that the price does not know, nor what contains it: of output, where a model only embeds."""
ROUNDING_NANO = 8
"""More than rounding each kind by itself can add to a call's cost."""


class Charge(msgspec.Struct, frozen=True, gc=False):
    """What usage costs: line by line, each rounded half-up once, and their sum."""

    nano: int
    kinds: list[str]
    quantities: list[int]
    rates: list[int]
    """Nano-dollars per million units."""
    amounts: list[int]
    """Nano-dollars."""
    unpriced: bool = False
    """Whether something was used that the price does not know: it is charged nothing, and must be shown."""


NOTHING = Charge(0, [], [], [], [])


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars per million units of each kind, by the kind's number."""

    by_kind: tuple[int, ...]
    dearest_input: int = field(init=False, compare=False)
    """The most that an input token can cost, unless it is written to a cache."""
    dearest_written: int = field(init=False, compare=False)
    """The most that an input token can cost."""
    dearest_output: int = field(init=False, compare=False)
    """The most that an output token can cost."""
    slack: int = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Find the dearest of each kind."""
        rate = self.by_kind.__getitem__
        plain = [number for number in INPUT_KINDS if number not in CACHE_WRITE_KINDS]
        tokens = [rate(number) for number in (*INPUT_KINDS, *OUTPUT_KINDS)]
        for name, value in (
            ("dearest_input", max(0, *map(rate, plain))),
            ("dearest_written", max(0, *map(rate, INPUT_KINDS))),
            ("dearest_output", max(0, *map(rate, OUTPUT_KINDS))),
            ("slack", ROUNDING_NANO if any(figure > 0 and figure % MILLION for figure in tokens) else 0),
        ):
            object.__setattr__(self, name, value)

    def of(self, kind: str) -> int | None:
        """The rate of a kind; None when the price does not know it."""
        rate = self.by_kind[NUMBER[kind]]
        return None if rate == UNPRICED else rate

    def charge(self, usage: Usage) -> Charge:
        """What usage costs."""
        by_kind = self.by_kind
        counted = usage.quantities()
        if by_kind[REQUESTS] > 0:
            counted.append((REQUESTS, 1))
        kinds, quantities, rates, amounts = [], [], [], []
        nano, unpriced = 0, False
        for number, quantity in counted:
            rate = by_kind[number]
            if rate < 0:
                rate, unpriced = 0, True
            amount = (quantity * rate + HALF) // MILLION  # `rounded`, without the call
            nano += amount
            kinds.append(KINDS[number])
            quantities.append(quantity)
            rates.append(rate)
            amounts.append(amount)
        return Charge(nano, kinds, quantities, rates, amounts, unpriced)

    def worst_input(self, input_bound: int, *, caching: bool, searches: int = 0) -> int:
        """The most that up to `input_bound` tokens of input, the searches and the call itself can cost."""
        by_kind = self.by_kind
        worst = price_bound(input_bound, self.dearest_written if caching else self.dearest_input) + self.slack
        if by_kind[REQUESTS] > 0:
            worst += price_bound(1, by_kind[REQUESTS])
        if searches and by_kind[WEB_SEARCHES] > 0:
            worst += price_bound(searches, by_kind[WEB_SEARCHES])
        return worst

    def scaled(self, numerator: int, denominator: int) -> "Rates":
        """Each rate times a fraction, rounded half-up to a nano-dollar per million units."""
        return Rates(
            tuple(
                rate if rate <= 0 else (2 * rate * numerator + denominator) // (2 * denominator)
                for rate in self.by_kind
            )
        )


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """What one model costs while one version of its price is in force."""

    label: str
    """Pinned on every ledger line: source, version and model, so that a cost can be explained later."""
    base: Rates
    long_context: tuple[tuple[int, Rates], ...] = ()
    """Thresholds, ascending: when a call's input exceeds one, all of its tokens cost that tier's rates."""
    service_tiers: Mapping[str, "PriceSheet"] = field(default_factory=dict)
    """By the name of the tier; `batch` is one of them."""
    contracted: "PriceSheet | None" = None
    """What the provider charges us, where that is not what the tenant pays."""
    listed: "PriceSheet | None" = None
    """The published price, where that is not what the tenant pays."""

    def for_service_tier(self, tier: str | None) -> "PriceSheet":
        """The sheet for the service tier that a request asks for, or a reply reports.

        Raises UnpricedServiceTier. The tier `flex` without a price of its own never costs more than the base.
        """
        if tier is None or tier in STANDARD_TIERS:
            return self
        sheet = self.service_tiers.get(tier)
        if sheet is not None:
            return sheet
        if tier == "flex" or self.is_free:
            return self
        message = f"There is no price for service_tier {tier!r}."
        raise UnpricedServiceTier(message, param="service_tier")

    def rates(self, input_tokens: int) -> Rates:
        """The rates that a call with this much input pays for all of its tokens."""
        rates = self.base
        for threshold, dearer in self.long_context:
            if input_tokens > threshold:
                rates = dearer
        return rates

    def charge(self, usage: Usage) -> Charge:
        """What usage costs, line by line."""
        if not self.long_context:
            return self.base.charge(usage)
        return self.rates(usage.input_tokens).charge(usage)

    def cost(self, usage: Usage) -> int:
        """What usage costs, in nano-dollars."""
        return self.charge(usage).nano

    def worst_input(self, input_bound: int, *, caching: bool, searches: int = 0) -> int:
        """The most that up to `input_bound` tokens of input, the searches and the call itself can cost."""
        if not self.long_context:
            return self.base.worst_input(input_bound, caching=caching, searches=searches)
        return max(
            rates.worst_input(input_bound, caching=caching, searches=searches) for rates in self._reachable(input_bound)
        )

    def worst_charge(self, input_bound: int, output_bound: int, *, caching: bool, searches: int = 0) -> Charge:
        """What `worst_input` and `worst_output_rate` bound, line by line: for calls of which nothing is known."""
        reachable = self._reachable(input_bound)
        lines = [
            ("input", input_bound, max(r.dearest_written if caching else r.dearest_input for r in reachable)),
            ("output", output_bound, self.worst_output_rate(input_bound)),
            ("web_searches", searches, max(r.by_kind[WEB_SEARCHES] for r in reachable)),
            ("requests", 1, max(r.by_kind[REQUESTS] for r in reachable)),
        ]
        lines = [line for line in lines if line[1] and (line[2] > 0 or line[0] in {"input", "output"})]
        amounts = [price_bound(quantity, rate) for _, quantity, rate in lines]
        return Charge(
            sum(amounts),
            [kind for kind, _, _ in lines],
            [quantity for _, quantity, _ in lines],
            [rate for _, _, rate in lines],
            amounts,
        )

    def worst_output_rate(self, input_bound: int) -> int:
        """The most that an output token can cost after up to `input_bound` tokens of input, per million."""
        if not self.long_context:
            return self.base.dearest_output
        return max(rates.dearest_output for rates in self._reachable(input_bound))

    @property
    def is_free(self) -> bool:
        """Whether nothing is ever charged."""
        return self.base == FREE_RATES and not self.long_context

    def scaled(self, label: str, numerator: int, denominator: int) -> "PriceSheet":
        """The same price times a fraction, under another label."""
        return PriceSheet(
            label,
            self.base.scaled(numerator, denominator),
            tuple((threshold, rates.scaled(numerator, denominator)) for threshold, rates in self.long_context),
            {
                name: sheet.scaled(f"{label}#{name}", numerator, denominator)
                for name, sheet in self.service_tiers.items()
            },
        )

    def _reachable(self, input_bound: int) -> list[Rates]:
        # A cheaper tier may still be dearer per token than a longer one: every tier up to the bound is looked at.
        return [self.base, *(rates for threshold, rates in self.long_context if input_bound > threshold)]

    def saved(self, usage: Usage) -> int:
        """What the provider's cache saved: what its tokens would have cost beyond what they did, in nano-dollars."""
        if not (usage.cached_input_tokens or usage.cached_audio_input_tokens or usage.cached_image_input_tokens):
            return 0
        rate = self.rates(usage.input_tokens).by_kind
        return rounded(
            sum(
                quantity * (rate[NUMBER[full]] - rate[NUMBER[cached]])
                for quantity, full, cached in (
                    (usage.cached_input_tokens, "input", "cached_input"),
                    (usage.cached_audio_input_tokens, "audio_input", "cached_audio_input"),
                    (usage.cached_image_input_tokens, "image_input", "cached_image_input"),
                )
                # Where the full price is not known, nobody can say what was saved.
                if UNPRICED not in (rate[NUMBER[full]], rate[NUMBER[cached]])
            )
        )


def nano_per_million(dollars_per_million: str | int | float | Decimal, most: int = MAX_PRICE_NANO) -> int:
    """A price in USD per million units as nano-dollars per million units.

    Raises ValueError for what is negative, not finite, finer than a nano-dollar per million, or more than `most`.
    """
    nano = billionths(dollars_per_million, "a price")
    if not nano.is_finite() or not 0 <= nano <= most:
        message = f"a price must be between 0 and {most // 10**9} USD per million, not {dollars_per_million!r}"
        raise ValueError(message)
    if nano != nano.to_integral_value():
        message = f"{dollars_per_million!r} is finer than a nano-dollar per million"
        raise ValueError(message)
    return int(nano)


def rates_of(prices: Mapping[str, int]) -> Rates:
    """Rates from nano-dollars per million by kind; tokens without a price of their own cost what contains them."""
    found = {"input": UNPRICED, "output": UNPRICED, "requests": 0} | dict(prices)
    for kind, container in CONTAINED_IN.items():
        found.setdefault(kind, found[container])
    return Rates(tuple(found.get(kind, UNPRICED) for kind in KINDS))


FREE_RATES = Rates((0,) * len(KINDS))
FREE = PriceSheet("free", FREE_RATES)
