"""Amounts of money: text and integers mean the same, nothing is lost, rounding is half-up and happens once."""

import math
from decimal import Decimal, localcontext
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enfilade.core.money import MAX_NANO, format_usd, parse_usd, price_bound, rounded
from enfilade.costs.prices.sheet import MAX_PRICE_NANO, nano_per_million
from tests.support.properties import examples

nanos = st.integers(-MAX_NANO, MAX_NANO)


@given(nanos)
@examples(500)
def test_an_amount_survives_being_written_and_read(nano: int) -> None:
    assert parse_usd(format_usd(nano)) == nano


@given(nanos)
@examples(500)
def test_an_amount_is_written_as_the_exact_decimal_with_nine_places(nano: int) -> None:
    text = format_usd(nano)

    assert len(text.partition(".")[2]) == 9
    with localcontext() as context:
        context.prec = 50
        assert Decimal(text) == Decimal(nano) / 10**9


@given(st.decimals(allow_nan=False, allow_infinity=False))
@examples(500)
def test_a_decimal_is_read_exactly_or_refused(amount: Decimal) -> None:
    with localcontext() as context:
        # Wide enough for any significand that the strategy makes, at any exponent near ours.
        context.prec = 200
        context.Emax, context.Emin = 999_999_999, -999_999_999
        exact = amount.scaleb(9)
        representable = abs(exact) <= MAX_NANO and exact == exact.to_integral_value()

    if representable:
        assert parse_usd(amount) == int(exact)
    else:
        with pytest.raises(ValueError, match=r"USD|nano-dollar|amount"):
            parse_usd(amount)


@pytest.mark.parametrize(
    "amount",
    [
        *("1e999999", "-1e999999", "1e-999999", "1e999999999", "1e-999999999", "9" * 60, "1." + "0" * 40 + "1"),
        *("0.0000000001", "NaN", "sNaN", "Infinity", "-inf", "", "ten", "0x10", "9223372036.854775808", True, None),
    ],
)
def test_what_is_no_exact_amount_is_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"USD|nano-dollar|amount"):
        parse_usd(amount)


@pytest.mark.parametrize(
    "price", ["1e999999", "1e-999999", "1." + "0" * 40 + "1", "-1", "NaN", "sNaN", "dear", "1000001"]
)
def test_what_is_no_exact_price_is_refused(price: str) -> None:
    with pytest.raises(ValueError, match=r"price|finer"):
        nano_per_million(price)


@given(st.integers(0, 10**6), st.integers(0, 9))
@examples(200)
def test_floats_are_read_by_their_shortest_form(units: int, places: int) -> None:
    exact = Decimal(units).scaleb(-places)

    assert parse_usd(float(exact)) == exact.scaleb(9)


@given(st.integers(0, 10**9), st.integers(0, MAX_PRICE_NANO))
@examples(500)
def test_a_price_is_rounded_half_up_to_a_nano_dollar(units: int, rate: int) -> None:
    exact = Fraction(units) * rate / 10**6

    assert rounded(units * rate) == math.floor(exact + Fraction(1, 2))
    assert price_bound(units, rate) == math.ceil(exact)
