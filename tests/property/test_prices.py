"""What usage costs, against exact fractions; and the worst case, which must never be less than the charge."""

import math
from collections.abc import Mapping
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.money import price_bound
from enfilade.core.usage import MAX_TOKENS, Usage
from enfilade.costs.prices.sheet import MAX_PRICE_NANO, PriceSheet, Rates, rates_of
from tests.support.properties import examples

# Odd figures around half a nano-dollar a token are where rounding goes wrong; the rest are as in price lists.
rate = st.one_of(
    st.integers(0, 3).map(lambda halves: halves * 500_000),
    st.integers(0, 5_000_000),
    st.integers(0, 100_000).map(lambda cents: cents * 10_000_000),
    st.integers(0, MAX_PRICE_NANO),
)
amount = st.one_of(st.integers(0, 9), st.integers(0, 200_000), st.integers(0, MAX_TOKENS // 4))


@st.composite
def usages(draw: st.DrawFn) -> Usage:
    """Plausible usage: parts within their wholes."""
    cached, written, written_1h, plain = draw(amount), draw(amount), draw(amount), draw(amount)
    reasoning, words = draw(amount), draw(amount)
    return Usage(cached + written + written_1h + plain, cached, written, written_1h, reasoning + words, reasoning)


@st.composite
def some_rates(draw: st.DrawFn) -> Rates:
    """Rates, some of which follow from others as in price lists."""
    kinds = ("input", "cached_input", "cache_write", "cache_write_1h", "output", "reasoning")
    given_kinds = draw(st.sets(st.sampled_from(kinds)))
    return rates_of(
        {kind: draw(rate) for kind in sorted(given_kinds)}, per_call=draw(st.sampled_from((0, 0, 1, 10**7)))
    )


@st.composite
def sheets(draw: st.DrawFn) -> PriceSheet:
    """A price, perhaps with tiers for long contexts."""
    thresholds = sorted(draw(st.sets(st.integers(1, 300_000), max_size=3)))
    return PriceSheet("test", draw(some_rates()), tuple((threshold, draw(some_rates())) for threshold in thresholds))


def naive_cost(sheet: PriceSheet, usage: Usage) -> int:
    """The cost by exact fractions, rounded half-up once."""
    rates = sheet.base
    for threshold, tier in sheet.long_context:
        if usage.input_tokens > threshold:
            rates = tier
    plain = usage.input_tokens - usage.cached_input_tokens - usage.cache_write_tokens - usage.cache_write_1h_tokens
    words = usage.output_tokens - usage.reasoning_tokens
    lines: Mapping[int, tuple[int, int]] = {
        0: (plain, rates.input),
        1: (usage.cached_input_tokens, rates.cached_input),
        2: (usage.cache_write_tokens, rates.cache_write),
        3: (usage.cache_write_1h_tokens, rates.cache_write_1h),
        4: (words, rates.output),
        5: (usage.reasoning_tokens, rates.reasoning),
    }
    exact = sum((Fraction(tokens) * Fraction(price, 10**6) for tokens, price in lines.values()), Fraction())
    return rates.per_call + math.floor(exact + Fraction(1, 2))


@given(sheets(), usages())
@examples(250)
def test_the_cost_is_the_exact_one_rounded_half_up_once(sheet: PriceSheet, usage: Usage) -> None:
    assert sheet.cost(usage) == naive_cost(sheet, usage)


@given(sheets(), usages(), amount, amount, st.booleans())
@examples(250)
def test_the_worst_case_is_never_less_than_the_charge(
    sheet: PriceSheet, usage: Usage, more_input: int, more_output: int, caching: bool
) -> None:
    if not caching:
        usage = Usage(usage.input_tokens, usage.cached_input_tokens, 0, 0, usage.output_tokens, usage.reasoning_tokens)
    input_bound, output_bound = usage.input_tokens + more_input, usage.output_tokens + more_output

    worst = sheet.worst_input(input_bound, caching=caching) + price_bound(
        output_bound, sheet.worst_output_rate(input_bound)
    )

    assert sheet.cost(usage) <= worst


@given(sheets(), usages(), usages())
@examples(200)
def test_using_more_of_everything_never_costs_less_within_a_tier(sheet: PriceSheet, one: Usage, other: Usage) -> None:
    flat = PriceSheet(sheet.label, sheet.base)
    both = Usage(*(a + b for a, b in zip(_figures(one), _figures(other), strict=True)))

    assert flat.cost(both) >= max(flat.cost(one), flat.cost(other))


def _figures(usage: Usage) -> tuple[int, ...]:
    return (
        *(usage.input_tokens, usage.cached_input_tokens, usage.cache_write_tokens, usage.cache_write_1h_tokens),
        *(usage.output_tokens, usage.reasoning_tokens),
    )
