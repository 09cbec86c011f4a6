"""The price of one model at one time, and what usage costs by it. Pure integer arithmetic."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from enfilade.core.money import billionths, price_bound, rounded
from enfilade.core.usage import Usage
from enfilade.costs.errors import UnpricedServiceTier

KINDS = ("input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning")
MAX_PRICE_NANO = 1_000_000 * 10**9
"""A dollar per token: with no more than a billion tokens a call, its cost stays far within the ledger's column."""
STANDARD_TIERS = frozenset({"", "auto", "default", "standard", "standard_only"})
"""Service tiers that cost the base price."""


@dataclass(frozen=True, slots=True)
class Rates:
    """Nano-dollars per million tokens of each kind, and per call."""

    input: int = 0
    cached_input: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0
    per_call: int = 0

    def cost(self, usage: Usage) -> int:
        """What usage costs, in nano-dollars; the sum over all kinds is rounded half-up once."""
        special = usage.cached_input_tokens + usage.cache_write_tokens + usage.cache_write_1h_tokens
        cost = (usage.input_tokens - special) * self.input + (
            usage.output_tokens - usage.reasoning_tokens
        ) * self.output
        if special:
            cost += (
                usage.cached_input_tokens * self.cached_input
                + usage.cache_write_tokens * self.cache_write
                + usage.cache_write_1h_tokens * self.cache_write_1h
            )
        if usage.reasoning_tokens:
            cost += usage.reasoning_tokens * self.reasoning
        return self.per_call + rounded(cost)

    def worst_input(self, input_bound: int, *, caching: bool) -> int:
        """The most that up to `input_bound` tokens of input, and the call itself, can cost."""
        rate = max(self.cached_input, self.input)
        if caching:
            rate = max(rate, self.cache_write, self.cache_write_1h)
        return self.per_call + price_bound(input_bound, rate)

    @property
    def dearest_output(self) -> int:
        """The most that an output token can cost."""
        return max(self.reasoning, self.output)


@dataclass(frozen=True, slots=True)
class PriceSheet:
    """What one model costs while one version of its price is in force."""

    label: str
    """Pinned on every ledger line: source, version and model, so that a cost can be explained later."""
    base: Rates
    long_context: tuple[tuple[int, Rates], ...] = ()
    """Thresholds, ascending: when a call's input exceeds one, all of its tokens cost that tier's rates."""
    service_tiers: Mapping[str, "PriceSheet"] = field(default_factory=dict)

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

    def cost(self, usage: Usage) -> int:
        """What usage costs, in nano-dollars."""
        return self.rates(usage.input_tokens).cost(usage)

    def worst_input(self, input_bound: int, *, caching: bool) -> int:
        """The most that up to `input_bound` tokens of input, and the call itself, can cost."""
        if not self.long_context:
            return self.base.worst_input(input_bound, caching=caching)
        return max(rates.worst_input(input_bound, caching=caching) for rates in self._reachable(input_bound))

    def worst_output_rate(self, input_bound: int) -> int:
        """The most that an output token can cost after up to `input_bound` tokens of input, per million."""
        if not self.long_context:
            return self.base.dearest_output
        return max(rates.dearest_output for rates in self._reachable(input_bound))

    @property
    def is_free(self) -> bool:
        """Whether nothing is ever charged."""
        return self.base == Rates() and not self.long_context

    def _reachable(self, input_bound: int) -> list[Rates]:
        # A cheaper tier may still be dearer per token than a longer one: every tier up to the bound is looked at.
        return [self.base, *(rates for threshold, rates in self.long_context if input_bound > threshold)]


FREE = PriceSheet("free", Rates())


def nano_per_million(dollars_per_million: str | int | float | Decimal) -> int:
    """A price in USD per million tokens as nano-dollars per million tokens.

    Raises ValueError for what is negative, not finite, or finer than a nano-dollar per million.
    """
    nano = billionths(dollars_per_million, "a price")
    if not nano.is_finite() or not 0 <= nano <= MAX_PRICE_NANO:
        message = (
            f"a price must be between 0 and {MAX_PRICE_NANO // 10**9} USD per million, not {dollars_per_million!r}"
        )
        raise ValueError(message)
    if nano != nano.to_integral_value():
        message = f"{dollars_per_million!r} is finer than a nano-dollar per million"
        raise ValueError(message)
    return int(nano)


def rates_of(prices: Mapping[str, int], per_call: int = 0) -> Rates:
    """Rates from nano-dollars per million by kind; what has no price of its own costs what contains it."""
    base_input = prices.get("input", 0)
    base_output = prices.get("output", 0)
    cache_write = prices.get("cache_write", base_input)
    return Rates(
        input=base_input,
        cached_input=prices.get("cached_input", base_input),
        cache_write=cache_write,
        cache_write_1h=prices.get("cache_write_1h", cache_write),
        output=base_output,
        reasoning=prices.get("reasoning", base_output),
        per_call=per_call,
    )
